"""Background and clothes, behind and below the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces.colours import BACKGROUNDS, CLOTHES, mix, ramp, rgb
from sidelight_images.faces.shapes import ellipse, smoothstep

if TYPE_CHECKING:
    from sidelight_images.faces.pose import Portrait


def background(portrait: Portrait) -> None:
    """A wall with a soft glow behind the head, brighter on the side of the light."""
    canvas, colour = portrait.canvas, ramp(portrait["background"], BACKGROUNDS)
    x, y = canvas.x - portrait.light * 0.7, canvas.y + 0.25
    far = np.sqrt(x * x + y * y)
    glow = (1.05 - 0.62 * far).clip(0, 1)
    dark = colour * colour * rgb(0.80, 0.80, 0.86)
    canvas.colours[:] = mix(dark, mix(colour, rgb(1, 1, 1), 0.30), glow)


def clothes(portrait: Portrait) -> None:
    """Shoulders in a jersey with a collar."""
    canvas = portrait.canvas
    window = canvas.window(canvas.x, canvas.y, (-1, 0.5, 1, 1))
    colour = ramp(portrait["clothes"], CLOTHES)
    shoulders = ellipse(window.x, window.y - 1.27, 1.0, 0.64)
    lit = (0.62 + 0.5 * window.x * portrait.light + 0.9 * (1.0 - window.y)).clip(0, 1)
    canvas.paint(window, canvas.cover(shoulders), mix(colour * 0.62, colour, lit), "clothes")
    neckline = ellipse(window.x, window.y - 0.74, 0.34, 0.19)
    inside = canvas.cover(neckline) * canvas.cover(shoulders)
    canvas.paint(window, inside, portrait.skin * mix(rgb(0.70, 0.62, 0.62), rgb(0.95, 0.92, 0.9), lit), "skin")
    collar = canvas.cover(np.abs(neckline) - 0.028) * canvas.cover(shoulders)
    canvas.paint(window, collar, mix(colour, rgb(1, 1, 1), 0.25) * (0.55 + 0.45 * lit[:, None]), "clothes")
    shadow = smoothstep(-window.y, -1.02, -0.66) * canvas.cover(shoulders)
    canvas.shade(window, 0.35 * shadow * smoothstep(-np.abs(window.x), -0.5, -0.1), rgb(0.55, 0.45, 0.5))
