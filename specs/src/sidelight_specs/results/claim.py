"""Answer to a claim declared before the run: a verdict with its effect, interval and controls, never a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, array
from sidelight_specs.blocks import Block, Pair, Plot, Table, Text
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Mapping

Verdict = Literal["supported", "contradicted", "not established"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_LEVEL = 0.05
_SLACK = 1e-6  # of float32 arithmetic, relative: an interval and its effect may be computed in two orders


@attrs.frozen(eq=False, kw_only=True)
class Effect:
    """One effect of a claim: of the whole, or under one of several conditions.

    Args:
        value: the estimate, finite.
        low: lower limit of its 95 % interval, which holds the value.
        high: upper limit of the interval.
        controls: (C,) float32, the same number of each random control; None where there are none.
    """

    value: float
    low: float
    high: float
    controls: np.ndarray | None = array("C", default=None)


@attrs.frozen(eq=False, kw_only=True)
class ClaimResult(Artifact):
    """Verdict on a claim.

    Args:
        text: the claim, as it was declared.
        verdict: `supported`, `contradicted` or `not established`.
        reason: one sentence that says why, without full stop.
        rule: the rule that decides, as text, with its numbers; the same whatever the verdict.
        measured: the quantity that the effects are of, in words: `fall of the log-odds of 8 against 9`.
        unit: of the effects and the threshold.
        threshold: what the effects are held against; None where nothing could be measured.
        side: where the claim says that the effects lie, seen from the threshold.
        strict: the threshold itself is not on that side: the claim is of `>` or `<`, not of `>=` or `<=`.
        effects: condition to effect; empty where nothing could be measured. All of them have to agree.
        n: how many of `sample` the effects are means over.
        sample: what the effects were measured on: `images`.
        p: probability of such effects if the claim (of a contradicted one, its opposite) were false at the threshold,
            by which several claims are corrected; None where it is not known.
        control: what the random controls are, in words; empty without any.
        before: (P, C, H, W) float32 in [0, 1], images as evidence; None without any.
        after: (P, C, H, W) float32 in [0, 1], the same images with what the claim names replaced.
        captions: one for each of these pairs.
        evidence: paths of the results that it rests on: `measurements/flips/cdeepex`.
        warnings: what the reader has to know beside, one sentence each.
    """

    kind: ClassVar[str] = "claim"

    text: str
    verdict: Verdict
    reason: str
    rule: str
    measured: str = ""
    unit: str = ""
    threshold: float | None = None
    side: Literal["above", "below"] = "above"
    strict: bool = True
    effects: dict[str, Effect] = attrs.field(factory=dict)
    n: int = 0
    sample: str = "images"
    p: float | None = None
    control: str = ""
    before: np.ndarray | None = array("P c h w", low=0, high=1, default=None)
    after: np.ndarray | None = array("P c h w", low=0, high=1, default=None)
    captions: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def unmeasurable(cls, text: str, rule: str, reason: str, **more: object) -> Self:
        """The answer where nothing could be measured: not established, which is no error."""
        return cls(text=text, verdict="not established", reason=reason, rule=rule, **more)  # type: ignore[arg-type]

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: one of three verdicts, a rule, intervals around finite effects, none decided unmeasured."""
        del images  # effects are means
        super().validate(None, classes)
        if self.verdict not in VERDICTS:
            raise SidelightError(f'verdict is "{self.verdict}", not one of {", ".join(VERDICTS)}')
        for name in ("text", "reason", "rule"):
            if not getattr(self, name).strip():
                raise SidelightError(f"{name} is empty")
        for name, effect in self.effects.items():
            _check_effect(f"effects.{name}", effect)
        if self.verdict != "not established" and not (self.effects and self.threshold is not None and self.n > 0):
            raise SidelightError(
                f'verdict is "{self.verdict}", and there is no effect, threshold or n that it rests on'
            )
        if (self.before is None) != (self.after is None):
            raise SidelightError("before and after belong together, and one is missing")
        if self.captions and len(self.captions) != (0 if self.before is None else len(self.before)):
            raise SidelightError(f"captions has {len(self.captions)} texts, one for each picture were expected")

    @property
    def operator(self) -> str:
        """The comparison that is claimed: `>`, `>=`, `<` or `<=`."""
        return (">" if self.side == "above" else "<") + ("" if self.strict else "=")

    @property
    def limits(self) -> tuple[float, float] | None:
        """Lowest and highest end of all intervals; None where nothing could be measured."""
        if not self.effects:
            return None
        return min(one.low for one in self.effects.values()), max(one.high for one in self.effects.values())

    def view(self, index: int) -> tuple[Block, ...]:
        """Verdict with its reason, effects against threshold and controls, evidence, the rule."""
        del index
        held = "" if self.threshold is None else f"{self.operator} {self.threshold:.4g} {self.unit}".rstrip()
        blocks: list[Block] = [Text(f"{self.verdict.capitalize()}: {self.reason}.", self.text)]
        if self.effects:
            blocks += [self._table(held), self._plot()]
        if self.before is not None and self.after is not None:
            captions = self.captions or ("",) * len(self.before)
            pairs = zip(self.before, self.after, captions, strict=True)
            blocks += [Pair(before, after, caption) for before, after, caption in pairs]
        return (*blocks, Text(self.rule, "rule"), *(Text(one, "warning") for one in self.warnings))

    def _table(self, held: str) -> Table:
        rows = tuple(
            (name, f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}", _range(one.controls), held)
            for name, one in self.effects.items()
        )
        caption = f"{self.measured} ({self.n} {self.sample})"
        return Table(("condition", "effect", "95 % interval", "random controls", "claimed"), rows, caption)

    def _plot(self) -> Plot:
        bars = list(self.effects.values())
        lines = {
            "low": np.array([one.low for one in bars], np.float32),
            "effect": np.array([one.value for one in bars], np.float32),
            "high": np.array([one.high for one in bars], np.float32),
            "threshold": np.full(len(bars), self.threshold, np.float32) if self.threshold is not None else None,
        }
        shown = {name: line for name, line in lines.items() if line is not None}
        label = f"{self.measured} ({self.unit})" if self.unit else self.measured
        return Plot(tuple(self.effects), shown, y_label=label, style="bar")

    @classmethod
    def example(cls, images: np.ndarray, classes: int) -> Self:
        """A supported claim about the first image."""
        del classes
        controls = np.linspace(-0.1, 0.1, 19).astype(np.float32)
        return cls(
            text="the corner decides",
            verdict="supported",
            reason="the whole interval lies above 0.5",
            rule="Supported if the whole 95 % interval lies above 0.5.",
            measured="fall of the log-odds",
            unit="nats",
            threshold=0.5,
            effects={"black": Effect(value=1.0, low=0.8, high=1.2, controls=controls)},
            n=len(images),
            p=0.05,
            control="regions of the same size elsewhere",
            before=images[:1].astype(np.float32),
            after=images[:1].astype(np.float32),
            captions=("black",),
        )


