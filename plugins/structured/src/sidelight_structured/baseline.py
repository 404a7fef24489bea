"""The blurred baseline I0, checked: it should say nothing of the class any more (section 3.3, trick 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import gaussian_blur

if TYPE_CHECKING:
    from sidelight_structured.scoring import ClassProbability

_STRENGTHENINGS = 3
REFERENCE_SIZE = 224


def blurred(images: torch.Tensor, kernel: int, sigma: float) -> torch.Tensor:
    """Gaussian blur whose kernel and sigma, in pixels at 224, follow the size of the image."""
    scale = min(images.shape[-2:]) / REFERENCE_SIZE
    width = max(3, round(kernel * scale)) | 1
    return gaussian_blur(images, width, max(0.5, sigma * scale))


def checked_baseline(
    images: torch.Tensor, score: ClassProbability, kernel: int, sigma: float, limit: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blur each image until its class has at most `limit` of the image's own probability.

    Every strengthening doubles kernel and sigma, for the images that need it alone; the last resort is the
    image's mean colour.

    Returns:
        baselines (N, C, H, W) and the probability (N,) that the class keeps on them.

    Raises:
        UserError: even the mean colour keeps more than the limit, so that hiding a region would show nothing.
    """
    rows = torch.arange(len(images), device=images.device)
    share = limit if limit < 1 else float("inf")
    allowed = share * score.of_many(images, rows)
    baselines = _blurred_in_batches(images, kernel, sigma, score.batch)
    kept = score.of_many(baselines, rows)
    for attempt in range(1, _STRENGTHENINGS + 1):
        strong = (kept > allowed).nonzero().squeeze(1)
        if not len(strong):
            return baselines, kept
        last = attempt == _STRENGTHENINGS
        chosen = images[strong]
        stronger = (
            chosen.mean((2, 3), keepdim=True).expand_as(chosen)
            if last
            else _blurred_in_batches(chosen, kernel * 2**attempt, sigma * 2**attempt, score.batch)
        )
        baselines[strong] = stronger
        kept[strong] = score.of_many(stronger, strong)
    _refuse_if_any(kept > allowed, kept)
    return baselines, kept


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
