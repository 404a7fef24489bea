"""Hair: what hangs behind the head, and what lies on it, with strands and a sheen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_images.faces.colours import luminance, mix, rgb
from sidelight_images.faces.shapes import intersection, rounded_box, smoothstep, union

if TYPE_CHECKING:
    from sidelight_images.faces.pose import Portrait


@attrs.frozen(eq=False)
class Hair:
    """The hair's outline and its look, computed once for the back and the front.

    Args:
        outline: (N, H, W) distance to all hair, as if the face were not there.
        colour: (N, 3, H, W).
        end: (N, 1, 1) how far down it hangs.
    """

    outline: np.ndarray
    colour: np.ndarray
    end: np.ndarray


def hair_of(portrait: Portrait) -> Hair:
    """Outline and look from the factors."""
    length, full, wave = portrait["hair-length"], portrait["hair-volume"], portrait["hair-wave"]
    end = -0.12 + 1.12 * length
    ripple = wave * np.sin(9.5 * portrait.y + 0.6)  # of the outline and of the strands alike
    half = (0.575 + 0.10 * full) * portrait.width + 0.048 * ripple + 0.05 * length * smoothstep(portrait.y, 0.0, 0.8)
    height = np.maximum(end + 0.25, 0.02) / 2
    hanging = rounded_box(portrait.x, portrait.y + 0.25 - height, half, height, np.minimum(height, 0.20))
    outline = union(portrait.outline - 0.030 * wave * np.sin(17 * portrait.x + 3 * portrait.y), hanging, 0.10)
    return Hair(outline, _look(portrait, ripple), end)


def _look(portrait: Portrait, ripple: np.ndarray) -> np.ndarray:
    """Strands that fall from the parting, shade towards the edge, and a ring of light around the crown."""
    x, y = portrait.x, portrait.y
    root = x - 0.30 * portrait["parting"]
    strand = root / (1.05 + 0.75 * np.minimum(y, 0.25)) + 0.045 * ripple
    # two frequencies, whose beat looks less regular than one
    texture = 0.6 * np.sin(31 * strand) + 0.4 * np.sin(57 * strand + 1.3)
    inside = smoothstep(-portrait.outline, 0.0, 0.30)
    lit = 0.50 + 0.28 * inside + 0.55 * x * portrait.light - 0.22 * (y + 0.3) + 0.10 * texture
    colour = mix(portrait.hair * rgb(0.42, 0.40, 0.46), portrait.hair * 1.10, lit.clip(0, 1.25))
    sx, sy = x - 0.20 * portrait.light, y + 0.12
    ring = np.sqrt(sx * sx + 0.85 * sy * sy)
    sheen = np.exp(-(((ring - 0.53) / 0.075) ** 2)) * smoothstep(-y, 0.12, 0.42) * (0.62 + 0.38 * texture)
    sheen = sheen * (0.55 + 0.45 * np.cos(2.6 * sx))
    tint = mix(portrait.hair, rgb(1, 0.96, 0.9), 0.45) * (0.45 + 0.25 * luminance(portrait.hair))
    shiny: np.ndarray = colour + sheen.clip(0, 1)[:, None] * tint * (1 - colour.clip(0, 1))
    return shiny.clip(0, 1)


def back(portrait: Portrait, hair: Hair) -> None:
    """The hair behind neck and ears, in the shade of the head."""
    canvas, everywhere = portrait.canvas, portrait.everywhere
    # in the shade of face and neck
    inner = smoothstep(-portrait.face, -0.22, 0.05) * smoothstep(portrait.y, -0.1, 0.3)
    canvas.paint(everywhere, canvas.cover(hair.outline), hair.colour * (0.84 - 0.42 * inner[:, None]), "hair")


def front(portrait: Portrait, hair: Hair) -> None:
    """The hair on the forehead and, where it is long, in front of the ears, with the shadow that it throws."""
    canvas, everywhere = portrait.canvas, portrait.everywhere
    opening = _opening(portrait, hair)
    shape = intersection(hair.outline, -opening, 0.03)
    shadow = smoothstep(-opening, 0.10, -0.02) * canvas.cover(portrait.face)
    canvas.shade(everywhere, 0.42 * shadow, rgb(0.55, 0.42, 0.46))
    canvas.paint(everywhere, canvas.cover(shape), hair.colour, "hair")


def _opening(portrait: Portrait, hair: Hair) -> np.ndarray:
    """Distance to the region that the hair leaves free: below the hairline, between the sides."""
    fringe, length = portrait["fringe"], portrait["hair-length"]
    x, y = portrait.turned, portrait.y
    root = x - 0.30 * portrait["parting"]
    swept = np.sqrt(root * root + 0.004)  # |root|, smooth at the parting
    line = -0.565 + 0.235 * fringe + (0.52 - 0.34 * fringe) * swept * swept / (0.35 + swept) * 1.6
    line = (
        line
        + 0.018 * portrait["hair-wave"] * np.sin(15 * x)
        + fringe * (0.008 * np.sin(31 * x) + 0.006 * np.sin(47 * x + 1))
    )
    forehead = (line - y) / (1 + 0.35 * np.abs(root))
    side = (0.555 - 0.085 * smoothstep(length, 0.15, 0.6)) * portrait.width + 0.02 * portrait["hair-wave"] * np.sin(
        9.5 * y + 0.6
    )
    side = side + 0.05 * smoothstep(y, 0.2, 0.9)
    strip = intersection(np.abs(portrait.x - 0.03 * portrait["yaw"]) - side, forehead, 0.14)
    free_below = (hair.end - y) * 0.9  # below its end, the hair leaves everything free
    return union(strip, np.maximum(free_below, forehead), 0.06)
