"""Commands of the command line: a descriptor for each, announced by the hook `sidelight_commands`."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from attrs import field, frozen


def _is_word(_: Any, attribute: Any, value: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", value):
        raise ValueError(f"{attribute.name} must be lower-case words joined by hyphens, got {value!r}")


def _is_line(_: Any, attribute: Any, value: str) -> None:
    if not value.strip() or "\n" in value:
        raise ValueError(f"{attribute.name} must be one line of text")


def _is_module(_: Any, attribute: Any, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?", value):
        raise ValueError(f"{attribute.name} must be `package.module` or `package.module:object`, got {value!r}")


@frozen(kw_only=True)
class Command:
    """One command, `sidelight NAME`.

    Its module is imported when the command is used. It has two functions:

    ```python
    def add_arguments(parser: argparse.ArgumentParser) -> None: ...
    def run(arguments: argparse.Namespace, host: Host) -> int: ...  # the exit code: 0 done, 1 failed, 2 wrong input
    ```

    Args:
        name: the word after `sidelight`; also the entry point's name.
        summary: one line, in the imperative, for `sidelight --help`.
        example: a command line that works.
        module: the module to import; `MODULE:OBJECT` where an object in it has the two functions.
    """

    name: str = field(validator=_is_word)
    summary: str = field(validator=_is_line)
    example: str = field(validator=_is_line)
    module: str = field(validator=_is_module)

    def load(self) -> Any:
        """The module or object that has the two functions; the module is imported."""
        module, _, name = self.module.partition(":")
        body = import_module(module)
        return getattr(body, name) if name else body
