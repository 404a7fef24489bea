"""Identity that a counterfactual or a reconstruction keeps, by a face recognition network.

    identity = cos(d(x), d(x'))                       d the network's 128 numbers, x' the answer to x; higher is better
    other faces = mean over j of cos(d(x), d(x_j))    x_j the other explained faces: what two persons have in common
    recognised = share with cos(d(x'), d(x)) > cos(d(x'), d(x_j)) for all j        by chance 1 in the number of faces

A cosine means nothing without that of other faces: samples of one generator resemble each other so much that most pairs
of them are one person by the threshold of dlib's network (a distance of 0.6).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Counterfactual, Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_faces.locations import RECOGNITION, weights_file
from sidelight_faces.params import READ_ON_CPU
from sidelight_faces.recognition import RecognitionNetwork, load_recognition_network

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_faces.params import IdentityParams


class Identity(Metric):
    """Cosine of the faces before and after, beside that of different faces."""

    def __init__(self, params: IdentityParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, READ_ON_CPU)

    @cached_property
    @torch.inference_mode(False)
    def network(self) -> RecognitionNetwork:
        """The network, read when first asked for."""
        return load_recognition_network(weights_file(RECOGNITION, self._params.where)).to(self._run.device)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`identity`, `other faces` and `recognised`; NaN where a search failed, or where there is one face."""
        del targets
        others, valid = answers_of(explanation)
        before, after = self._descriptors(images), self._descriptors(to_tensor(others, self._run))  # (N, D)
        unit, changed = _unit(before), _unit(after)
        cosine = (unit * changed).sum(1)
        among = unit @ unit.T  # (N, N)
        different = ~_same_image(images)  # an image stands once for each question about it
        counts = different.sum(1)
        mean = np.divide((among * different).sum(1), counts, out=np.full(len(unit), np.nan), where=counts > 0)
        nearest = np.where(different, changed @ unit.T, -np.inf).max(1)  # of the other faces
        compared = valid & (counts > 0)
        strangers = int((compared & (cosine <= nearest)).sum())
        if isinstance(explanation, Inversion) and 2 * strangers > compared.sum():
            self._run.warn(
                f"{strangers} of {int(compared.sum())} reconstructions are nearer to the face of another image than to "
                "their own: answers in the generator's latent space start from somebody else"
            )
        return Measurements(
            items=(
                Measurement(
                    name="identity",
                    values=np.where(valid, cosine, np.nan).astype(np.float32),
                    better="higher",
                    unit="cosine",
                    help="Cosine of the face's descriptors before and after, by dlib's face recognition network.",
                ),
                Measurement(
                    name="other faces",
                    values=mean.astype(np.float32),
                    better="neither",
                    unit="cosine",
                    help="The same between the face and the other explained faces, to compare with.",
                ),
                Measurement(
                    name="recognised",
                    values=np.where(compared, cosine > nearest, np.nan).astype(np.float32),
                    better="higher",
                    unit="share of images",
                    help="The answer is nearer to its own face than to every other explained face.",
                ),
            )
        )

    def _descriptors(self, images: Tensor) -> np.ndarray:
        return to_array(in_batches(self.network, images, self._batch, "identity")).astype(np.float64)


def answers_of(explanation: Artifact) -> tuple[np.ndarray, np.ndarray]:
    """Images of a counterfactual or an inversion (N, C, H, W), and (N,) booleans, False where a search failed.

    Raises:
        SidelightError: it is of another kind.
    """
    if isinstance(explanation, Counterfactual):
        return explanation.images, explanation.converged.astype(bool)
    if isinstance(explanation, Inversion):
        return explanation.reconstructions, np.ones(len(explanation.reconstructions), dtype=bool)
    raise SidelightError(f'this metric measures "counterfactual" or "inversion", not "{explanation.kind}"')


def _unit(vectors: np.ndarray) -> np.ndarray:
    """(N, D) vectors of length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.where(lengths > 0, lengths, 1)
    return unit


def _same_image(images: Tensor) -> np.ndarray:
    """(N, N): the images of two rows are equal, as those of a row and itself are."""
    _, numbers = torch.unique(images.flatten(1), dim=0, return_inverse=True)
    same: np.ndarray = to_array(numbers[:, None] == numbers)
    return same
