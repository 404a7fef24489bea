"""Scores of images before and after one edit, and after random edits of equal size: what `hypothesis` judges.

w_i (layers, d)   latents of image i;  w'_i after the edit;  r_il = |w'_il - w_il| in layer l
D_i               root mean square over the pixels of G(w'_i) - G(w_i)
u_c (layers, d)   random direction c, the difference of two random draws, the same for all images
size w            w_i + r_il u_cl / |u_cl| in each layer l
size image        w_i + s u_c with the s > 0 that changes the image by D_i
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_explorer.hypothesis import Control, Size
from sidelight_explorer.priority_lock import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from sidelight_explorer.latent_edit import LatentEdit
    from sidelight_explorer.models import Models

TOLERANCE = 0.1  # of the image distance of a random edit, relative
TRIES = 5  # drawings of a random edit until it is as large as the edit; most need two
FARTHEST = 3.0  # s at most: three times the difference of two draws is beyond all samples
FIRST = 0.3  # s of the first images, where nothing is known of the direction


@attrs.frozen(eq=False)
class Measurements:
    """Scores of N images.

    Args:
        before, after: (N,) as displayed.
        answers: (N,) class said before the edit; -1 for a regression.
        turned: (N,) True where the answer changed; (0,) for a regression.
        w, image: mean length of the edit in W over all layers, and mean D.
        controls: random edits of equal size.
    """

    before: np.ndarray
    after: np.ndarray
    answers: np.ndarray
    turned: np.ndarray
    w: float
    image: float
    controls: tuple[Control, ...]


@attrs.define(eq=False)
class _Sums:
    """Sums over the images of one random edit."""

    change: float = 0.0
    turned: int = 0
    moved: float = 0.0


def measure(
    models: Models,
    pairs: Sequence[tuple[LatentEdit, LatentEdit]],
    directions: np.ndarray,
    classifier: str,
    target: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    seen: Callable[[Tensor, Tensor], None] = lambda before, after: None,
) -> Measurements:
    """Measure an edit and random edits of equal size; the models are held for one batch at a time, edits go first.

    Args:
        models: generator and classifiers.
        pairs: N images before and after the edit.
        directions: (C, layers, d) u.
        classifier: id of the classifier.
        target: index of the class.
        progress: called with images drawn and in total before each batch; may raise to stop.
        seen: called with each batch of images before and after, (B, C, H, W).
    """
    shifts = [after.latents - before.latents for before, after in pairs]
    lengths = np.linalg.norm(np.stack(shifts), axis=2)  # r, (N, layers)
    sizes: list[Size] = ["w", "image"] if lengths.any() else ["image"]
    scored = _Scored(models, classifier, target, progress, len(pairs) * (2 + len(sizes) * len(directions)))
    sums = {(size, number): _Sums() for number in range(len(directions)) for size in sizes}
    rows: list[tuple[np.ndarray, ...]] = []
    gains = np.full(len(directions), np.nan)  # s by which each direction changes an image by 1
    for batch in slices(len(pairs), models.batch):
        bases = [before for before, _ in pairs[batch]]
        first, value, answer = scored(bases)
        second, changed, other = scored([after for _, after in pairs[batch]])
        seen(first, second)
        distance = _distance(first, second)  # D, (B,)
        rows.append((value, changed, answer, other, distance))
        for number, direction in enumerate(directions):
            for size in sizes:
                if size == "w":
                    unit = direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
                    images, values, answers = scored(_shifted(bases, lengths[batch][:, :, None] * unit))
                    reached = _distance(first, images)
                    steps = lengths[batch].mean(1) / max(float(np.linalg.norm(direction, axis=1).mean()), 1e-12)
                    gains[number] = _gain(steps, reached, gains[number])
                else:
                    guess = np.where(np.isnan(gains[number]), FIRST, gains[number] * distance)
                    values, answers, reached, steps = _as_far(scored, bases, first, distance, direction, guess)
                    gains[number] = _gain(steps, reached, gains[number])
                one = sums[size, number]
                one.change += float((values - value).sum())
                one.turned += int((answers != answer).sum())
                one.moved += float(reached.sum())
    before, after, answers, others, distances = (np.concatenate(column) for column in zip(*rows, strict=True))
    count = len(pairs)
    return Measurements(
        before=before,
        after=after,
        answers=answers,
        turned=(answers != others) if scored.has_classes else np.zeros(0, bool),
        w=float(np.sqrt((lengths**2).sum(1)).mean()),
        image=float(distances.mean()),
        controls=tuple(
            Control(size, one.change / count, one.turned / count, one.moved / count) for (size, _), one in sums.items()
        ),
    )


class _Scored:
    """Images with score and answer, a batch at a time, and how far the whole is."""

    def __init__(
        self, models: Models, classifier: str, target: int, progress: Callable[[int, int], None], total: int
    ) -> None:
        self._models, self._classifier, self._target = models, classifier, target
        self._progress, self._done, self._total = progress, 0, total
        self.has_classes = models.classifiers[classifier].task != "regression"

    def __call__(self, edits: Sequence[LatentEdit], *, counts: bool = True) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """(B, C, H, W) images, (B,) scores of the target, (B,) answers; -1 for a regression."""
        self._progress(self._done, self._total)
        images, scores = self._models.score(edits, self._classifier, Priority.BACKGROUND)
        self._done += len(edits) if counts else 0
        answers = scores.argmax(1) if self.has_classes else np.full(len(scores), -1)
        return images, scores[:, self._target].astype(np.float64), answers


def _gain(steps: np.ndarray, reached: np.ndarray, before: float) -> float:
    """Median of s over the change of the image; what was known before, where no image changed."""
    ratios = steps[reached > 0] / reached[reached > 0]
    return float(np.median(ratios)) if len(ratios) else before


def _as_far(
    scored: _Scored,
    bases: Sequence[LatentEdit],
    first: Tensor,
    distance: np.ndarray,
    direction: np.ndarray,
    guess: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, answers and distances of w + s u that change the images by `distance` (B,), and s, from a guess of it."""
    steps = np.clip(guess, 1e-6, FARTHEST)  # s, (B,)
    values, answers = np.zeros(len(bases)), np.zeros(len(bases), int)
    reached = np.zeros(len(bases))
    left = np.arange(len(bases))
    for attempt in range(TRIES):
        steps[left] = np.where(distance[left] > 0, steps[left], 0)
        shifts = steps[left][:, None, None] * direction
        images, values[left], answers[left] = scored(
            _shifted([bases[int(row)] for row in left], shifts), counts=attempt == 0
        )
        reached[left] = _distance(first[left], images)
        # the change of the image grows about in proportion to the shift
        ratio = np.divide(distance[left], reached[left], out=np.ones(len(left)), where=reached[left] > 0)
        wanted = np.minimum(steps[left] * ratio.clip(0.25, 4), FARTHEST)
        is_off = (np.abs(ratio - 1) > TOLERANCE) & (np.abs(wanted - steps[left]) > 1e-6)
        if attempt == TRIES - 1 or not is_off.any():
            break
        left, wanted = left[is_off], wanted[is_off]
        steps[left] = wanted
    return values, answers, reached, steps


def _shifted(bases: Sequence[LatentEdit], shifts: np.ndarray) -> list[LatentEdit]:
    """The images with their latents shifted by (B, layers, d)."""
    return [
        attrs.evolve(base, latents=(base.latents + shift).astype(np.float32))
        for base, shift in zip(bases, shifts, strict=True)
    ]


def _distance(images: Tensor, others: Tensor) -> np.ndarray:
    """(B,) root mean square difference over channels and pixels."""
    difference: np.ndarray = to_array((images - others).square().flatten(1).mean(1).sqrt()).astype(np.float64)
    finite: np.ndarray = np.nan_to_num(difference)
    return finite
