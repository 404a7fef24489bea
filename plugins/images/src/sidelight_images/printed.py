"""Crops of real photographs, some with a printed character in a corner: a cause that is known to decide.

The story of Li Fuxin et al. 2021, section 3.2: a network that was to find COVID-19 in X-ray images looked at a
character printed in the corner. Here the character alone makes the class, whatever the photograph shows.

With `first_photos` and `second_photos` the photograph is the class, and the character only goes with it: in all images
(`agreement` 1), as in data from two hospitals of which one prints a character, or independently of it (0.5), which is
the clean twin. Training images are cut from the left half of each photograph, test images from the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.facts import printed_mistakes
from sidelight_images.names import CONTENT_CLASSES, PRINTED_CLASSES
from sidelight_images.photos import location
from sidelight_images.pixels import read_pixels

if TYPE_CHECKING:
    from sidelight_specs import Run

    from sidelight_images.params import PrintedParams

DETAIL = 2  # times the size of a crop at which photographs are read: crops of half their side are not enlarged
MARGIN = 0.02  # distance of the character from the border, as a share of the image's side


class Printed(Data):
    """Crops, every second of the second class, so that both classes are as frequent."""

    def __init__(self, params: PrintedParams, *, run: Run) -> None:
        self._params = params
        self._run = run

    @property
    def splits(self) -> tuple[str, ...]:
        """`train`, and `test` from other photographs, or from other halves of the same."""
        return ("train", "test")

    def split(self, name: str) -> Split:
        """(N, 3, size, size) crops with the mask `character`, empty where there is none.

        Raises:
            UserError: there is no such split, no photograph is named for it, or one is in both.
        """
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        for mistake in printed_mistakes(self._params):
            raise UserError(mistake.message, mistake.fix)
        photographs = self._photographs(name)
        classes = CONTENT_CLASSES if self._params.by_photograph else PRINTED_CLASSES
        rng, agreement = self._run.rng(f"crops {name}"), self._run.rng(f"agreement {name}")
        count = self._params.train if name == "train" else self._params.test
        labels = np.arange(count) % len(classes)
        printed = np.where(agreement.random(count) < self._params.agreement, labels, 1 - labels)
        size = self._params.size
        images, masks = np.empty((count, 3, size, size), np.float32), np.zeros((count, size, size), bool)
        for row, label in enumerate(labels):
            crop = random_crop(photographs[label][rng.integers(len(photographs[label]))], size, rng)
            # a stream of its own for each place, so that twins of another agreement have the same crops
            place = self._run.rng(f"place {name} {row}") if self._params.by_photograph else rng
            mask = self._print(crop, place) if printed[row] else None
            images[row] = np.asarray(crop, np.float32).transpose(2, 0, 1) / 255
            masks[row] = False if mask is None else mask
        ids = tuple(f"{name}-{row}-{classes[label]}" for row, label in enumerate(labels))
        return Split(images=images, labels=labels, class_names=classes, ids=ids, masks={"character": masks})

    def _photographs(self, split: str) -> tuple[list[Image.Image], list[Image.Image]]:
        """Photographs that images of each class are cut from: all of the split's, or its half of the class's."""
        if self._params.by_photograph:
            first, second = (
                [half(photograph, split == "train") for photograph in self._read(names, 2 * DETAIL)]
                for names in (self._params.first_photos, self._params.second_photos)
            )
            return first, second
        both = self._read(self._params.train_photos if split == "train" else self._params.test_photos, DETAIL)
        return both, both

    def _read(self, names: tuple[str, ...], detail: int) -> list[Image.Image]:
        side = detail * self._params.size
        return [
            Image.fromarray(read_pixels(location(name), side, "center", 1.0, "rgb").transpose(1, 2, 0))
            for name in names
        ]

    def _print(self, crop: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """White with a black edge, in the upper right corner, a little off at random; the mask (H, W) of its pixels."""
        height, size = self._params.height, self._params.size
        font = ImageFont.load_default(height)
        right, top = size * (1 - MARGIN) - rng.uniform(0, height / 3), size * MARGIN + rng.uniform(0, height / 3)
        mask = Image.new("L", crop.size)
        edge = max(1, height // 12)
        text, corner = self._params.character, (right, top)
        ImageDraw.Draw(crop).text(corner, text, "white", font, anchor="rt", stroke_width=edge, stroke_fill="black")
        ImageDraw.Draw(mask).text(corner, text, 255, font, anchor="rt", stroke_width=edge, stroke_fill=255)
        inside: np.ndarray = np.asarray(mask) > 0
        return inside


def half(photograph: Image.Image, left: bool) -> Image.Image:
    """The left or the right half."""
    middle = photograph.width // 2
    return photograph.crop((0, 0, middle, photograph.height) if left else (middle, 0, *photograph.size))


def random_crop(photograph: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """A square of half to all of the photograph's side, anywhere, mirrored or not, at size x size."""
    side = rng.uniform(0.5, 1) * min(photograph.size)
    left, top = (rng.uniform(0, length - side) for length in photograph.size)
    box = (left, top, left + side, top + side)
    crop = photograph.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop
