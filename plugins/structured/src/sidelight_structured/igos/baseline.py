"""The blurred baseline I0, checked: it should say nothing of the class any more (section 3.3, trick 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import gaussian_blur

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run

    from sidelight_structured.class_probability import ClassProbability

_STRENGTHENINGS = 3
"""Twice kernel and sigma, four times, and as the last resort the mean colour."""
REFERENCE_SIZE = 224


@frozen(eq=False)
class Baseline:
    """Baseline of N images, and the class's probability that is left in it.

    Args:
        images: (N, C, H, W).
        kept: (N,) probability that the class keeps.
        strengthened: (N,) int64, 0 for the blur that was asked for, up to `_STRENGTHENINGS` for the mean colour.
    """

    images: torch.Tensor
    kept: torch.Tensor
    strengthened: torch.Tensor


def blurred(images: torch.Tensor, kernel: int, sigma: float) -> torch.Tensor:
    """Gaussian blur whose kernel and sigma, in pixels at 224, follow the size of the image."""
    scale = min(images.shape[-2:]) / REFERENCE_SIZE
    width = max(3, round(kernel * scale)) | 1
    return gaussian_blur(images, width, max(0.5, sigma * scale))


def checked_baseline(
    images: torch.Tensor, score: ClassProbability, kernel: int, sigma: float, limit: float
) -> Baseline:
    """Blur each image until its class has at most `limit` of the image's own probability.

    Every strengthening doubles kernel and sigma, for the images that need it alone; the last resort is the
    image's mean colour. `tell` says which images needed it.

    Raises:
        UserError: even the mean colour keeps more than the limit, so that hiding a region would show nothing.
    """
    rows = torch.arange(len(images), device=images.device)
    allowed = _allowed(images, score, limit)
    baselines = _blurred_in_batches(images, kernel, sigma, score.batch)
    kept, strengthened = score.of_many(baselines, rows), torch.zeros_like(rows)
    for attempt in range(1, _STRENGTHENINGS + 1):
        strong = (kept > allowed).nonzero().squeeze(1)
        if not len(strong):
            break
        last = attempt == _STRENGTHENINGS
        chosen = images[strong]
        stronger = (
            chosen.mean((2, 3), keepdim=True).expand_as(chosen)
            if last
            else _blurred_in_batches(chosen, kernel * 2**attempt, sigma * 2**attempt, score.batch)
        )
        baselines[strong] = stronger
        kept[strong], strengthened[strong] = score.of_many(stronger, strong), attempt
    _refuse_if_any(kept > allowed, kept)
    return Baseline(baselines, kept, strengthened)


def speaking(images: torch.Tensor, baseline: Baseline, score: ClassProbability, limit: float) -> list[int]:
    """The images whose baseline keeps more than `limit` of the class's probability."""
    return (baseline.kept > _allowed(images, score, limit)).nonzero().squeeze(1).tolist()


def tell(name: str, run: Run, kept: np.ndarray, strengthened: np.ndarray) -> None:
    """Warn where the blur was strengthened, and emit as `baseline` what the class keeps (N,) and how strong it is."""
    if strengthened.any():
        last = (strengthened == _STRENGTHENINGS).nonzero()[0]
        colour = f", down to its mean colour in {listed(last)}" if len(last) else ""
        run.warn(
            f"{name}: the blurred image says too much of the class in {listed(strengthened.nonzero()[0])}, and was "
            f"blurred more there{colour}: see `baseline` among the by-products, or set `baseline_limit` to 1"
        )
    run.emit(
        "baseline",
        Measurements(
            items=(
                Measurement(
                    name="probability on the baseline",
                    values=kept.astype(np.float32),
                    better="lower",
                    unit="probability",
                    help="The class's probability on the image that hides.",
                ),
                Measurement(
                    name="blur strengthened",
                    values=strengthened.astype(np.float32),
                    unit="times",
                    help="How often kernel and sigma of the blur were doubled; 3 stands for the image's mean colour.",
                ),
            )
        ),
    )


def listed(rows: Sequence[int] | np.ndarray) -> str:
    """`image 0`, `images 0 and 3`, `images 0, 3 and 9 more`."""
    names = [str(row) for row in rows[:5]] + ([f"{len(rows) - 5} more"] if len(rows) > 5 else [])
    return f"image {names[0]}" if len(names) == 1 else f"images {', '.join(names[:-1])} and {names[-1]}"


def _allowed(images: torch.Tensor, score: ClassProbability, limit: float) -> torch.Tensor:
    """(N,) the probability that each baseline may keep."""
    share = limit if limit < 1 else float("inf")
    return share * score.of_many(images, torch.arange(len(images), device=images.device))


def _blurred_in_batches(images: torch.Tensor, kernel: int, sigma: float, batch: int) -> torch.Tensor:
    return in_batches(lambda part: blurred(part, kernel, sigma), images, batch)


def _refuse_if_any(too_high: torch.Tensor, kept: torch.Tensor) -> None:
    if too_high.any():
        worst = int(torch.where(too_high, kept, torch.zeros_like(kept)).argmax())
        raise UserError(
            f"image {worst} of the batch keeps probability {kept[worst]:.2f} of its class when it is blurred to one "
            "colour, so hiding a region cannot show what the classifier needs",
            "explain another class (explain.target), leave the image out, or raise the parameter baseline_limit",
        )
