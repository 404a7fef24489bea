"""The front end's ES modules as one inline script: browsers refuse to load modules from disk.

Each module becomes a function that gives its exports, after those that it imports.
"""

from __future__ import annotations

import re
from importlib.resources import files

_IMPORT = re.compile(r"^import\s*\{([^}]*)\}\s*from\s*\"\./([\w-]+)\.js\";[ \t]*$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\s+(\w+))", re.MULTILINE)


def read(name: str) -> str:
    """The text of a file in `web/`."""
    return (files("sidelight_explorer") / "web" / name).read_text(encoding="utf-8")


def bundle(entry: str) -> str:
    """One script that runs the module `entry` and all that it imports.

    Raises:
        ValueError: modules import each other in a circle, or use another form of import or export.
    """
    order: list[str] = []
    _visit(entry, order, ())
    return "".join(_wrapped(name) for name in order)


def _visit(name: str, order: list[str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"modules import each other: {' -> '.join([*above, name])}")
    if name in order:
        return
    for match in _IMPORT.finditer(read(f"{name}.js")):
        _visit(match[2], order, (*above, name))
    order.append(name)


def _wrapped(name: str) -> str:
    text = read(f"{name}.js")
    exports = [match[1] for match in _EXPORT.finditer(text)]
    body = _EXPORT.sub("", _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};", text))
    left = re.search(r"^(?:import|export)\b.*", body, re.MULTILINE)
    if left:
        raise ValueError(f"{name}.js: cannot inline {left[0]!r}")
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();\n"


def _variable(name: str) -> str:
    return "m_" + name.replace("-", "_")
