"""Promises of classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from sidelight_specs.roles.classifier import Task
from sidelight_specs.testing import snapshots
from sidelight_specs.testing.checks.registry import check, providing

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case


@check("classifier")
def scores_have_the_right_form(case: Case) -> None:
    """`scores` gives finite float32 of shape (N, K), or (N, 1) for binary tasks and regressions."""
    classifier = case.build()
    assert classifier.task in get_args(Task), f"task is {classifier.task!r}"
    scores = case.observed.answer["scores"]
    width = len(classifier.class_names) if classifier.task == "multiclass" else 1
    assert scores.dtype == torch.float32, f"scores are {scores.dtype}"
    assert tuple(scores.shape) == (case.toys.count, width), f"scores have shape {tuple(scores.shape)}, not (N, {width})"
    assert bool(scores.isfinite().all()), "scores are not finite"


@check("classifier")
def class_logits_match_class_names(case: Case) -> None:
    """`class_logits` has one column for each class name."""
    classifier = case.build()
    logits = classifier.class_logits(case.question(classifier).images)
    names = classifier.class_names
    assert logits.shape[1] == len(names), f"{logits.shape[1]} columns of class logits for {len(names)} class names"
    assert len(set(names)) == len(names), "class names are not unique"
    assert all(isinstance(name, str) and name for name in names), f"class names must be words, got {names[:3]}"


@check("classifier", when=providing("module"))
def scoring_leaves_the_module_alone(case: Case) -> None:
    """Scoring changes nothing of the module, also when it fails on images of a wrong shape."""
    assert not case.observed.models_changed, f"scores changed {', '.join(case.observed.models_changed[:5])}"
    classifier = case.build()
    before = snapshots.module_state(classifier.module)
    try:
        classifier.scores(torch.zeros(1, 7, 3, 3))
    except Exception as error:
        del error
    changed = snapshots.changed(before, snapshots.module_state(classifier.module))
    assert not changed, f"after a failed call the module differs: {', '.join(changed[:5])}"
