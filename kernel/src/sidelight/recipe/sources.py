"""Sources of a recipe: a file or a dict, and the files that it extends."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight.files import read_regular
from sidelight.problems import Place, Problems
from sidelight.recipe.budget import MAX_BYTES
from sidelight.recipe.merge import merge
from sidelight.recipe.model import UNREADABLE, Value
from sidelight.recipe.plain_reader import read_plain
from sidelight.recipe.wording import quoted, show
from sidelight.recipe.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EXTENDS = 8
"""Files in one chain of `extends`."""


def read_source(source: Path | str | Mapping[str, Any], problems: Problems) -> Value:
    """A recipe merged with everything that it extends.

    Args:
        source: a path, or the recipe as plain Python values (its `extends` is relative to the working folder).
        problems: gets every mistake. When the recipe or a file that it extends could not be read at all, the
            answer is `UNREADABLE`.
    """
    if isinstance(source, Mapping):
        return _with_bases(read_plain(source, problems), Path(), (), problems)
    return _read_chain(Path(source), (), problems, None)


def _read_chain(path: Path, chain: Sequence[Path], problems: Problems, asked_at: Place | None) -> Value:
    text = _read_text(path, problems, asked_at)
    if text is None:
        return Value(UNREADABLE, Place(str(path)))
    return _with_bases(read_yaml(text, str(path), problems), path.parent, (*chain, path.resolve()), problems)


def _with_bases(recipe: Value, folder: Path, chain: Sequence[Path], problems: Problems) -> Value:
    """`recipe` laid over what it extends."""
    if not isinstance(recipe.data, dict) or "extends" not in recipe.data:
        return recipe
    named = recipe.data["extends"].value
    if named.data is None:
        return recipe
    if not isinstance(named.data, str):
        problems.add(f"extends must name a recipe file, got {show(named)}", named.place, expected="a path, as text")
        return Value(UNREADABLE, recipe.place)
    path = folder / named.data
    reason = _loop(path, chain)
    if reason:
        problems.add(reason, named.place)
        return Value(UNREADABLE, recipe.place)
    base = _read_chain(path, chain, problems, named.place)
    return merge(base, recipe) if base.data is not UNREADABLE else base


def _loop(path: Path, chain: Sequence[Path]) -> str:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        return ""  # reading it says why
    if resolved in chain:
        names = " -> ".join(link.name for link in (*chain[chain.index(resolved) :], resolved))
        return f"extends goes round in a circle: {names}"
    return f"extends goes through more than {MAX_EXTENDS} files" if len(chain) >= MAX_EXTENDS else ""


def _read_text(path: Path, problems: Problems, asked_at: Place | None) -> str | None:
    """The text of a file, or None and a problem, at the `extends` that asked for it."""
    place = asked_at or Place(str(path), rank=problems.next_rank())
    try:
        content = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else reason
        problems.add(f"the recipe {quoted(str(path))} cannot be read: {reason}", place, suggestion=_similar(path))
        return None
    if len(content) > MAX_BYTES:
        problems.add(f"the recipe {quoted(str(path))} is larger than {MAX_BYTES // 1024} KiB", place)
        return None
    return _decode(content, path, problems)


def _decode(content: bytes, path: Path, problems: Problems) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line_start = before.rfind("\n") + 1
        line = before[line_start:] + content[error.start :].split(b"\n")[0].decode("utf-8", "replace")
        place = Place(
            str(path), before.count("\n") + 1, len(before) - line_start + 1, line.rstrip("\r"), problems.next_rank()
        )
        problems.add(
            f"the byte 0x{content[error.start]:02x} is not UTF-8", place, suggestion="save the file as UTF-8 text"
        )
        return None


def _similar(path: Path) -> str:
    """The recipe that was meant: the name with its suffix, also in `recipes/`, or a similar name beside it."""
    try:
        named = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
        for meant in (named, Path("recipes") / named):
            if meant != path and meant.is_file():
                return f"did you mean {quoted(str(meant))}?"
        recipes = (file for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml"))
        names = [file.name for file in recipes if file.is_file() and file.name != path.name]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {quoted(str(path.with_name(near[0])))}?" if near else ""
