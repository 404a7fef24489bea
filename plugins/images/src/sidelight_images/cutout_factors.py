"""Law of the factors of cut-out images, and of the causes planted among them.

    own(k)  = background k; the k-th of K equal parts of a measure's range (tint, size, left, top);
              1 for the first class and 0 for the others (mark, noise, mirror)
    u_c | k = own(k) with probability p, else drawn as without confounds      train, validation, test
            = own(j) of a class j for which it is another than own(k)         test-conflicting
            = drawn as without confounds                                      test-decorrelated

k is the label, K the number of classes, and p the dose of the confound c: 0 ties nothing, 1 everything. Test splits
differ in their confounded factors alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.order import hash_uniform
from sidelight_images.stamps import Cutouts, factor_names, split_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_images.params import CutoutsParams

    Numbers = Callable[[str], float]

SMALLEST_CROP = 0.5  # of a background's short side
SIDES = {
    "mirror": ("as photographed", "mirrored"),
    "mark": ("no mark", "mark"),
    "noise": ("no noise", "noise"),
}
"""Factors that are 0 or 1, and what they are called."""


def factor_levels(params: CutoutsParams, listed: Cutouts) -> dict[str, tuple[str, ...]]:
    """Names of the values of the factors that are no measures; value i is the i-th name."""
    sides = {name: levels for name, levels in SIDES.items() if name in factor_names(params)}
    cutouts = tuple(entry.path.stem for entry in listed.entries)
    return {"cut-out": cutouts, "background": tuple(listed.backgrounds), **sides}


def factor_ranges(params: CutoutsParams, listed: Cutouts) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every factor."""
    measures = {
        **dict.fromkeys(factor_names(params), (0.0, 1.0)),
        "crop-side": (SMALLEST_CROP, 1.0),
        "rotation": (-params.rotation, params.rotation),
        "size": (params.scale[0], params.scale[1]),
    }
    if "tint" in measures:
        measures["tint"] = (-1.0, 1.0)
    return measures | {name: (0.0, len(names) - 1.0) for name, names in factor_levels(params, listed).items()}


def draw_cutouts(params: CutoutsParams, listed: Cutouts, split: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(N,) int64 labels, and (N,) float32 values of every factor; classes take turns, and so do a class's cut-outs.

    An image depends on its number, its split and the seed alone.
    """
    objects = split.split("-")[0]  # of test-conflicting those of test
    ranges, levels = factor_ranges(params, listed), factor_levels(params, listed)
    members, count = listed.rows[objects], split_sizes(params)[split]
    factors = {name: np.empty(count, np.float32) for name in ranges}
    labels = np.empty(count, np.int64)
    for row in range(count):

        def number(name: str, row: int = row) -> float:
            return hash_uniform(params.seed, f"{objects}-{row} {name}")

        shown = row % len(members)  # the object's class
        labels[row] = label = _label(params, split, shown, len(members), number)
        drawn = {name: low + number(name) * (high - low) for name, (low, high) in ranges.items()}
        drawn |= {name: round(number(name)) for name in SIDES if name in ranges}
        drawn["background"] = _background(params, listed, split, label, number)
        for name, dose in params.confounds.items():
            own = _own_value(name, split, label, len(members), dose, number)
            if own is not None:
                low, high = ranges[name]
                drawn[name] = own if name in levels else low + (own + number(name)) / len(members) * (high - low)
        drawn["cut-out"] = members[shown][row // len(members) % len(members[shown])]
        for name, value in drawn.items():
            factors[name][row] = value
    return labels, factors


def _label(params: CutoutsParams, split: str, shown: int, classes: int, number: Numbers) -> int:
    """The class of the object, or in `label_noise` of the training images any other."""
    if split == "train" and number("label noise") < params.label_noise:
        return (shown + 1 + int(number("wrong label") * (classes - 1))) % classes
    return shown


def _own_value(name: str, split: str, label: int, classes: int, dose: float, number: Numbers) -> int | None:
    """Level of a confound, or part of a measure's range, that the label decides; None where it decides nothing."""
    owned = [int(label == 0) if name in SIDES else label for label in range(classes)]
    if split == "test-conflicting":
        others = sorted(set(owned) - {owned[label]})
        return others[int(number(f"{name} other") * len(others))]
    is_tied = split != "test-decorrelated" and number(f"{name} tie") < dose
    return owned[label] if is_tied else None


def _background(params: CutoutsParams, listed: Cutouts, split: str, label: int, number: Numbers) -> int:
    """Background by `aligned`: a class that is named there has its own in `aligned_share` of its images.

    In test-conflicting it has that of another class that is named, and in test-decorrelated any.
    """
    names = tuple(listed.backgrounds)
    own, choice = params.aligned.get(listed.classes[label]), names
    if own is not None and split == "test-conflicting":
        others = {background for background in params.aligned.values() if background != own}
        choice = tuple(name for name in choice if name in (others or {*choice} - {own}))
    elif own is not None and split != "test-decorrelated":
        is_tied = number("tie") < params.aligned_share
        choice = (own,) if is_tied else tuple(name for name in choice if name != own)
    choice = choice or (own or names[0],)
    return names.index(choice[int(number("background") * len(choice))])


def as_table(factors: Mapping[str, np.ndarray], ranges: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """(N, F) float32 in the order of `ranges`, clipped to them.

    Raises:
        ValueError: a factor is missing, unknown or not finite.
    """
    if set(factors) != set(ranges):
        raise ValueError(f"missing or unknown factors: {', '.join(sorted(set(factors) ^ set(ranges)))}")
    table = np.stack([np.asarray(factors[name], np.float32) for name in ranges], axis=1)
    if not np.isfinite(table).all():
        raise ValueError("factors must be finite numbers")
    low, high = np.array(list(ranges.values()), np.float32).T
    clipped: np.ndarray = table.clip(low, high)
    return clipped
