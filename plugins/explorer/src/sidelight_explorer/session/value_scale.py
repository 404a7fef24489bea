"""Scale of a regression's value on the page: unit, middle and ends of its bar, from random draws.

A class's score has a scale of its own, from 0 to 1 or from -1 to 1. A value has none: years and grams differ. The bar
goes from the neutral point as far as nine draws in ten lie, and as far to the other side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_toolkit.batching import at_once

from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.slider import latent_edit
from sidelight_explorer.session.style import Styles, draw_id

if TYPE_CHECKING:
    from sidelight_specs import Run

    from sidelight_explorer._params import WebParams
    from sidelight_explorer.models import Models

DRAWS = 48  # of small images
PIXELS = DRAWS * 128 * 128  # drawn for a scale, at most, beyond the draws that the page begins with
ENDS = (0.05, 0.95)  # quantiles of the draws


@attrs.frozen
class ValueScale:
    """Scale of one regression.

    Args:
        unit: of the value; empty where it is not known.
        neutral: middle of the bar.
        low: value that one draw in twenty is below.
        high: value that one draw in twenty is above.
    """

    unit: str
    neutral: float
    low: float
    high: float

    def plain(self) -> dict[str, Any]:
        """JSON values for the page."""
        return {"unit": self.unit, "scale": {"neutral": self.neutral, "low": self.low, "high": self.high}}


def value_scales(models: Models, styles: Styles, params: WebParams, run: Run) -> dict[str, ValueScale]:
    """Classifier id to scale, for each regression; no image is drawn where there is none."""
    names = {key: one.class_names[0] for key, one in models.classifiers.items() if one.task == "regression"}
    for option in ("units", "neutral"):
        for unknown in sorted(set(getattr(params, option)) - set(names.values())):
            known = ", ".join(sorted(set(names.values()))) or "none"
            run.warn(f'{option}: no regression of the page gives "{unknown}"; its values are: {known}')
    if not names:
        return {}
    # the page begins with these draws, so that they are drawn once
    count = max(params.images + params.styles, at_once(DRAWS, models.generator.image_shape, PIXELS))
    draws = [draw_id(params.seed, index, round(100 * params.truncation)) for index in range(count)]
    drawn = models.draw([latent_edit(plain(name, styles.layers), styles.latents, {}) for name in draws], Priority.CELLS)
    scales = {}
    for key, name in names.items():
        values = np.array([image.values[key][0] for image in drawn], np.float64)
        low, high = (float(end) for end in np.quantile(values, ENDS))
        scales[key] = ValueScale(
            params.units.get(name, ""), params.neutral.get(name, float(np.median(values))), low, high
        )
    return scales
