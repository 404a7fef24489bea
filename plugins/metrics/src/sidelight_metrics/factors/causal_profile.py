"""Causal profile of a classifier: the effect of each true factor changed alone, the answer key to explanations.

    f(x)       = log-odds of the predicted class, log p / (1 - p), in nats; a regression's value

    change: ends, for measures, from one end of their range to the other
    effect(u)  = mean over images of |f(x with u highest) - f(x with u lowest)|, all else the same
    flips(u)   = share of images whose predicted class changes at either end

    change: redraw, for categories and for measures whose middle matters; u' is another image's value of u
    effect(u)  = mean over images and draws of |f(x with u') - f(x)|
    flips(u)   = mean over images of the share of draws u' with which the predicted class changes

    u is used  : the lower limit of flips(u) is above a floor, .05 or what a model that cannot use u reaches

    profile agreement = Spearman's rho, over the factors u, of effect(u) and strength(u)      higher is better
    strength(u)       = sum_p m_p d_p / sum_p d_p

m_p is the explanation's strength at pixel p, and d_p how much factor u changes that pixel in this image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.intervals import wilson_interval
from sidelight_specs.results import Counterfactual, Heatmap, Measurement, Measurements, Split
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, slices

from sidelight_metrics.factors.redraw import other_values, with_factor
from sidelight_metrics.params import SMALL_ON_CPU
from sidelight_metrics.predictions import class_logits, probabilities
from sidelight_metrics.segments import rows_of
from sidelight_metrics.statistics import bootstrap_interval, spearman

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_metrics.params import CausalProfileParams

SHOWN = 6  # factors whose two ends are emitted as images, the strongest
FLOOR = 0.05  # share of images: a factor that flips no more is not said to be used


class CausalProfile(Metric):
    """The profile is emitted; every explanation that marks pixels is compared with it."""

    def __init__(self, params: CausalProfileParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run
        self._batch = Batch(params.batch, run, SMALL_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`profile agreement`: does the explanation mark the pixels of the factors that the classifier uses?

        NaN for explanations that mark no pixels, and for images that are not in the split.
        """
        del targets
        effects, flips = self.profile()
        self._run.emit("effects", effects)
        self._run.emit("flips", flips)
        self._run.emit("extremes", self._extremes([item.name for item in effects.items[:SHOWN]]))
        marks = _marks(explanation, to_array(images))
        return Measurements(items=(self._agreement(effects, marks, to_array(images)),))

    def profile(self) -> tuple[Measurements, Measurements]:
        """Effects and flips of every factor, strongest first; the values are those of single images.

        Computed once, kept by `run.cached`.
        """
        params = self._params
        # the images, not the explanation, decide the profile: one for all explainers of a run
        both = self._run.cached(("profile", params.split, params.count, params.change, params.draws), self._compute)
        half = len(both.items) // 2
        effects, flips = both.items[:half], both.items[half:]
        named = [attrs.evolve(flip, name=effect.name) for effect, flip in zip(effects, flips, strict=True)]
        return Measurements(items=effects), Measurements(items=tuple(named))

    def _compute(self) -> Measurements:
        """Effects, then flips, as one artifact."""
        split = self._split().read(count=self._params.count)
        names = list(self._data.factor_ranges)
        if self._params.change == "ends":
            before, change = self._logits(split.images), self._ends  # (N, K)
        else:  # of the images drawn from their own factors, so that noise of the data's images is in no effect
            before, change = self._logits_with(split, names[0], split.factors[names[0]]), self._redrawn
        pairs = []
        for name in self._run.progress(names, "changing factors"):
            sizes, flipped, settings = change(name, split, before)
            pairs.append((self._effect(name, sizes, settings), self._flips(name, flipped)))
        pairs.sort(key=lambda pair: -pair[0].value)
        return Measurements(items=tuple(item for items in zip(*pairs, strict=True) for item in items))

    def _ends(self, name: str, split: Split, before: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
        """(N,) |f(highest) - f(lowest)|, (N,) flipped, and the direction of the effect between two classes."""
        classes = before.argmax(axis=1)
        low, high = (self._logits_with(split, name, end) for end in self._data.factor_ranges[name])  # (N, K)
        flipped = (low.argmax(axis=1) != classes) | (high.argmax(axis=1) != classes)
        settings = {}
        if low.shape[1] == 2:
            second = np.ones_like(classes)
            towards = float((log_odds(high, second) - log_odds(low, second)).mean())
            settings["high end"] = f"{towards:+.2f} towards {self._classifier.class_names[1]}"
        return np.abs(log_odds(high, classes) - log_odds(low, classes)), flipped, settings

    def _redrawn(self, name: str, split: Split, before: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
        """(N,) mean over draws of |f(x with u') - f(x)|, (N,) share of draws that flip, and their number."""
        classes, draws = before.argmax(axis=1), self._params.draws
        values = other_values(self._data, split, name, draws, range(len(split)))  # u', (N, draws)
        sizes, flipped = np.zeros(len(split)), np.zeros(len(split))
        for drawn in values.T:
            logits = self._logits_with(split, name, drawn)
            sizes += np.abs(log_odds(logits, classes) - log_odds(before, classes)) / draws
            flipped += (logits.argmax(axis=1) != classes) / draws
        return sizes, flipped, {"draws": str(draws)}

    def _logits_with(self, split: Split, name: str, values: float | np.ndarray) -> np.ndarray:
        """(N, K) logits with a factor at these values; no more images than one batch are drawn at a time."""
        values = np.broadcast_to(np.asarray(values, np.float32), len(split))
        return np.concatenate(
            [
                self._logits(with_factor(self._data, split.take(range(len(split))[rows]), name, values[rows]))
                for rows in slices(len(split), SMALL_ON_CPU)
            ]
        )

    def _effect(self, name: str, sizes: np.ndarray, settings: dict[str, str]) -> Measurement:
        how = "from the lowest to the highest" if self._params.change == "ends" else "from the image's to another"
        return Measurement(
            name=name,
            values=sizes.astype(np.float32),
            unit="value" if self._classifier.task == "regression" else "nats",
            help=f"Mean size of the change of the answer {how} {name}, all else the same.",
            settings={"faces": str(len(sizes)), "split": self._params.split, **settings},
            limits=bootstrap_interval(sizes),
            whole=False,  # the limits are of the mean of these values
        )

    def _flips(self, name: str, flipped: np.ndarray) -> Measurement:
        how = "the lowest or at the highest" if self._params.change == "ends" else "another"
        return Measurement(
            name=f"flips by {name}",  # names are unique within an artifact, and the effect has the factor's own
            values=flipped.astype(np.float32),
            unit="share of images",
            help=f"Share of the images whose predicted class changes at {how} {name}.",
            # of no image that flips a bootstrap would say 0 to 0
            limits=wilson_interval(float(flipped.sum()), len(flipped)),
            whole=False,
        )

    def _extremes(self, names: list[str]) -> Split:
        """The first image with each of these factors at both ends, captioned with the classifier's prediction."""
        split = self._split().take([0])
        ends = [(name, end) for name in names for end in self._data.factor_ranges[name]]
        images = np.concatenate([with_factor(self._data, split, name, end) for name, end in ends])
        predictions = self._captions(self._logits(images))
        captions = tuple(f"{name} {end:+g}: {text}" for (name, end), text in zip(ends, predictions, strict=True))
        return Split(images=images, ids=captions)

    def _captions(self, logits: np.ndarray) -> list[str]:
        if logits.shape[1] == 1:
            return [f"{value:.3g}" for value in logits[:, 0]]
        p, names = probabilities(logits), self._classifier.class_names
        return [f"{names[k]} {row[k]:.0%}" for k, row in zip(p.argmax(axis=1), p, strict=True)]

    def _agreement(self, effects: Measurements, marks: np.ndarray | None, images: np.ndarray) -> Measurement:
        values = np.full(len(images), np.nan, dtype=np.float32)
        if marks is not None:
            split, true = self._split(), {item.name: item.value for item in effects.items}
            rows = np.array(rows_of(split, images))  # -1 for images that the split lacks, which stay NaN
            known, effect = np.flatnonzero(rows >= 0), np.array([true[name] for name in self._data.factor_ranges])
            for batch in slices(len(known), SMALL_ON_CPU):
                strengths = self._strengths(marks[known[batch]], split.take(rows[known[batch]].tolist()))
                values[known[batch]] = [spearman(strength, effect) for strength in strengths]
        return Measurement(
            name="profile agreement",
            values=values,
            better="higher",
            unit="rank correlation",
            help="Rank correlation, over the data's factors, of a factor's true effect on the classifier and the "
            "explanation's mean strength over the pixels that the factor changes.",
            settings={"faces": str(self._params.count), "split": self._params.split},
        )

    def _strengths(self, marks: np.ndarray, images: Split) -> np.ndarray:
        """(N, F) strength(u) of (N, H, W) marks; NaN where a factor changes no pixel."""
        strengths = np.empty((len(images), len(self._data.factor_ranges)))
        for column, (name, (low, high)) in enumerate(self._data.factor_ranges.items()):
            changed = np.abs(
                with_factor(self._data, images, name, high) - with_factor(self._data, images, name, low)
            ).sum(axis=1)  # d, (N, H, W)
            amount, marked = changed.sum(axis=(1, 2)), (marks * changed).sum(axis=(1, 2))
            strengths[:, column] = np.divide(marked, amount, out=np.full(len(images), np.nan), where=amount > 0)
        return strengths

    def _split(self) -> Split:
        split, params = self._data.split(self._params.split), self._params
        if len(split) < params.count:
            raise UserError(
                f'causal-profile: the split "{params.split}" has {len(split)} images and count is {params.count}',
                "lower `count`, or make the split larger",
            )
        return split

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return class_logits(self._classifier, to_tensor(images, self._run), self._batch)


def is_used(flips: Measurement, floor: float = FLOOR) -> bool:
    """True where a model is proved to use a factor: the lower limit of its flips is above a floor.

    Args:
        flips: of the factor, from a causal profile.
        floor: `FLOOR`, or the upper limit of a model that cannot have learned to use the factor, where that is higher.
    """
    return flips.interval is not None and flips.interval[0] > max(floor, FLOOR)


def log_odds(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N,) l_k - log sum_{j != k} exp l_j of the class k of each row; the value of a regression."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    rows, others = np.arange(len(logits)), logits.copy()
    others[rows, classes] = -np.inf
    top = others.max(axis=1)  # taken out of the exponent, so that nothing overflows
    odds: np.ndarray = logits[rows, classes] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return odds


def _marks(explanation: Artifact, images: np.ndarray) -> np.ndarray | None:
    """(N, H, W) strength m of each pixel; None for explanations that mark no pixels of the image."""
    if isinstance(explanation, Heatmap):
        return np.asarray(np.abs(explanation.values))
    if isinstance(explanation, Counterfactual):
        marks: np.ndarray = np.abs(explanation.images - images).sum(axis=1)
        return marks
    return None
