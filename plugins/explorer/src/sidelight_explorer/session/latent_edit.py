"""Where an edited image lies: latents mixed layer by layer, and attributes moved."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import attrs
import numpy as np

from sidelight_explorer.server.validation import Bad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs.results import Attribute

    from sidelight_explorer.session.edit import Spec
    from sidelight_explorer.session.slider import Movable


class Setting(NamedTuple):
    """A change of one coordinate of the style space: `attribute.apply(styles, factor)`."""

    attribute: Attribute
    factor: float


@attrs.frozen(eq=False)
class Point:
    """Where an image lies.

    Args:
        latents: (layers, d) float32.
        settings: changes in the style space.
    """

    latents: np.ndarray
    settings: tuple[Setting, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same place."""
        text = hashlib.blake2b(self.latents.tobytes(), digest_size=16)
        text.update(repr(self.settings).encode())
        return text.hexdigest()


def located(spec: Spec, latents_of: Callable[[str], np.ndarray], movables: Mapping[str, Movable]) -> Point:
    """The place of an image: in each layer `(1 - share) * w_start + share * w_end`, then its attributes moved.

    Raises:
        Bad: an attribute or a style that is not known.
    """
    known = {style: latents_of(style) for style in spec.styles}
    rows = [
        (1 - mix.share / 100) * known[mix.start][layer] + mix.share / 100 * known[mix.end][layer]
        for layer, mix in enumerate(spec.layers)
    ]
    latents = np.stack(rows).astype(np.float32)
    settings: list[Setting] = []
    for name, percent in spec.moves:
        if name not in movables:
            raise Bad(f"moves: there is no attribute {name[:80]!r}", 404)
        latents, more = movables[name].moved(latents, percent / 100)
        settings += more
    return Point(latents, tuple(settings))
