"""ES modules as one inline script, without node.

Each module becomes a function that returns its exports, in dependency order. A page then opens from disk, where
browsers refuse to load modules from files, and the modules stay what a live page would import.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_IMPORT = re.compile(r"^import\s*\{([^}]*)\}\s*from\s*\"\./([\w-]+)\.js\";[ \t]*$", re.MULTILINE)
_SIDE_EFFECT = re.compile(r"^import\s*\"\./([\w-]+)\.js\";[ \t]*$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\s+(\w+))", re.MULTILINE)


def reader(package: str) -> Callable[[str], str]:
    """Function from the name of a file in `web/` of a package, or of this one, to its text."""

    def read(name: str) -> str:
        own = files(package) / "web" / name
        path = own if own.is_file() else files("sidelight_ui") / "web" / name
        return path.read_text(encoding="utf-8")

    return read


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """One script that runs module `entry` and everything it imports.

    Args:
        entry: name of the module, without `.js`.
        read: text of a file, by its name.

    Raises:
        ValueError: circular imports, or a form of import or export not handled here.
    """
    order: dict[str, str] = {}
    _visit(entry, read, order, ())
    return "".join(_as_function(name, text) for name, text in order.items())


def _visit(name: str, read: Callable[[str], str], order: dict[str, str], above: tuple[str, ...]) -> None:
    """Add a module to `order` after its imports (depth-first)."""
    if name in above:
        raise ValueError(f"modules import each other: {' -> '.join([*above, name])}")
    if name in order:
        return
    text = read(f"{name}.js")
    for needed in [match[2] for match in _IMPORT.finditer(text)] + _SIDE_EFFECT.findall(text):
        _visit(needed, read, order, (*above, name))
    order[name] = text


def _as_function(name: str, text: str) -> str:
    exports = [match[1] for match in _EXPORT.finditer(text)]
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};", text)
    body = _EXPORT.sub("", _SIDE_EFFECT.sub("", body))
    left = re.search(r"^(?:import|export)\b.*", body, re.MULTILINE)
    if left:
        raise ValueError(f"{name}.js: cannot inline {left[0]!r}")
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();\n"


def _variable(name: str) -> str:
    """The script's variable that holds a module's exports."""
    return "m_" + name.replace("-", "_")
