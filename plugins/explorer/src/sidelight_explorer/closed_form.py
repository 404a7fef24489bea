"""The attribute finder `closed-form`: directions of W that move the styles most, from the weights alone.

Shen & Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs" (SeFa), section 3. No image is drawn and no
classifier takes part; where there is one, what each direction does to its score is measured afterwards.

    A        (S, d) weights of the affine layers that make styles of w: styles(w) = A w + b
    v_k      (d,) direction k: argmax |A v|^2 with v . v = 1, orthogonal to those before       (their equation 4)
    lambda_k eigenvalue of A^T A that belongs to v_k                                          (their equation 6)

All convolutions of the layers that are shifted take part, to-RGB layers not. A is read off `styles`, which is affine:
its row of differences styles(e_i) - styles(0) is exact up to rounding, for whatever generator has a style space. A
shift is measured in deviations of w, one number for all directions: an eigenvector says nothing of the samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

from sidelight_explorer.components import SAMPLED, Components, ComponentsFinder, oriented

if TYPE_CHECKING:
    from torch import Tensor

AFFINE = 1e-2  # relative error of A w + b above which styles are no affine map; rounding stays below 1e-4


class ClosedForm(ComponentsFinder):
    """Eigenvectors of the modulation weights' A^T A."""

    def label(self, number: int, share: float) -> str:
        """`eigenvector 1 (9 % of trace)`."""
        return f"eigenvector {number} ({100 * share:.0f} % of trace)"

    def components(self) -> Components:
        """Computed once, for every class.

        Raises:
            UserError: the generator's styles are no affine map of w, or none of them moves.
        """
        params, layers = self._params, (self.shifted.start, self.shifted.stop)
        question = ("eigenvectors", params.components, params.train, layers)
        state = self._run.cached(question, lambda: State(arrays=self._factorised()))
        return Components(*(state.arrays[name] for name in ("vectors", "shares", "deviations")))

    def _factorised(self) -> dict[str, np.ndarray]:
        a = self._weights()  # A, (S, d)
        eigenvalues, axes = np.linalg.eigh(a.T @ a)  # rising
        total = float(eigenvalues.sum())
        if total <= 0:
            raise UserError(
                "no style of these layers depends on w", "set layers to those with convolutions, or leave layers out"
            )
        count = min(self._params.components, len(eigenvalues))
        w = self._sampled()
        deviation = float(np.sqrt(w.var(0).mean()))  # of w in a direction, on the mean over directions
        return {
            "vectors": oriented(axes[:, ::-1][:, :count].T).astype(np.float32),
            "shares": (np.maximum(eigenvalues[::-1][:count], 0) / total).astype(np.float32),
            "deviations": np.full(count, deviation, np.float32),
        }

    def _weights(self) -> np.ndarray:
        """A of the convolutions in the layers that are shifted, (S, d) float64.

        Raises:
            UserError: the generator's styles are no affine map of w.
        """
        size = int(self._generator.latent_shape[1])
        probe = np.random.default_rng(0).standard_normal(size).astype(np.float32)  # any w, to see whether it is affine
        rows = np.concatenate([np.zeros((1, size), np.float32), np.eye(size, dtype=np.float32), probe[None]])
        styles = np.concatenate([self._styles(rows[batch]) for batch in slices(len(rows), SAMPLED)])
        b, a = styles[0], (styles[1:-1] - styles[0]).T
        error = np.abs(a @ probe + b - styles[-1]).max()
        if error > AFFINE * max(float(np.abs(styles[-1] - b).max()), 1e-6):
            raise UserError(
                "the generator's styles are no affine map of its latents, which the closed form needs",
                "use explorer/pca-directions",
            )
        kept: np.ndarray = a[self._is_convolution()]
        return kept

    def _styles(self, vectors: np.ndarray) -> np.ndarray:
        """Styles of (N, d) in the layers that are shifted and 0 in the others, (N, S) float64."""
        latents: Tensor = torch.zeros(len(vectors), *self._generator.latent_shape, device=self._run.device)
        latents[:, list(self.shifted)] = to_tensor(vectors, self._run)[:, None]
        with torch.no_grad():
            return to_array(self._generator.styles(latents)).astype(np.float64)

    def _is_convolution(self) -> np.ndarray:
        """(S,) bool."""
        return np.concatenate([np.full(layer.channels, layer.kind == "conv") for layer in self._generator.style_layers])
