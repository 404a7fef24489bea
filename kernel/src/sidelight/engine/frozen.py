"""A run that obeys a lock: what differs from it is refused by name before, and told by name after it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import SidelightError, UserError

from sidelight.engine.lock import (
    counted,
    lock_text,
    locked_distributions,
    locked_files,
    locked_observers,
    locked_recipe,
    platform_facts,
    python_facts,
    read_lock,
)
from sidelight.engine.results import LOCK
from sidelight.registry.hashes import known_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight.recipe.model import Resolved, ResolvedComponent
    from sidelight.registry.catalog import Catalog

_LONGEST = 80  # characters of a value in a message
_FEW = 3  # names that are listed
_DIGITS = 12  # of a digest


@frozen
class Frozen:
    """A lock that a run obeys.

    Args:
        path: of the file.
        lock: its content.
        warnings: what differs without being refused.
    """

    path: Path
    lock: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, catalog: Catalog) -> Frozen:
        """Read a lock and compare what is installed with it, so that no plugin that differs is ever imported.

        Raises:
            UserError: there is no such lock, or something differs; all that does is listed.
        """
        lock = read_lock(path)
        refused = [*_different_distributions(lock["distributions"]), *_different_policy(lock, catalog)]
        unhashed = [name for name, entry in lock["distributions"].items() if not entry.get("hash")]
        noted = [f"distribution {name}: it has no hash, and was compared by its version alone" for name in unhashed]
        for text, is_grave in _different_machine(lock):
            (refused if is_grave or lock["strict"] else noted).append(text)
        if refused:
            more = "the recipe and its files were not compared, because plugins that differ are not loaded"
            _refuse(path, refused, more)
        return cls(path, lock, tuple(f"{text} (lock {path})" for text in noted))

    def check(self, resolved: Resolved, catalog: Catalog) -> None:
        """Compare a recipe with the lock, with everything that it reads; nothing is computed.

        Raises:
            UserError: something differs; all that does is listed.
        """
        refused = list(_different_values(self.lock["recipe"].get("resolved", {}), locked_recipe(resolved)))
        for name in locked_distributions(resolved, catalog):
            if name not in self.lock["distributions"]:
                refused.append(f"distribution {name}: the run would use it, and the lock has none of that name")
        for text in locked_observers(catalog):
            if text not in self.lock["observers"]:
                refused.append(f"observer {text}: it would watch the run, and the lock has none of that name")
        if not refused:  # else the recipe's values tell
            absent = [one.path for one in counted(resolved) if one.path not in self.lock["components"]]
            refused += [f"component {path}: the run has it, and the lock has none of that path" for path in absent]
        for one in counted(resolved):
            refused += _different_component(self.lock["components"].get(one.path), one)
        if refused:
            _refuse(self.path, refused)

    def finish(self, digests: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Copy the lock into a run's folder; gives what the run's manifest says of it.

        Args:
            digests: of the run, as in its manifest.
            folder: of the run.
        """
        content = lock_text(self.lock)
        (folder / LOCK).write_text(content, encoding="utf-8")
        digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
        return {"file": LOCK, "digest": digest, "source": str(self.path), "differs": self.differences(digests)}

    def errors(self, obeyed: Mapping[str, Any]) -> list[SidelightError]:
        """The error of a run whose manifest has differences; none where all came out as it is locked."""
        lines = "".join(f"\n  {text}" for text in obeyed["differs"])
        return [SidelightError(f"the run came out otherwise than the lock {self.path} has it:{lines}")] if lines else []

    def differences(self, digests: Mapping[str, Any]) -> list[str]:
        """Sentences on what a finished run's digests have otherwise than the lock: weights, explained images."""
        weights, texts = dict(digests.get("weights", {})), list[str]()
        for path, entry in self.lock["components"].items():
            locked = entry.get("weights")
            if locked and weights.get(path) != locked:
                made = "no digest of them could be taken" if path not in weights else f"now {_short(weights[path])}"
                texts.append(f"weights of {path} ({entry.get('use')}): locked {_short(locked)}, {made}")
        run = self.lock["run"] or {}
        if run.get("data") and digests.get("data") != run["data"]:
            texts.append(_different_images(run.get("images", []), digests.get("images", [])))
        if texts and run:
            texts.append(f"the lock was made of a run on {run.get('device')} with {run.get('threads')} threads")
        return texts


