"""Promises of claims: one of three verdicts by a stated rule, and nothing decided that was not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from sidelight_specs.results import ClaimResult
from sidelight_specs.results.claim import VERDICTS
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.testing.checks.valid import expect_valid

if TYPE_CHECKING:
    from sidelight_specs.results import Results
    from sidelight_specs.testing.case import Case


@check("claim")
def verdict_is_one_of_three(case: Case) -> None:
    """`judge` gives a `ClaimResult` that is supported, contradicted or not established, and says why."""
    answer = case.observed.answer["claim"]
    assert isinstance(answer, ClaimResult), f"judge gives a {type(answer).__name__}"
    assert answer.verdict in VERDICTS, f'the verdict is "{answer.verdict}", not one of {", ".join(VERDICTS)}'
    assert answer.reason.strip(), f"it is {answer.verdict}, and no reason is given"


@check("claim")
def intervals_hold_their_effects(case: Case) -> None:
    """Effects are finite and lie in their 95 % intervals, and pictures, captions and controls fit together."""
    words = dict.fromkeys(("text", "rule", "reason"), "left to another check")
    expect_valid(attrs.evolve(case.observed.answer["claim"], verdict="not established", **words), None, "judge")


@check("claim")
def decided_by_the_intervals(case: Case) -> None:
    """Supported: every interval lies on the claim's side of the threshold; contradicted: not one, without controls."""
    claim = case.observed.answer["claim"]
    if claim.verdict not in ("supported", "contradicted"):
        return
    is_measured = claim.effects and claim.threshold is not None and claim.n > 0
    assert is_measured, f"it is {claim.verdict}, and there is no effect, threshold or n that it rests on"
    for name, effect in claim.effects.items():
        is_within = effect.low >= claim.threshold if claim.side == "above" else effect.high <= claim.threshold
        text = f"{effect.low:.4g} to {effect.high:.4g} under {name}, and the threshold is {claim.threshold:.4g}"
        assert is_within or claim.verdict != "supported", f"it is supported with the interval {text}"
        is_refuted = claim.verdict == "contradicted" and not claim.control  # controls may refute a clear effect
        assert not (is_within and is_refuted), f"it is contradicted with the interval {text}"


@check("claim")
def unmeasurable_is_not_established(case: Case) -> None:
    """Of a run with a single image and nothing else it says `not established`, and raises no error."""
    results = case.standard_question().results
    assert results is not None
    try:
        answer = case.build().judge(_bare(results))
    except Exception as error:
        raise AssertionError(f"a run with one image alone fails: {type(error).__name__}: {error}") from error
    expect_valid(answer, None, "judge, of a run with one image alone,")
    assert answer.verdict == "not established", f"it is {answer.verdict} by one image and nothing else"


@check("claim")
def the_rule_stands_before_the_run(case: Case) -> None:
    """The rule and the claim's text are the same whatever the results."""
    results, answer = case.standard_question().results, case.observed.answer["claim"]
    assert results is not None
    try:
        other = case.build().judge(_bare(results))
    except Exception:  # another check tells of it
        return
    for name in ("text", "rule"):
        assert getattr(answer, name).strip(), f"{name} is empty"
        assert getattr(answer, name) == getattr(other, name), f"its {name} depends on the results"


def _bare(results: Results) -> Results:
    """A run of the first image, without a result of any component."""
    return attrs.evolve(
        results,
        split=attrs.evolve(results.split.take([0]), masks={}, factors={}),
        predictions=results.predictions.take([0]),
        targets=results.targets.take([0]),
        contested=(),
        explanations={},
        counterparts={},
        measurements={},
        inversion=None,
        attributes={},
        emitted={},
    )
