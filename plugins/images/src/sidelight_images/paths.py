"""Image files that a user names: paths, patterns and folders, in the order in which they are given."""

from __future__ import annotations

import glob
import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.facts import Mistake
from sidelight_specs.files import nearest_file
from sidelight_specs.wording import did_you_mean, quoted

from sidelight_images.listing import NO_CLASS, SUFFIXES, Entry, list_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PATTERN = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"(\d+)")


@attrs.frozen
class Paths:
    """Image files behind what a user named.

    Args:
        entries: in order, each file once; `relative` is the path as it was given, for the files of a pattern or folder
            as it would have been.
        classes: names of the folders' sub-folders, sorted, where everything named is a folder that has these.
        passed_over: files of patterns and folders that are no images by their names.
        mistakes: what is not there.
        complete: false where more files are named than were listed.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    passed_over: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    complete: bool = True


def list_paths(paths: Iterable[str], most: int | None = None) -> Paths:
    """Look for everything that is named; nothing is opened.

    Args:
        paths: files, patterns of `glob` (`**` for any folders), and folders, which are read as by `images/folder`.
        most: stop after so many files.
    """
    entries: dict[str, Entry] = {}  # by absolute path
    passed_over, mistakes = list[str](), list[Mistake]()
    every = (entry for path in paths for entry in _named(path, passed_over, mistakes, most))
    for entry in islice(every, most):
        entries.setdefault(os.path.abspath(entry.path), entry)  # noqa: PTH100  (links stay as they are)
    complete = most is None or next(every, None) is None
    found = tuple(entries.values())
    is_labelled = bool(found) and all(entry.label != NO_CLASS for entry in found)
    if not is_labelled:
        found = tuple(attrs.evolve(entry, label=NO_CLASS) for entry in found)
    classes = tuple(sorted({entry.label for entry in found})) if is_labelled else ()
    return Paths(found, classes, tuple(passed_over), tuple(mistakes), complete)


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Key by which 2.png comes before 10.png."""
    parts = _DIGITS.split(name.casefold())
    return (*((1, int(part)) if part.isdecimal() else (0, part) for part in parts), (0, name))


def _named(path: str, passed_over: list[str], mistakes: list[Mistake], most: int | None) -> Iterator[Entry]:
    """Files behind one path; what it does not lead to is noted."""
    place = Path(path).expanduser()
    try:
        is_file, is_folder = place.is_file(), place.is_dir()
    except (OSError, ValueError):  # no name that a file can have
        is_file = is_folder = False
    if is_file:
        yield Entry(place, path, "", NO_CLASS)
    elif is_folder and path:
        try:
            listing = list_folder(place, most)
        except UserError as error:
            mistakes.append(Mistake(error.message, error.fix, "paths"))
            return
        except OSError as error:
            mistakes.append(Mistake(f"{path} cannot be read: {error.strerror}", "make it readable", "paths"))
            return
        start = "" if path == "." else path.rstrip("/") + "/"
        passed_over += [start + name for name in listing.passed_over]
        for entry in sorted(listing.entries, key=lambda entry: natural_order(entry.relative)):
            yield attrs.evolve(entry, relative=start + entry.relative)
    elif _PATTERN.search(path):
        yield from _matching(path, passed_over, mistakes)
    else:
        mistakes.append(_missing(path, place))


def _matching(pattern: str, passed_over: list[str], mistakes: list[Mistake]) -> Iterator[Entry]:
    """Image files that match a pattern, 2.png before 10.png."""
    matches = sorted(glob.glob(os.path.expanduser(pattern), recursive=True), key=natural_order)  # noqa: PTH111, PTH207
    images = [match for match in matches if Path(match).suffix.lower() in SUFFIXES and not Path(match).is_dir()]
    passed_over += [match for match in matches if match not in set(images) and not Path(match).is_dir()]
    if not images:
        other = f"matches {len(matches)} files, none of them an image" if matches else "matches no file"
        fix = f"relative patterns start at {Path.cwd()}; images end in {', '.join(sorted(SUFFIXES))}"
        mistakes.append(Mistake(f"the pattern {quoted(pattern)} {other}", fix, "paths"))
    home = os.path.expanduser("~") if pattern.startswith("~") else ""  # noqa: PTH111
    for match in images:
        yield Entry(Path(match), f"~{match.removeprefix(home)}" if home else match, "", NO_CLASS)


def _missing(path: str, place: Path) -> Mistake:
    if not path:
        return Mistake("a path is empty", "name a file, a pattern or a folder", "paths")
    near = nearest_file(place, tuple(SUFFIXES))
    folder = _nearest_folder(place)
    fix = f"relative paths start at {Path.cwd()}"
    if near:
        fix = f"did you mean {quoted(str(Path(path).with_name(near.name)))}?"
    elif folder:
        fix = folder
    return Mistake(f"there is no file or folder {quoted(path)}", fix, "paths")


def _nearest_folder(place: Path) -> str:
    """A hint where a folder of a similar name is there."""
    try:
        names: Sequence[str] = [child.name for child in place.parent.iterdir() if child.is_dir()]
    except (OSError, ValueError):
        return ""
    return did_you_mean(place.name, names)
