"""A number of a metric against a threshold, by its 95 % interval over images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import ClaimResult, Effect
from sidelight_specs.roles import Claim

from sidelight_claims.statistics import FEWEST, Mean

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Measurement, Measurements, Results

    from sidelight_claims import MeasuredParams


class Measured(Claim):
    """Supported where the whole interval lies on the claim's side, contradicted where it lies wholly on the other."""

    def __init__(self, params: MeasuredParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def judge(self, results: Results) -> ClaimResult:
        """The verdict on the number's mean over the images to which it applies."""
        params = self._params
        of = results.measurements.get(params.metric, {})
        names = [params.explanation] if params.explanation is not None else list(of)
        if len(names) != 1 or names[0] not in of:
            return self._unmeasurable(f"the metric {params.metric} measured {self._missing(list(of))}")
        item = _item(of[names[0]], params.number)
        evidence = (f"measurements/{params.metric}/{names[0]}",)
        if item is None:
            known = ", ".join(one.name for one in of[names[0]].items) or "none"
            return self._unmeasurable(f"the metric gives no number {params.number}; it gives {known}", evidence)
        values = _by_image(item, results)
        if item.limits is not None and len(values):
            effect = Effect(value=item.value, low=min(item.limits), high=max(item.limits))
            return self._judged(item, names[0], effect, None, len(results.split), evidence)
        if item.whole or len(values) < FEWEST:
            few = f"{len(values)} values" if not item.whole else "one number of all images"
            return self._unmeasurable(f"{item.name} is {few}, which has no interval", evidence)
        mean = Mean.of_metric(values)
        effect = Effect(value=mean.value, low=mean.low, high=mean.high)
        return self._judged(item, names[0], effect, mean, len(values), evidence)

    def _judged(
        self, item: Measurement, of: str, effect: Effect, mean: Mean | None, count: int, evidence: tuple[str, ...]
    ) -> ClaimResult:
        params, threshold = self._params, self._params.threshold
        is_above, is_strict = params.comparison[0] == ">", "=" not in params.comparison
        within, beyond = (effect.low, effect.high) if is_above else (-effect.high, -effect.low)
        bound = threshold if is_above else -threshold
        is_supported = within > bound if is_strict else within >= bound
        is_contradicted = beyond <= bound if is_strict else beyond < bound
        ends = f"the interval of {item.name}, {effect.low:.4g} to {effect.high:.4g},"
        if is_supported:
            reason = f"{ends} lies wholly {'above' if is_above else 'below'} {threshold:g}"
        elif is_contradicted:
            reason = f"{ends} lies wholly {'below' if is_above else 'above'} {threshold:g}"
        else:
            reason = f"{ends} holds {threshold:g}"
        verdict = "supported" if is_supported else "contradicted" if is_contradicted else "not established"
        is_flat = effect.low == effect.high
        return ClaimResult(
            text=self._text,
            verdict=verdict,  # type: ignore[arg-type]
            reason=reason,
            rule=self._rule,
            measured=f"{item.name} of {of}",
            unit=item.unit,
            threshold=threshold,
            side="above" if is_above else "below",
            strict=is_strict,
            effects={"all images": effect},
            n=count,
            p=None if mean is None else mean.p_against(threshold),
            evidence=evidence,
            warnings=(f"{item.name} is the same in all images, so that its interval has no width",) * is_flat,
        )

    def _unmeasurable(self, reason: str, evidence: tuple[str, ...] = ()) -> ClaimResult:
        return ClaimResult.unmeasurable(self._text, self._rule, reason, evidence=evidence)

    def _missing(self, measured: list[str]) -> str:
        if self._params.explanation is None:
            return f"several explanations: {', '.join(measured)}" if measured else "nothing"
        return f"nothing of {self._params.explanation}"

    @property
    def _text(self) -> str:
        params = self._params
        path = "/".join(filter(None, (params.metric, params.explanation, params.number)))
        return params.text or f"{path} {params.comparison} {params.threshold:g}"

    @property
    def _rule(self) -> str:
        params = self._params
        side, other = ("above", "below") if params.comparison[0] == ">" else ("below", "above")
        at = "" if "=" not in params.comparison else "at or "
        return (
            f"Supported if the whole 95 % interval of the mean over images lies {at}{side} {params.threshold:g}, "
            f"contradicted if it lies wholly {other}, else not established. Intervals are Wilson's of numbers that are "
            f"0 or 1 in each image and Student's of others; fewer than {FEWEST} images have none. An image "
            "that was asked about several times counts once, by the mean of its numbers."
        )


def _item(measurements: Measurements, name: str) -> Measurement | None:
    """The number of a name; the first where no name is given."""
    return next((one for one in measurements.items if name in ("", one.name)), None)


def _by_image(item: Measurement, results: Results) -> np.ndarray:
    """Finite values, one for each image: several questions about one image are no independent values."""
    is_finite, ids = np.isfinite(item.values), np.array(results.split.ids)
    values: np.ndarray = item.values[is_finite].astype(np.float64)
    if item.whole or len(ids) != len(item.values):
        return values
    _, image, count = np.unique(ids[is_finite], return_inverse=True, return_counts=True)
    means: np.ndarray = np.bincount(image, weights=values) / count
    return means
