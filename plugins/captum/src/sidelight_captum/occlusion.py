"""Occlusion (Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks).

A window is covered at every position of a grid. With y the score of the image and y_w that with window w covered, a
pixel gets the mean of y - y_w over the windows that cover it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import class_pairs, score_function

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import OcclusionParams

LABEL = "occlusion"


class Occlusion(Explainer):
    """Loss of the score with a square covered; a pixel gets the mean over the squares that covered it.

    Squares start at multiples of the stride; those across the border are cut off there. `batch` covered copies at
    once, of several images where it exceeds the squares of one.
    """

    def __init__(self, params: OcclusionParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits.

        Raises:
            UserError: the window is larger than the image, or the stride than the window.
        """
        params = self._params
        method = captum.attr.Occlusion(score_function(self._classifier, params.target))
        pairs = class_pairs(targets, params.target, images.device)
        window, stride = self._window_and_stride(images)
        squares = math.prod(1 + -(-(side - window) // stride) for side in images.shape[-2:])  # rounded up: cut squares

        def of_rows(rows: slice) -> Tensor:
            several = images[rows].detach()  # (n, C, H, W)
            attributions: Tensor = method.attribute(
                several,
                sliding_window_shapes=(images.shape[1], window, window),
                strides=(images.shape[1], stride, stride),
                baselines=baseline(several, params.baseline),
                additional_forward_args=(pairs[rows],),
                perturbations_per_eval=max(1, self._batch.rows(LABEL) // len(several)),
            )
            return attributions[:, 0]  # a square covers all channels: captum repeats the map for each

        maps = self._batch.each(of_rows, len(images), LABEL, each_takes=squares)
        return Heatmap(
            values=to_array(torch.cat(maps)),
            answers=params.target,
            passes=np.full(len(images), 1 + squares, dtype=np.float32),  # the image itself, and every square
        )

    def _window_and_stride(self, images: Tensor) -> tuple[int, int]:
        """Side of the window and distance between windows, in pixels."""
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
