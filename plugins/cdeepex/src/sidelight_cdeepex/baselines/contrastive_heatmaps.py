"""Any heatmap made contrastive by weighted differences, as the baselines of CDeepEx were (section 4.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_cdeepex.params import ContrastiveParams


class Contrastive(Explainer):
    """The mean of E_true - w E_probe over the weights w with which it moves the classifier from true class to probe.

    E_true and E_probe are another explainer's heatmaps of the predicted class and of the probe, each divided by its
    largest magnitude, so that they can be imposed on an image. (The paper does not say how it scales them.) A
    weight is kept where the image plus w E_probe - E_true, cut to [0, 1], makes the predicted class less likely and the
    probe more likely than the image does.
    """

    def __init__(self, params: ContrastiveParams, *, classifier: Classifier, explainer: Explainer, run: Run) -> None:
        self._params, self._classifier, self._explainer, self._run = params, classifier, explainer, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Signed heatmaps: positive speaks for the predicted class against the probe, negative for the probe.

        The paper imposes them on the image as changes of brightness: what is positive is taken away, and what is
        negative added, to come closer to the probe. Images for which no weight is kept get zeros, and a warning.

        Raises:
            UserError: the other explainer answers another question than why the predicted class.
        """
        swapped = Targets(predicted=targets.probe, probe=targets.predicted)
        of_true, of_probe = (self._one_sided(images, question) for question in (targets, swapped))
        maps = scaled(to_tensor(of_true.values, self._run)), scaled(to_tensor(of_probe.values, self._run))
        weights = weights_up_to(self._params.largest, self._params.step).to(images)
        kept = self._kept(images, maps, targets, weights)
        self._warn_of_none(kept)
        count = len(weights) + 1
        return Heatmap(
            values=to_array(mean_of_kept(*maps, weights, kept)),
            resolution=of_true.resolution,
            answers="contrast",
            passes=None if of_true.passes is None else 2 * of_true.passes + np.float32(count),
        )

    def _one_sided(self, images: Tensor, targets: Targets) -> Heatmap:
        found = self._explainer.explain(images, targets)
        if not isinstance(found, Heatmap):
            raise SidelightError(f"contrastive needs heatmaps, and its explainer gives a {type(found).__name__}")
        if found.answers != "predicted":
            raise UserError(
                f"contrastive asks its explainer why the predicted class, and then why the probe; it answers "
                f"{found.answers!r}",
                "take `target` out of the `with:` of that explainer, so that it answers the predicted side",
            )
        return found

    def _kept(self, images: Tensor, maps: tuple[Tensor, Tensor], targets: Targets, weights: Tensor) -> Tensor:
        """(N, W) bool, for every image which weights are kept; `batch` changed images at a time."""
        of_true, of_probe = maps
        sides = torch.from_numpy(np.stack([targets.predicted, targets.probe], 1)).to(images.device)
        kept = torch.zeros(len(images) * len(weights), dtype=torch.bool)
        parts = list(slices(len(kept), self._params.batch))
        with torch.no_grad():
            whole = slices(len(images), self._params.batch)
            before = torch.cat([self._likelihoods(images[part], sides[part]) for part in whole])
            for part in self._run.progress(parts, "weights"):
                pairs = torch.arange(part.start, part.stop, device=images.device)
                rows, weight = pairs // len(weights), weights[pairs % len(weights), None, None]
                change = weight * of_probe[rows] - of_true[rows]
                after = self._likelihoods((images[rows] + change[:, None]).clamp(0, 1), sides[rows])
                lower, higher = (after - before[rows]).unbind(1)
                kept[part] = ((lower < 0) & (higher > 0)).cpu()
        return kept.reshape(len(images), len(weights))

    def _likelihoods(self, images: Tensor, sides: Tensor) -> Tensor:
        """(N, 2) float64, the log-likelihoods of the two classes in `sides`."""
        return self._classifier.class_logits(images).double().log_softmax(1).gather(1, sides)

    def _warn_of_none(self, kept: Tensor) -> None:
        none = int((~kept.any(1)).sum())
        if none:
            self._run.warn(
                f"for {none} of {len(kept)} images no weighted difference lowers the predicted class and "
                "raises the probe; their heatmaps are zero"
            )


def weights_up_to(largest: float, step: float) -> Tensor:
    """(W,) float32: step, 2 step, ... up to `largest`."""
    return torch.from_numpy((step * np.arange(1, round(largest / step) + 1)).astype(np.float32))


def scaled(maps: Tensor) -> Tensor:
    """(N, H, W) with a largest magnitude of 1 in each map; maps of zeros stay so."""
    largest = maps.abs().amax((1, 2), keepdim=True)
    return maps / torch.where(largest > 0, largest, torch.ones_like(largest))


def mean_of_kept(of_true: Tensor, of_probe: Tensor, weights: Tensor, kept: Tensor) -> Tensor:
    """(N, H, W): the mean of of_true - w of_probe over the kept weights w, which is the map of their mean weight.

    Args:
        of_true: (N, H, W).
        of_probe: (N, H, W).
        weights: (W,).
        kept: (N, W) bool; a row without any gives zeros.
    """
    chosen = kept.to(weights)
    count = chosen.sum(1)
    mean = (chosen @ weights) / count.clamp(min=1)
    return torch.where((count > 0)[:, None, None], of_true - mean[:, None, None] * of_probe, torch.zeros_like(of_true))
