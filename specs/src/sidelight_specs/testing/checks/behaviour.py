"""Promises of every verb: it gives the same answer again, for each image alone, and leaves the world as it was."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from sidelight_specs.artifacts import Artifact
from sidelight_specs.digests import digest_of
from sidelight_specs.errors import Cancelled, SidelightError
from sidelight_specs.packing import pack, unpack
from sidelight_specs.role_table import ROLES
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.testing.compare import difference, join, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.testing.case import Case
    from sidelight_specs.testing.compare import Answer

_PER_IMAGE = ("classifier", "generator", "inverter", "explainer")
_STORED = ("data", "inverter", "attribute_finder", "explainer", "metric", "claim")


@check("data", "classifier", "generator", "inverter", "attribute_finder", "explainer", "metric", "claim")
def same_seed_same_answer(case: Case) -> None:
    """Two fresh instances give the same answer, to the bit, whatever the global random streams hold."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = case.observed
    again = case.ask(case.build(), case.standard_question())
    text = difference(again, expected.answer)
    assert not text, f"a second instance with the same seed answers differently: {text}"


@check(*_PER_IMAGE, "metric", when=lambda descriptor: getattr(descriptor, "per_image", True))
def batch_equals_singles(case: Case) -> None:
    """An image's answer does not depend on its neighbours in the batch; of a metric, unless it is not `per_image`."""
    question = case.standard_question()
    component, expected = case.build(), case.observed.answer
    if case.role == "metric":  # artifacts with rows of their own are always measured as a whole
        kinds = {kind: artifact for kind, artifact in question.explanations.items() if artifact.rows()}
        question, expected = attrs.evolve(question, explanations=kinds), {kind: expected[kind] for kind in kinds}
    parts = [case.ask(component, question.take([row])) for row in range(case.toys.count)]
    text = difference(join(parts), expected, case.toys.tolerance)
    assert not text, f"images one at a time and in a batch are answered differently: {text}"


@check(*_PER_IMAGE, "metric")
def order_does_not_matter(case: Case) -> None:
    """Images in another order get the same answers, in that order."""
    rows = list(range(case.toys.count))[::-1]
    answer = case.ask(case.build(), case.standard_question().take(rows))
    text = difference(answer, _reordered(case, rows), case.toys.tolerance)
    assert not text, f"the order of the images changes their answers: {text}"


def _reordered(case: Case, rows: Sequence[int]) -> Answer:
    if case.role != "metric":
        return pick(case.observed.answer, rows)
    from sidelight_specs.testing.checks.metrics import reordered

    return {kind: reordered(measurements, rows) for kind, measurements in case.observed.answer.items()}


@check()
def inputs_untouched(case: Case) -> None:
    """Images, latents, targets and results that it was given are what they were."""
    question, before = case.observed.question, case.observed.question_before
    for name in ("images", "latents", "targets", "explanations"):
        text = difference(getattr(question, name), getattr(before, name))
        assert not text, f"it changed the {name} that it was given: {text}"
    if question.results is not None and before.results is not None:
        for name in (
            "split",
            "predictions",
            "targets",
            "explanations",
            "inversion",
            "attributes",
            "measurements",
            "recipe",
        ):
            text = difference(getattr(question.results, name), getattr(before.results, name))
            assert not text, f"it changed {name} of the results that it was given: {text}"


@check(*(name for name in ROLES if name != "executor"))  # libraries of clusters draw names; components never see it
def globals_untouched(case: Case) -> None:
    """Global random streams and torch's global switches are what they were."""
    touched = list(case.observed.globals_changed)
    if case.trainable:
        touched += case.fitting.globals_changed
    assert not touched, f"it changed {', '.join(touched)}; use run.rng and run.seed"


@check(*_STORED)
def answers_survive_saving(case: Case) -> None:
    """Every artifact that it gives or emits is the same after saving and loading."""
    artifacts = {**case.observed.answer, **case.observed.run.emitted}
    for name, artifact in artifacts.items():
        assert isinstance(artifact, Artifact), f"{name} is a {type(artifact).__name__}, not an artifact"
        folder = case.folder / "saved" / name.replace("/", "-")
        try:
            artifact.save(folder)
        except TypeError as error:
            raise AssertionError(f"{name} cannot be saved: {error}") from error
        assert type(artifact).load(folder).digest() == artifact.digest(), f"{name} changes when it is saved and loaded"


@check("inverter", "attribute_finder", "explainer", "metric")
def pieces_stand_alone(case: Case) -> None:
    """Items of `run.map` are announced by `maps`, and the same from a component that was built anew."""
    mapped = case.observed.run.mapped
    announced = "maps" in case.descriptor.provided_by(case.params)
    assert announced == bool(mapped), f"it {'does not call' if announced else 'calls'} run.map; `maps` is a capability"
    for name, item, answer in mapped:
        try:
            arrived = unpack(pack(item))
        except SidelightError as error:
            raise AssertionError(f"an item of run.map(self.{name}, ...) cannot be sent to a worker: {error}") from error
        assert digest_of(arrived) == digest_of(item), f"an item of run.map(self.{name}, ...) is another after sending"
        again = getattr(case.build(), name)(arrived)
        text = difference({"piece": again}, {"piece": answer})
        assert not text, f"{name} gives another answer in a component that was built anew: {text}"


@check("inverter", "attribute_finder", "explainer", "metric", "claim")
def cancelling_stops_it(case: Case) -> None:
    """`Cancelled` comes out of the verb when the user cancels during a loop."""
    items = sum(case.observed.run.steps.values())
    for after in sorted({0, items // 2}):
        run = case.run(cancel_after=after)
        component = case.build(run)
        try:
            case.ask(component, case.standard_question())
        except Cancelled:
            continue
        assert not run.steps, f"it went on after Cancelled was raised in run.progress (after {after} of {items} items)"
