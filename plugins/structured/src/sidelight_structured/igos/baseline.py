"""Blurred baseline I0, strengthened until it carries no evidence of the class (section 3.3, trick 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import gaussian_blur

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_toolkit.batching import Batch

    from sidelight_structured.class_probability import ClassProbability

STRENGTHENINGS = 3
"""Attempts after the first blur: kernel and sigma times two, times four, then the image's mean colour."""
REFERENCE_SIZE = 224
"""Side of the images that kernel and sigma are given for: the authors' ImageNet crops."""
NO_ANSWER = (
    "blurred to one colour, the image keeps more than baseline_limit of its class's probability, so that hiding a "
    "region shows nothing; use a method by gradients, or raise the limit"
)
"""Reason why an image has no answer."""
LISTED = 5
"""Images that a warning names, so that it stays one line."""


@frozen(eq=False)
class Baseline:
    """Baselines of N images, and the class probability on them.

    Args:
        images: I0, (N, C, H, W).
        probability: f_c(I0), (N,).
        strengthened: (N,) int64, 0 for the blur of the options, up to `STRENGTHENINGS` for the mean colour.
        hides: (N,) bool, f_c(I0) <= limit * f_c(I); False: even the mean colour exceeds it, and hiding a region
            would show nothing.
    """

    images: torch.Tensor
    probability: torch.Tensor
    strengthened: torch.Tensor
    hides: torch.Tensor


def blur(images: torch.Tensor, kernel: int, sigma: float) -> torch.Tensor:
    """Gaussian blur whose kernel and sigma, in pixels at 224, follow the size of the image."""
    scale = min(images.shape[-2:]) / REFERENCE_SIZE
    width = max(3, round(kernel * scale)) | 1  # odd, so that the kernel has a centre
    return gaussian_blur(images, width, max(0.5, sigma * scale))


def checked_baseline(
    images: torch.Tensor, score: ClassProbability, kernel: int, sigma: float, limit: float
) -> Baseline:
    """Blur each image until f_c(I0) <= limit * f_c(I).

    Every attempt doubles kernel and sigma, for the images that need it alone; the last one takes the image's mean
    colour. `report_baseline` names the images that needed it.
    """
    rows = torch.arange(len(images), device=images.device)
    allowed = _allowed(images, score, limit)  # limit * f_c(I), (N,)
    baselines = _blur_in_batches(images, kernel, sigma, score.batch)
    probability, strengthened = score.of_many(baselines, rows), torch.zeros_like(rows)
    for attempt in range(1, STRENGTHENINGS + 1):
        strong = (probability > allowed).nonzero().squeeze(1)
        if not len(strong):
            break
        chosen = images[strong]  # only those whose f_c(I0) is still too high
        stronger = (
            chosen.mean((2, 3), keepdim=True).expand_as(chosen)
            if attempt == STRENGTHENINGS
            else _blur_in_batches(chosen, kernel * 2**attempt, sigma * 2**attempt, score.batch)
        )
        baselines[strong] = stronger
        probability[strong], strengthened[strong] = score.of_many(stronger, strong), attempt
    return Baseline(baselines, probability, strengthened, ~(probability > allowed))  # a limit of 1 may give NaN


def fixed_baseline(images: torch.Tensor, hidden: torch.Tensor, score: ClassProbability, limit: float) -> Baseline:
    """Baselines (N, C, H, W) as they are, with the same check."""
    rows = torch.arange(len(images), device=images.device)
    probability, allowed = score.of_many(hidden, rows), _allowed(images, score, limit)
    return Baseline(hidden, probability, torch.zeros_like(rows), ~(probability > allowed))


def report_baseline(
    name: str, run: Run, probability: np.ndarray, strengthened: np.ndarray, answered: np.ndarray
) -> None:
    """Warn where the blur was strengthened, and emit `baseline`.

    Args:
        name: the method.
        run: takes both.
        probability: f_c(I0), (N,).
        strengthened: number of attempts, (N,).
        answered: (N,) bool; images without an answer are told by the result itself.
    """
    rows = np.flatnonzero((strengthened > 0) & answered)
    if len(rows):
        last = np.flatnonzero((strengthened == STRENGTHENINGS) & answered)
        colour = f", down to its mean colour in {list_images(last)}" if len(last) else ""
        run.warn(
            f"{name}: the blurred image says too much of the class in {list_images(rows)}, and "
            f"was blurred more there{colour}: see `baseline` among the by-products, or set `baseline_limit` to 1; "
            "the by-product `curves` uses this baseline, `metrics/insertion-deletion` the plain blur"
        )
    run.emit(
        "baseline",
        Measurements(
            items=(
                Measurement(
                    name="probability on the baseline",
                    values=probability.astype(np.float32),
                    better="lower",
                    unit="probability",
                    help="Class probability on the baseline.",
                ),
                Measurement(
                    name="blur strengthened",
                    values=strengthened.astype(np.float32),
                    unit="times",
                    help="Doublings of the blur's kernel and sigma; 3 stands for the image's mean colour.",
                ),
            )
        ),
    )


def list_images(rows: Sequence[int] | np.ndarray) -> str:
    """`image 0`, `images 0 and 3`, `images 0, 3 and 9 more`."""
    names = [str(row) for row in rows[:LISTED]] + ([f"{len(rows) - LISTED} more"] if len(rows) > LISTED else [])
    return f"image {names[0]}" if len(names) == 1 else f"images {', '.join(names[:-1])} and {names[-1]}"


def _allowed(images: torch.Tensor, score: ClassProbability, limit: float) -> torch.Tensor:
    """(N,) the largest f_c(I0); a limit of 1 accepts any baseline."""
    ratio = limit if limit < 1 else float("inf")
    return ratio * score.of_many(images, torch.arange(len(images), device=images.device))


def _blur_in_batches(images: torch.Tensor, kernel: int, sigma: float, batch: int | Batch) -> torch.Tensor:
    return in_batches(lambda chunk: blur(chunk, kernel, sigma), images, batch, "blurring")
