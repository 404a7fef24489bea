"""Checks of explainers: explanations of the right form that point at what made the toy classifier decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from sidelight_specs._form import leaves
from sidelight_specs.artifacts import Artifact
from sidelight_specs.descriptors import ExplainerDescriptor
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import patterns
from sidelight_specs.testing.checks.registry import check, needing
from sidelight_specs.testing.checks.valid import expect_valid

if TYPE_CHECKING:
    from sidelight_specs.roles.classifier import Task
    from sidelight_specs.testing.case import Case


def _gives(*kinds: str) -> Any:
    return lambda descriptor: descriptor.gives in kinds


@check("explainer")
def explanation_has_the_right_form(case: Case) -> None:
    """The explanation is of the kind announced, answers the side announced, and has a finite row for each image."""
    found, descriptor = case.observed.answer["explanation"], _descriptor(case)
    assert isinstance(found, Artifact), f"explain gives a {type(found).__name__}"
    assert found.kind == descriptor.gives, f"explain gives a {found.kind}, the descriptor says {descriptor.gives}"
    answers = getattr(found, "answers", descriptor.answers)
    assert answers == descriptor.answers, f"it answers {answers!r}, the descriptor says {descriptor.answers!r}"
    _expect_valid(found, case)


def _expect_valid(found: Artifact, case: Case) -> None:
    """Valid as its kind, and float32 throughout."""
    expect_valid(found, tuple(case.observed.asked_before.images.shape), "explain")
    for place, value, _ in leaves("", found):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert value.dtype == np.float32, f"{place} is {value.dtype}, not float32"


def _descriptor(case: Case) -> ExplainerDescriptor:
    assert isinstance(case.descriptor, ExplainerDescriptor)
    return case.descriptor


@check(
    "explainer",
    when=lambda d: needing("classifier")(d) and d.gives in ("heatmap", "counterfactual", "image-attributes"),
)
def finds_the_planted_cause(case: Case) -> None:
    """The pixels that it points at lie in the squares of the toy classifier, more than chance would have it."""
    asked, found = case.observed.asked_before, case.observed.answer["explanation"]
    size = asked.images.shape[-1]
    shares, chances = [], []
    for amounts, causes in _evidence(case, found, asked.images, asked.targets):
        place = np.any([patterns.region(cause, size, size // 16) for cause in causes], axis=0)
        shares.append(_share(amounts, place))
        chances.append(place.mean())
    assert np.mean(shares) > np.mean(chances), (
        f"{np.mean(shares):.0%} of the evidence lies where the toy classifier looks, by chance {np.mean(chances):.0%}"
    )


def _evidence(case: Case, found: Any, images: torch.Tensor, targets: Targets) -> list[tuple[np.ndarray, set[int]]]:
    """For each image, how much every pixel counts, and the causes that it should count for."""
    both = [{int(a), int(b)} for a, b in zip(targets.predicted, targets.probe, strict=True)]
    if found.kind == "counterfactual":
        return list(zip(np.abs(found.images - images.numpy()).sum(1), both, strict=True))
    if found.kind == "image-attributes":
        return list(zip(np.abs(found.after - found.before[:, None]).sum((1, 2)), both, strict=True))
    side = targets.probe if _descriptor(case).answers == "probe" else targets.predicted
    amounts = found.values.clip(0) if found.signed else np.abs(found.values)
    return list(zip(amounts, [{int(cause)} for cause in side], strict=True))


@check("explainer", when=lambda d: needing("classifier")(d) and d.gives == "heatmap")
def answers_the_question_asked(case: Case) -> None:
    """Asked about another class of the same image, a heatmap moves to that class's square."""
    asked = case.standard_question()
    swapped = Targets(predicted=asked.targets.probe.copy(), probe=asked.targets.predicted.copy())
    component = case.build()
    other: Any = case.ask(component, attrs.evolve(asked, targets=swapped))["explanation"]
    first = _evidence(case, case.observed.answer["explanation"], asked.images, asked.targets)
    second = _evidence(case, other, asked.images, swapped)
    gains = []
    for (before, (cause,)), (after, _) in zip(first, second, strict=True):
        place = patterns.region(cause, asked.images.shape[-1], asked.images.shape[-1] // 16)
        gains.append(_share(before, place) - _share(after, place))
    assert np.mean(gains) > 0, "it gives the same heatmap whichever class it is asked about"


def _share(amounts: np.ndarray, place: np.ndarray) -> float:
    return float(amounts[place].sum() / amounts.sum()) if amounts.sum() > 0 else 0.0


@check("explainer", when=_gives("counterfactual"))
def counterfactual_logits_are_measured(case: Case) -> None:
    """`logits_before` and `logits_after` are what the classifier says of the image and of the counterfactual."""
    found: Any = case.observed.answer["explanation"]
    classifier = next(need for need in case.needs().values() if isinstance(need, Classifier))
    pairs = [("logits_before", case.observed.asked_before.images), ("logits_after", torch.from_numpy(found.images))]
    for name, images in pairs:
        with torch.no_grad():
            measured = classifier.class_logits(images).numpy()
        gap = float(np.abs(getattr(found, name) - measured).max())
        assert gap <= 1e-3, f"{name} is off by up to {gap:.3g} logits from what the classifier says"


@check("explainer", when=_gives("image-attributes"))
def changes_are_measured(case: Case) -> None:
    """The logits are what the classifier says of the images, of `before`, and of each image in `after`."""
    found: Any = case.observed.answer["explanation"]
    classifier = next(need for need in case.needs().values() if isinstance(need, Classifier))
    changed = found.after.reshape(-1, *found.after.shape[2:])
    pictures = {"logits": case.observed.asked_before.images.numpy(), "logits_before": found.before}
    for name, images in {**pictures, "logits_after": changed}.items():
        with torch.no_grad():
            measured = classifier.class_logits(torch.from_numpy(images)).numpy()
        gap = float(np.abs(getattr(found, name).reshape(measured.shape) - measured).max())
        assert gap <= 1e-3, f"{name} is off by up to {gap:.3g} logits from what the classifier says"


@check("explainer", when=_gives("counterfactual"))
def converged_means_the_constraints_hold(case: Case) -> None:
    """Counterfactuals marked as converged violate no constraint by more than the tolerance, and moved to the probe."""
    found: Any = case.observed.answer["explanation"]
    assert found.converged.dtype == np.bool_, f"converged is {found.converged.dtype}"
    for name, violation in found.constraints.items():
        worst = float(violation[found.converged].max(initial=0))
        assert worst <= found.tolerance, (
            f"{name} is violated by {worst:.3g} nats in a counterfactual marked as converged"
        )
    rows, targets = np.flatnonzero(found.converged), case.observed.asked_before.targets
    if found.logits_before.shape[1] > 1 and len(rows):
        lead = [
            logits[rows, targets.probe[rows]] - logits[rows, targets.predicted[rows]]
            for logits in (found.logits_before, found.logits_after)
        ]
        assert (lead[1] > lead[0]).all(), "a counterfactual marked as converged is no nearer to the class asked about"


@check("explainer", when=needing("classifier"))
def explains_every_task(case: Case) -> None:
    """It explains binary classifiers, and regressions unless it needs classes."""
    needs_classes = any("classes" in need.capabilities for need in case.descriptor.needs)
    tasks: tuple[Task, ...] = ("binary",) if needs_classes else ("binary", "regression")
    for task in tasks:
        other = type(case)(case.announced, attrs.evolve(case.toys, task=task))
        try:
            found = other.observed.answer["explanation"]
            _expect_valid(found, other)
        except Exception as error:
            raise AssertionError(f"it fails on a {task} classifier: {type(error).__name__}: {error}") from error