def _refuse(path: Path, refused: list[str], more: str = "") -> None:
    count = "one thing" if len(refused) == 1 else f"{len(refused)} things"
    lines = "\n".join(f"  {text}" for text in (*refused, *([more] if more else [])))
    fix = "restore what is locked, or lock what there is now with `sidelight lock`"
    raise UserError(f"{count} differ{'s' if len(refused) == 1 else ''} from the lock {path}:\n{lines}", fix)


def _different_distributions(locked: Mapping[str, Any]) -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    for name, entry in sorted(locked.items()):
        try:
            now = version(name)
        except PackageNotFoundError:
            yield f"distribution {name}: locked {entry.get('version')}, it is not installed"
            continue
        if now != entry.get("version"):
            yield f"distribution {name}: locked {entry.get('version')}, installed {now}"
            continue
        content = known_content(name)
        if content.hash != entry.get("hash"):
            what, before = "its sources" if content.is_editable else "its files", _short(entry.get("hash"))
            yield f"distribution {name} {now}: {what} differ, locked {before}, now {_short(content.hash)}"


def _different_policy(lock: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    locked, now = lock["policy"], catalog.policy.digest
    if locked != now:
        told = [_short(digest) if digest else "none" for digest in (locked, now)]
        yield f"policy: locked {told[0]}, now {told[1]}"


def _different_machine(lock: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Sentences on Python and platform, each with True where it is always refused: another minor version."""
    locked, here = lock["python"], python_facts()
    for name in ("implementation", "version"):
        before, now = str(locked.get(name)), here[name]
        if before != now:
            is_patch = name == "version" and before.split(".")[:2] == now.split(".")[:2]
            yield f"Python {name}: locked {before}, here {now}", not is_patch
    for name, now in platform_facts().items():
        if lock["platform"].get(name) != now:
            yield f"platform: locked {lock['platform'].get(name)}, here {now}", False


def _different_values(locked: Any, now: Any, path: str = "") -> Iterator[str]:
    """Sentences on each value of the recipe that differs, by its path."""
    if isinstance(locked, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*locked, *now]):
            inner = f"{path}.{key}" if path else str(key)
            yield from _different_values(locked.get(key), now.get(key), inner)
    elif locked != now:
        before, after = (json.dumps(value)[:_LONGEST] for value in (locked, now))
        yield f"recipe: {path} is {before} in the lock, {after} now"


def _different_component(locked: Mapping[str, Any] | None, one: ResolvedComponent) -> Iterator[str]:
    """Sentences on each file or folder of a component that differs."""
    if locked is None or locked.get("use") != one.use:  # which the recipe's values tell
        return
    noun, reads = "data" if one.role == "data" else "file", (locked.get("files", []), locked_files(one))
    before, after = ({str(file.get("path")): str(file.get("sha256")) for file in files} for files in reads)
    if before.keys().isdisjoint(after):  # folders of another machine: they are compared in their order
        before = dict(zip([*after, *before], before.values(), strict=False))
    for path in dict.fromkeys([*before, *after]):
        locked_digest, now = before.get(path), after.get(path)
        if now is None:
            yield f"{noun} {path} of {one.title}: it is locked, and is not read now"
        elif locked_digest != now:
            yield f"{noun} {path} of {one.title}: locked {_short(locked_digest)}, now {_short(now)}"


def _different_images(locked: list[dict[str, str]], now: list[dict[str, str]]) -> str:
    before, after = ({image.get("id", ""): image.get("pixels") for image in images} for images in (locked, now))
    changes = {
        "changed": [name for name in before if name in after and before[name] != after[name]],
        "gone": [name for name in before if name not in after],
        "new": [name for name in after if name not in before],
    }
    named = [f"{verb} {_listed(names)}" for verb, names in changes.items() if names]
    return f"explained images: {'; '.join(named) or 'other labels or class names'}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def _short(digest: Any) -> str:
    """The first digits of a digest, as messages show it."""
    return str(digest)[: len("sha256:") + _DIGITS] if digest else "none"
