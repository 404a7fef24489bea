"""Regions of images that a claim is about, and random regions of the same size and shape to hold them against."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.results import Results

    from sidelight_claims import DecidesParams

    Move = Callable[[np.ndarray], np.ndarray]  # of (N, H, W) masks

ROOM = 4  # places for each control, below which a region is moved round the edges instead
TRIES = 50  # places drawn for each control, at most


class Unmeasurable(Exception):
    """The region cannot be told; the text is the end of a sentence."""


class Region(NamedTuple):
    """Regions of N images, one each.

    Attributes:
        masks: (N, H, W) bool.
        rows: (N,) rows of the run's questions that have one.
        what: in words.
    """

    masks: np.ndarray
    rows: np.ndarray
    what: str


def region_of(params: DecidesParams, results: Results) -> Region:
    """The region that the options name, in every explained image that has it.

    Raises:
        Unmeasurable: no image has it.
    """
    count, (height, width) = len(results.split), results.split.images.shape[-2:]
    if params.mask:
        if params.mask not in results.split.masks:
            known = ", ".join(results.split.masks) or "none"
            raise Unmeasurable(f"the explained images have no mask {params.mask}, their masks are {known}")
        masks, what = np.asarray(results.split.masks[params.mask], bool), f"mask {params.mask}"
    elif params.box:
        left, top, box_width, box_height = params.box
        masks = np.zeros((count, height, width), bool)
        masks[:, top : top + box_height, left : left + box_width] = True
        what = f"{box_width}x{box_height} pixels at {left},{top}"
    else:
        masks, what = _highest(params, results), f"highest {params.share:g} % of {params.explainer}"
    area = masks.mean(axis=(1, 2))
    rows = np.flatnonzero((area > 0) & (area < 1))
    if not len(rows):
        raise Unmeasurable(f"the region ({what}) is empty, or the whole image, in every explained image")
    return Region(masks[rows], rows, what)


def _highest(params: DecidesParams, results: Results) -> np.ndarray:
    """(N, H, W) bool, the highest pixels of each heatmap; none of one that is constant or has no answer."""
    heatmap = results.explanations.get(params.explainer)
    values = getattr(heatmap, "values", None)
    if heatmap is None or values is None or values.shape[-2:] != results.split.images.shape[-2:]:
        raise Unmeasurable(f"{params.explainer} gave no heatmap of the images")
    flat = np.asarray(values, np.float64).reshape(len(values), -1)  # (N, HW)
    count = max(1, round(params.share / 100 * flat.shape[1]))
    masks = np.zeros(flat.shape, bool)
    np.put_along_axis(masks, np.argsort(-flat, axis=1, kind="stable")[:, :count], True, axis=1)
    is_answer = np.array([heatmap.has_answer(row) for row in range(len(flat))])
    masks[~is_answer | (flat.max(axis=1) == flat.min(axis=1))] = False
    return masks.reshape(values.shape)


def controls(masks: np.ndarray, count: int, rng: np.random.Generator) -> tuple[list[Move], str]:
    """Moves of the region to random places, each the same in all images, and what they are in words.

    The place is what a claim has chosen, so it is the place that is drawn: a control is one place for all images. A
    place is drawn again while more than half way between no overlap and the overlap of chance is left.

    Args:
        masks: (N, H, W) bool.
        count: how many.
        rng: random stream.
    """
    height, width = masks.shape[-2:]
    used = np.argwhere(masks.any(axis=0))
    (top, left), (bottom, right) = used.min(axis=0), used.max(axis=0)
    within = [(dy, dx) for dy in range(-top, height - bottom) for dx in range(-left, width - right) if dy or dx]
    if len(within) >= ROOM * count:
        places = [(dy, dx, False, False) for dy, dx in within]
        what = "the same region moved to random places inside the image, each the same in all images"
    else:
        flips = [(up, side) for up in (False, True) for side in (False, True)]
        places = [(dy, dx, *flip) for dy in range(height) for dx in range(width) for flip in flips]
        what = "the same region moved round the edges and mirrored at random, alike in all images"
    most = (1 + float(masks.mean())) / 2  # share of the region that may stay where it is
    moves: list[Move] = []
    left_over: list[Move] = []
    for at in rng.permutation(len(places))[: TRIES * count]:
        move = _move(*places[at])
        (moves if (move(masks) & masks).sum() <= most * masks.sum() else left_over).append(move)
        if len(moves) == count:
            break
    return [*moves, *left_over][:count], what


def _move(dy: int, dx: int, is_upside_down: bool, is_mirrored: bool) -> Move:
    def moved(masks: np.ndarray) -> np.ndarray:
        flipped = masks[:, :: -1 if is_upside_down else 1, :: -1 if is_mirrored else 1]
        return np.roll(flipped, (dy, dx), axis=(1, 2))

    return moved