def survives_holm(claims: Mapping[str, ClaimResult]) -> dict[str, bool]:
    """True for each decided claim whose verdict stands after Holm's (1979) correction for all decided ones at 5 %.

    Claims that are not established, or give no p, are left out: they were not decided by a test.
    """
    decided = {name: one.p for name, one in claims.items() if one.verdict != "not established" and one.p is not None}
    result, stands = dict[str, bool](), True
    for place, name in enumerate(sorted(decided, key=lambda name: decided[name])):
        stands = stands and decided[name] <= _LEVEL / (len(decided) - place)  # p_(k) <= 0.05 / (m + 1 - k)
        result[name] = stands
    return {name: result[name] for name in decided}


def _check_effect(path: str, effect: Effect) -> None:
    numbers = np.array([effect.low, effect.value, effect.high])
    if not np.isfinite(numbers).all():
        raise SidelightError(f"{path} holds a number that is not finite")
    slack = _SLACK * max(1.0, float(np.abs(numbers).max()))
    if not effect.low - slack <= effect.value <= effect.high + slack:
        raise SidelightError(f"{path}: its interval, {effect.low:.6g} to {effect.high:.6g}, misses {effect.value:.6g}")


def _range(controls: np.ndarray | None) -> str:
    """`99, from -0.1 to 0.2`."""
    if controls is None or not len(controls):
        return ""
    return f"{len(controls)}, from {controls.min():.4g} to {controls.max():.4g}"
