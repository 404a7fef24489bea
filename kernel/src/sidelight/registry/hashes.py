"""The hash of an installed distribution, by which a policy names exactly what it allows or denies.

SHA-256 over one line for each file, sorted by path: the path below the folder of the installation, with forward
slashes, a zero byte, the SHA-256 of its content in hexadecimal digits, a line feed. Files are those of `RECORD` and all
others in the packages that it fills, read anew. Left out are what differs from machine to machine: byte code
(`__pycache__`), scripts outside of that folder, and RECORD, INSTALLER, REQUESTED and direct_url.json.
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "sha256:"
_OF_THE_MACHINE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@functools.cache
def installed_hash(name: str) -> str | None:
    """`sha256:` and 64 digits; None where it cannot be told: no such distribution, an editable one, unreadable files.

    Args:
        name: of the distribution.
    """
    try:
        distribution = Distribution.from_name(name)
        if _is_editable(distribution) or distribution.files is None:
            return None
        root = Path(str(distribution.locate_file("")))
        lines = [f"{path}\0{_digest(root / path)}\n" for path in sorted(set(_files(distribution, root)))]
    except (PackageNotFoundError, OSError, ValueError):
        return None
    return PREFIX + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_editable(distribution: Distribution) -> bool:
    """True for an editable installation, whose files say nothing about its code (PEP 610)."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return True
    return bool(isinstance(origin, dict) and origin.get("dir_info", {}).get("editable"))


def _files(distribution: Distribution, root: Path) -> Iterator[str]:
    """Paths below `root` that count: those recorded, and whatever else lies in the packages that are recorded."""
    recorded = [path.as_posix() for path in distribution.files or () if not path.as_posix().startswith(("..", "/"))]
    packages = {
        name for name in (path.partition("/")[0] for path in recorded) if (root / name / "__init__.py").is_file()
    }
    beside = (path.relative_to(root).as_posix() for name in packages for path in (root / name).rglob("*"))
    for path in (*recorded, *(path for path in beside if (root / path).is_file())):
        folder, _, name = path.rpartition("/")
        of_machine = folder.endswith(".dist-info") and name in _OF_THE_MACHINE
        if "__pycache__" not in path.split("/") and not of_machine:
            yield path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
