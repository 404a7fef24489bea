"""The results of a finished run: put together, given digests, saved to a folder and read back."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import ComponentRecord, Predictions, Results

from sidelight.engine.keys import plain_params
from sidelight.engine.threads import thread_count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sidelight.engine.work import Work
    from sidelight.recipe.model import ResolvedComponent

_SINGLE = ("split", "predictions", "targets", "inversion")
_NAMED = ("explanations", "attributes", "emitted")
_PLAIN = ("name", "class_names", "recipe", "environment", "warnings")
_PACKAGES = ("sidelight", "sidelight-specs", "torch", "numpy")


def collect(work: Work) -> Results:
    """What renderers get; everything that runs over images now runs over the questions."""
    resolved, rows = work.session.resolved, work.rows.tolist()
    answers = work.answers
    return Results(
        name=resolved.name,
        split=work.images.take(rows),
        predictions=Predictions(logits=answers.logits[rows], task=answers.task),
        targets=work.targets,
        class_names=answers.class_names,
        explanations=dict(work.explanations),
        measurements=dict(work.measurements),
        inversion=work.inversion.take(rows) if work.inversion is not None else None,
        attributes=dict(work.attributes),
        emitted=dict(work.session.record.emitted),
        components=tuple(_record(component) for component in resolved.components),
        recipe=resolved.plain,
        environment=_environment(work.session.device),
        warnings=tuple(work.session.record.warnings),
    )


def _record(component: ResolvedComponent) -> ComponentRecord:
    return ComponentRecord(
        id=component.id,
        role=component.role,
        use=component.use,
        summary=component.descriptor.summary,
        paper=component.descriptor.paper,
        distribution=component.distribution,
        version=component.version,
        params=plain_params(component),
    )


def _environment(device: str) -> dict[str, str]:
    versions = {name: _version(name) for name in _PACKAGES}
    facts = {"python": platform.python_version(), "platform": platform.platform()}
    return {**versions, **facts, "device": device, "threads": thread_count()}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def artifacts_of(results: Results) -> dict[tuple[str, ...], Artifact]:
    """Every artifact of a run by its path: `("explanations", "cdeepex")`, `("measurements", "flips", "cdeepex")`."""
    found: dict[tuple[str, ...], Artifact] = {}
    for field in _SINGLE:
        if getattr(results, field) is not None:
            found[(field,)] = getattr(results, field)
    for field in _NAMED:
        found |= {(field, name): artifact for name, artifact in getattr(results, field).items()}
    for metric, numbers in results.measurements.items():
        found |= {("measurements", metric, subject): artifact for subject, artifact in numbers.items()}
    return found


def facts_of(results: Results) -> dict[str, Any]:
    """Everything else of a run, as plain values."""
    facts: dict[str, Any] = {field: getattr(results, field) for field in _PLAIN}
    facts["components"] = [attrs.asdict(component) for component in results.components]
    facts["metrics"] = list(results.measurements)
    return {**facts, "class_names": list(results.class_names), "warnings": list(results.warnings)}


def digests_of(results: Results) -> dict[str, str]:
    """Path of each artifact, joined by slashes, to its digest."""
    return {"/".join(path): artifact.digest() for path, artifact in artifacts_of(results).items()}


def digest_results(results: Results, digests: dict[str, str]) -> str:
    """One digest of all that a renderer may show; the order of its parts counts."""
    return digest_of([list(digests.items()), facts_of(results)])


def save_results(results: Results, folder: Path, digests: dict[str, str]) -> list[dict[str, Any]]:
    """Save every artifact below `folder/results`; gives what `load_results` needs to find them."""
    listing = []
    taken: set[str] = set()
    for path, artifact in artifacts_of(results).items():
        place = unique_name("/".join(["results", *map(safe_name, path)]), taken)
        artifact.save(folder / place)
        listing.append({"path": list(path), "folder": place, "kind": artifact.kind, "digest": digests["/".join(path)]})
    return listing


def load_results(folder: Path, listing: Iterable[dict[str, Any]], facts: dict[str, Any]) -> Results:
    """Read back what `save_results` wrote and `facts_of` said.

    A by-product whose kind no loaded plugin defines is left out, with a warning.

    Raises:
        SidelightError: an artifact cannot be read, or lies outside the folder.
    """
    facts, warnings = dict(facts), list(facts["warnings"])
    fields: dict[str, Any] = {field: {} for field in _NAMED}
    fields["measurements"] = {metric: {} for metric in facts.pop("metrics")}
    for item in listing:
        field, *names = item["path"]
        try:
            artifact = Artifact.load(_within(folder, item["folder"]))
        except SidelightError as error:
            if field != "emitted":
                raise
            warnings.append(f"by-product {names[0]} is left out: {error}")
            continue
        if not names:
            fields[field] = artifact
        elif field == "measurements":
            fields[field][names[0]][names[1]] = artifact
        else:
            fields[field][names[0]] = artifact
    facts["components"] = tuple(ComponentRecord(**record) for record in facts["components"])
    facts["class_names"], facts["warnings"] = tuple(facts["class_names"]), tuple(warnings)
    return Results(**facts, **fields)


def _within(folder: Path, place: str) -> Path:
    path = (folder / place).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise SidelightError(f"{place} lies outside {folder}")
    return path


def safe_name(name: str) -> str:
    """A name that is one harmless file name everywhere."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name).lstrip(".") or "_"


def unique_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number, such that no other one equals it even without case; it is then taken."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free
