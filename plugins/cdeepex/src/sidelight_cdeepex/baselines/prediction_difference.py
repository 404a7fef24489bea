"""Prediction difference analysis, a baseline of CDeepEx.

Zintgraf, Cohen, Adel and Welling 2017, "Visualizing Deep Neural Network Decisions". With a window x_w of the image x
and the rest x_r of its pixels:

    p(c | x_r)  = E p(c | x_r, x_w), x_w ~ p(x_w | x_r)        the window unknown: averaged over S samples (equation 3)
    WE          = log2 odds(c | x) - log2 odds(c | x_r)        weight of evidence, in bits (equation 2)

x_w comes from the same window of training images (`Marginal`, equation 4), or from a Gaussian over patches given the
pixels around the window (`Conditional`, section 3.1). A pixel gets the mean WE of the windows that cover it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch, in_batches, slices

from sidelight_cdeepex.params import CHANGED_ON_CPU

if TYPE_CHECKING:
    from types import EllipsisType

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_cdeepex.params import PdaParams

SHRINKAGE = 1e-3  # added to pixel variances, relative to their mean: a pixel that never varies has no inverse
CHUNK = 1000  # patches in memory at a time

LABEL = "changed images"


class PredictionDifference(Explainer):
    """Weight of evidence of each window for a class, averaged over the windows that cover a pixel."""

    def __init__(self, params: PdaParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run
        self._batch = Batch(params.batch, run, CHANGED_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in bits.

        Raises:
            UserError: the data has no training split or images of another shape, or the window does not fit.
        """
        images, params = images.detach(), self._params
        window, stride = self._window_and_stride(images)
        train = self._training_images(images)
        sampler = self._sampler(train, window)
        pair = torch.from_numpy(np.stack([targets.predicted, targets.probe], 1)).to(images.device)  # (N, 2)
        before = self._log_odds(images[:, None], pair, len(train))
        total = torch.zeros(len(images), *images.shape[-2:], dtype=torch.float64, device=images.device)  # (N, H, W)
        covered = torch.zeros_like(total[:1])  # windows over each pixel, (1, H, W)
        rows, columns = (window_starts(side, window, stride) for side in images.shape[-2:])
        corners = list(product(rows, columns))
        for corner in self._run.progress(corners, "windows"):
            inside = pixels_of(corner, window)
            for batch in slices(len(images), max(1, self._batch.rows(LABEL) // params.samples)):
                unknown = self._log_odds_without(images[batch], pair[batch], corner, sampler)
                evidence = before[batch] - unknown  # equation 2, (n, 2)
                total[batch][inside] += self._side(evidence)[:, None, None]
            covered[inside] += 1
        return Heatmap(
            values=to_array(total / covered),
            answers=params.target,
            passes=np.full(len(images), 1 + len(corners) * params.samples, dtype=np.float32),
        )

    def _log_odds_without(self, images: Tensor, pair: Tensor, corner: tuple[int, int], sampler: Sampler) -> Tensor:
        """(N, 2) float64: log2 odds of the two classes when the window at `corner` is unknown (equation 3)."""
        copies = images[:, None].repeat(1, sampler.samples, 1, 1, 1)  # (N, S, C, H, W)
        copies[pixels_of(corner, sampler.window)] = sampler.draw(images, *corner)
        return self._log_odds(copies, pair, len(sampler.train))

    def _log_odds(self, copies: Tensor, pair: Tensor, count: int) -> Tensor:
        """(N, 2) float64: log2 odds of the two classes, their probabilities averaged over copies (N, S, C, H, W).

        Laplace's correction keeps them finite: p becomes (p n + 1) / (n + K) for n training images and K classes.
        """
        flat = copies.flatten(0, 1)
        logits = in_batches(self._classifier.class_logits, flat, self._batch, LABEL)
        mean = logits.double().softmax(1).reshape(*copies.shape[:2], -1).mean(1)  # over samples, (N, K)
        p = ((mean * count + 1) / (count + mean.shape[1])).gather(1, pair)
        return p.log2() - (1 - p).log2()

    def _side(self, evidence: Tensor) -> Tensor:
        """(N,): the column of (N, 2) that `target` names."""
        predicted, probe = evidence.unbind(1)
        return {"predicted": predicted, "probe": probe, "contrast": predicted - probe}[self._params.target]

    def _sampler(self, train: Tensor, window: int) -> Sampler:
        params = self._params
        if params.sampling == "marginal":
            return Marginal(train, window, params.samples, self._run)
        border = max(1, window // 2) if params.border is None else params.border
        return Conditional(train, window, params.samples, self._run, border=border, patches=params.patches)

    def _training_images(self, images: Tensor) -> Tensor:
        """(M, C, H, W) on the CPU."""
        if "train" not in self._data.splits:
            raise UserError("pda samples from training images, and the data has no split train", "use other data")
        train = torch.from_numpy(self._data.split("train").read().images)
        if train.shape[1:] != images.shape[1:]:
            raise UserError(
                f"pda samples from training images, and these have the shape {tuple(train.shape[1:])} (channels, "
                f"height, width), the explained images {tuple(images.shape[1:])}",
                "name data of the same shape in needs: {data: ID}",
            )
        return train

    def _window_and_stride(self, images: Tensor) -> tuple[int, int]:
        """Both in pixels."""
        side = min(images.shape[-2:])
        window = self._params.window or max(1, side // 8)
        stride = self._params.stride or max(1, window // 2)
        if window > side:
            raise UserError(f"window: {window} pixels do not fit into images of {side}", f"set window to {side // 8}")
        if stride > window:
            raise UserError(
                f"stride: {stride} pixels leave gaps between windows of {window}", f"set stride to at most {window}"
            )
        return window, stride


class Sampler(ABC):
    """Samples of a window's content. They depend on the window, not on the image's neighbours.

    Args:
        train: (M, C, H, W), the images to learn from.
        window: side of the window, in pixels.
        samples: S, how many are drawn for each window.
        run: gives the random streams.
    """

    def __init__(self, train: Tensor, window: int, samples: int, run: Run) -> None:
        self.train, self.window, self.samples, self.run = train, window, samples, run

    @abstractmethod
    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """(N, S, C, w, w) in [0, 1], samples for the window of (N, C, H, W) images that starts at `top` and `left`."""


class Marginal(Sampler):
    """The same window of training images: p(x_w), whatever surrounds it (equation 4)."""

    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """The same samples for all images."""
        rows = self.run.rng(f"window {top} {left}").integers(0, len(self.train), self.samples)
        samples = self.train[torch.from_numpy(rows), :, top : top + self.window, left : left + self.window]
        return samples.to(images).expand(len(images), -1, -1, -1, -1)


class Conditional(Sampler):
    """A Gaussian over patches, given the pixels around the window: p(x_w | x_r) (section 3.1).

    A patch is a window with a border; at the edge of the image the window is not in the middle of it. One Gaussian
    serves the whole image, as in the paper. Each colour channel has one of its own.

    Args:
        border: width of the border on each side, in pixels; less where the image is too small.
        patches: how many random patches the Gaussian is fitted to.
    """

    def __init__(self, train: Tensor, window: int, samples: int, run: Run, *, border: int, patches: int) -> None:
        super().__init__(train, window, samples, run)
        self._border, self._patches = border, patches
        self._side = min(window + 2 * border, *train.shape[-2:])  # of a patch; it has P = side^2 pixels
        self._conditionals: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def draw(self, images: Tensor, top: int, left: int) -> Tensor:
        """Each image's own mean, and the same deviations from it."""
        starts = zip((top, left), images.shape[-2:], strict=True)
        y, x = (min(max(start - self._border, 0), size - self._side) for start, size in starts)  # of the patch
        inner = self._inner(top - y, left - x)
        regression, root = self.conditional(top - y, left - x)
        mean, _ = self.moments
        patch = images[:, :, y : y + self._side, x : x + self._side].flatten(2).double().cpu()  # (N, C, P)
        centre = mean[:, inner] + torch.einsum("cij,ncj->nci", regression, (patch - mean)[..., ~inner])  # E[x_w | x_r]
        noise = self.run.rng(f"window {top} {left}").standard_normal((self.samples, len(mean), int(inner.sum())))
        samples = centre[:, None] + torch.einsum("cij,scj->sci", root, torch.from_numpy(noise))  # (N, S, C, w w)
        return samples.reshape(*samples.shape[:-1], self.window, self.window).clamp(0, 1).to(images)

    def _inner(self, y: int, x: int) -> Tensor:
        """(P,) bool, the window's pixels in a patch."""
        inner = torch.zeros(self._side, self._side, dtype=torch.bool)
        inner[y : y + self.window, x : x + self.window] = True
        return inner.flatten()

    def conditional(self, y: int, x: int) -> tuple[Tensor, Tensor]:
        """Conditional Gaussian of a window at (y, x) of the patch: regression and covariance root.

        Returns:
            (C, w*w, rest) and (C, w*w, w*w) float64: the conditional mean is mean + regression (rest - mean of rest),
            the conditional covariance root root^T.
        """
        if (y, x) not in self._conditionals:
            inner = self._inner(y, x)
            _, covariance = self.moments
            cross, rest = covariance[:, ~inner][:, :, inner], covariance[:, ~inner][:, :, ~inner]
            # Sigma_wr Sigma_rr^-1 and Sigma_ww - Sigma_wr Sigma_rr^-1 Sigma_rw; a window may fill its patch
            regression = torch.linalg.solve(rest, cross).mT if len(inner) > inner.sum() else cross.mT
            residual = covariance[:, inner][:, :, inner] - regression @ cross
            self._conditionals[y, x] = regression, torch.linalg.cholesky((residual + residual.mT) / 2)
        return self._conditionals[y, x]

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """(C, P) and (C, P, P) float64: mean and covariance of random patches."""
        channels, area = self.train.shape[1], self._side**2
        total, squares = torch.zeros(channels, area).double(), torch.zeros(channels, area, area).double()
        rng, (height, width) = self.run.rng("patches"), self.train.shape[-2:]
        limits = len(self.train), height - self._side + 1, width - self._side + 1
        starts = [torch.from_numpy(rng.integers(0, limit, self._patches)) for limit in limits]  # image, top, left
        for batch in slices(self._patches, CHUNK):
            patches = self._cut(*(start[batch] for start in starts))
            total += patches.sum(0)
            squares += torch.einsum("pci,pcj->cij", patches, patches)
        mean = total / self._patches
        covariance = squares / self._patches - mean[:, :, None] * mean[:, None]
        shrinkage = SHRINKAGE * covariance.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-6)
        return mean, covariance + shrinkage[:, None, None] * torch.eye(area).double()

    def _cut(self, rows: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
        """(n, C, P) float64, the patches that start there."""
        steps = torch.arange(self._side)
        y, x = tops[:, None, None] + steps[:, None], lefts[:, None, None] + steps
        return self.train[rows[:, None, None], :, y, x].movedim(-1, 1).flatten(2).double()


def window_starts(side: int, window: int, stride: int) -> list[int]:
    """Multiples of the stride, and last the window that ends with the image."""
    return [*range(0, side - window, stride), side - window]


def pixels_of(corner: tuple[int, int], window: int) -> tuple[EllipsisType, slice, slice]:
    """Index of a window in the last two axes."""
    top, left = corner
    return ..., slice(top, top + window), slice(left, left + window)
