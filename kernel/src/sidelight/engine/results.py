"""Results of a finished run: taken apart for the run's folder, and read back as a `Run`."""

from __future__ import annotations

import html
import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

import attrs
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.results import ComponentRecord, Results
from sidelight_specs.results.table import MeasurementTable, table_of

from sidelight.engine.folder import read_manifest
from sidelight.engine.machine import thread_count
from sidelight.registry.catalog import installed
from sidelight.registry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight.recipe.model import Resolved

_SINGLE = ("split", "predictions", "targets", "inversion")
_NAMED = ("explanations", "attributes", "emitted")
_PLAIN = ("name", "class_names", "recipe", "environment", "warnings")
_PACKAGES = ("sidelight", "sidelight-specs", "torch", "numpy")


class LeftOut(SidelightError):
    """A step was not taken, because it needs a component that has failed."""


class Run:
    """A finished run.

    Args:
        folder: where it lies.
        manifest: the content of `run.json`.
        results: explanations, measurements and all that they are about.
        errors: of the steps that failed while the run went on.
    """

    def __init__(
        self, folder: Path, manifest: dict[str, Any], results: Results, errors: Sequence[SidelightError] = ()
    ) -> None:
        self.folder, self.manifest, self.results, self.errors = folder, manifest, results, tuple(errors)

    def check(self) -> None:
        """Raise the error of the step that failed, or one that lists all; nothing when the run is complete.

        Raises:
            UserError: all that failed is the user's to mend; what was left out because of it does not count.
            SidelightError: something else failed.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            text = "\n".join([f"{len(self.errors)} steps failed:", *(f"  {error}" for error in self.errors)])
            causes = [error for error in self.errors if not isinstance(error, LeftOut)]
            raise (UserError if all(isinstance(error, UserError) for error in causes) else SidelightError)(text)

    @property
    def measurements(self) -> MeasurementTable:
        """Numbers of the metrics, one row for each."""
        return table_of(self.results)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The file of each renderer that is to be opened first."""
        rendered = self.manifest["rendered"].values()
        return tuple(self.folder / item["folder"] / item["files"][0] for item in rendered if item["files"])

    def __repr__(self) -> str:
        parts = f"{len(self.results.split)} questions, {len(self.results.explanations)} explanations"
        return f"<sidelight.Run {self.results.name!r}: {parts}, in {self.folder}>"

    def _repr_html_(self) -> str:
        """Answer of the first observer that draws runs, or else plain text."""
        observers = Observers(warn)
        observers.add_installed(installed())
        drawn = observers.first("run_html", results=self.results)
        plain = html.escape(f"{self!r}\n\n{self.measurements}")
        return str(drawn) if drawn is not None else f"<pre>{plain}</pre>"


def load_run(folder: str | Path) -> Run:
    """Read back a finished run.

    Raises:
        UserError: the folder holds none.
        SidelightError: one of its files is damaged.
    """
    folder = Path(folder).expanduser().absolute()
    manifest = read_manifest(folder)
    return Run(folder, manifest, load_results(folder, manifest["results"], manifest["facts"]))


def component_records(resolved: Resolved) -> tuple[ComponentRecord, ...]:
    """Every component of a recipe, as renderers see it."""
    return tuple(
        ComponentRecord(
            id=component.id,
            role=component.role,
            use=component.use,
            summary=component.descriptor.summary,
            paper=component.descriptor.paper,
            distribution=component.distribution,
            version=component.version,
            params=attrs.asdict(component.params),  # tuples become lists, as json reads them back
        )
        for component in resolved.components
    )


def environment(device: str) -> dict[str, str]:
    """Versions, platform, device and threads."""
    versions = dict.fromkeys(_PACKAGES, "not installed")
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    facts = {"python": platform.python_version(), "platform": platform.platform()}
    return {**versions, **facts, "device": device, "threads": thread_count()}


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


def digests_of(results: Results) -> dict[str, str]:
    """Path of each artifact, joined by slashes, to its digest."""
    return {"/".join(path): artifact.digest() for path, artifact in artifacts_of(results).items()}


def facts_of(results: Results) -> dict[str, Any]:
    """Everything else of a run, as plain values."""
    facts: dict[str, Any] = {field: getattr(results, field) for field in _PLAIN}
    facts["components"] = [attrs.asdict(component) for component in results.components]
    facts["metrics"] = list(results.measurements)
    return {**facts, "class_names": list(results.class_names), "warnings": list(results.warnings)}


def save_results(results: Results, folder: Path) -> Iterator[tuple[tuple[str, ...], Artifact, str]]:
    """Save every artifact below `folder/results`; gives the path of each, the artifact, and its place in the folder."""
    taken: set[str] = set()
    for path, artifact in artifacts_of(results).items():
        place = unique_name("/".join(["results", *map(safe_name, path)]), taken)
        artifact.save(folder / place)
        yield path, artifact, place


def load_results(folder: Path, listing: Sequence[dict[str, Any]], facts: dict[str, Any]) -> Results:
    """Read back what `save_results` wrote and `facts_of` said.

    A by-product whose kind no plugin defines is left out, with a warning.

    Raises:
        SidelightError: an artifact cannot be read, or lies outside the folder.
    """
    facts, warnings = dict(facts), list(facts["warnings"])
    fields: dict[str, Any] = {field: {} for field in _NAMED}
    fields["measurements"] = {metric: {} for metric in facts.pop("metrics")}
    for item in listing:
        *parents, name = item["path"]
        place = (folder / item["folder"]).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise SidelightError(f"{item['folder']} lies outside {folder}")
        try:
            artifact = Artifact.load(place)
        except SidelightError as error:
            if parents != ["emitted"]:
                raise
            warnings.append(f"by-product {name} is left out: {error}")
            continue
        target = fields
        for parent in parents:
            target = target[parent]
        target[name] = artifact
    facts["components"] = tuple(ComponentRecord(**record) for record in facts["components"])
    facts["class_names"], facts["warnings"] = tuple(facts["class_names"]), tuple(warnings)
    return Results(**facts, **fields)


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
