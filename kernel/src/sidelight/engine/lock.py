"""Locks: what a recipe would be run with, as one file, and what differs from it later.

A lock holds the resolved recipe, the policy, Python and the platform, version and content hash of every distribution
that the run's components come from or require, the digests of files and folders that components read, and after a run
those of trained weights and of the explained images. It is made of plain JSON values, in one order.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import SidelightError, UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.entry_points import normalise
from sidelight_specs.files import read_object
from sidelight_specs.hooks import OBSERVER
from sidelight_specs.recipe import params_plain
from sidelight_specs.wording import show

from sidelight import cache
from sidelight.registry.hashes import known_content
from sidelight.registry.requirements import required_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs.host import Installed

    from sidelight.recipe.model import Resolved, ResolvedComponent
    from sidelight.registry.catalog import Catalog

FORMAT = 1
SUFFIX = ".lock"
_ALWAYS = ("sidelight", "sidelight-specs")
_UNCOUNTED = ("executor",)  # results do not depend on who computes them; its distribution is locked all the same
_SHAPE: dict[str, type | tuple[type, ...]] = {
    "recipe": dict,
    "python": dict,
    "platform": dict,
    "policy": (str, type(None)),
    "distributions": dict,
    "components": dict,
    "observers": list,
    "run": (dict, type(None)),
    "strict": bool,
}


def lock_path(recipe: str | Path) -> Path:
    """The lock of a recipe, or of a run's folder, unless another is named: beside it, `.lock` added to its name."""
    path = Path(recipe)
    return path.with_name(path.name + SUFFIX)


