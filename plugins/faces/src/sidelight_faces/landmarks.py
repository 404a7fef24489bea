"""Shape of the mouth, read off 68 facial landmarks: a reader of factors that knows nothing of expressions.

The points are those of 300-W (Sagonas et al. 2016), numbered from 0: eyes 36-41 and 42-47, corners of the mouth 48 and
54, middle of the outer lips 51 and 57, of the inner lips 62 and 66. With D the distance of the eyes' centres, u the
unit vector from one to the other and v at right angles to it, downwards:

    mouth opening = |p62 - p66| / D
    mouth width   = |p48 - p54| / D
    smile         = ((p51 + p57) / 2 - (p48 + p54) / 2) . v / D       how far the corners lie above the lips' middle

The network is `face_landmark_68_model` of the package face-api. It shares an architecture with the expression network,
and neither its weights nor its labels.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_faces.dense_features import DenseFaceNetwork, load_dense_network
from sidelight_faces.identity import answers_of
from sidelight_faces.locations import LANDMARKS, weights_file
from sidelight_faces.params import READ_ON_CPU

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_faces.params import LandmarksParams

POINTS = 68
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's; in the picture the right one is left
CORNERS, MIDDLE, INNER = (48, 54), (51, 57), (62, 66)
TEXTS = {
    "smile": "How far the corners of the mouth lie above the middle of the lips",
    "mouth opening": "Distance of the inner lips",
    "mouth width": "Distance of the corners of the mouth",
}


def mouth_shape(points: np.ndarray) -> dict[str, np.ndarray]:
    """Name to (N,) float32, in distances of the eyes, of (N, 68, 2) points in any unit, y downwards."""
    p = points.astype(np.float64)
    across = p[:, LEFT_EYE].mean(1) - p[:, RIGHT_EYE].mean(1)  # D u, (N, 2)
    distance = np.maximum(np.linalg.norm(across, axis=1), 1e-6)  # D
    down = np.stack([-across[:, 1], across[:, 0]], 1) / distance[:, None]  # v: u by a quarter turn
    lift = (p[:, MIDDLE].mean(1) - p[:, CORNERS].mean(1)) * down
    return {
        "smile": (lift.sum(1) / distance).astype(np.float32),
        "mouth opening": _gap(p, INNER, distance),
        "mouth width": _gap(p, CORNERS, distance),
    }


def _gap(points: np.ndarray, pair: tuple[int, int], distance: np.ndarray) -> np.ndarray:
    gap: np.ndarray = (np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=1) / distance).astype(np.float32)
    return gap


class Landmarks(Metric):
    """Change of the mouth from an image to its counterfactual or reconstruction."""

    def __init__(self, params: LandmarksParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, READ_ON_CPU)

    @cached_property
    @torch.inference_mode(False)
    def network(self) -> DenseFaceNetwork:
        """The network, read when first asked for."""
        path = weights_file(LANDMARKS, self._params.where)
        return load_dense_network(LANDMARKS, path, 2 * POINTS).to(self._run.device)

    def points(self, images: Tensor) -> np.ndarray:
        """(N, 68, 2) x and y, y downwards, in sides of the padded square, of (N, 3, H, W) images in [0, 1]."""
        flat = to_array(in_batches(self.network, images, self._batch, "landmarks"))
        return flat.reshape(len(flat), POINTS, 2)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`smile`, `mouth opening` and `mouth width` before the change and their changes; NaN where a search failed."""
        del targets
        others, valid = answers_of(explanation)
        before, after = (mouth_shape(self.points(one)) for one in (images, to_tensor(others, self._run)))
        items = []
        for name, text in TEXTS.items():
            change = np.where(valid, after[name] - before[name], np.nan).astype(np.float32)
            for key, values in ((name, before[name]), (f"change of {name}", change)):
                items.append(
                    Measurement(
                        name=key,
                        values=values,
                        unit="eye distances",
                        help=f"{text}{'' if key == name else ', after less before'}; by 68 landmarks.",
                    )
                )
        return Measurements(items=tuple(items))
