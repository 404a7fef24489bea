"""The mouth, and the beard around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces.colours import luminance, mix, rgb
from sidelight_images.faces.shapes import between, bump, ellipse, smoothstep, union

if TYPE_CHECKING:
    from sidelight_images.faces.pose import Portrait

MIDDLE = 0.405  # height of the seam
HALF_WIDTH = 0.200


def mouth(portrait: Portrait) -> None:
    """Two lips around a seam or, opened, around teeth and tongue."""
    canvas, smile, opened = portrait.canvas, portrait["smile"], portrait["mouth-opening"]
    window = portrait.features(-0.5, 0.12, 0.5, 0.72)
    half = HALF_WIDTH + 0.035 * smile - 0.012 * opened
    along = window.x / half
    bend = np.where(smile > 0, 0.105, 0.085 - 0.03 * opened) * smile
    middle = MIDDLE - bend * (along * along - 0.42)  # a parabola: with a smile the corners lie above the middle
    slope = 2 * bend * window.x / (half * half)
    profile = (1 - along * along).clip(-1, 1)
    bow = 1 - 0.30 * np.exp(-((along / 0.16) ** 2))
    gap = 0.115 * opened * profile
    top, bottom = middle - 0.34 * gap, middle + 0.66 * gap
    lips = between(window.y, top - 0.060 * profile * bow, bottom + 0.076 * profile, slope)
    inner = between(window.y, top, bottom, slope)
    canvas.shade(window, 0.42 * bump(window.x, window.y - bottom - 0.115, 0.16, 0.055), rgb(0.62, 0.44, 0.44))
    canvas.shade(window, 0.30 * bump(window.x, window.y - top + 0.10, 0.05, 0.07), rgb(0.72, 0.55, 0.55))
    _corners(portrait, half)
    colour = lip_colour(portrait)
    lit = smoothstep(window.y - middle, -0.05, 0.05)
    canvas.paint(window, canvas.cover(lips), mix(colour * 0.80, colour, lit), "mouth")
    gloss = bump(window.x - 0.05 * portrait.light, window.y - bottom - 0.034, 0.085, 0.024)
    canvas.lighten(window, 0.50 * gloss, rgb(1, 0.92, 0.92))
    # behind the lips: tongue and teeth, seen once the mouth opens
    inside = canvas.cover(inner) * canvas.cover(np.abs(window.x) - half)
    wet = mix(rgb(0.36, 0.05, 0.08), rgb(0.20, 0.02, 0.05), smoothstep(window.y - middle, -0.02, 0.06))
    canvas.paint(window, inside, wet, "mouth")
    tongue = ellipse(window.x, window.y - bottom - 0.012, 0.095, 0.048)
    canvas.paint(window, inside * canvas.cover(tongue), rgb(0.82, 0.33, 0.36))
    teeth = canvas.cover(window.y - top - 0.42 * gap - 0.004) * canvas.cover(np.abs(window.x) - half * 0.84)
    canvas.paint(window, inside * teeth, rgb(0.985, 0.975, 0.95))
    # the seam of closed lips fades as they part
    seam = canvas.cover(np.abs(window.y - middle) / np.sqrt(1 + slope * slope) - 0.0075) * canvas.cover(
        np.abs(window.x) - half
    )
    canvas.paint(window, 0.70 * seam * (1 - smoothstep(opened, 0.0, 0.25)), colour * rgb(0.38, 0.26, 0.28))


def _corners(portrait: Portrait, half: np.ndarray) -> None:
    """Dimples beside the corners, deeper with a smile or a frown."""
    canvas, window = portrait.canvas, portrait.features(-0.5, 0.12, 0.5, 0.72)
    level = MIDDLE - 0.061 * portrait["smile"]
    for side in (-1.0, 1.0):
        dimple = bump(window.x - side * (half + 0.022), window.y - level, 0.035, 0.05)
        canvas.shade(window, (0.25 + 0.35 * np.abs(portrait["smile"])) * dimple, rgb(0.62, 0.42, 0.42))


def lip_colour(portrait: Portrait) -> np.ndarray:
    """(N, 3, 1, 1) from nearly the skin's own colour to a bright red that is a little deeper on deep skin."""
    pale = mix(portrait.skin * rgb(0.86, 0.68, 0.66), rgb(0.80, 0.56, 0.54), 0.35)
    red = mix(rgb(0.66, 0.02, 0.12), rgb(0.87, 0.05, 0.14), luminance(portrait.skin))
    return mix(pale, red, portrait["lip-colour"])


def beard(portrait: Portrait) -> None:
    """Sideburns, moustache and chin; stubble at half strength."""
    amount = portrait["beard"]
    canvas, window = portrait.canvas, portrait.features(-0.85, -0.25, 0.85, 0.98)
    x, y = window.x, window.y
    edge = portrait.face[:, window.rows, window.columns] - 0.055 * smoothstep(amount, 0.3, 1.0) * smoothstep(
        y, 0.2, 0.6
    )
    across = (x / (0.52 * portrait.width)) ** 2
    line = 0.315 - 0.36 * across * across + 0.045 * np.cos(16 * x) * (np.abs(x) < 0.2)
    # the beard: inside the outline of the face, below the line from ears to moustache, around the lips
    cheek = (line - y) / (1 + 1.2 * np.abs(x))
    lip = -ellipse(x, y - MIDDLE - 0.055, 0.16, 0.062)
    shape = -union(-np.maximum(edge, cheek), -lip, 0.04)
    soft = (0.5 - shape / np.maximum(canvas.pixel, 0.035)).clip(0, 1)
    strands = 0.93 + 0.03 * np.sin(53 * x + 11 * y) + 0.03 * np.sin(38 * x - 29 * y + 1)
    lit = strands[:, None] * (0.72 + 0.35 * (x * portrait.light + 0.35 * (0.9 - y)))[:, None]
    colour = mix(portrait.hair, portrait.skin * 0.5, 0.15)
    canvas.paint(window, soft * smoothstep(amount, 0.0, 0.15) * (0.30 + 0.65 * amount), colour * lit, "beard")
