"""A region that decides one class over another: its effect on their log-odds, against random regions.

    f(x)    = logit of the winner - logit of the loser                      log-odds, in nats
    e_i     = f(x_i) - f(x_i with the region replaced)                      effect in image i
    c_ij    = the same of control j, the region at another place
    bound   = `bound` * mean_i |f(x_i)|                                     largest negligible effect

    supported     under every replacement: the 95 % interval of mean e lies above the bound, and
                  p = (1 + #{j: mean_i c_ij >= mean_i e_i}) / (1 + C) <= 0.05
    contradicted  under every replacement: the interval of mean e lies below the bound, or that of the excess,
                  mean_i (e_i - mean_j c_ij), does although the first case does not hold
    not established  otherwise

Two replacements guard against what one of them adds to the image: a black patch may itself look like something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import ClaimResult, Effect
from sidelight_specs.roles import Claim
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_claims import COUNTERFACTUAL, SMALL_ON_CPU
from sidelight_claims.regions import Region, Unmeasurable, controls, region_of
from sidelight_claims.statistics import FEWEST, Mean, rank_p

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Results
    from sidelight_specs.roles import Classifier

    from sidelight_claims import DecidesParams

LEVEL = 0.05


class Measured(NamedTuple):
    """Effects under one replacement.

    Attributes:
        effect: mean e.
        excess: mean e - c.
        controls: (C,) mean of each control over the images.
        after: (N,) f of the images with the region replaced.
        images: (N, C, H, W) those images.
    """

    effect: Mean
    excess: Mean
    controls: np.ndarray
    after: np.ndarray
    images: torch.Tensor

    @property
    def rank(self) -> float:
        """Share of controls that reach the effect."""
        return rank_p(self.effect.value, self.controls)

    def is_for(self, bound: float) -> bool:
        """True if the effect is above the bound and beats the controls."""
        return self.effect.low > bound and self.rank <= LEVEL

    def is_against(self, bound: float) -> bool:
        """True if the effect is below the bound, or exceeds that of random regions, which reach it, by less."""
        return not self.is_for(bound) and (self.effect.high < bound or self.excess.high < bound)


class Decides(Claim):
    """Replaces the region by each of several replacements, and random regions likewise."""

    def __init__(self, params: DecidesParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, SMALL_ON_CPU)

    def judge(self, results: Results) -> ClaimResult:
        """The verdict over the explained images that have the region, each once.

        Raises:
            UserError: the classifier has no such class.
        """
        sides = (self._class(self._params.winner), self._class(self._params.loser))
        results = _each_image_once(results)
        try:
            region = region_of(self._params, results)
            if len(region.rows) < FEWEST:
                raise Unmeasurable(f"{len(region.rows)} images have the region, fewer than {FEWEST}")
            replaced = {name: self._replacement(name, results, region) for name in self._params.replacements}
        except Unmeasurable as reason:
            return ClaimResult.unmeasurable(self._text, self._rule, str(reason))
        images = to_tensor(results.split.images[region.rows], self._run)  # (N, C, H, W)
        odds = self._odds(images, sides)  # f, (N,)
        if not np.isfinite(odds).all():
            return ClaimResult.unmeasurable(self._text, self._rule, "the classifier's log-odds are not finite")
        moves, control = controls(region.masks, self._params.controls, self._run.rng("controls"))
        masks = [region.masks, *(move(region.masks) for move in moves)]
        measured = {name: self._measure(images, odds, other, masks, sides) for name, other in replaced.items()}
        return self._judged(measured, odds, images, region, f"{len(moves)}: {control}")

    def _measure(
        self,
        images: torch.Tensor,
        odds: np.ndarray,
        other: torch.Tensor,
        masks: list[np.ndarray],
        sides: tuple[int, int],
    ) -> Measured:
        """Effects of replacing each of 1 + C masks (N, H, W), the region first, by the pixels of `other`."""
        first, after = images, []
        for place, mask in enumerate(self._run.progress(masks, "replacing regions")):
            hidden = to_tensor(mask, self._run)[:, None]  # (N, 1, H, W)
            composed = torch.where(hidden, other, images)
            after.append(self._odds(composed, sides))
            first = first if place else composed
        falls = odds - np.stack(after)  # e, then c_j: (1 + C, N)
        excess = falls[0] - falls[1:].mean(axis=0)
        return Measured(Mean.of(falls[0]), Mean.of(excess), falls[1:].mean(axis=1), after[0], first)

    def _odds(self, images: torch.Tensor, sides: tuple[int, int]) -> np.ndarray:
        """(N,) float64 log-odds of the winner against the loser."""
        logits = to_array(in_batches(self._classifier.class_logits, images, self._batch)).astype(np.float64)
        difference: np.ndarray = logits[:, sides[0]] - logits[:, sides[1]]
        return difference

    def _replacement(self, name: str, results: Results, region: Region) -> torch.Tensor:
        """(N, C, H, W) images whose pixels replace the region's."""
        images = to_tensor(results.split.images[region.rows], self._run)
        if name == "noise":
            noise = self._run.rng("noise").random(tuple(images.shape), np.float32)  # uniform in [0, 1)
            return to_tensor(noise, self._run)
        if not name.startswith(COUNTERFACTUAL):
            return baseline(images, name)  # type: ignore[arg-type]
        explainer = name.removeprefix(COUNTERFACTUAL)
        found = results.explanations.get(explainer)
        pixels = getattr(found, "images", None)
        if pixels is None or pixels.shape != results.split.images.shape:
            raise Unmeasurable(f"{explainer} gave no counterfactuals of the images")
        is_missing = ~np.array([found.has_answer(row) for row in region.rows])  # type: ignore[union-attr]
        if (converged := getattr(found, "converged", None)) is not None:
            is_missing |= ~np.asarray(converged, bool)[region.rows]
        if missing := int(is_missing.sum()):
            raise Unmeasurable(f"{explainer} found no counterfactual of {missing} of {len(region.rows)} images")
        return to_tensor(pixels[region.rows], self._run)

    def _judged(
        self, measured: dict[str, Measured], odds: np.ndarray, images: torch.Tensor, region: Region, control: str
    ) -> ClaimResult:
        bound = self._params.bound * float(np.abs(odds).mean())
        every = measured.values()
        if all(one.is_for(bound) for one in every):
            verdict, p = "supported", max(max(one.rank, one.effect.p_against(bound)) for one in every)
        elif all(one.is_against(bound) for one in every):
            verdict, p = (
                "contradicted",
                max(
                    min(
                        one.effect.p_against(bound) if one.effect.high < bound else 1.0,
                        one.excess.p_against(bound) if one.excess.high < bound else 1.0,
                    )
                    for one in every
                ),
            )
        else:
            verdict, p = "not established", None
        pairs = _pairs(measured, odds, images)
        return ClaimResult(
            text=self._text,
            verdict=verdict,  # type: ignore[arg-type]
            reason=_reason(verdict, measured, bound),
            rule=self._rule,
            measured=f"fall of the log-odds of {self._name(0)} against {self._name(1)} where the region is replaced "
            f"({region.what})",
            unit="nats",
            threshold=bound,
            effects={
                name: Effect(
                    value=one.effect.value,
                    low=one.effect.low,
                    high=one.effect.high,
                    controls=one.controls.astype(np.float32),
                )
                for name, one in measured.items()
            },
            n=len(odds),
            p=p,
            control=control,
            **pairs,
            evidence=(f"explanations/{self._params.explainer}",) if self._params.explainer else (),
        )

    def _class(self, name: str | int) -> int:
        names = tuple(self._classifier.class_names)
        index = names.index(name) if name in names else name
        if isinstance(index, str) or index >= len(names):
            raise UserError(f"the classifier has no class {name}", f"name one of {', '.join(names[:20])}")
        return index

    def _name(self, side: int) -> str:
        return str(self._classifier.class_names[self._class((self._params.winner, self._params.loser)[side])])

    @property
    def _text(self) -> str:
        params = self._params
        where = params.mask or (f"box {','.join(map(str, params.box))}" if params.box else "")
        where = where or f"top {params.share:g} % of {params.explainer}"
        return params.text or f"{where} decides {params.winner} over {params.loser}"

    @property
    def _rule(self) -> str:
        params = self._params
        return (
            f"The region is replaced ({', '.join(params.replacements)}), and so are {params.controls} random regions "
            f"of its size and shape. Effects of up to {params.bound:g} times the images' mean absolute log-odds are "
            "negligible. Supported if under every replacement the whole 95 % interval of the mean effect over images "
            f"(Student's) lies above that, and at most {100 * LEVEL:.0f} % of the random regions reach it. "
            "Contradicted if under every replacement the interval lies below that, as where the effect goes the other "
            "way, or the interval of the effect's excess over the mean random region does and random regions reach the "
            "effect. Else not established."
        )


