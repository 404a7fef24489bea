"""Fidelity and diversity of a generator's samples, beside images of the data that it was not trained on.

    d(c)   = mean Euclidean distance over all pairs of images of class c, in pixels or features
    within-class distance = mean over the classes c of  d_G(c) / d_X(c)       1: samples vary as the data do

    B(x_i) = ball around x_i, as far as its k-th nearest other image of the same set, in features
    precision = share of samples that lie in any B(x_i)                 (Kynkaanniemi et al. 2019, equations 1, 2)
    recall    = share of images that lie in any B(g_j)                  (the same, equation 3)
    density   = mean over samples of the number of B(x_i) around it, / k     (Naeem et al. 2020, equation 3)
    coverage  = share of B(x_i) that hold a sample                      (the same, equation 4)

x_i images of the data, (n, D); g_j as many samples, (n, D). An outlier among the images has a large ball, which counts
much in precision; an outlier among the samples likewise in recall. Density and coverage are their robust forms.
Both sets get their classes from the classifier, so that its errors are the same on both sides.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.intervals import NORMAL_QUANTILE, wilson_interval
from sidelight_specs.results import Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches, slices
from sidelight_toolkit.images import resize
from sidelight_toolkit.lite0 import Lite0, load_pretrained, weights_file

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.params import SMALL_ON_CPU
from sidelight_metrics.predictions import class_logits, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data, Generator
    from torch import Tensor

    from sidelight_metrics.params import FidelityDiversityParams

SURE = 0.9  # probability from which on the classifier is sure
NAMES = {"pixels": "pixels", "efficientnet-lite": "features of EfficientNet-Lite0"}


class FidelityDiversity(Metric):
    """Numbers of the generator, whatever the inversion is that it is measured beside."""

    def __init__(
        self, params: FidelityDiversityParams, *, classifier: Classifier, generator: Generator, data: Data, run: Run
    ) -> None:
        self._params, self._classifier, self._generator = params, classifier, generator
        self._data, self._run = data, run
        self._batch = Batch(params.batch, run, SMALL_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """Within-class distances, precision, recall, density, coverage, and samples the classifier is sure of.

        Samples and distance of each class are emitted as `classes`.

        Raises:
            UserError: too few images for k neighbours, or images of another shape than the generator's.
        """
        del images, targets
        expect_kind(explanation, Inversion)
        real, samples = self.sets()
        return self.compare(real, samples)

    def compare(self, real: Tensor, samples: Tensor) -> Measurements:
        """The numbers of `samples` beside `real`, both (n, C, H, W); see `measure`."""
        params = self._params
        p_real, p_samples = (probabilities(class_logits(self._classifier, x, self._batch)) for x in (real, samples))
        classes = p_real.argmax(1), p_samples.argmax(1)
        pixels = real.flatten(1), samples.flatten(1)
        features = pixels if params.features == "pixels" else self._features(real, samples)
        by_pixels = _within_classes(*pixels, *classes, p_real.shape[1])
        self._run.emit("classes", self._classes(by_pixels, classes[1]))
        items = [self._distance("within-class distance", "pixels", by_pixels, len(real))]
        if params.features != "pixels":
            by_features = _within_classes(*features, *classes, p_real.shape[1])
            items.append(
                self._distance("within-class distance, features", NAMES[params.features], by_features, len(real))
            )
        items += self._neighbours(*features)
        items.append(self._sure(p_real, p_samples))
        return Measurements(items=tuple(items))

    def sets(self) -> tuple[Tensor, Tensor]:
        """Images of the split, and as many samples."""
        params = self._params
        split = self._data.split(params.split)
        count = min(params.count, len(split.images))
        if count < params.nearest + 2:
            raise UserError(
                f'split "{params.split}" gives {count} images, {params.nearest} nearest neighbours take more',
                f"give at least {params.nearest + 2} images, or lower nearest",
            )
        real = to_tensor(split.read(count=count).images, self._run)
        latents = self._generator.sample(len(real), self._run.rng("samples"))
        samples = in_batches(self._generator.synthesize, latents, self._batch, "drawing").float()
        if samples.shape != real.shape:
            made, known = (tuple(x.shape[1:]) for x in (samples, real))
            raise UserError(f"the generator makes {made}, the images are {known}", "name other data in needs")
        return real, samples

    def _features(self, *sets: Tensor) -> tuple[Tensor, Tensor]:
        network, side = _pooled_lite0(self._run.device), self._params.side

        def features_of(images: Tensor, rows: slice) -> Tensor:
            with torch.no_grad():
                features: Tensor = network(resize(images[rows], (side, side)))
                return features

        real, samples = (
            torch.cat(self._batch.each(partial(features_of, images), len(images), label))
            for images, label in zip(sets, ("features of images", "features of samples"), strict=True)
        )
        return real, samples

    def _distance(self, name: str, space: str, ratios: list[_Ratio], count: int) -> Measurement:
        known = [ratio for ratio in ratios if np.isfinite(ratio.value)]
        value = float(np.mean([ratio.value for ratio in known])) if known else float("nan")
        error = float(np.sqrt(np.sum([ratio.variance for ratio in known]))) / max(1, len(known))
        return Measurement(
            name=name,
            values=np.array([value], dtype=np.float32),
            whole=True,
            limits=(max(0.0, value - NORMAL_QUANTILE * error), value + NORMAL_QUANTILE * error) if known else None,
            better="neither",
            unit="ratio",
            help=f"Mean distance of two samples of one class, in {space}, as a ratio of the data's; 1 where samples "
            "vary as the data do, 0 where each class has one sample. Bad samples raise it too: see precision.",
            settings=self._settings(space, count),
        )

    def _neighbours(self, real: Tensor, samples: Tensor) -> list[Measurement]:
        k, batch, count = self._params.nearest, self._batch.rows("distances"), len(real)
        r_real, r_samples = _radii(real, k, batch), _radii(samples, k, batch)  # (n,)
        around_sample = []
        holds_sample, in_sample = (torch.zeros(count, dtype=torch.bool, device=real.device) for _ in range(2))
        for rows in slices(count, batch):
            distance = _distances(samples[rows], real)  # (B, n)
            inside = distance <= r_real  # sample j in B(x_i)
            around_sample.append(inside.sum(1))
            holds_sample |= inside.any(0)
            in_sample |= (distance <= r_samples[rows, None]).any(0)  # image i in B(g_j)
        around = to_array(torch.cat(around_sample)).astype(np.float64)
        space = NAMES[self._params.features]
        shares = {
            "precision": (around > 0, "samples", "Share of samples as near to some image as its k-th nearest image is"),
            "recall": (to_array(in_sample), "images", "Share of images as near to some sample as its k-th nearest is"),
            "coverage": (to_array(holds_sample), "images", "Share of images with a sample as near as the k-th image"),
        }
        items = [
            Measurement(
                name=name,
                values=np.array([hits.mean()], dtype=np.float32),
                whole=True,
                limits=wilson_interval(int(hits.sum()), count),
                better="higher",
                unit=f"share of {of}",
                help=f"{text}, in {space}.",
                settings=self._settings(space, count),
            )
            for name, (hits, of, text) in shares.items()
        ]
        half = NORMAL_QUANTILE * float(around.std(ddof=1)) / k / np.sqrt(count)
        density = float(around.mean()) / k
        items.insert(
            2,
            Measurement(
                name="density",
                values=np.array([density], dtype=np.float32),
                whole=True,
                limits=(max(0.0, density - half), density + half),
                better="higher",
                unit="ratio",
                help=f"Images to which a sample is as near as their k-th nearest, over k, in {space}; 1 for data.",
                settings=self._settings(space, count),
            ),
        )
        return items

    def _sure(self, real: np.ndarray, samples: np.ndarray) -> Measurement:
        hits = samples.max(1) >= SURE
        return Measurement(
            name="sure",
            values=np.array([hits.mean()], dtype=np.float32),
            whole=True,
            limits=wilson_interval(int(hits.sum()), len(hits)),
            better="higher",
            unit="share of samples",
            help=f"Share of samples to which the classifier gives a class at {SURE:.0%} or more.",
            settings={"images of the data": f"{(real.max(1) >= SURE).mean():.3f}", "samples": str(len(hits))},
        )

    def _classes(self, ratios: list[_Ratio], classes: np.ndarray) -> Measurements:
        """For each class: share of the samples, and within-class distance in pixels."""
        items = []
        for label, (name, ratio) in enumerate(zip(self._classifier.class_names, ratios, strict=True)):
            hits = int((classes == label).sum())
            half = NORMAL_QUANTILE * np.sqrt(ratio.variance)
            items.append(
                Measurement(
                    name=f"samples of {name}",
                    values=np.array([hits / len(classes)], dtype=np.float32),
                    limits=wilson_interval(hits, len(classes)),
                    unit="share of samples",
                    help="Share of the samples that the classifier gives this class.",
                )
            )
            items.append(
                Measurement(
                    name=f"distance within {name}",
                    values=np.array([ratio.value], dtype=np.float32),
                    limits=(max(0.0, ratio.value - half), ratio.value + half) if np.isfinite(ratio.value) else None,
                    unit="ratio",
                    help="Mean distance of two samples of this class, in pixels, as a ratio of the data's.",
                )
            )
        return Measurements(items=tuple(items))

    def _settings(self, space: str, count: int) -> dict[str, str]:
        params = self._params
        return {"space": space, "split": params.split, "k": str(params.nearest), "images of each": str(count)}


@attrs.frozen
class _Ratio:
    """A class's d_G / d_X and its variance; NaN where the data has fewer than three images of the class."""

    value: float
    variance: float


