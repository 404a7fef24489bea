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
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]

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
        return cls((channels, height, width), split.class_names)

    def settings(self) -> dict[str, str]:
        """As `State.settings` keep them."""
        return {"shape": json.dumps(self.shape), "classes": json.dumps(self.classes)}

    @classmethod
    def from_state(cls, state: State) -> Facts:
        """What `settings` kept."""
        channels, height, width = json.loads(state.settings["shape"])
        return cls((channels, height, width), tuple(json.loads(state.settings["classes"])))
