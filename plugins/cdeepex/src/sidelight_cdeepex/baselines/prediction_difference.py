"""Prediction difference analysis (Zintgraf, Cohen, Adel and Welling 2017)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_cdeepex.baselines.pda_samplers import Conditional, Marginal

if TYPE_CHECKING:
    from types import EllipsisType

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_cdeepex.baselines.pda_samplers import Sampler
    from sidelight_cdeepex.params import PdaParams


class Pda(Explainer):
    """How much less likely the class is when a window's content is not known; a pixel gets the mean over its windows.

    Not known means: averaged over samples of what could be there (equation 3). `batch` changed images at a time.
    """

    def __init__(self, params: PdaParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in bits: the weight of evidence, log2 odds(c | x) - log2 odds(c | x without the window), equation 2.

        Raises:
            UserError: the data has no training split or images of another shape, or the window does not fit.
        """
        images, params = images.detach(), self._params
        window, stride = self._grid(images)
        train = self._training_images(images)
        sampler = self._sampler(train, window)
        sides = torch.from_numpy(np.stack([targets.predicted, targets.probe], 1)).to(images.device)
        before = self._evidence(images[:, None], sides, len(train))
        total = torch.zeros(len(images), *images.shape[-2:], dtype=torch.float64, device=images.device)
        times = torch.zeros_like(total[:1])
        rows, columns = (window_starts(side, window, stride) for side in images.shape[-2:])
        places = list(product(rows, columns))
        for place in self._run.progress(places, "windows"):
            inside = pixels_of(place, window)
            for part in slices(len(images), max(1, params.batch // params.samples)):
                after = self._without(images[part], sides[part], place, sampler)
                total[part][inside] += self._answer(before[part] - after)[:, None, None]
            times[inside] += 1
        return Heatmap(
            values=to_array(total / times),
            answers=params.target,
            passes=np.full(len(images), 1 + len(places) * params.samples, dtype=np.float32),
        )

    def _without(self, images: Tensor, sides: Tensor, place: tuple[int, int], sampler: Sampler) -> Tensor:
        """(N, 2) float64: log2 odds of the two classes when the window at `place` is not known."""
        copies = images[:, None].repeat(1, sampler.samples, 1, 1, 1)
        copies[pixels_of(place, sampler.window)] = sampler.draw(images, *place)
        return self._evidence(copies, sides, len(sampler.train))

    def _evidence(self, copies: Tensor, sides: Tensor, count: int) -> Tensor:
        """(N, 2) float64: log2 odds of the two classes, their probabilities averaged over the (N, S, C, H, W) copies.

        Laplace's correction keeps them finite: p becomes (p n + 1) / (n + K) for n training images and K classes.
        """
        flat = copies.flatten(0, 1)
        with torch.no_grad():
            logits = [self._classifier.class_logits(flat[part]) for part in slices(len(flat), self._params.batch)]
        mean = torch.cat(logits).double().softmax(1).reshape(*copies.shape[:2], -1).mean(1)
        p = ((mean * count + 1) / (count + mean.shape[1])).gather(1, sides)
        return p.log2() - (1 - p).log2()

    def _answer(self, change: Tensor) -> Tensor:
        """(N,), the side asked for."""
        of_predicted, of_probe = change.unbind(1)
        return {"predicted": of_predicted, "probe": of_probe, "contrast": of_predicted - of_probe}[self._params.target]

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
        found = torch.from_numpy(self._data.split("train").images)
        if found.shape[1:] != images.shape[1:]:
            raise UserError(
                f"pda samples from training images, and these have the shape {tuple(found.shape[1:])} (channels, "
                f"height, width), the explained images {tuple(images.shape[1:])}",
                "name data of the same shape in needs: {data: ID}",
            )
        return found

    def _grid(self, images: Tensor) -> tuple[int, int]:
        """Window and stride, in pixels."""
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


def window_starts(side: int, window: int, stride: int) -> list[int]:
    """Multiples of the stride, and last the window that ends with the image."""
    return [*range(0, side - window, stride), side - window]


def pixels_of(place: tuple[int, int], window: int) -> tuple[EllipsisType, slice, slice]:
    """The index of a window in the last two axes."""
    top, left = place
    return ..., slice(top, top + window), slice(left, left + window)
