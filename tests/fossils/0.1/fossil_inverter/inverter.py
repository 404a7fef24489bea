"""Inversion by optimisation: minimise the squared difference between image and reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator

    from fossil_inverter import InverterParams


class Inverter(Inverter):
    """Starts from one sample of the prior, the same for every image, so that neighbours do not matter."""

    def __init__(self, params: InverterParams, *, generator: Generator, run: Run) -> None:
        self._params, self._generator, self._run = params, generator, run

    def invert(self, images: torch.Tensor) -> Inversion:
        """One latent for each image."""
        start = self._generator.sample(1, self._run.rng("start")).to(images.device)
        latents = start.repeat(len(images), *[1] * (start.ndim - 1)).requires_grad_()
        optimizer = torch.optim.Adam([latents], lr=self._params.rate)
        for _ in self._run.progress(range(self._params.steps), "inverting"):
            loss = self._error(images, self._generator.synthesize(latents)).sum()
            (latents.grad,) = torch.autograd.grad(loss, latents)
            optimizer.step()
        with torch.no_grad():
            reconstructions = self._generator.synthesize(latents)
        return Inversion(
            latents=latents.detach().cpu().numpy(),
            reconstructions=reconstructions.cpu().numpy(),
            error=self._error(images, reconstructions).cpu().numpy(),
        )

    @staticmethod
    def _error(images: torch.Tensor, reconstructions: torch.Tensor) -> torch.Tensor:
        return (images - reconstructions).square().mean((1, 2, 3))
