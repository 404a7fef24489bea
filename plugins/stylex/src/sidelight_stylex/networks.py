"""The networks of StylEx (Lang et al. 2021, section 3.2): G, E, D, and the distribution of w for sampling.

Symbols: x image; E encoder; C classifier; w = [E(x), c(x)] with the condition c(x), some form of C's answer; G the
StyleGAN2 generator; D its discriminator; x' = G(w) the reconstruction; d length of w.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import attrs
import torch
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.discriminator import Discriminator
from sidelight_stylegan2.networks.encoder import ResidualEncoder
from sidelight_stylegan2.networks.layers import normalise
from sidelight_stylegan2.networks.synthesis import Network
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sidelight_stylex.params import GeneratorParams


class Networks(nn.Module):
    """G, E, D and the prior of w.

    Args:
        architecture: sizes of G and D; its w is E's output with the condition.
        condition: form of the classifier's answer in w.
        params: sizes of E.
    """

    def __init__(self, architecture: Architecture, condition: Condition, params: GeneratorParams) -> None:
        super().__init__()
        self.condition = condition
        self.generator = Network(architecture)
        self.encoder = EncoderNetwork(
            architecture.image_channels, architecture.size, params.encoder_widths, params.latent, architecture.shuffle
        )
        # D sees the classes wherever G does; it maps them with one layer
        classes = condition.classes if condition.kind != "none" else 0
        self.discriminator = Discriminator(attrs.evolve(architecture, classes=classes, mapping=1))
        self.prior = WPrior(params.latent, architecture.w)

    def settings(self) -> dict[str, str]:
        """`State.settings`: all that is needed beside the weights."""
        condition = self.condition
        facts = {"kind": condition.kind, "told classes": str(condition.classes), "scale": repr(condition.scale)}
        return {**self.generator.architecture.settings(), **facts}

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], params: GeneratorParams) -> Self:
        """Fresh networks, given the result of `settings`."""
        kind, classes, scale = settings["kind"], int(settings["told classes"]), float(settings["scale"])
        condition = Condition(kind, classes, scale)  # type: ignore[arg-type]
        return cls(Architecture.from_settings(settings), condition, params)


@attrs.frozen
class Condition:
    """c(x), the classifier's answer as it stands in w (section 3.2, "Conditional training").

    Args:
        kind: logits less their mean over classes and divided by `scale`, probabilities (the paper), or none.
        classes: K.
        scale: root mean square of the centred logits of the training images.
    """

    kind: Literal["logits", "probabilities", "none"]
    classes: int
    scale: float = 1.0

    @property
    def length(self) -> int:
        """Numbers in w: K, or none."""
        return 0 if self.kind == "none" else self.classes

    def of(self, logits: Tensor) -> Tensor:
        """(N, K) logits to (N, length)."""
        if self.kind == "none":
            return logits[:, :0]
        return logits.softmax(1) if self.kind == "probabilities" else centred(logits) / self.scale


def centred(logits: Tensor) -> Tensor:
    """Logits less their mean over the classes, which the probabilities do not depend on."""
    return logits - logits.mean(1, keepdim=True)


def root_mean_square(logits: Tensor) -> float:
    """Root mean square of (N, K) centred logits, at least a thousandth."""
    return max(1e-3, float(centred(logits).square().mean().sqrt()))


class EncoderNetwork(ResidualEncoder):
    """E: plain residual convolutions to unit scale.

    The paper takes the discriminator's twin; a network of plain convolutions with their own learning rates learns much
    faster. Unit scale keeps the loss of w (`losses.w_loss`) from shrinking w to nothing.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W), about [-1, 1], to (N, outputs) float32, each row of root mean square 1."""
        return normalise(super().forward(images))


class WPrior(nn.Module):
    """A Gaussian over w, fitted to the training images. Training itself sees images only, no noise.

    Args:
        latent: length of E(x).
        length: d.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, latent: int, length: int) -> None:
        super().__init__()
        self._latent = latent
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("factor", torch.eye(length))

    @torch.no_grad()
    def fit(self, w: Tensor) -> None:
        """Mean and a square root of the covariance of (N, d)."""
        x = w.double()
        # covariance = V diag(l) V^T = L L^T with L = V sqrt(l); w may lie in a subspace, where Cholesky fails
        values, vectors = torch.linalg.eigh(x.T.cov(correction=0).reshape(w.shape[1], w.shape[1]))
        self.mean.copy_(x.mean(0))
        # eigenvalues of a singular covariance may come out slightly negative
        self.factor.copy_(vectors * values.clamp(min=0).sqrt())

    def forward(self, noise: Tensor, truncation: float) -> Tensor:
        """(N, d) standard normal noise to w, with E(x)'s part at unit scale, as E gives it."""
        w = self.mean + truncation * noise @ self.factor.T  # mu + psi L z
        return torch.cat([normalise(w[:, : self._latent]), w[:, self._latent :]], 1)
