"""Photographs of things, cut out and laid on photographed backgrounds: objects whose pixels are known.

image = alpha * cut-out + (1 - alpha) * background, from ten factors, so that any one of them can be changed alone. No
cut-out is in two splits. `aligned` ties a background to a class, the shortcut of Beery et al. 2018 (cows on beaches)
and Sagawa et al. 2020 (waterbirds on water).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from sidelight_specs import SidelightError, UserError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.facts import folder_fingerprint
from sidelight_images.order import hash_uniform
from sidelight_images.photos import location
from sidelight_images.pixels import UnreadableImageError, read_image
from sidelight_images.stamps import FACTORS, MASK, background_of, list_cutouts, split_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Run

    from sidelight_images.params import CutoutsParams

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
SMALLEST_CROP = 0.5  # of a background's short side
MOST_ENLARGED = 2.0  # small cut-outs stay smaller than `scale` says: they would be blurred
LARGEST = 1024  # longer side of a cut-out in memory, pixels
FIX = "make it a PNG with an alpha channel that is 0 around the object, or remove it"
HALF = 127  # of 255: alpha above which a pixel shows the object


class CutoutImages(Data):
    """Images composed when they are indexed; decoded cut-outs and backgrounds are kept (45 MB for all stamps)."""

    def __init__(self, params: CutoutsParams, *, run: Run) -> None:
        self._params, self._run = params, run
        # functions that remember, and no attributes: the guard of a run looks through these around every step
        self._listed = cache(lambda: list_cutouts(params))
        self._cutout, self._background = cache(self._read_cutout), cache(read_background)

    @property
    def splits(self) -> tuple[str, ...]:
        """`train`, `validation`, `test`; with `aligned` also `test-decorrelated` and `test-conflicting`."""
        return tuple(split_sizes(self._params))

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """`cut-out` and `background` are numbers of a list, the rest are measures (`docs/images.md`)."""
        rotation, scale = self._params.rotation, self._params.scale
        return {
            **dict.fromkeys(FACTORS, (0.0, 1.0)),
            "cut-out": (0.0, len(self._listed().entries) - 1.0),
            "background": (0.0, len(self._params.backgrounds) - 1.0),
            "crop-side": (SMALLEST_CROP, 1.0),
            "rotation": (-rotation, rotation),
            "size": (scale[0], scale[1]),
        }

    def split(self, name: str) -> Split:
        """(N, 3, size, size) images, unread; the mask `object` where nothing is trained."""
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        listed, params = self._listed(), self._params
        labels, factors = self._draw(name)
        table = self._table(factors)
        images: Any = LazyImages(  # stands for an array
            (len(table), 3, params.size, params.size),
            lambda row: self._compose(table[row])[0],
            progress=self._run.progress,
        )
        cutouts, grounds = factors["cut-out"].astype(int), factors["background"].astype(int)
        ids = tuple(
            f"{name}-{row}-{listed.entries[cutout].path.stem}-on-{params.backgrounds[ground]}"
            for row, (cutout, ground) in enumerate(zip(cutouts, grounds, strict=True))
        )
        masks = {}
        if name != "train":
            masks[MASK] = np.array([self._compose(row)[1] for row in table])
        return Split(images=images, labels=labels, class_names=listed.classes, ids=ids, factors=factors, masks=masks)

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 3, size, size) float32 images of these factors, each name to (N,); values are clipped to their ranges.

        Raises:
            SidelightError: a factor is missing, unknown or not finite.
        """
        return np.array([self._compose(row)[0] for row in self._table(factors)])

    def fingerprint(self) -> str:
        """Paths, sizes and times of change of the cut-outs."""
        return folder_fingerprint(self._listed().entries)

    def _draw(self, split: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(N,) labels and factors; classes take turns, and so do the cut-outs of a class.

        An image depends on its number, its split and the seed alone. Test splits differ in their backgrounds only.
        """
        params, listed = self._params, self._listed()
        objects = split.split("-")[0]  # of test-conflicting those of test
        members = listed.rows[objects]
        ranges = self.factor_ranges
        factors = {name: np.empty(split_sizes(params)[split], np.float32) for name in FACTORS}
        labels = np.arange(len(factors["size"])) % len(members)
        for row, label in enumerate(labels.tolist()):

            def number(name: str, row: int = row) -> float:
                return hash_uniform(params.seed, f"{objects}-{row} {name}")

            ground = background_of(params, split, listed.classes[label], number("tie"), number("background"))
            cutouts = members[label]
            drawn = {name: low + number(name) * (high - low) for name, (low, high) in ranges.items()} | {
                "cut-out": cutouts[row // len(members) % len(cutouts)],
                "background": params.backgrounds.index(ground),
                "mirror": round(number("mirror")),
            }
            for name, value in drawn.items():
                factors[name][row] = value
        return labels.astype(np.int64), factors

    def _table(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 10) float32 in the order of `FACTORS`, clipped to their ranges."""
        if set(factors) != set(FACTORS):
            wrong = ", ".join(sorted(set(factors) ^ set(FACTORS)))
            raise SidelightError(f"images/cutouts: missing or unknown factors: {wrong}")
        table = np.stack([np.asarray(factors[name], np.float32) for name in FACTORS], axis=1)
        if not np.isfinite(table).all():
            raise SidelightError("images/cutouts: factors must be finite numbers")
        low, high = np.array([self.factor_ranges[name] for name in FACTORS], np.float32).T
        clipped: np.ndarray = table.clip(low, high)
        return clipped

    def _compose(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(3, size, size) float32 image and (size, size) bool mask of the object, from its ten factors."""
        size = self._params.size
        value = dict(zip(FACTORS, row.tolist(), strict=True))
        ground = self._background(self._params.backgrounds[round(value["background"])])
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
        corner = (round(value["left"] * (size - width)), round(value["top"] * (size - height)))
        canvas.alpha_composite(layer, corner)

        mask = np.zeros((size, size), bool)
        mask[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = np.asarray(layer)[..., 3] > HALF
        pixels = np.asarray(canvas)[..., :3].transpose(2, 0, 1)
        return pixels.astype(np.float32) / 255, mask

    def _read_cutout(self, index: int) -> Image.Image:
        """RGBA, without empty borders."""
        entry = self._listed().entries[index]
        try:
            cutout = read_image(entry.path).convert("RGBA")
        except UnreadableImageError as error:
            raise UserError(f"{entry.path} {error}", FIX) from error
        covered = np.asarray(cutout.getchannel("A")) > HALF
        if covered.all() or not covered.any():
            raise UserError(f"{entry.path} is no cut-out: it is all opaque or all transparent", FIX)
        cutout.thumbnail((LARGEST, LARGEST))
        return trimmed(cutout)


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
