"""A drawn image as the page gets it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sidelight_explorer.images import png
from sidelight_explorer.models import MOST_VALUES

if TYPE_CHECKING:
    import numpy as np

    from sidelight_explorer.state import Shown


def picture(one: Shown, side: int, ask: dict[str, int]) -> dict[str, Any]:
    """Plain values.

    Args:
        one: the image.
        side: a wider one is made smaller.
        ask: classifier id to the class whose value is sent in any case.
    """
    return {
        "png": base64.b64encode(png(one.drawn.pixels, side)).decode("ascii"),
        "values": {name: _values(values, ask.get(name, 0)) for name, values in one.drawn.values.items()},
        "distance": round(one.distance, 3),
    }


def _values(values: np.ndarray, asked: int) -> dict[str, float]:
    """Class index to value: all of them, or of very many the ten largest and the one asked about."""
    rows = range(len(values)) if len(values) <= MOST_VALUES else sorted({*(-values).argsort()[:10].tolist(), asked})
    return {str(row): round(float(values[row]), 5) for row in rows}
