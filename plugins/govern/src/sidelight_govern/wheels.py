"""Origins of wheels: from a report of pip into a lock, and from the lock into a requirements file of hashes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.entry_points import normalise
from sidelight_specs.files import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN = re.compile(r"[!-~]+")  # one word of ASCII: nothing in it ends a line of a requirements file
_REPORT = "pip install --dry-run --ignore-installed --quiet --report FILE REQUIREMENT ..."


def add_origins(lock: dict[str, Any], report: Path) -> None:
    """Add URL and SHA-256 of the wheel of each locked distribution that a report of pip names, as `origin`.

    Args:
        lock: changed in place.
        report: written by `pip install --report` (format 1), with `--dry-run --ignore-installed` for what is there.

    Raises:
        UserError: the report cannot be read, or has another version than is locked.
    """
    for name, version, origin in _reported(report):
        entry = lock["distributions"].get(name)
        if entry is None:
            continue
        if entry["version"] != version:
            message = f"{report} has {name} {version}, and {entry['version']} is installed"
            raise UserError(message, "report on what is installed: name these versions to pip")
        entry["origin"] = origin


def requirement_lines(lock: dict[str, Any]) -> list[str]:
    """Lines of a requirements file that pins every locked distribution by version and hash.

    Raises:
        UserError: the origin of a distribution is not known.
    """
    missing = [name for name, entry in lock["distributions"].items() if "origin" not in entry]
    if missing:
        few = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UserError(f"no report names the wheels of {few}", f"give one with --report: `{_REPORT}`")
    lines = [f"# {lock['recipe']['name']}: {len(lock['distributions'])} distributions of its lock"]
    for name, entry in sorted(lock["distributions"].items()):
        origin = entry["origin"]
        pin = f"{name} @ {origin['url']}" if origin["direct"] else f"{name}=={entry['version']}"
        lines.append(f"{pin} \\\n    --hash=sha256:{origin['sha256']}")
    return lines


def _reported(report: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, version and origin of each distribution in a report."""
    fix = f"write it with `{_REPORT}`"
    try:
        document = read_object(report)
    except (OSError, ValueError) as error:
        raise UserError(f"{report} cannot be read: {getattr(error, 'strerror', None) or error}", fix) from error
    if document.get("version") != "1" or not isinstance(document.get("install"), list):
        raise UserError(f"{report} is no installation report of pip", fix)
    for item in document["install"]:
        try:
            name, version = normalise(item["metadata"]["name"]), str(item["metadata"]["version"])
            info = item["download_info"]
            url, direct = str(info["url"]), bool(item.get("is_direct", False))
            digest = str(info["archive_info"]["hashes"]["sha256"]) if "archive_info" in info else ""
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{report} has an entry that is none of pip's: {error!r}", fix) from error
        if not digest:  # a folder or a repository, which has no hash
            continue
        if not (_SHA256.fullmatch(digest) and _PLAIN.fullmatch(url) and _PLAIN.fullmatch(name)):
            raise UserError(f"{report} has an entry for {name} without a proper URL and SHA-256", fix)
        yield name, version, {"url": url, "sha256": digest, "direct": direct}
