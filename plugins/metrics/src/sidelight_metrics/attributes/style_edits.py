"""Style vectors of held-out images, edited by attributes and classified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import Run, UserError
from sidelight_specs.roles import Data, Generator, Inverter
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_metrics.segments import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Attribute, Attributes
    from sidelight_specs.roles import Classifier
    from torch import Tensor


def apply_attributes(styles: Tensor, attributes: Sequence[Attribute], factor: float) -> Tensor:
    """(N, S) styles with all of the attributes changed, `factor` times as far as they say.

    Of two attributes of one coordinate the later one counts: each begins with the styles as they were.
    """
    changed = styles.clone()
    for attribute in attributes:
        changed[:, attribute.coordinate] = attribute.apply(styles, factor)[:, attribute.coordinate]
    return changed


@attrs.frozen(eq=False)
class StyleEdits:
    """A generator with a style space, an inverter into it, and data with images that were not explained.

    Args:
        generator: with a style space.
        inverter: into its latents.
        data: gives the held-out images.
        batch: images at a time.
        run: of the metric.
    """

    generator: Generator
    inverter: Inverter
    data: Data
    batch: Batch
    run: Run

    def can_apply(self, attributes: Attributes) -> bool:
        """True if the attributes are coordinates of this generator's style space; warns where they are not."""
        channels = {layer.name: layer.channels for layer in self.generator.style_layers}
        others = [one.name for one in attributes.attributes if not 0 <= one.channel < channels.get(one.layer, 0)]
        if attributes.directions is None and not others:
            return True
        problem = (
            "move along directions" if attributes.directions is not None else f'are of another space, as "{others[0]}"'
        )
        self.run.warn(
            f"not measurable: the metric changes style coordinates of its generator, the attributes {problem}"
        )
        return False

    def held_out(self, split: str, count: int, explained: Tensor) -> Tensor:
        """The first `count` images of a split that are none of the explained ones, (n, C, H, W).

        Raises:
            UserError: the split holds explained images alone.
        """
        images = self.data.split(split).read(count=count + len(explained))  # enough, whichever of them are explained
        known = set(rows_of(images, to_array(explained)))
        rows = [row for row in range(len(images)) if row not in known][:count]
        if not rows:
            raise UserError(f'the split "{split}" has no images but those explained', "set `split`, or explain fewer")
        return to_tensor(images.images[rows], self.run)

    def styles(self, images: Tensor) -> Tensor:
        """(N, C, H, W) images to the styles of their reconstructions, (N, S)."""
        latents = self.inverter.invert(images).latents
        return in_batches(self.generator.styles, to_tensor(latents, self.run), self.batch, "styles")

    def synthesize(self, styles: Tensor) -> Tensor:
        """(N, S) styles to images."""
        return in_batches(self.generator.synthesize_styles, styles, self.batch, "drawing")

    def logits(self, classifier: Classifier, styles: Tensor) -> np.ndarray:
        """(N, K) float64 logits of the images of these styles."""
        logits = in_batches(
            lambda batch: classifier.class_logits(self.generator.synthesize_styles(batch)),
            styles,
            self.batch,
            "drawing and classifying",
        )
        return to_array(logits).astype(np.float64)
