"""Measurements: named numbers with their spread over images and over the conditions they depend on."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import attrs
import numpy as np

from sidelight_specs._form import check_leaf, leaves
from sidelight_specs.artifacts import Artifact, array
from sidelight_specs.blocks import Block, Plot, Table
from sidelight_specs.errors import SidelightError
from sidelight_specs.intervals import student_quantile, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WITHIN_0_AND_1 = ("probability", "share")  # units; few images give Student intervals beyond what is possible
FEWEST_FOR_INTERVAL = 3  # the expansion of Student's quantile is off by under 1 % from here on


@attrs.frozen(eq=False, kw_only=True)
class Measurement:
    """One named number, with the values it is the mean of.

    Args:
        name: short, as it heads a column: `"insertion"`.
        values: (N,) float32, one for each image, NaN where it does not apply; or (1,) for a number of the whole set.
        whole: it is a number of the whole set, also where that has one image; so is one with `limits`.
        better: which way is better, or `"neither"`.
        unit: `"probability"`, `"share of images"`, `"logits"`, ...
        help: one sentence that says what it means and how it is computed.
        settings: what the number depends on (baseline, step, softmax), for whoever compares.
        limits: 95 % confidence interval of a number of the whole set, where it is known; that of many values follows
            from them.
        curve_x: (T,) float32, where there is a curve behind the number, what was varied.
        curve_y: (N, T) float32, the curve of each image.
        curve_of: what was varied, in words, as it stands below the axis: `"share of the image shown"`.
        variants: the same number under each of several conditions, condition to (N,) values; `values` is their mean.
        varied: the name of that condition: `"baseline"`.
        doubt_above: an image's number above this is a reason to distrust the explanation.
        doubt: that reason: `"more than half of the change is one colour laid over all"`.
    """

    name: str
    values: np.ndarray = array("V", nan=True)
    better: Literal["higher", "lower", "neither"] = "neither"
    unit: str = ""
    help: str = ""
    settings: dict[str, str] = attrs.field(factory=dict)
    limits: tuple[float, float] | None = None
    curve_x: np.ndarray | None = array("T", default=None)
    curve_y: np.ndarray | None = array("R T", nan=True, default=None)
    curve_of: str = ""
    variants: dict[str, np.ndarray] = array("V", nan=True, factory=dict)
    varied: str = ""
    doubt_above: float | None = None
    doubt: str = ""
    whole: bool = attrs.field()

    @whole.default
    def _has_limits(self) -> bool:
        return self.limits is not None

    @property
    def value(self) -> float:
        """The mean over the images to which it applies; NaN where it applies to none."""
        return _mean(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean over images, or `limits`; None for fewer than three images.

        Wilson's score interval for values that are all 0 or 1, Student's t otherwise. It says how much the mean
        depends on which images were taken, not on how a network was trained.
        """
        if self.limits is not None:
            return self.limits
        finite = self.values[np.isfinite(self.values)].astype(np.float64)
        if finite.size < FEWEST_FOR_INTERVAL:
            return None
        if np.isin(finite, (0, 1)).all():
            return wilson_interval(float(finite.sum()), finite.size)
        half = student_quantile(finite.size - 1) * float(finite.std(ddof=1)) / math.sqrt(finite.size)
        low, high = float(finite.mean()) - half, float(finite.mean()) + half
        is_share = self.unit.startswith(WITHIN_0_AND_1) and finite.min() >= 0 and finite.max() <= 1
        return (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)

    def cells(self, index: int) -> tuple[str, ...]:
        """Name, value of one image, mean, interval, unit and direction, as text; empty where there is none."""
        here = "" if self.whole or len(self.values) == 1 else _number(float(self.values[index]))
        interval = "" if self.interval is None else " to ".join(map(_number, self.interval))
        better = "" if self.better == "neither" else self.better
        return self.name, here, _number(self.value), interval, self.unit, better

    def scattered(self, rows: Sequence[int], count: int) -> Measurement:
        """The number of `count` images of which it was measured on `rows` alone; it does not apply to the others.

        A number or curve of the whole set stays as it is.
        """

        def scatter(values: np.ndarray) -> np.ndarray:  # (R, ...) to (count, ...)
            if self.whole or len(values) != len(rows):
                return values
            result = np.full((count, *values.shape[1:]), np.nan, dtype=values.dtype)
            result[list(rows)] = values
            return result

        return attrs.evolve(
            self,
            values=scatter(self.values),
            curve_y=None if self.curve_y is None else scatter(self.curve_y),
            variants={name: scatter(values) for name, values in self.variants.items()},
        )

    def take(self, rows: Sequence[int], count: int) -> Measurement:
        """The number of some of `count` images; one of the whole set stays as it is."""

        def pick(values: np.ndarray) -> np.ndarray:
            return values if self.whole or len(values) != count else values[list(rows)]

        return attrs.evolve(
            self,
            values=pick(self.values),
            curve_y=None if self.curve_y is None else pick(self.curve_y),
            variants={name: pick(values) for name, values in self.variants.items()},
        )

    def is_of_each(self, count: int) -> bool:
        """True if there is a value for each of `count` images."""
        return not self.whole and len(self.values) == count

    @property
    def variant_means(self) -> dict[str, float]:
        """Condition to the mean over images."""
        return {name: _mean(values) for name, values in self.variants.items()}