def lock_of(
    resolved: Resolved, catalog: Catalog, *, strict: bool = False, manifest: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The lock of a recipe as things stand, as plain values.

    Args:
        resolved: the recipe.
        catalog: what is installed, and the policy.
        strict: another patch version of Python or another platform is to be refused, not warned of.
        manifest: of a finished run of the recipe, whose digests are locked as well.

    Raises:
        UserError: a file cannot be read; the run was made with other versions than are installed.
        SidelightError: a component's parameters hold a live object whose content cannot be told.
    """
    if manifest is not None:
        _refuse_other_versions(resolved, manifest)
    digests = dict(manifest.get("digests", {})) if manifest is not None else {}
    return {
        "sidelight_lock": FORMAT,
        "recipe": {"name": resolved.name, "resolved": locked_recipe(resolved), "digest": _sha(locked_recipe(resolved))},
        "python": python_facts(),
        "platform": platform_facts(),
        "policy": catalog.policy.digest,
        "distributions": {name: _distribution(name) for name in locked_distributions(resolved, catalog)},
        "components": {one.path: _component(one, digests.get("weights", {})) for one in counted(resolved)},
        "observers": locked_observers(catalog),
        "run": _run(manifest, digests),
        "strict": strict,
    }


def lock_text(lock: Mapping[str, Any]) -> str:
    """A lock as the text of its file."""
    return json.dumps(lock, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> dict[str, Any]:
    """The lock in a file.

    Raises:
        UserError: there is none, or it is not in order.
    """
    fix = "write it with `sidelight lock RECIPE`"
    try:
        lock = read_object(path)
    except FileNotFoundError as error:
        raise UserError(f"there is no lock {path}", fix) from error
    except (OSError, ValueError) as error:
        raise UserError(f"the lock {path} cannot be read: {error}", fix) from error
    if lock.get("sidelight_lock") != FORMAT:
        known = f"this version of Sidelight reads locks of format {FORMAT}"
        raise UserError(f"{path} is a lock of format {show(lock.get('sidelight_lock'))}: {known}", fix)
    if flaw := _flaw(lock):
        raise UserError(f"{path} is no lock: {flaw}", fix)
    return lock


def _flaw(lock: dict[str, Any]) -> str:
    """The first thing in a lock that is missing or of another type; empty where it is in order."""
    for name, kind in _SHAPE.items():
        if not isinstance(lock.get(name), kind):
            return f"{name} is missing or of another type"
    entries = [
        (f"{section}.{name}", one) for section in ("distributions", "components") for name, one in lock[section].items()
    ]
    for name, entry in entries:
        if not isinstance(entry, dict):
            return f"{name} is no mapping"
        if not _are_files(entry.get("files", [])):
            return f"{name}.files is no list of paths with digests"
    if not _are_files((lock["run"] or {}).get("images", [])):
        return "run.images is no list of images with digests"
    return ""


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(isinstance(text, str) for text in one.values()) for one in value
    )


# What is locked


def python_facts() -> dict[str, str]:
    """Implementation and version."""
    return {"implementation": platform.python_implementation(), "version": platform.python_version()}


def platform_facts() -> dict[str, str]:
    """System and kind of processor."""
    return {"system": platform.system(), "machine": platform.machine()}


def locked_recipe(resolved: Resolved) -> dict[str, Any]:
    """The resolved recipe without what its results do not depend on."""
    plain: dict[str, Any] = json.loads(json.dumps(resolved.plain))  # tuples as lists
    return {key: value for key, value in plain.items() if key not in _UNCOUNTED}


def counted(resolved: Resolved) -> list[ResolvedComponent]:
    """The components that results depend on."""
    return [one for one in resolved.components if one.role not in _UNCOUNTED]


def locked_distributions(resolved: Resolved, catalog: Catalog) -> tuple[str, ...]:
    """Names of the distributions of a run: the kernel's, those of components and observers, and all they require."""
    used = {one.distribution for one in resolved.components}
    used |= {entry.distribution for entry in _watching(catalog)}
    return required_with((*_ALWAYS, *used))


def _distribution(name: str) -> dict[str, Any]:
    from importlib.metadata import version

    content = known_content(name)
    editable = {"editable": True} if content.is_editable else {}
    return {"version": version(name), "hash": content.hash, **editable}


def _watching(catalog: Catalog) -> list[Installed]:
    return [entry for entry in catalog.entries(OBSERVER) if not catalog.policy.blocks(entry)]


def locked_observers(catalog: Catalog) -> list[str]:
    """The observers that every run has, each with its distribution."""
    return sorted({f"{entry.use} ({entry.distribution})" for entry in _watching(catalog)})


def _component(one: ResolvedComponent, weights: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"use": one.use, "role": one.role, "distribution": normalise(one.distribution)}
    entry |= {"params": _sha(params_plain(one.params)), "files": locked_files(one)}
    if not entry["files"] and _depends_on_more(one):
        entry["unnamed"] = True
    return {**entry, "trained": one.is_trainable, "weights": weights.get(one.path)}


def _depends_on_more(one: ResolvedComponent) -> bool:
    """True for a component whose fingerprint says that it depends on more than its parameters and its code."""
    facts = getattr(one.descriptor, "facts", None) if one.role == "data" else None
    return bool(one.descriptor.fingerprint(one.params) or (facts and facts(one.params).fingerprint))


def locked_files(one: ResolvedComponent) -> list[dict[str, str]]:
    """Path and digest of each file or folder that a component reads.

    Raises:
        UserError: one of them cannot be read.
    """
    try:
        paths = [str(path) for path in one.descriptor.reads(one.params)]
    except SidelightError:
        raise
    except Exception as error:
        raise SidelightError(f"{one.title} cannot say which files it reads: {error}") from error
    files = []
    for path in paths:
        try:
            files.append({"path": path, "sha256": _file_digest(Path(path).expanduser())})
        except OSError as error:
            text = f"{path} of {one.title} cannot be read: {error.strerror or error}"
            raise UserError(text, "make it readable, or name another one") from error
    return files


def _file_digest(path: Path) -> str:
    """Digest of a file or a folder, from the cache while size and times of all files are as they were."""
    from sidelight.engine.digests import file_digest

    path = path.absolute()
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    key, files = f"files/{digest_of(str(path))}", sorted(map(str, inside))
    digest: str | None = cache.get(key, str(path))
    if digest is None:
        digest = file_digest(path)
        cache.put(key, str(path), digest, files)
    return digest


def _run(manifest: Mapping[str, Any] | None, digests: Mapping[str, Any]) -> dict[str, Any] | None:
    """Facts of a finished run that its weights and images depend on."""
    if manifest is None:
        return None
    environment = manifest["facts"].get("environment", {})
    facts = {name: environment.get(name, "") for name in ("device", "threads", "arithmetic")}
    return {**facts, "data": digests.get("data"), "images": digests.get("images", [])}


def _refuse_other_versions(resolved: Resolved, manifest: Mapping[str, Any]) -> None:
    made = {one["distribution"]: one["version"] for one in manifest["facts"].get("components", ())}
    other = [
        f"{one.distribution} {made[one.distribution]} (now {one.version})"
        for one in resolved.components
        if made.get(one.distribution, one.version) != one.version
    ]
    if other:
        listed = ", ".join(dict.fromkeys(other))
        raise UserError(f"the run was made with other versions: {listed}", "run the recipe again, then lock that run")


def _sha(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=digest_of)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
