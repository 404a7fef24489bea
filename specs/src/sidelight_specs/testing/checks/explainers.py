"""Checks of explainers: explanations of the right form that point at what made the toy classifier decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from sidelight_specs._form import leaves
from sidelight_specs.artifacts import Artifact
from sidelight_specs.descriptors import ExplainerDescriptor
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import patterns
from sidelight_specs.testing.checks.registry import check, needing
from sidelight_specs.testing.checks.valid import expect_valid

if TYPE_CHECKING:
    from sidelight_specs.results import Targets
    from sidelight_specs.roles.classifier import Task
    from sidelight_specs.testing.case import Case


def _gives(*kinds: str) -> Any:
    return lambda descriptor: descriptor.gives in kinds


@check("explainer")
def explanation_has_the_right_form(case: Case) -> None:
    """The explanation is of the kind announced, answers the side announced, and has a finite row for each image."""
    explanation, descriptor = case.observed.answer["explanation"], _descriptor(case)
    assert isinstance(explanation, Artifact), f"explain gives a {type(explanation).__name__}"
    assert explanation.kind == descriptor.gives, (
        f"explain gives a {explanation.kind}, the descriptor says {descriptor.gives}"
    )
    answers = getattr(explanation, "answers", descriptor.answers)
    assert answers == descriptor.answers, f"it answers {answers!r}, the descriptor says {descriptor.answers!r}"
    _expect_valid(explanation, case)


def _expect_valid(explanation: Artifact, case: Case) -> None:
    """Valid as its kind, and float32 throughout."""
    expect_valid(explanation, tuple(case.observed.question_before.images.shape), "explain")
    for path, value, _ in leaves("", explanation):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert value.dtype == np.float32, f"{path} is {value.dtype}, not float32"


def _descriptor(case: Case) -> ExplainerDescriptor:
    assert isinstance(case.descriptor, ExplainerDescriptor)
    return case.descriptor


@check(
    "explainer",
    when=lambda d: needing("classifier")(d) and d.gives in ("heatmap", "counterfactual", "image-attributes"),
)
def finds_the_planted_cause(case: Case) -> None:
    """The pixels that it points at lie in the squares of the toy classifier, more than chance would have it."""
    question, explanation = case.observed.question_before, case.observed.answer["explanation"]
    size = question.images.shape[-1]
    shares, chances = [], []
    for amounts, causes in _evidence(case, explanation, question.images, question.targets):
        mask = np.any([patterns.region(cause, size, size // 16) for cause in causes], axis=0)
        shares.append(_share(amounts, mask))
        chances.append(mask.mean())
    assert np.mean(shares) > np.mean(chances), (
        f"{np.mean(shares):.0%} of the evidence lies where the toy classifier looks, by chance {np.mean(chances):.0%}"
    )


def _evidence(
    case: Case, explanation: Any, images: torch.Tensor, targets: Targets
) -> list[tuple[np.ndarray, set[int]]]:
    """For each image, how much every pixel counts, and the causes that it should count for."""
    both = [{int(a), int(b)} for a, b in zip(targets.predicted, targets.probe, strict=True)]
    if explanation.kind == "counterfactual":
        return list(zip(np.abs(explanation.images - images.numpy()).sum(1), both, strict=True))
    if explanation.kind == "image-attributes":
        return list(zip(np.abs(explanation.after - explanation.before[:, None]).sum((1, 2)), both, strict=True))
    side = targets.probe if _descriptor(case).answers == "probe" else targets.predicted
    amounts = explanation.values.clip(0) if explanation.signed else np.abs(explanation.values)
    return list(zip(amounts, [{int(cause)} for cause in side], strict=True))


@check("explainer", when=lambda d: needing("classifier")(d) and d.gives == "heatmap" and d.answers_either_side)
def answers_the_question_asked(case: Case) -> None:
    """Asked about another class of the same image, a heatmap moves to that class's square."""
    question = case.standard_question()
    swapped = question.targets.swapped()
    component = case.build()
    other: Any = case.ask(component, attrs.evolve(question, targets=swapped))["explanation"]
    first = _evidence(case, case.observed.answer["explanation"], question.images, question.targets)
    second = _evidence(case, other, question.images, swapped)
    gains = []
    for (before, (cause,)), (after, _) in zip(first, second, strict=True):
        mask = patterns.region(cause, question.images.shape[-1], question.images.shape[-1] // 16)
        gains.append(_share(before, mask) - _share(after, mask))
    assert np.mean(gains) > 0, "it gives the same heatmap whichever class it is asked about"


def _share(amounts: np.ndarray, mask: np.ndarray) -> float:
    return float(amounts[mask].sum() / amounts.sum()) if amounts.sum() > 0 else 0.0


@check("explainer", when=lambda d: needing("classifier")(d) and d.gives == "heatmap" and d.answers == "any")
def answers_any_question_alike(case: Case) -> None:
    """Asked about another class of the same image, a heatmap that answers `any` stays the same."""
    question = case.standard_question()
    swapped = question.targets.swapped()
    other: Any = case.ask(case.build(), attrs.evolve(question, targets=swapped))["explanation"]
    same = np.array_equal(case.observed.answer["explanation"].values, other.values)
    assert same, "it says that it answers any question alike, and its heatmap depends on the class"


@check("explainer", when=_gives("counterfactual"))
def counterfactual_logits_are_measured(case: Case) -> None:
    """`logits_before` and `logits_after` are what the classifier says of the image and of the counterfactual."""
    explanation: Any = case.observed.answer["explanation"]
    classifier = next(need for need in case.needs().values() if isinstance(need, Classifier))
    pairs = [
        ("logits_before", case.observed.question_before.images),
        ("logits_after", torch.from_numpy(explanation.images)),
    ]
    for name, images in pairs:
        with torch.no_grad():
            measured = classifier.class_logits(images).numpy()
        gap = float(np.abs(getattr(explanation, name) - measured).max())
        assert gap <= 1e-3, f"{name} is off by up to {gap:.3g} logits from what the classifier says"


@check("explainer", when=_gives("image-attributes"))
def changes_are_measured(case: Case) -> None:
    """The logits are what the classifier says of the images, of `before`, and of each image in `after`."""
    explanation: Any = case.observed.answer["explanation"]
    classifier = next(need for need in case.needs().values() if isinstance(need, Classifier))
    changed = explanation.after.reshape(-1, *explanation.after.shape[2:])
    pictures = {"logits": case.observed.question_before.images.numpy(), "logits_before": explanation.before}
    for name, images in {**pictures, "logits_after": changed}.items():
        with torch.no_grad():
            measured = classifier.class_logits(torch.from_numpy(images)).numpy()
        gap = float(np.abs(getattr(explanation, name).reshape(measured.shape) - measured).max())
        assert gap <= 1e-3, f"{name} is off by up to {gap:.3g} logits from what the classifier says"


@check("explainer", when=_gives("counterfactual"))
def converged_means_the_constraints_hold(case: Case) -> None:
    """Counterfactuals marked as converged violate no constraint by more than the tolerance, and moved to the probe."""
    explanation: Any = case.observed.answer["explanation"]
    assert explanation.converged.dtype == np.bool_, f"converged is {explanation.converged.dtype}"
    for name, violation in explanation.constraints.items():
        worst = float(violation[explanation.converged].max(initial=0))
        assert worst <= explanation.tolerance, (
            f"{name} is violated by {worst:.3g} nats in a counterfactual marked as converged"
        )
    rows, targets = np.flatnonzero(explanation.converged), case.observed.question_before.targets
    if explanation.logits_before.shape[1] > 1 and len(rows):
        lead = [
            logits[rows, targets.probe[rows]] - logits[rows, targets.predicted[rows]]
            for logits in (explanation.logits_before, explanation.logits_after)
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
            explanation = other.observed.answer["explanation"]
            _expect_valid(explanation, other)
        except Exception as error:
            raise AssertionError(f"it fails on a {task} classifier: {type(error).__name__}: {error}") from error
