"""Explainers that explain nothing. A method that finds causes is better than these."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from torch.nn import functional

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_bench.params import RandomParams

SIGMA = 0.25  # of the Gaussian in the middle, in sides of the image


class RandomMap(Explainer):
    """Uniform noise in `cells` x `cells` cells, enlarged bilinearly.

    It follows from the image's pixels and `seed`. The benchmark gives each model a seed of its own, so that the place
    of these maps on the leaderboard shows what luck does.
    """

    def __init__(self, params: RandomParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in [0, 1]."""
        del targets
        seed, cells = self._run.seed(f"random map {self._params.seed}"), self._params.cells
        noise = np.stack([_noise(image, seed, cells) for image in to_array(images)])  # (N, cells, cells)
        size = tuple(images.shape[-2:])
        maps = functional.interpolate(torch.from_numpy(noise)[:, None], size, mode="bilinear", align_corners=False)
        return Heatmap(values=maps[:, 0].numpy(), answers="any", passes=_no_passes(images))


class CentreMap(Explainer):
    """exp(-r^2 / 2 sigma^2), r being the distance from the middle in sides of the image, sigma a quarter."""

    def __init__(self, params: object, *, run: Run) -> None:
        del params, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """The same map for every image, in (0, 1]."""
        del targets
        values = _centred(images, np.full(len(images), SIGMA))
        return Heatmap(values=values, answers="any", passes=_no_passes(images))


class ConfidenceMap(Explainer):
    """`CentreMap` with sigma = p / 2, p being the highest probability of a class.

    It knows how confident the model is, and nothing of where it looks. Models that learned from other data differ in
    confidence; what such a difference alone achieves on the leaderboard is the AUROC of this map. Below 1/2 it tells
    models apart as well as above, with the other sign.
    """

    def __init__(self, params: object, *, classifier: Classifier, run: Run) -> None:
        del params, run
        self._classifier = classifier

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in (0, 1]."""
        del targets
        with torch.inference_mode():
            confidence = to_array(self._classifier.class_logits(images).softmax(1).amax(1))  # p, (N,)
        return Heatmap(values=_centred(images, confidence / 2), answers="any", passes=_no_passes(images) + 1)


class EdgeMap(Explainer):
    """Length of Sobel's gradient, summed over the channels."""

    def __init__(self, params: object, *, run: Run) -> None:
        del params, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps, at least 0."""
        del targets
        kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=images.device)
        both = torch.stack([kernel, kernel.T])[:, None]  # horizontal, vertical: (2, 1, 3, 3)
        count, channels, height, width = images.shape
        flat = functional.pad(images.reshape(-1, 1, height, width), (1, 1, 1, 1), mode="replicate")
        lengths = functional.conv2d(flat, both).square().sum(dim=1).sqrt()  # (N C, H, W)
        values = to_array(lengths.reshape(count, channels, height, width).sum(dim=1))
        return Heatmap(values=values, answers="any", passes=_no_passes(images))


def _centred(images: Tensor, sigma: np.ndarray) -> np.ndarray:
    """(N, H, W) Gaussians in the middle; sigma (N,) in sides of the image."""
    height, width = images.shape[-2:]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    square = ((y - (height - 1) / 2) / height) ** 2 + ((x - (width - 1) / 2) / width) ** 2  # r^2, (H, W)
    spread = sigma.astype(np.float32)[:, None, None]
    result: np.ndarray = np.exp(-square / (2 * spread**2))
    return result


def _noise(image: np.ndarray, seed: int, cells: int) -> np.ndarray:
    digest = blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).random((cells, cells), dtype=np.float32)


def _no_passes(images: Tensor) -> np.ndarray:
    return np.zeros(len(images), dtype=np.float32)
