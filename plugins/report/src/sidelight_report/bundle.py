"""The front end's ES modules as one inline script, without a bundler.

Each module becomes a function that returns its exports, in dependency order. So the page opens from disk, where
browsers refuse to load modules from files, and the modules stay what a live page would import as they are.
"""

from __future__ import annotations

import re
from importlib.resources import files

_IMPORT = re.compile(r"^import\s*\{([^}]*)\}\s*from\s*\"\./([\w-]+)\.js\";[ \t]*$", re.MULTILINE)
_SIDE_EFFECT = re.compile(r"^import\s*\"\./([\w-]+)\.js\";[ \t]*$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\s+(\w+))", re.MULTILINE)


def read(name: str) -> str:
    """The text of a file in `web/`."""
    return (files("sidelight_report") / "web" / name).read_text(encoding="utf-8")


def bundle(entry: str) -> str:
    """One script that runs module `entry` and everything that it imports.

    Raises:
        ValueError: modules import each other in a circle, or use a form of import or export not handled here.
    """
    order: list[str] = []
    _visit(entry, order, ())
    return "".join(_wrapped(name) for name in order)


def _visit(name: str, order: list[str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"modules import each other: {' -> '.join([*above, name])}")
    if name in order:
        return
    text = read(f"{name}.js")
    for needed in [match[2] for match in _IMPORT.finditer(text)] + _SIDE_EFFECT.findall(text):
        _visit(needed, order, (*above, name))
    order.append(name)


def _wrapped(name: str) -> str:
    text = read(f"{name}.js")
    exports = [match[1] for match in _EXPORT.finditer(text)]
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {variable(match[2])};", text)
    body = _EXPORT.sub("", _SIDE_EFFECT.sub("", body))
    left = re.search(r"^(?:import|export)\b.*", body, re.MULTILINE)
    if left:
        raise ValueError(f"{name}.js: cannot inline {left[0]!r}")
    return f"const {variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();\n"


def variable(name: str) -> str:
    """The script's variable that holds a module's exports."""
    return "m_" + name.replace("-", "_")
