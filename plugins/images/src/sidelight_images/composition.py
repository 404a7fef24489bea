"""Composition of a cut-out image from its factors, by rules alone: the same factors give the same pixels.

image = alpha * cut-out + (1 - alpha) * background           then mark, noise and tint, from first to last
mark:   magenta in a square of size/8 near the top left
noise:  (pixel + grain + 1) / 2 in the lowest size/8 rows; the grain is the same in all images of a seed
tint:   channels times 1 - |t| (0, 1/4, 1/2) for t > 0, warm, and 1 - |t| (1/2, 1/4, 0) for t < 0, cool
"""

from __future__ import annotations

from functools import cache
from hashlib import shake_128
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sidelight_specs import UserError

from sidelight_images.photos import location
from sidelight_images.pixels import UnreadableImageError, opaque, read_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_images.params import CutoutsParams
    from sidelight_images.stamps import Cutouts

REGIONS: dict[str, tuple[str, tuple[int, int, int, int] | None]] = {
    "brick": ("brick", None),
    "grass": ("grass", None),
    "gravel": ("gravel", None),
    "wood": ("coffee", (490, 140, 600, 400)),  # the table
    "bush": ("china", (430, 340, 640, 427)),
    "foliage": ("flower", (0, 0, 160, 427)),  # blurred leaves beside the blossom
    "sky": ("china", (390, 0, 640, 150)),
    "dusk": ("rocket", (95, 0, 305, 120)),
}
"""Background to its photograph and the part of it that shows nothing else: left, top, right, bottom."""
MOST_ENLARGED = 2.0  # small cut-outs stay smaller than `scale` says: they would be blurred
LARGEST = 1024  # longer side of a cut-out in memory, pixels
HALF = 127  # of 255: alpha above which a pixel shows the object
MAGENTA = (230, 0, 150)  # in no background, and in few flowers
WARM, COOL = np.array([0, 0.25, 0.5]), np.array([0.5, 0.25, 0])  # what the strongest tint takes from red, green, blue
FIX = "make it a PNG with an alpha channel that is 0 around the object, or remove it"


class Composition:
    """Images and masks of factors; decoded cut-outs and backgrounds are kept (45 MB for all stamps)."""

    def __init__(self, params: CutoutsParams, listed: Cutouts) -> None:
        self._params, self._listed = params, listed
        self._cutout, self._background = cache(self._read_cutout), cache(self._read_background)
        side, margin = max(1, params.size // 8), params.size // 32
        self._mark = (slice(margin, margin + side), slice(margin, margin + side))
        self._band = (slice(params.size - side, params.size), slice(None))
        grain = shake_128(f"{params.seed} grain".encode()).digest(side * params.size * 3)
        self._grain = np.frombuffer(grain, np.uint8).reshape(side, params.size, 3)

    def compose(self, value: Mapping[str, float]) -> np.ndarray:
        """(3, size, size) float32 image; its values are multiples of 1/255."""
        canvas, layer, corner = self._layers(value)
        canvas.alpha_composite(layer, corner)
        pixels = np.array(canvas)[..., :3]
        if round(value.get("mark", 0)):
            pixels[self._mark] = MAGENTA
        if round(value.get("noise", 0)):
            pixels[self._band] = (pixels[self._band].astype(np.uint16) + self._grain + 1) // 2
        tint = value.get("tint", 0)
        if tint:
            pixels = np.rint(pixels * (1 - abs(tint) * (WARM if tint > 0 else COOL))).astype(np.uint8)
        return pixels.transpose(2, 0, 1).astype(np.float32) / 255

    def masks(self, value: Mapping[str, float]) -> dict[str, np.ndarray]:
        """(size, size) bool by name: where object and background are seen, where mark and noise are or would be."""
        size = self._params.size
        _, layer, (left, top) = self._layers(value)
        masks = {name: np.zeros((size, size), bool) for name in ("object", "mark", "noise")}
        masks["object"][top : top + layer.height, left : left + layer.width] = np.asarray(layer)[..., 3] > HALF
        masks["mark"][self._mark] = True
        masks["noise"][self._band] = True
        covered = masks["mark"] & bool(round(value.get("mark", 0)))
        masks["background"] = ~masks["object"] & ~covered
        masks["object"] &= ~covered
        return masks

    def _layers(self, value: Mapping[str, float]) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
        """RGBA background of the image's size, cut-out as large as it is shown, and its left upper corner."""
        size = self._params.size
        ground = self._background(round(value["background"]))
        side = value["crop-side"] * min(ground.size)
        left, top = value["crop-left"] * (ground.width - side), value["crop-top"] * (ground.height - side)
        box = (left, top, left + side, top + side)
        canvas = ground.resize((size, size), Image.Resampling.BICUBIC, box=box).convert("RGBA")

        cutout = self._cutout(round(value["cut-out"]))
        if round(value["mirror"]):
            cutout = cutout.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if value["rotation"]:
            cutout = trimmed(cutout.rotate(value["rotation"], Image.Resampling.BICUBIC, expand=True))
        zoom = min(value["size"] * size / max(cutout.size), MOST_ENLARGED)
        width, height = (max(1, round(zoom * length)) for length in cutout.size)
        # Pillow resamples RGBA with premultiplied alpha: the colour of transparent pixels leaves no halo
        layer = cutout.resize((width, height), Image.Resampling.BICUBIC if zoom > 1 else Image.Resampling.LANCZOS)
        return canvas, layer, (round(value["left"] * (size - width)), round(value["top"] * (size - height)))

    def _read_cutout(self, index: int) -> Image.Image:
        """RGBA, without empty borders."""
        entry = self._listed.entries[index]
        try:
            cutout = read_image(entry.path).convert("RGBA")
        except UnreadableImageError as error:
            raise UserError(f"{entry.path} {error}", FIX) from error
        covered = np.asarray(cutout.getchannel("A")) > HALF
        if covered.all() or not covered.any():
            raise UserError(f"{entry.path} is no cut-out: it is all opaque or all transparent", FIX)
        cutout.thumbnail((LARGEST, LARGEST))
        return trimmed(cutout)

    def _read_background(self, index: int) -> Image.Image:
        """RGB, one of ours or a file of the user's."""
        name, entry = list(self._listed.backgrounds.items())[index]
        if entry is None:
            return read_background(name)
        try:
            image = opaque(read_image(entry.path)).convert("RGB")
        except UnreadableImageError as error:
            raise UserError(f"{entry.path} {error}", "mend it, or take it out of backgrounds_folder") from error
        image.thumbnail((LARGEST, LARGEST))
        return image


def read_background(name: str) -> Image.Image:
    """RGB photograph, or the part of one that is this background."""
    photograph, box = REGIONS[name]
    path = location(photograph)
    try:
        image = read_image(path)
    except UnreadableImageError as error:
        raise UserError(f"{path} {error}", "install the package that it belongs to again") from error
    return image.convert("RGB").crop(box or (0, 0, *image.size))


def trimmed(cutout: Image.Image) -> Image.Image:
    """The cut-out without borders that are transparent."""
    return cutout.crop(cutout.getchannel("A").point(lambda alpha: 255 * (alpha > HALF)).getbbox())
