"""Somebody else's classifier is not changed by being explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.roles import Classifier
from sidelight_specs.testing import snapshots
from sidelight_specs.testing.checks.registry import check, needing
from sidelight_specs.testing.faults import ToyFault, calls, failing

if TYPE_CHECKING:
    from sidelight_specs.fingerprint import Fingerprint
    from sidelight_specs.testing.case import Case

_USERS = ("inverter", "attribute_finder", "explainer", "metric")


@check(*_USERS, "generator", when=needing("classifier"))
def model_restored(case: Case) -> None:
    """Hooks, modes, requires_grad, gradients and weights of the classifier are what they were."""
    changed = list(case.observed.models_changed)
    if case.trainable:
        changed += case.fitting.models_changed
    assert not changed, f"after its use the classifier differs: {', '.join(changed[:5])}"


@check(*_USERS, "generator", when=needing("classifier"))
def models_answer_the_same(case: Case) -> None:
    """Classifier and generator answer one fixed example as before, whatever a component may have set on them."""
    changed = case.observed.answers_changed
    assert not changed, f"after its use another answer comes from the {', the '.join(changed)}"


@check(*_USERS, when=needing("classifier"))
def model_restored_after_an_error(case: Case) -> None:
    """The same holds when the classifier raises an error in the middle of the work."""
    passes = _passes(case)
    for allowed in sorted({0, passes // 2, max(0, passes - 1)}):
        needs, before = _fused(case, allowed)
        component = case.build(**needs)
        raised = False
        try:
            case.ask(component, case.question(component, case.needs()))
        except ToyFault:
            raised = True
        changed = snapshots.changed(before, case.models(None, needs))
        assert not changed, (
            f"after an error in forward pass {allowed + 1} the classifier differs: {', '.join(changed[:5])}"
        )
        assert raised or passes == 0, f"it swallowed the error that forward pass {allowed + 1} raised"


def _passes(case: Case) -> int:
    needs, _ = _fused(case, None)
    component = case.build(**needs)
    case.ask(component, case.question(component, case.needs()))
    return sum(calls(need) for need in needs.values() if isinstance(need, Classifier))


def _fused(case: Case, allowed: int | None) -> tuple[dict[str, Any], Fingerprint]:
    needs = case.needs()
    for need in needs.values():
        if isinstance(need, Classifier):
            failing(need, allowed)
    return needs, case.models(None, needs)
