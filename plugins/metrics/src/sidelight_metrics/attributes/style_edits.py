"""Images with attributes of a style space changed, for metrics of attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sidelight_specs import Run, SidelightError, UserError
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.roles import Data, Generator, Inverter
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

from sidelight_metrics.segments import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.roles import Classifier
    from torch import Tensor


def attributes(explanation: Artifact) -> Attributes:
    """The explanation, if it is attributes; raises a SidelightError otherwise."""
    if not isinstance(explanation, Attributes):
        raise SidelightError(f"this metric measures attributes, not a {explanation.kind!r}")
    return explanation


def applied(styles: Tensor, chosen: Sequence[Attribute], factor: float) -> Tensor:
    """(N, S) styles with all of the attributes changed, `factor` times as far as they say.

    Of two attributes of one coordinate the later one counts: each begins with the styles as they were.
    """
    changed = styles.clone()
    for attribute in chosen:
        changed[:, attribute.coordinate] = attribute.apply(styles, factor)[:, attribute.coordinate]
    return changed


@attrs.frozen(eq=False)
class Stage:
    """A generator with a style space, a way into it, and images that were not explained.

    Args:
        generator: with a style space.
        inverter: into its latents.
        data: where the images come from.
        batch: images at a time.
        run: of the metric.
    """

    generator: Generator
    inverter: Inverter
    data: Data
    batch: int
    run: Run

    def can_change(self, found: Attributes) -> bool:
        """True if the attributes are coordinates of this generator's style space; warns where they are not."""
        layers = {layer.name: layer.channels for layer in self.generator.style_layers}
        others = [one.name for one in found.attributes if not 0 <= one.channel < layers.get(one.layer, 0)]
        if found.directions is None and not others:
            return True
        what = "move along directions" if found.directions is not None else f'are of another space, as "{others[0]}"'
        self.run.warn(f"not measurable: the metric changes style coordinates of its generator, the attributes {what}")
        return False

    def held_out(self, split: str, count: int, explained: Tensor) -> Tensor:
        """Styles of the first `count` images of a split that are none of the explained ones, (n, S)."""
        images = self.data.split(split)
        known = set(rows_of(images, to_array(explained)))
        rows = [row for row in range(len(images)) if row not in known][:count]
        if not rows:
            raise UserError(f"the split {split!r} has no images but those explained", "set `split`, or explain fewer")
        latents = self.inverter.invert(to_tensor(images.images[rows], self.run)).latents
        return in_batches(self.generator.styles, to_tensor(latents, self.run), self.batch)

    def draw(self, styles: Tensor) -> Tensor:
        """(N, S) styles to images."""
        return in_batches(self.generator.synthesize_styles, styles, self.batch)

    def answers(self, classifier: Classifier, styles: Tensor) -> np.ndarray:
        """(N,) the class that the classifier says of what is drawn."""

        def ask(part: Tensor) -> Tensor:
            return classifier.class_logits(self.generator.synthesize_styles(part)).argmax(1)

        return to_array(in_batches(ask, styles, self.batch))
