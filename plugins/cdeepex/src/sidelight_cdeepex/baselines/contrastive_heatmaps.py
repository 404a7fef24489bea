"""Heatmaps made contrastive by weighted differences, the baseline of CDeepEx, section 4.1.1.

Feghahati et al. 2020, "CDeepEx: Contrastive Deep Explanations". With the heatmaps E of any explainer (N, H, W), each
divided by its largest magnitude (the paper does not say how it scales them), and images I:

    E_true, E_probe    of the predicted class and of the probe
    w                  weight, on a grid of W values
    D_w                E_true - w E_probe; I - D_w, clamped to [0, 1], is the changed image

A weight is kept where the changed image has a less likely predicted class and a likelier probe than I. The explanation
is the mean of D_w over the kept weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch

from sidelight_cdeepex.params import CHANGED_ON_CPU

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_cdeepex.params import ContrastiveParams


class ContrastiveHeatmaps(Explainer):
    """The mean of E_true - w E_probe over the weights w that move the classifier from predicted class to probe."""

    def __init__(self, params: ContrastiveParams, *, classifier: Classifier, explainer: Explainer, run: Run) -> None:
        self._params, self._classifier, self._explainer, self._run = params, classifier, explainer, run
        self._batch = Batch(params.batch, run, CHANGED_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Signed heatmaps: positive speaks for the predicted class against the probe, negative for the probe.

        The paper imposes them on the image as changes of brightness: positive values are taken away and negative ones
        added to come closer to the probe. Images without a kept weight get zeros, and a warning.

        Raises:
            UserError: the other explainer answers another question than why the predicted class.
        """
        swapped = Targets(predicted=targets.probe, probe=targets.predicted)
        of_true, of_probe = self._heatmaps(images, targets), self._heatmaps(images, swapped)
        maps = normalise(to_tensor(of_true.values, self._run)), normalise(to_tensor(of_probe.values, self._run))
        weights = weight_grid(self._params.largest, self._params.step).to(images)
        is_kept = self._moves_to_probe(images, maps, targets, weights)
        self._warn_of_none(is_kept)
        passes = np.float32(len(weights) + 1)  # every changed image, and the image itself
        values, answered = to_array(mean_difference(*maps, weights, is_kept)), None
        if of_true.answered is not None and of_probe.answered is not None:
            answered = of_true.answered & of_probe.answered  # a difference needs both
            values[~answered] = 0
        return Heatmap(
            values=values,
            resolution=of_true.resolution,
            answers="contrast",
            passes=None if of_true.passes is None else 2 * of_true.passes + passes,  # two heatmaps
            answered=answered,
            no_answer=of_true.no_answer,
        )

    def _heatmaps(self, images: Tensor, targets: Targets) -> Heatmap:
        explanation = self._explainer.explain(images, targets)
        if not isinstance(explanation, Heatmap):
            raise SidelightError(f"contrastive needs heatmaps, its explainer gives a {type(explanation).__name__}")
        if explanation.answers != "predicted":
            raise UserError(
                "contrastive asks its explainer why the predicted class, and then why the probe; it answers "
                f'"{explanation.answers}"',
                "take `target` out of the `with:` of that explainer, so that it answers the predicted side",
            )
        return explanation

    def _moves_to_probe(self, images: Tensor, maps: tuple[Tensor, Tensor], targets: Targets, weights: Tensor) -> Tensor:
        """(N, W) bool: the weights that are kept; `batch` changed images at a time."""
        of_true, of_probe = maps
        pair = torch.from_numpy(np.stack([targets.predicted, targets.probe], 1)).to(images.device)  # (N, 2)

        def before_of(rows: slice) -> Tensor:
            return self._log_likelihoods(images[rows], pair[rows])

        def is_kept(batch: slice) -> Tensor:
            indices = torch.arange(batch.start, batch.stop, device=images.device)  # image by image
            rows, w = indices // len(weights), weights[indices % len(weights), None, None]
            change = w * of_probe[rows] - of_true[rows]  # -D_w, (n, H, W)
            after = self._log_likelihoods((images[rows] + change[:, None]).clamp(0, 1), pair[rows])
            of_predicted, of_probe_class = (after - before[rows]).unbind(1)
            return (of_predicted < 0) & (of_probe_class > 0)

        with torch.no_grad():
            before = torch.cat(self._batch.each(before_of, len(images), "log-likelihoods", shown=False))
            kept = torch.cat(self._batch.each(is_kept, len(images) * len(weights), "weights"))
        return kept.cpu().reshape(len(images), len(weights))

    def _log_likelihoods(self, images: Tensor, pair: Tensor) -> Tensor:
        """(N, 2) float64, those of the two classes in `pair` (N, 2)."""
        return self._classifier.class_logits(images).double().log_softmax(1).gather(1, pair)

    def _warn_of_none(self, is_kept: Tensor) -> None:
        none = int((~is_kept.any(1)).sum())
        if none:
            self._run.warn(
                f"for {none} of {len(is_kept)} images no weighted difference lowers the predicted class and "
                "raises the probe; their heatmaps are zero"
            )


def weight_grid(largest: float, step: float) -> Tensor:
    """(W,) float32: step, 2 step, ... up to `largest`."""
    return torch.from_numpy((step * np.arange(1, round(largest / step) + 1)).astype(np.float32))


def normalise(maps: Tensor) -> Tensor:
    """(N, H, W) with a largest magnitude of 1 in each map; maps of zeros stay zero."""
    largest = maps.abs().amax((1, 2), keepdim=True)
    return maps / torch.where(largest > 0, largest, torch.ones_like(largest))


def mean_difference(of_true: Tensor, of_probe: Tensor, weights: Tensor, is_kept: Tensor) -> Tensor:
    """(N, H, W): the mean of D_w over the kept weights, which is D of their mean weight.

    Args:
        of_true: (N, H, W).
        of_probe: (N, H, W).
        weights: (W,).
        is_kept: (N, W) bool; a row without any gives zeros.
    """
    chosen = is_kept.to(weights)
    count = chosen.sum(1)
    mean = (chosen @ weights) / count.clamp(min=1)  # (N,)
    difference = of_true - mean[:, None, None] * of_probe
    return torch.where((count > 0)[:, None, None], difference, torch.zeros_like(of_true))
