"""The attribute finder `pca-directions`: principal components of a generator's samples.

Haerkoenen et al. 2020, "GANSpace: Discovering Interpretable GAN Controls", section 3. No classifier takes part; where
there is one, what each component does to its score is measured afterwards.

    w        (N, d) samples of W
    v_k      (d,) principal component k of w, sigma_k its standard deviation             (section 3.1, StyleGAN)

A generator of z has an isotropic prior without components of its own. There the components are those of what it
draws, and z is regressed on their coordinates (section 3.1, BigGAN, whose features are those of an early layer; here
they are the images, reduced, because a role `generator` shows no layers):

    y        (N, p) images of z, reduced
    x        (N, K) coordinates of y along its first K principal components
    U        (d, K) argmin sum_j |U x_j - z_j|^2; v_k = u_k / |u_k|, sigma_k standard deviation of z along v_k
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import at_once, in_batches
from sidelight_toolkit.images import shrunk

from sidelight_explorer.components import Components, ComponentsFinder, oriented
from sidelight_explorer.layered import Z_AXES

if TYPE_CHECKING:
    from torch import Tensor

REDUCED = 32  # pixels a side, at most, of images whose components are taken: 3,072 numbers in colour


class PcaDirections(ComponentsFinder):
    """Principal components of W, or of the images of a generator of z."""

    def label(self, number: int, share: float) -> str:
        """`component 1 (12 % of variance)`."""
        return f"component {number} ({100 * share:.0f} % of variance)"

    def components(self) -> Components:
        """Computed once, for every class.

        Raises:
            UserError: all samples are alike.
        """
        params = self._params
        state = self._run.cached(("components", params.train, params.components), lambda: State(arrays=self._fitted()))
        return Components(*(state.arrays[name] for name in ("vectors", "shares", "deviations")))

    def _fitted(self) -> dict[str, np.ndarray]:
        w = self._sampled().astype(np.float64)
        is_z = len(self._generator.original.latent_shape) == Z_AXES
        y = self._reduced(w).astype(np.float64) if is_z else w
        axes, variances, total = principal_components(y, min(self._params.components, w.shape[1]))
        if total <= 0:
            raise UserError(
                "the generator's samples are all alike, so that there are no components",
                "use another generator, or a truncation above 0",
            )
        vectors, deviations = axes, np.sqrt(variances)
        if is_z:
            x = (y - y.mean(0)) @ axes.T  # (N, K)
            u = np.linalg.lstsq(x, w - w.mean(0), rcond=None)[0]  # U transposed, (K, d)
            vectors = u / np.maximum(np.linalg.norm(u, axis=1), 1e-12)[:, None]
            # not |u_k| std(x_k): the less linear the generator, the less of z a component would explain, and move
            deviations = np.where(deviations > 1e-6 * deviations.max(), (w @ vectors.T).std(0), 0)
        kept = deviations > 1e-6 * deviations.max()  # beyond the rank of the samples there is nothing to move
        arrays = {"vectors": oriented(vectors), "shares": variances / total, "deviations": deviations}
        return {name: array[kept].astype(np.float32) for name, array in arrays.items()}

    def _reduced(self, z: np.ndarray) -> np.ndarray:
        """Images of z (N, d), reduced: (N, p) float32."""

        def images(batch: Tensor) -> Tensor:
            return shrunk(self._generator.synthesize(batch), REDUCED).flatten(1)

        latents = to_tensor(z.astype(np.float32), self._run)[:, None]
        return to_array(in_batches(images, latents, at_once(self._params.batch, self._generator.image_shape)))


def principal_components(samples: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The first principal components of (N, p) samples.

    Returns:
        (count, p) components of length 1, their variances (count,), falling, and the variance in all directions.
    """
    centred = samples - samples.mean(0)
    covariance = centred.T @ centred / len(samples)  # (p, p)
    variances, axes = np.linalg.eigh(covariance)  # rising
    return axes[:, ::-1][:, :count].T, np.maximum(variances[::-1][:count], 0), float(np.trace(covariance))
