"""Do images and generator fit together?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator
    from torch import Tensor


def check_shape(images: Tensor, generator: Generator) -> None:
    """Raises a UserError where the generator makes images of another shape than (N, C, H, W) `images` have."""
    shape, made = tuple(images.shape[1:]), tuple(generator.image_shape)
    if shape != made:
        raise UserError(
            f"the images have the shape {shape} (channels, height, width), and the generator makes {made}",
            "Give the data the generator's size, or train the generator on these data.",
        )