def _within_classes(real: Tensor, samples: Tensor, of_real: np.ndarray, of_samples: np.ndarray, k: int) -> list[_Ratio]:
    """A ratio for each of k classes; 0 for a class of the data of which there are fewer than three samples."""
    ratios = []
    for label in range(k):
        d_x, v_x = mean_distance(real[torch.from_numpy(of_real == label)])
        d_g, v_g = mean_distance(samples[torch.from_numpy(of_samples == label)])
        if not d_x > 0:  # NaN, or copies of one image
            ratios.append(_Ratio(float("nan"), float("nan")))
        elif np.isnan(d_g):
            ratios.append(_Ratio(0.0, 0.0))
        else:
            # delta method, for two independent sets
            ratios.append(_Ratio(d_g / d_x, v_g / d_x**2 + v_x * d_g**2 / d_x**4))
    return ratios


def mean_distance(points: Tensor, batch: int = 64) -> tuple[float, float]:
    """Mean Euclidean distance over all pairs of distinct rows of (n, D), and its variance by the jackknife.

    Pairs share points, so that they are not independent: leaving out point i changes the mean by its own distances.

    Args:
        points: rows.
        batch: rows whose distances are held at a time.

    Returns:
        Mean and variance; NaN for fewer than three rows.
    """
    count = len(points)
    if count < 3:
        return float("nan"), float("nan")
    # (n,), all distances of point i
    sums = torch.cat([_distances(points[rows], points).double().sum(1) for rows in slices(count, batch)])
    total = float(sums.sum())
    left_out = (total - 2 * sums) / ((count - 1) * (count - 2))  # mean without point i
    variance = (count - 1) / count * float((left_out - left_out.mean()).square().sum())
    return total / (count * (count - 1)), variance


def _distances(rows: Tensor, points: Tensor) -> Tensor:
    """(B, D) and (n, D) to (B, n). Differences, not products: equal points are at distance 0 exactly."""
    return torch.cdist(rows, points, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(points: Tensor, k: int, batch: int) -> Tensor:
    """(n,) distance of each of (n, D) points to its k-th nearest other point."""
    # the nearest of all points is the point itself
    blocks = [_distances(points[rows], points).kthvalue(k + 1, dim=1).values for rows in slices(len(points), batch)]
    return torch.cat(blocks)


def _pooled_lite0(device: str) -> Callable[[Tensor], Tensor]:
    """(N, C, H, W) in [0, 1] to the pooled features of EfficientNet-Lite0, (N, 1280); ImageNet's, of no recipe."""
    with torch.device("meta"):
        network = Lite0()
    load_pretrained(network, weights_file(), device)
    network.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    network.classifier = torch.nn.Identity()  # type: ignore[assignment]

    def features(images: Tensor) -> Tensor:
        rgb = (images.expand(-1, 3, -1, -1) * 255 - 127) / 128  # the network's own input range
        pooled: Tensor = network(rgb.contiguous(memory_format=torch.channels_last))
        return pooled

    return features
