"""Neck, ears, the face with its light and shade, the nose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces.colours import luminance, mix, rgb
from sidelight_images.faces.shapes import bump, ellipse, rounded_box, smoothstep
from sidelight_images.names import FACE_PARTS

if TYPE_CHECKING:
    from sidelight_images.faces.pose import Portrait

SHADOW = rgb(0.60, 0.46, 0.47)
BLUSH = rgb(0.93, 0.36, 0.34)


def neck(portrait: Portrait) -> None:
    """A neck in the shadow of the chin."""
    canvas, window = portrait.canvas, portrait.window(-0.45, 0.3, 0.45, 1)
    shape = rounded_box(window.x, window.y - 0.72, 0.235 * portrait.width, 0.36, 0.10)
    lit = (0.55 + 0.9 * window.x * portrait.light + 0.75 * (window.y - 0.72)).clip(0, 1)
    canvas.paint(
        window, canvas.cover(shape), portrait.skin * mix(rgb(0.60, 0.47, 0.47), rgb(0.92, 0.86, 0.84), lit), "skin"
    )


def ears(portrait: Portrait) -> None:
    """Two ears; the one on the side that the head turns to hides behind the cheek."""
    for side in (-1.0, 1.0):
        canvas, window = portrait.canvas, portrait.window(min(side, 0.35 * side), -0.4, max(side, 0.35 * side), 0.45)
        x = window.x - side * 0.545 * portrait.width + 0.03 * portrait["yaw"]
        shape = ellipse(x, window.y - 0.03, 0.10, 0.155)
        canvas.paint(
            window, canvas.cover(shape), portrait.skin * (0.90 + 0.12 * side * portrait.light[:, None]), "skin"
        )
        hollow = bump(x - side * 0.015, window.y - 0.02, 0.075, 0.12)
        canvas.shade(window, 0.8 * hollow, rgb(0.72, 0.48, 0.46))


def face(portrait: Portrait) -> None:
    """The face as a lit dome: warm shade away from the light, a rim of shade, rosy cheeks, a highlight."""
    canvas, window = portrait.canvas, portrait.window(-0.85, -0.9, 0.85, 0.95)
    distance = portrait.face[:, window.rows, window.columns]
    depth = smoothstep(-distance, 0.0, 0.34)  # of a dome: 0 at the outline, 1 in the middle
    slope = (window.x * portrait.light * 1.25 - (window.y - 0.0) * 0.30) / portrait.width
    lit = (0.30 + 0.62 * depth + slope * (1.0 - 0.35 * depth)).clip(0, 1.15)
    canvas.paint(window, canvas.cover(distance), portrait.skin * mix(SHADOW, rgb(1.03, 1.02, 1.01), lit), "skin")
    inside = canvas.cover(distance)
    glossy = 0.20 + 0.12 * portrait["skin"]
    forehead = bump(window.x - 0.22 * portrait.light, window.y + 0.26, 0.36, 0.22)
    canvas.lighten(window, glossy * forehead * inside, mix(portrait.skin, rgb(1, 0.94, 0.86), 0.5))
    _cheeks(portrait)


def _cheeks(portrait: Portrait) -> None:
    canvas, window = portrait.canvas, portrait.features(-0.72, -0.1, 0.72, 0.6)
    inside = canvas.cover(portrait.face[:, window.rows, window.columns] + 0.01)
    strength = 0.42 - 0.22 * portrait["skin"]
    for side in (-1.0, 1.0):
        spot = bump(window.x - side * 0.31 * portrait.width, window.y - 0.20, 0.24, 0.19) * inside
        canvas.paint(window, strength * spot, mix(portrait.skin, BLUSH, 0.62))
        shine = bump(window.x - side * 0.31 * portrait.width + 0.02, window.y - 0.12, 0.13, 0.07) * inside
        canvas.lighten(
            window, (0.24 + 0.2 * side * portrait.light) * shine, mix(portrait.skin, rgb(1, 0.95, 0.9), 0.35)
        )
    chin = bump(window.x - 0.06 * portrait.light, window.y - 0.58, 0.14, 0.08) * inside
    canvas.lighten(window, 0.20 * chin, mix(portrait.skin, rgb(1, 0.95, 0.9), 0.4))


def nose(portrait: Portrait) -> None:
    """A bridge, a round tip with a highlight, nostrils, and the shade below."""
    large = portrait["nose"]
    canvas, window = portrait.canvas, portrait.features(-0.45, -0.25, 0.45, 0.42)
    x, y = window.x - 0.035 * portrait["yaw"], window.y
    wide, tip = 0.064 + 0.082 * large, 0.155 + 0.070 * large
    dark = mix(rgb(0.62, 0.42, 0.40), rgb(0.52, 0.36, 0.36), portrait["skin"])
    away = np.sign(portrait.light) * np.minimum(1, np.abs(portrait.light) * 3)  # the side in the shade
    bridge = bump(x + away * wide * 0.75, y - 0.06, 0.055 + 0.03 * large, 0.26)
    canvas.shade(window, (0.35 + 0.35 * np.abs(portrait.light)) * bridge, dark)
    canvas.shade(window, (0.50 + 0.25 * large) * bump(x, y - tip - 0.055, wide * 1.55, 0.075), dark)
    # tip, wings and nostrils
    ball = ellipse(x, y - tip, wide * 1.15, 0.062 + 0.022 * large)
    bright = mix(portrait.skin, rgb(1, 0.98, 0.95), 0.10) * (1.0 + 0.10 * (1 - portrait["skin"][:, None]))
    soft = (0.5 - ball / 0.055).clip(0, 1)
    canvas.paint(window, 0.85 * soft * smoothstep(tip + 0.075 - y, 0.0, 0.09), bright.clip(0, 1))
    for side in (-1.0, 1.0):
        wing = ellipse(x - side * wide, y - tip - 0.012, 0.036 + 0.014 * large, 0.038 + 0.014 * large)
        canvas.paint(window, 0.40 * (0.5 - wing / 0.03).clip(0, 1), portrait.skin * rgb(0.92, 0.80, 0.78))
        nostril = ellipse(x - side * wide * 0.62, y - tip - 0.045 - 0.01 * large, wide * 0.36, 0.017 + 0.010 * large)
        canvas.paint(window, 0.75 * canvas.cover(nostril), portrait.skin * rgb(0.42, 0.26, 0.26))
    gleam = bump(x - 0.35 * wide * portrait.light - 0.004, y - tip + 0.022, wide * 0.62, 0.042)
    canvas.lighten(window, (0.16 + 0.55 * luminance(portrait.skin)[:, 0]) * gleam, rgb(1, 0.97, 0.93))
    ridge = bump(x - 0.012 * away, y - 0.02, 0.035, 0.16)
    canvas.lighten(window, 0.25 * ridge, mix(portrait.skin, rgb(1, 0.96, 0.9), 0.4))
    # light and shade belong to no part, so the mask is the silhouette
    owner = canvas.owner[:, window.rows, window.columns]
    owner[(ellipse(x, y - tip + 0.03, wide * 1.45, 0.125 + 0.03 * large) < 0)] = FACE_PARTS.index("nose")
