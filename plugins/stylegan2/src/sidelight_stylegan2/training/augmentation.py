"""Adaptive discriminator augmentation (Karras et al. 2020, Training Generative Adversarial Networks with Limited Data).

Every image that the discriminator sees, real or made, goes through random transforms, each applied with probability p
(sections 2.2 and 2.3, appendix B). A distribution of images can be told from that of its augmented images as long as
p < 0.8, so that the generator does not learn the transforms. p follows the discriminator's overfitting (section 3):

    r_t = E[sign(D(x))] over real images x        0: does not overfit, 1: tells every training image
    p rises while r_t is above its target, and falls while it is below

With the relativistic loss r_t is E[sign(D(x) - D(G(z)))] over pairs: a constant added to all logits changes nothing.

Symbols: T a 3x3 transform of homogeneous image coordinates in [-1, 1], of the source of each place of the result; A an
affine transform of colours. Own code. Unlike the paper's, images are resampled by bilinear interpolation without a
wavelet filter, and borders are mirrored with their last pixel; filtering, noise and cutout, which the paper found to
harm or not to help, are left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

HIGHEST = 0.8  # of p; above, augmentations may leak into the samples (section 2.2)
INTERVAL = 4  # steps between two changes of p (section 3)
LARGEST_SHIFT = 0.125  # ratio of the side, of integer and of fractional translations (appendix B)
SCALE = 0.2 * math.log(2)  # standard deviation of log scales (appendix B)
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5 * math.log(2), math.log(2)  # standard deviations (appendix B)


class AdaptiveProbability:
    """p, and the signs of D since p last changed.

    Args:
        target: of r_t.
        ramp: images in which p can go from 0 to 1.
    """

    def __init__(self, target: float, ramp: int) -> None:
        self._target, self._ramp = target, ramp
        self.p = 0.0
        self._signs: list[Tensor] = []  # mean sign of each step since the last change, () each

    def update(self, logits: Tensor) -> None:
        """Follow r_t; p changes at every `INTERVAL`-th call.

        Args:
            logits: (B, 1) of real images, or by how much they are above those of their partners.
        """
        self._signs.append(logits.detach().sign().mean())
        if len(self._signs) < INTERVAL:
            return
        r_t = sum(torch.stack([sign.to(logits.device) for sign in self._signs]).tolist()) / len(self._signs)
        step = INTERVAL * len(logits) / self._ramp
        self.p = min(HIGHEST, max(0.0, self.p + math.copysign(step, r_t - self._target)))
        self._signs = []

    def state_dict(self) -> dict[str, Any]:
        """p and the signs."""
        return {"p": self.p, "signs": self._signs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`."""
        self.p, self._signs = state["p"], state["signs"]


def augment(images: Tensor, p: float, transforms: Iterable[str], random: torch.Generator) -> Tensor:
    """Random transforms, each with probability p, independently for each image.

    Args:
        images: (N, C, H, H), about [-1, 1].
        p: 0 gives back the images as they are, and draws no numbers.
        transforms: of `blit` (mirroring, quarter turns, shifts by whole pixels), `geometric` (scaling, rotation,
            stretching, shifts), `colour` (brightness, contrast, inversion of brightness; of colours also hue and
            saturation).
        random: a stream, of any device.

    Returns:
        (N, C, H, H), differentiable in `images`.
    """
    chosen = tuple(transforms)
    if not p or not chosen:
        return images
    count, channels, side, _ = images.shape
    draw = _Draw(count, p, random)
    source = torch.eye(3, device=random.device).expand(count, 3, 3)
    if "blit" in chosen:
        source = source @ _blits(draw, side)
    if "geometric" in chosen:
        source = source @ _geometric(draw)
    if len({"blit", "geometric"} & set(chosen)):
        images = _warp(images, source)
    if "colour" in chosen:
        matrix, offset = (part.to(images) for part in _colours(draw, channels))
        images = torch.einsum("nij,njhw->nihw", matrix, images) + offset[:, :, None, None]
    return images