def _reason(verdict: str, measured: dict[str, Measured], bound: float) -> str:
    every = list(measured.values())
    if verdict == "supported":
        worst = max(every, key=lambda one: one.rank)
        reached = int((worst.controls >= worst.effect.value).sum())
        low = min(one.effect.low for one in every)
        most = f"at most {reached} of {len(worst.controls)}" if reached else f"none of {len(worst.controls)}"
        return f"the effect is {low:.3g} nats or more, and {most} random regions reach it"
    if verdict == "contradicted":
        high = max(one.effect.high for one in every)
        if all(one.effect.high < -bound for one in every):
            return f"the effect goes the other way, by {-high:.3g} nats or more"
        if high < bound:
            return f"the effect is negligible, {high:.3g} nats at most where {bound:.3g} would count"
        excess = max(one.excess.high for one in measured.values() if one.effect.high >= bound)
        return f"the effect exceeds that of random regions by {excess:.3g} nats at most where {bound:.3g} would count"
    return f"no rule holds under every replacement: {'; '.join(_one_by_one(measured, bound))}"


def _one_by_one(measured: dict[str, Measured], bound: float) -> list[str]:
    """Reasons for or against the claim under each replacement."""
    texts = []
    for name, one in measured.items():
        if one.is_for(bound):
            texts.append(f"{name} for it")
        elif one.is_against(bound):
            texts.append(f"{name} against it")
        elif one.effect.low > bound:
            texts.append(f"{name} as random regions do (p {one.rank:.2g})")
        else:
            texts.append(f"{name} too uncertain")
    return texts


def _pairs(measured: dict[str, Measured], odds: np.ndarray, images: torch.Tensor) -> dict[str, Any]:
    """The image of median effect under the first replacement, before and after each replacement."""
    first = next(iter(measured.values()))
    middle = int(np.argsort(odds - first.after, kind="stable")[len(odds) // 2])
    before = to_array(images[middle].clamp(0, 1))
    after = np.stack([to_array(one.images[middle].clamp(0, 1)) for one in measured.values()])
    captions = tuple(
        f"{name}: log-odds from {odds[middle]:.2f} to {one.after[middle]:.2f}" for name, one in measured.items()
    )
    return {"before": np.repeat(before[None], len(after), axis=0), "after": after, "captions": captions}


def _each_image_once(results: Results) -> Results:
    """The results with one row for each image, where several questions were asked about some."""
    ids = results.split.ids
    rows = list({name: row for row, name in reversed(list(enumerate(ids)))}.values())[::-1] if ids else []
    if not rows or len(rows) == len(ids):
        return results
    explanations = {name: one.take(rows) for name, one in results.explanations.items() if one.rows()}
    return attrs.evolve(results, split=results.split.take(rows), explanations=explanations)
