"""The mapping network f, w = f(z), and truncation (Karras et al. 2019, sections 2 and 2.2).

Symbols: z normal noise; w intermediate latent; psi truncation, w' = center + psi (w - center).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.layers import Linear, normalise

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture

RATE = 0.01  # relative learning rate of the mapping network (Karras et al. 2019, appendix C)


class Mapping(nn.Module):
    """Fully connected layers on the normalised z, with an embedding of the class beside it.

    `center` is the running average of w, from which truncation measures.
    """

    center: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self._classes = architecture.classes
        inputs = architecture.z
        self.embedding: Linear | None = None
        if architecture.classes:
            self.embedding = Linear(architecture.classes, architecture.w)
            inputs += architecture.w
        sizes = [inputs] + [architecture.w] * architecture.mapping
        self.layers = nn.Sequential(*(Linear(a, b, rate=RATE, active=True) for a, b in pairwise(sizes)))
        self.register_buffer("center", torch.zeros(sizes[-1]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, z) and (N,) class indices (or (N, classes) weights) to w, (N, w)."""
        x = normalise(z)  # each row to root mean square 1
        if self.embedding is not None:
            if labels is None:
                raise ValueError("the network is conditioned on classes; give labels")
            # the class, embedded to the length of w, beside z
            x = torch.cat([x, normalise(self.embedding(one_hot(labels, self._classes)))], 1)
        w: Tensor = self.layers(x)
        return w

    def update_center(self, w: Tensor, decay: float) -> None:
        """Move the running average towards the mean of w, (N, w)."""
        self.center.copy_(torch.lerp(w.detach().mean(0), self.center, decay))


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(N,) class indices to (N, classes); weights, which have two axes already, pass."""
    return labels.float() if labels.ndim == 2 else functional.one_hot(labels, classes).float()


def truncate(w: Tensor, center: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """Pull w towards its average (Karras et al. 2019, section 2.2 and appendix B).

    Args:
        w: (N, layers, d).
        center: (d,), the average w.
        psi: 1 leaves w as it is, 0 gives the average.
        cutoff: number of the first layers, which are truncated; None for all.
    """
    pulled = torch.lerp(center, w[:, :cutoff], psi)
    return pulled if cutoff is None else torch.cat([pulled, w[:, cutoff:]], 1)
