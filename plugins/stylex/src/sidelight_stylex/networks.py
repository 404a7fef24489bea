"""All that a training leaves: generator, encoder, discriminator, and the distribution of w."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.discriminator import Discriminator
from sidelight_stylegan2.networks.synthesis import Network
from torch import nn

from sidelight_stylex.condition import Condition
from sidelight_stylex.encoder_network import EncoderNetwork
from sidelight_stylex.w_prior import Prior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_stylex.params import GeneratorParams


class Networks(nn.Module):
    """G, E and D for one architecture.

    Args:
        architecture: sizes of generator and discriminator; its w is the encoder's output with the condition.
        condition: what of the classifier's answer stands in w.
        params: the encoder's size.
    """

    def __init__(self, architecture: Architecture, condition: Condition, params: GeneratorParams) -> None:
        super().__init__()
        self.condition = condition
        self.generator = Network(architecture)
        self.encoder = EncoderNetwork(
            architecture.image_channels, architecture.size, params.encoder_widths, params.latent, architecture.shuffle
        )
        told = condition.classes if condition.kind != "none" else 0
        self.discriminator = Discriminator(attrs.evolve(architecture, classes=told, mapping=1))
        self.prior = Prior(params.latent, architecture.w)

    def settings(self) -> dict[str, str]:
        """As `State.settings` keeps what has to be known beside the weights."""
        condition = self.condition
        facts = {"kind": condition.kind, "told classes": str(condition.classes), "scale": repr(condition.scale)}
        return {**self.generator.architecture.settings(), **facts}

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], params: GeneratorParams) -> Self:
        """Fresh networks of what `settings` gave."""
        kind, classes, scale = settings["kind"], int(settings["told classes"]), float(settings["scale"])
        condition = Condition(kind, classes, scale)  # type: ignore[arg-type]
        return cls(Architecture.from_settings(settings), condition, params)
