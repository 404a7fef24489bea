"""What a network that is trained on the recipe's data has to know of these, and how that is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight_specs.results import Split, State


@attrs.frozen
class Facts:
    """Shape and classes of the training images.

    Args:
        shape: (C, H, W).
        classes: K names, K >= 2.
        mean: of all pixels.
        std: standard deviation of all pixels; 1 where they are all the same.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: float
    std: float

    @classmethod
    def of(cls, split: Split) -> Facts:
        """What a labelled training split says.

        Raises:
            UserError: no labels, values instead of classes, or fewer than two classes.
        """
        if split.labels is None:
            raise UserError("the data has no labels to learn from", "use data with classes, or a pretrained classifier")
        if not np.issubdtype(split.labels.dtype, np.integer):
            raise UserError("the data's labels are values, not classes", "use data with classes")
        if len(split.class_names) < 2:
            names = ", ".join(split.class_names) or "none"
            raise UserError(f"a classifier needs two classes, the data has {names}", "add a class to the data")
        channels, height, width = split.images.shape[1:]
        mean, std = float(split.images.mean()), float(split.images.std()) or 1.0
        return cls((channels, height, width), split.class_names, mean, std)

    def settings(self) -> dict[str, str]:
        """As `State.settings` keep them."""
        return {name: json.dumps(value) for name, value in attrs.asdict(self).items()}

    @classmethod
    def from_state(cls, state: State) -> Facts:
        """What `settings` kept."""
        kept = {field.name: json.loads(state.settings[field.name]) for field in attrs.fields(cls)}
        return cls(tuple(kept["shape"]), tuple(kept["classes"]), kept["mean"], kept["std"])