class _Draw:
    """Random numbers for N images; 0, which does nothing, where an image is not chosen, with probability 1 - p."""

    def __init__(self, count: int, p: float, random: torch.Generator) -> None:
        self._count, self.p, self._random, self.device = count, p, random, random.device

    def _chosen(self, values: Tensor, p: float | None) -> Tensor:
        is_chosen = torch.rand(self._count, generator=self._random, device=self.device) < (self.p if p is None else p)
        return torch.where(is_chosen, values, 0.0)

    def normal(self, deviation: float) -> Tensor:
        """(N,) of N(0, deviation^2), 0 where not chosen."""
        return self._chosen(deviation * torch.randn(self._count, generator=self._random, device=self.device), None)

    def uniform(self, limit: float, p: float | None = None) -> Tensor:
        """(N,) of U(-limit, limit), 0 where not chosen."""
        return self._chosen(limit * (2 * torch.rand(self._count, generator=self._random, device=self.device) - 1), p)

    def integer(self, choices: int) -> Tensor:
        """(N,) of 0 to choices - 1, 0 where not chosen."""
        drawn = torch.randint(choices, (self._count,), generator=self._random, device=self.device)
        return self._chosen(drawn.float(), None)


def _blits(draw: _Draw, side: int) -> Tensor:
    """(N, 3, 3): transforms that move whole pixels. A quarter turn or a mirroring may be by nothing (appendix B)."""
    mirror = _scaling(1 - 2 * draw.integer(2), None)
    turn = _rotation(draw.integer(4) * (math.pi / 2))
    x, y = ((draw.uniform(LARGEST_SHIFT) * side).round() / side for _ in range(2))
    return mirror @ turn @ _translation(x, y)


def _geometric(draw: _Draw) -> Tensor:
    """(N, 3, 3). Two rotations, before and after the stretching, each so seldom that p of the images are rotated."""
    rotated = 1 - math.sqrt(1 - draw.p)
    scale = torch.exp(draw.normal(SCALE))
    before = _rotation(draw.uniform(math.pi, rotated))
    stretch = torch.exp(draw.normal(SCALE))
    after = _rotation(draw.uniform(math.pi, rotated))
    shift = _translation(draw.normal(LARGEST_SHIFT), draw.normal(LARGEST_SHIFT))
    return _scaling(scale, scale) @ before @ _scaling(stretch, 1 / stretch) @ after @ shift


def _colours(draw: _Draw, channels: int) -> tuple[Tensor, Tensor]:
    """A: (N, C, C) and (N, C). The brightness axis v is the direction in which all channels are equal."""
    v = torch.full((channels,), 1 / math.sqrt(channels), device=draw.device)
    axis, identity = torch.outer(v, v), torch.eye(channels, device=draw.device)  # v v^T
    offset = draw.normal(BRIGHTNESS)[:, None].expand(-1, channels)
    contrast = torch.exp(draw.normal(CONTRAST))[:, None, None]
    inversion = identity - 2 * axis * draw.integer(2)[:, None, None]  # Householder's reflection along v
    matrix = inversion * contrast
    offset = torch.einsum("nij,nj->ni", matrix, offset)  # brightness comes first
    if channels == 3:
        hue = draw.uniform(math.pi)[:, None, None]
        # Rodrigues: rotation about v; the cross product with v is K
        one = 1 / math.sqrt(3)
        cross = torch.tensor([[0.0, -one, one], [one, 0.0, -one], [-one, one, 0.0]], device=draw.device)  # K
        rotation = axis + (identity - axis) * hue.cos() + cross * hue.sin()
        saturation = axis + (identity - axis) * torch.exp(draw.normal(SATURATION))[:, None, None]
        matrix, offset = saturation @ rotation @ matrix, torch.einsum("nij,nj->ni", saturation @ rotation, offset)
    return matrix, offset


def _warp(images: Tensor, source: Tensor) -> Tensor:
    """Bilinear interpolation of (N, C, H, H) at T of each place; images that T leaves alone keep their bits."""
    grid = functional.affine_grid(source[:, :2].to(images), list(images.shape), align_corners=False)
    warped = functional.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
    is_moved = (source != torch.eye(3, device=source.device)).any(2).any(1).to(images.device)
    return torch.where(is_moved[:, None, None, None], warped, images)


def _scaling(x: Tensor, y: Tensor | None) -> Tensor:
    one = torch.ones_like(x)
    return torch.diag_embed(torch.stack([x, one if y is None else y, one], 1))


def _rotation(angle: Tensor) -> Tensor:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = ([angle.cos(), -angle.sin(), zero], [angle.sin(), angle.cos(), zero], [zero, zero, one])
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    """By ratios of the side; coordinates go from -1 to 1, a side is 2."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = ([one, zero, 2 * x], [zero, one, 2 * y], [zero, zero, one])
    return torch.stack([torch.stack(row, 1) for row in rows], 1)
