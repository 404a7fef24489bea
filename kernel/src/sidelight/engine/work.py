"""Intermediate results of a run, and the artifact digests that later keys are built from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.results import Explanation, Inversion, Measurements, Results, Split, Targets

from sidelight.engine.answers import ClassifierAnswers
from sidelight.engine.session import Session
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Callable

A = TypeVar("A", bound="Artifact | None")


@attrs.frozen(eq=False)
class Failure:
    """A step that failed, while the run went on.

    Args:
        step: its title.
        component: who was at work.
        error: what came out; its text names the component.
    """

    step: str
    component: ResolvedComponent
    error: SidelightError


@attrs.define(eq=False)
class Work:
    """The run's intermediate and final results.

    Args:
        session: what the steps share.
        images: the chosen images, each once.
        answers: what the classifier says of them.
        rows: for each question the row of its image in `images`.
        targets: the two sides of each question.
        inversions: inverter id to its inversion of `images`; without those whose generator makes other shapes.
        inversion: that of the explained images; None without an inverter that fits.
        attributes: attribute finder id to what it found.
        explanations: explainer id to its explanation of all questions.
        measurements: metric id, then what was measured, to the numbers.
        results: all of this as renderers see it; put together before the first of them.
        folder: what the run leaves for people is written into it.
        digests: of the artifacts in `results`, by path.
        rendered: renderer id to its folder and files, the one to open first ahead.
        failures: the steps that failed, in their order.
    """

    session: Session
    folder: Path
    images: Split = attrs.field(init=False)
    answers: ClassifierAnswers = attrs.field(init=False)
    rows: np.ndarray = attrs.field(init=False)
    targets: Targets = attrs.field(init=False)
    inversions: dict[str, Inversion] = attrs.field(factory=dict)
    inversion: Inversion | None = None
    attributes: dict[str, Explanation] = attrs.field(factory=dict)
    explanations: dict[str, Explanation] = attrs.field(factory=dict)
    measurements: dict[str, dict[str, Measurements]] = attrs.field(factory=dict)
    results: Results | None = None
    digests: dict[str, str] = attrs.field(factory=dict)
    rendered: dict[str, tuple[str, tuple[str, ...]]] = attrs.field(factory=dict)
    failures: list[Failure] = attrs.field(factory=list)

    @property
    def shard(self) -> int:
        """How many images or questions a component gets at a time."""
        return self.session.resolved.explain.shard

    def in_shards(self, component: ResolvedComponent, count: int, one: Callable[[slice], A]) -> A:
        """Join what `one` gives for consecutive slices of `range(count)`; None where it gives None for the first.

        Raises:
            SidelightError: the parts cannot be joined.
            Cancelled: the user asked to stop.
        """
        slices = [slice(start, min(start + self.shard, count)) for start in range(0, count, self.shard)]
        several = self.session.progress(slices, "parts", len(slices)) if len(slices) > 1 else slices
        parts: list[Any] = [one(part) for part in several]
        first: A = parts[0]
        if len(parts) == 1 or first is None:
            return first
        try:
            joined: A = type(first).concat(parts)
        except ValueError as error:
            raise SidelightError(f"{component.use}: the parts of its result cannot be joined: {error}") from error
        return joined