def joined(parts: Sequence[Measurement]) -> Measurement:
    """One number of the images of several shards.

    Raises:
        ValueError: it is a number of a whole set, or has another curve or other conditions elsewhere.
    """
    first = parts[0]
    for part in parts:
        if part.whole:
            raise ValueError(f"{part.name} is a number of a whole set")
        if part.variants.keys() != first.variants.keys():
            raise ValueError(f"{part.name} was measured under other conditions elsewhere")
        if not _same_curve(part.curve_x, first.curve_x):
            raise ValueError(f"{part.name} has another curve elsewhere")
    curves = [part.curve_y for part in parts if part.curve_y is not None]
    return attrs.evolve(
        first,
        values=np.concatenate([part.values for part in parts]),
        curve_y=np.concatenate(curves) if curves else None,
        variants={name: np.concatenate([part.variants[name] for part in parts]) for name in first.variants},
    )


def _same_curve(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


@attrs.frozen(eq=False, kw_only=True)
class Measurements(Artifact):
    """Numbers of one metric about one explanation.

    Args:
        items: the numbers.
        answers: (N, 2, K) float32, for metrics of counterfactuals: the probabilities that the metric's classifier gives
            each image and its counterfactual, its classes being those of the explained classifier. Where it is another
            classifier, reports show its answer under the counterfactual.
    """

    kind: ClassVar[str] = "measurements"

    items: tuple[Measurement, ...] = ()
    answers: np.ndarray | None = array("N 2 K", low=0, high=1, default=None, nan=True)

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Each number has a name of its own, one value for each image or one for all, and a whole curve or none.

        NaN says that a number does not apply; infinities are refused.
        """
        del classes
        names = [item.name for item in self.items]
        if len(set(names)) < len(names):
            raise SidelightError(f"items: two numbers share a name: {', '.join(names)}")
        for item in self.items:
            if item.whole and len(item.values) != 1:
                raise SidelightError(f"{item.name}.values has {len(item.values)} rows, not 1: it is of the whole set")
            sizes: dict[str, int] = {}
            for path, value, form in leaves(item.name, item):
                check_leaf(path, value, form, sizes)
            if images is not None and sizes["V"] not in (1, images[0]):
                raise SidelightError(f"{item.name}.values has {sizes['V']} rows, not {images[0]} or 1")
            if (item.curve_x is None) != (item.curve_y is None):
                raise SidelightError(f"{item.name} has half a curve")
        sizes = {} if images is None else {"N": images[0]}
        for path, value, form in leaves("", attrs.evolve(self, items=())):
            check_leaf(path, value, form, sizes)

    def of_all(self, count: int) -> str:
        """Name of a number that is one for all of `count` images together; empty where there is none."""
        return next((item.name for item in self.items if not item.is_of_each(count)), "")

    def doubts(self) -> list[str]:
        """Numbers above their `doubt_above`: `tint share is above 0.5 for 3 of 8 images: ...`."""
        return [
            f"{item.name} is above {item.doubt_above:g} for {above} of {int(np.isfinite(item.values).sum())} images: "
            f"{item.doubt}"
            for item in self.items
            if item.doubt_above is not None and (above := int((item.values > item.doubt_above).sum()))
        ]

    @classmethod
    def concat(cls, shards: Sequence[Self]) -> Self:
        """Join the numbers of the images of several shards, by their names; all else is taken from the first.

        Raises:
            ValueError: shards with other numbers, or with numbers of a whole set, which have no join.
        """
        first = shards[0]
        if any([item.name for item in shard.items] != [item.name for item in first.items] for shard in shards):
            raise ValueError("the shards have other numbers")
        items = (joined(parts) for parts in zip(*(shard.items for shard in shards), strict=True))
        answers = [shard.answers for shard in shards if shard.answers is not None]
        if 0 < len(answers) < len(shards):
            raise ValueError("answers are present in some shards and missing in others")
        return attrs.evolve(first, items=tuple(items), answers=np.concatenate(answers) if answers else None)

    def take(self, rows: Sequence[int]) -> Self:
        """The numbers of some images; numbers of a whole set stay as they are."""
        count = max((len(item.values) for item in self.items), default=0)
        answers = None if self.answers is None else self.answers[list(rows)]
        return attrs.evolve(self, items=tuple(item.take(rows, count) for item in self.items), answers=answers)

    def scattered(self, rows: Sequence[int], count: int) -> Measurements:
        """The numbers of `count` images of which `rows` alone were measured; NaN for the others."""
        answers = None
        if self.answers is not None:
            answers = np.full((count, *self.answers.shape[1:]), np.nan, dtype=self.answers.dtype)
            answers[list(rows)] = self.answers
        return attrs.evolve(self, items=tuple(item.scattered(rows, count) for item in self.items), answers=answers)

    def view(self, index: int) -> tuple[Block, ...]:
        """Every number of this image and over all, then the curves behind them."""
        rows = tuple(item.cells(index) for item in self.items)
        table = Table(("number", "here", "mean", "95 % interval", "unit", "better"), rows)
        plots = (
            Plot(item.curve_x, {item.name: _row(item.curve_y, index)}, x_label=item.curve_of, y_label=item.name)
            for item in self.items
            if item.curve_x is not None and item.curve_y is not None
        )
        return (table, *plots)


def order_flips(items: Mapping[str, Measurement]) -> tuple[tuple[str, str], ...]:
    """Pairs whose order depends on the condition that was varied.

    A pair counts when one is ahead under one condition and behind under another, each time by more than one standard
    error of the paired difference over images (by anything, where there is one image).

    Args:
        items: the same number of several explanations, explanation to number.
    """
    return tuple(
        (first, second)
        for first, second in combinations(items, 2)
        if {-1.0, 1.0} <= set(_signs(items[first], items[second]))
    )


def _signs(first: Measurement, second: Measurement) -> list[float]:
    """Sign of the difference under each shared condition: 1, -1, or 0 where the images cannot tell."""
    signs = []
    for name in first.variants.keys() & second.variants.keys():
        gap = (first.variants[name] - second.variants[name]).astype(np.float64)
        gap = gap[np.isfinite(gap)]
        error = float(gap.std(ddof=1)) / math.sqrt(gap.size) if gap.size > 1 else 0.0
        signs.append(float(np.sign(gap.mean())) if gap.size and abs(gap.mean()) > error else 0.0)
    return signs


def _row(curves: np.ndarray, index: int) -> np.ndarray:
    """The curve of one image; that of the whole set where there is only one."""
    row: np.ndarray = curves[index if len(curves) > 1 else 0]
    return row


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not measurable"


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
