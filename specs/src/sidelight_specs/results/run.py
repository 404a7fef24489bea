"""A finished run, as renderers and notebooks see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.artifacts import Artifact
from sidelight_specs.errors import SidelightError
from sidelight_specs.results.claim import ClaimResult
from sidelight_specs.results.data import Split
from sidelight_specs.results.explanation import Explanation
from sidelight_specs.results.inversion import Inversion
from sidelight_specs.results.measurement import Measurements
from sidelight_specs.results.question import Predictions, Targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_SINGLE = ("split", "predictions", "targets", "inversion")
_NAMED = ("explanations", "counterparts", "attributes", "claims", "emitted")
_TUPLES = ("class_names", "contested", "warnings")


def _as_tuple(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(items)  # json has lists


@attrs.frozen(kw_only=True)
class ComponentRecord:
    """One component of the run.

    Args:
        id: its id in the recipe; unique among components of its role.
        role: its role.
        use: `PLUGIN/COMPONENT`.
        summary: the descriptor's sentence.
        paper: the descriptor's paper.
        distribution: name of the distribution that it came from.
        version: version of that distribution.
        params: every parameter with its value, defaults written out.
        card: the descriptor's model card.
        limits: the descriptor's limits: what may not be claimed of what it gives.
    """

    id: str
    role: str
    use: str
    summary: str = ""
    paper: str = ""
    distribution: str = ""
    version: str = ""
    params: dict[str, Any] = attrs.field(factory=dict)
    card: dict[str, str] = attrs.field(factory=dict)
    limits: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple)


@attrs.frozen(eq=False, kw_only=True)
class Results:
    """Everything a renderer may show. Rows of every per-image array run over the same N questions.

    Args:
        name: the recipe's name.
        split: the explained images; an image stands once for each question asked about it.
        predictions: what the classifier says of them.
        targets: the two sides of each question.
        class_names: the classifier's class names.
        explanations: explainer id to its explanation, in recipe order.
        contested: rows of misclassified images that are asked about their true class.
        counterparts: explainer id to its explanation of the true class of these, a row for each, where `explanations`
            has that of the predicted class (or the reverse).
        measurements: metric id, then explainer id, to what was measured.
        inversion: the images in the generator's latent space, where the recipe has an inverter.
        attributes: attribute finder id to its ranked attributes.
        claims: claim id to what became of it, in recipe order.
        emitted: name to by-product.
        components: every component of the run, in recipe order.
        recipe: the resolved recipe as plain values, every default written out.
        environment: versions and device, name to text.
        warnings: what the user should know.
        declared_late: id of each claim that was added or changed after results in this folder could be seen, to the
            date of the run that showed them.
        choice: why these images: `the 8 most confident of 132 errors among ...`; empty for those that the recipe names.
    """

    name: str
    split: Split
    predictions: Predictions
    targets: Targets
    class_names: tuple[str, ...]
    explanations: dict[str, Explanation] = attrs.field(factory=dict)
    contested: tuple[int, ...] = ()
    counterparts: dict[str, Explanation] = attrs.field(factory=dict)
    measurements: dict[str, dict[str, Measurements]] = attrs.field(factory=dict)
    inversion: Inversion | None = None
    attributes: dict[str, Explanation] = attrs.field(factory=dict)
    claims: dict[str, ClaimResult] = attrs.field(factory=dict)
    emitted: dict[str, Artifact] = attrs.field(factory=dict)
    components: tuple[ComponentRecord, ...] = ()
    recipe: dict[str, Any] = attrs.field(factory=dict)
    environment: dict[str, str] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()
    choice: str = ""
    declared_late: dict[str, str] = attrs.field(factory=dict)

    def artifacts(self) -> dict[tuple[str, ...], Artifact]:
        """Every artifact by its path: `("explanations", "cdeepex")`, `("measurements", "flips", "cdeepex")`."""
        result: dict[tuple[str, ...], Artifact] = {}
        for field in _SINGLE:
            if getattr(self, field) is not None:
                result[(field,)] = getattr(self, field)
        for field in _NAMED:
            result |= {(field, name): artifact for name, artifact in getattr(self, field).items()}
        for metric, numbers in self.measurements.items():
            result |= {("measurements", metric, subject): artifact for subject, artifact in numbers.items()}
        return result

    def let_go(self) -> None:
        """Give back the memory of all arrays that are views of files; a page of many images does so now and then."""
        for artifact in self.artifacts().values():
            artifact.let_go()

    def digests(self) -> dict[str, str]:
        """Path of each artifact, joined by slashes, to its digest."""
        return {"/".join(path): artifact.digest() for path, artifact in self.artifacts().items()}

    def facts(self) -> dict[str, Any]:
        """Everything that is no artifact, as plain values that `load` reads back."""
        facts: dict[str, Any] = {field: getattr(self, field) for field in ("name", "recipe", "environment", "choice")}
        facts |= {"declared_late": self.declared_late} if self.declared_late else {}
        facts |= {name: list(getattr(self, name)) for name in _TUPLES}
        facts["components"] = [attrs.asdict(component) for component in self.components]
        return facts | {"metrics": list(self.measurements)}

    def save(self, folder: Path) -> Iterator[tuple[tuple[str, ...], Artifact, str]]:
        """Save every artifact below `folder/results`; gives its path, itself, and its location below `folder`.

        Arrays that are mapped from a file become a hard link to it.
        """
        taken: set[str] = set()
        for path, artifact in self.artifacts().items():
            location = unique_name("/".join(["results", *map(safe_name, path)]), taken)
            artifact.save(folder / location, link=True)
            yield path, artifact, location

    @classmethod
    def load(cls, folder: Path, locations: Sequence[tuple[Sequence[str], str]], facts: dict[str, Any]) -> Results:
        """Read results back, their arrays as views of the files.

        A by-product whose kind no installed plugin defines is left out, with a warning.

        Args:
            folder: where they were saved.
            locations: path and location of each artifact, as `save` gave them.
            facts: as `facts` gave them.

        Raises:
            SidelightError: an artifact cannot be read, or lies outside the folder.
        """
        facts, warnings = dict(facts), list(facts["warnings"])
        fields: dict[str, Any] = {field: {} for field in _NAMED}
        fields["measurements"] = {metric: {} for metric in facts.pop("metrics")}
        for (*parents, name), location in locations:
            if not (folder / location).resolve().is_relative_to(folder.resolve()):
                raise SidelightError(f"{location} lies outside {folder}")
            try:
                artifact = Artifact.load(folder / location, mapped=True)
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
        facts |= {name: tuple(facts[name]) for name in _TUPLES if name in facts} | {"warnings": tuple(warnings)}
        return cls(**facts, **fields)


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


def file_names(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Names of a renderer's files relative to its folder.

    Raises:
        SidelightError: no file, one that is not there, or one outside the folder.
    """
    if not paths:
        raise SidelightError("the renderer wrote no file")
    for path in paths:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise SidelightError(f"the renderer names {path}, which is no file in the folder it was given")
    return tuple(path.resolve().relative_to(folder.resolve()).as_posix() for path in paths)
