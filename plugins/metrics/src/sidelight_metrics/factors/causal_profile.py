"""Causal profile of a classifier by changing one true factor at a time: the answer key to explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, Heatmap, Measurement, Measurements, Split
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

from sidelight_metrics.predictions import class_logits, probabilities
from sidelight_metrics.segments import rows_of
from sidelight_metrics.statistics import spearman

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_metrics.params import CausalProfileParams

SHOWN = 6
"""So many factors are shown as pictures."""


class CausalProfile(Metric):
    """The profile is emitted; every explanation that marks pixels is held against it.

    The classifier's answer to an image is the log-odds of the class that it predicts, in nats (for two classes the
    difference of their logits), or the value of a regression.
    """

    def __init__(self, params: CausalProfileParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`profile agreement`: does the explanation mark the pixels of the factors that the classifier uses?

        For each image the rank correlation, over the factors, of two numbers: the factor's effect in the profile, and
        the explanation's mean strength over the pixels that this factor changes in this image. NaN for explanations
        that mark no pixels, and for images that are not found in the split.
        """
        del targets
        effects, flips = self.profile()
        self._run.emit("effects", effects)
        self._run.emit("flips", flips)
        self._run.emit("extremes", self._extremes([item.name for item in effects.items[:SHOWN]]))
        return Measurements(items=(self._agreement(effects, _marks(explanation, to_array(images)), to_array(images)),))

    def profile(self) -> tuple[Measurements, Measurements]:
        """Mean size of the change of the answer, and share of flipped predictions, of every factor; strongest first.

        Each factor is set to its lowest and to its highest value in `count` images, drawn anew, all else the same.
        The values are the images' own. Computed once, kept by `run.cached`.
        """
        both = self._run.cached(("profile", self._params.split, self._params.count), self._profiled)
        half = len(both.items) // 2
        effects, flips = both.items[:half], both.items[half:]
        named = [attrs.evolve(flip, name=effect.name) for effect, flip in zip(effects, flips, strict=True)]
        return Measurements(items=effects), Measurements(items=tuple(named))

    def _profiled(self) -> Measurements:
        split = self._split().take(range(self._params.count))
        classes = self._logits(split.images).argmax(axis=1)
        found = []
        for name, ends in self._run.progress(list(self._data.factor_ranges.items()), "changing factors"):
            low, high = (self._logits(self._with(split, name, end)) for end in ends)
            flips = _flips(name, low, high, classes)
            # kept beside the effects, in which each number has a name of its own
            found.append((self._effect(name, low, high, classes), attrs.evolve(flips, name=f"flips by {name}")))
        found.sort(key=lambda pair: -pair[0].value)
        return Measurements(items=tuple(item for items in zip(*found, strict=True) for item in items))

    def _effect(self, name: str, low: np.ndarray, high: np.ndarray, classes: np.ndarray) -> Measurement:
        change = _answer(high, classes) - _answer(low, classes)
        settings = {"faces": str(len(classes)), "split": self._params.split}
        if low.shape[1] == 2:
            towards = float((_answer(high, np.ones_like(classes)) - _answer(low, np.ones_like(classes))).mean())
            settings["high end"] = f"{towards:+.2f} towards {self._classifier.class_names[1]}"
        return Measurement(
            name=name,
            values=np.abs(change).astype(np.float32),
            unit="nats" if low.shape[1] > 1 else "value",
            help=f"Mean size of the change of the answer from the lowest to the highest {name}, all else the same.",
            settings=settings,
        )

    def _extremes(self, names: list[str]) -> Split:
        """The first image with each of the strongest factors at both ends, and what the classifier says."""
        split = self._split().take([0])
        ends = [(name, end) for name in names for end in self._data.factor_ranges[name]]
        images = np.concatenate([self._with(split, name, end) for name, end in ends])
        said = self._said(self._logits(images))
        captions = tuple(f"{name} {end:+g}: {text}" for (name, end), text in zip(ends, said, strict=True))
        return Split(images=images, ids=captions)

    def _said(self, logits: np.ndarray) -> list[str]:
        if logits.shape[1] == 1:
            return [f"{value:.3g}" for value in logits[:, 0]]
        shares, names = probabilities(logits), self._classifier.class_names
        classes = shares.argmax(axis=1)
        return [f"{names[k]} {share[k]:.0%}" for k, share in zip(classes, shares, strict=True)]

    def _agreement(self, effects: Measurements, marks: np.ndarray | None, images: np.ndarray) -> Measurement:
        values = np.full(len(images), np.nan, dtype=np.float32)
        if marks is not None:
            split, true = self._split(), {item.name: item.value for item in effects.items}
            rows = np.array(rows_of(split, images))
            found, effect = np.flatnonzero(rows >= 0), np.array([true[name] for name in self._data.factor_ranges])
            for part in slices(len(found), self._params.batch):
                strengths = self._strengths(marks[found[part]], split.take(rows[found[part]].tolist()))
                values[found[part]] = [spearman(strength, effect) for strength in strengths]
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
        """(N, F) mean of (N, H, W) marks over the pixels that each factor changes, by how much; NaN for none."""
        found = np.empty((len(images), len(self._data.factor_ranges)))
        for column, (name, (low, high)) in enumerate(self._data.factor_ranges.items()):
            changed = np.abs(self._with(images, name, high) - self._with(images, name, low)).sum(axis=1)
            amount, marked = changed.sum(axis=(1, 2)), (marks * changed).sum(axis=(1, 2))
            found[:, column] = np.divide(marked, amount, out=np.full(len(images), np.nan), where=amount > 0)
        return found

    def _split(self) -> Split:
        split, params = self._data.split(self._params.split), self._params
        if len(split) < params.count:
            raise UserError(
                f"causal-profile: the split {params.split!r} has {len(split)} images and count is {params.count}",
                "lower `count`, or make the split larger",
            )
        return split

    def _with(self, split: Split, factor: str, value: float) -> np.ndarray:
        """The split's images drawn anew with one factor at this value."""
        factors = {name: split.factors[name] for name in self._data.factor_ranges}
        return self._data.render({**factors, factor: np.full(len(split), value, dtype=np.float32)})

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return class_logits(self._classifier, to_tensor(images, self._run), self._params.batch)


def _answer(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N,) log-odds of one class against all others; the value of a regression."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    rows, others = np.arange(len(logits)), logits.copy()
    others[rows, classes] = -np.inf
    top = others.max(axis=1)
    odds: np.ndarray = logits[rows, classes] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return odds


def _flips(name: str, low: np.ndarray, high: np.ndarray, classes: np.ndarray) -> Measurement:
    flipped = (low.argmax(axis=1) != classes) | (high.argmax(axis=1) != classes)
    return Measurement(
        name=name,
        values=flipped.astype(np.float32),
        unit="share of images",
        help=f"Share of the images whose predicted class changes at the lowest or at the highest {name}.",
    )


def _marks(explanation: Artifact, images: np.ndarray) -> np.ndarray | None:
    """(N, H, W) how strongly each pixel is marked; None for what marks no pixels of the image."""
    if isinstance(explanation, Heatmap):
        return np.asarray(np.abs(explanation.values))
    if isinstance(explanation, Counterfactual):
        marks: np.ndarray = np.abs(explanation.images - images).sum(axis=1)
        return marks
    return None
