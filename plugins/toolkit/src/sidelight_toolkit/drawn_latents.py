"""Latents that an attribute finder draws from its generator in place of inverted images. Imports no torch by itself.

Lang et al. 2021 (StylEx) search inverted images; their comparison with a standard StyleGAN2, which has no encoder,
and Wu et al. 2021 (StyleSpace Analysis) work on samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen
from sidelight_specs import AttributeFinderDescriptor, UserError, param, params
from sidelight_specs.facts import Given, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.roles import Generator
    from torch import Tensor

STREAMS = {"samples": 3, "reference": 1, "mean": 2}
"""Independent streams of one seed. None is 0: numpy's stream of (seed, 0) is that of the seed, from which data are."""
MEAN_SAMPLES = 1000
"""Samples that the mean of w is taken over: its error is 3 % of a sample's deviation."""
TRUNCATED_Z = (
    "truncation moves w towards its mean, and the generator's latents are z",
    "set latents: w on the generator, or use the generator's own truncation",
)


@params
class DrawnLatentsParams:
    """Options of finders that can work on samples of the generator."""

    latents: Literal["images", "samples"] = param(
        "images", "Latents of the explained images, inverted; or `samples` of the generator, without inverter."
    )
    samples: int = param(100, "Number of samples, for `latents: samples`.", unit="samples", minimum=1, maximum=100_000)
    seed: int = param(0, "Seed of the samples; finders with one seed draw the same.", minimum=0, maximum=2_147_483_647)
    truncation: float = param(
        1.0, "Truncation of samples towards the mean w: 1 none, 0 the mean (psi).", minimum=0.0, maximum=2.0
    )

    @property
    def is_drawn(self) -> bool:
        """True for `latents: samples`."""
        return self.latents == "samples"

    @property
    def drawn(self) -> str:
        """The samples in words, as results and pages name them."""
        text = f"{self.samples} samples of the generator, seed {self.seed}"
        return text if self.truncation == 1 else f"{text}, truncation {self.truncation:g}"


@frozen(kw_only=True)
class DrawingFinderDescriptor(AttributeFinderDescriptor):
    """A finder that draws its latents from the generator where `latents: samples` asks for it."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """Fixed capabilities, and `samples` where it draws."""
        assert isinstance(params, DrawnLatentsParams)
        return (*self.capabilities, "samples") if params.is_drawn else self.capabilities

    def absence(self, params: object, capability: str) -> str:
        """The option that makes it draw."""
        del params
        return "set latents: samples to search samples of the generator" if capability == "samples" else ""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options of samples beside inverted images."""
        assert isinstance(params, DrawnLatentsParams)
        default = DrawnLatentsParams()
        for option in ("samples", "seed", "truncation"):
            if not params.is_drawn and getattr(params, option) != getattr(default, option):
                yield Mistake(f"{option} is an option of samples", "set latents: samples", option)

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """Truncation beside a generator whose latents are z."""
        assert isinstance(params, DrawnLatentsParams)
        yield from super().misfits(params, given)
        if params.is_drawn and params.truncation != 1 and "latent.z" in given.provides.get("generator", ()):
            yield Mistake(*TRUNCATED_Z, option="truncation")


def drawn_latents(
    generator: Generator, params: DrawnLatentsParams, stream: str = "samples", count: int | None = None
) -> Tensor:
    """Samples of the generator, truncated to `w_mean + psi (w - w_mean)` (Karras et al. 2019, appendix B).

    Args:
        generator: drawn from; its own truncation comes first.
        params: their number, seed and truncation.
        stream: one of `STREAMS`, each of which is independent of the others.
        count: another number.

    Returns:
        (count, *latent_shape) float32, without gradients: the same for the same seed, whatever the recipe's.

    Raises:
        UserError: truncation of z, whose mean is no average image.
    """
    import numpy as np  # both are heavy, and this module is read to list components
    import torch

    def sample(number: int, stream: str) -> Tensor:
        with torch.no_grad():
            return generator.sample(number, np.random.default_rng([params.seed, STREAMS[stream]]))

    latents = sample(params.samples if count is None else count, stream)
    if params.truncation == 1:
        return latents
    if latents.ndim < 3:
        raise UserError(*TRUNCATED_Z)
    mean = sample(MEAN_SAMPLES, "mean").mean(0)  # (layers, d)
    return mean + params.truncation * (latents - mean)
