"""What could stand in a window of an image: samples from training images, alone or given what surrounds the window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_specs import Run
    from torch import Tensor

_SHRINKAGE = 1e-3
"""Added to the variance of every pixel, as a share of the mean: pixels that never vary could not be solved for."""
_CHUNK = 1000


class Sampler(ABC):
    """Draws the content of windows. The draws depend on the window, not on the image's neighbours.

    Args:
        train: (M, C, H, W), the images to learn from.
        window: side of the window, in pixels.
        samples: how many are drawn for each window.
        run: gives the random streams.
    """

    def __init__(self, train: Tensor, window: int, samples: int, run: Run) -> None:
        self.train, self.window, self.samples, self.run = train, window, samples, run

    @abstractmethod
    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """(N, S, C, w, w) in [0, 1], samples for the window of (N, C, H, W) images that starts at `top` and `left`."""


class Marginal(Sampler):
    """The same window of training images (Zintgraf et al. 2017, equation 4)."""

    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """The same samples for all images."""
        rows = self.run.rng(f"window {top} {left}").integers(0, len(self.train), self.samples)
        found = self.train[torch.from_numpy(rows), :, top : top + self.window, left : left + self.window]
        return found.to(images).expand(len(images), -1, -1, -1, -1)


class Conditional(Sampler):
    """A Gaussian over patches, given the pixels around the window (Zintgraf et al. 2017, section 3.1).

    The patch is a window with a border; at the edge of the image the window is not in the middle of it. One Gaussian
    serves all places, as in the paper. Each colour channel has one of its own.

    Args:
        border: width of the border on each side, in pixels; less where the image is too small.
        patches: how many random patches the Gaussian is fitted to.
    """

    def __init__(self, train: Tensor, window: int, samples: int, run: Run, *, border: int, patches: int) -> None:
        super().__init__(train, window, samples, run)
        self._border, self._patches = border, patches
        self._side = min(window + 2 * border, *train.shape[-2:])
        self._known: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """Each image's own mean, and the same deviations from it."""
        starts = zip((top, left), images.shape[-2:], strict=True)
        y, x = (min(max(start - self._border, 0), size - self._side) for start, size in starts)
        inner = self._inner(top - y, left - x)
        regression, spread = self.given_the_rest(top - y, left - x)
        mean, _ = self.moments
        seen = images[:, :, y : y + self._side, x : x + self._side].flatten(2).double().cpu()
        centre = mean[:, inner] + torch.einsum("cij,ncj->nci", regression, (seen - mean)[..., ~inner])
        noise = self.run.rng(f"window {top} {left}").standard_normal((self.samples, len(mean), int(inner.sum())))
        drawn = centre[:, None] + torch.einsum("cij,scj->sci", spread, torch.from_numpy(noise))
        return drawn.reshape(*drawn.shape[:-1], self.window, self.window).clamp(0, 1).to(images)

    def _inner(self, y: int, x: int) -> Tensor:
        """(side * side,) bool, the window's pixels in a patch."""
        inner = torch.zeros(self._side, self._side, dtype=torch.bool)
        inner[y : y + self.window, x : x + self.window] = True
        return inner.flatten()

    def given_the_rest(self, y: int, x: int) -> tuple[Tensor, Tensor]:
        """For a window at (y, x) of the patch: the regression of its pixels on the others, and a root of what varies.

        Returns:
            (C, w*w, rest) and (C, w*w, w*w) float64: the conditional mean is mean + regression (rest - mean of rest),
            the conditional covariance spread spread^T.
        """
        if (y, x) not in self._known:
            inner = self._inner(y, x)
            _, covariance = self.moments
            across, rest = covariance[:, ~inner][:, :, inner], covariance[:, ~inner][:, :, ~inner]
            regression = torch.linalg.solve(rest, across).mT if len(inner) > inner.sum() else across.mT
            left_over = covariance[:, inner][:, :, inner] - regression @ across
            self._known[y, x] = regression, torch.linalg.cholesky((left_over + left_over.mT) / 2)
        return self._known[y, x]

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """(C, side*side) and (C, side*side, side*side) float64: mean and covariance of random patches."""
        channels, area = self.train.shape[1], self._side**2
        total, squares = torch.zeros(channels, area).double(), torch.zeros(channels, area, area).double()
        rng = self.run.rng("patches")
        places = [torch.from_numpy(rng.integers(0, high, self._patches)) for high in self._room()]
        for part in slices(self._patches, _CHUNK):
            found = self._cut(*(place[part] for place in places))
            total += found.sum(0)
            squares += torch.einsum("pci,pcj->cij", found, found)
        mean = total / self._patches
        covariance = squares / self._patches - mean[:, :, None] * mean[:, None]
        shrinkage = _SHRINKAGE * covariance.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-6)
        return mean, covariance + shrinkage[:, None, None] * torch.eye(area).double()

    def _room(self) -> tuple[int, int, int]:
        height, width = self.train.shape[-2:]
        return len(self.train), height - self._side + 1, width - self._side + 1

    def _cut(self, rows: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
        """(P, C, side*side) float64, the patches that start there."""
        steps = torch.arange(self._side)
        y, x = tops[:, None, None] + steps[:, None], lefts[:, None, None] + steps
        return self.train[rows[:, None, None], :, y, x].movedim(-1, 1).flatten(2).double()
