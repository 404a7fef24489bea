"""Photographs that come with scikit-image and scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.packages import package_file
from sidelight_images.pixels import IMAGENET_SHARE, UnreadableImageError, read_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import Run

    from sidelight_images.params import PhotosParams

IN_SKIMAGE = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "motorcycle": "motorcycle_left.png",
    "motorcycle-right": "motorcycle_right.png",
    "rocket": "rocket.jpg",
}
IN_SKLEARN = {"china": "china.jpg", "flower": "flower.jpg"}


class Photos(Data):
    """A handful of photographs without labels, in colour; grey ones get three equal channels."""

    def __init__(self, params: PhotosParams, *, run: Run) -> None:
        self._params = params
        self._run = run

    @property
    def splits(self) -> tuple[str, ...]:
        """`test`: there is nothing to learn from."""
        return ("test",)

    def split(self, name: str) -> Split:
        """(N, 3, size, size), one row for each name, or for each name and share."""
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', "use the split test; photos cannot train anything")
        if not self._params.names:
            raise UserError("names: no photograph is named", "name some, or leave `names` out")
        cuts = [(name, share) for name in self._params.names for share in self._params.shares or (None,)]
        images = np.stack([self._pixels(name, share) for name, share in cuts])
        ids = tuple(image for name in self._params.names for image in self._ids(name))
        return Split(images=images.astype(np.float32) / 255, ids=ids)

    def source_files(self, ids: Sequence[str]) -> dict[str, Path]:
        """The photographs in their packages."""
        names = {image: name for image in ids for name in self._params.names if image in self._ids(name)}
        return {image: location(name) for image, name in names.items()}

    def _ids(self, name: str) -> tuple[str, ...]:
        """Of the images of one photograph."""
        return tuple(f"{name}, {share:.0%}" for share in self._params.shares) or (name,)

    def _pixels(self, name: str, share: float | None) -> np.ndarray:
        path = location(name)
        crop, side = (self._params.crop, IMAGENET_SHARE) if share is None else ("center", share)
        try:
            return read_pixels(path, self._params.size, crop, side, "rgb")
        except UnreadableImageError as error:
            raise UserError(f"{path} {error}", "install the package that it belongs to again") from error


def location(name: str) -> Path:
    """The file of a photograph. Raises a UserError that names the package to install."""
    if name in IN_SKLEARN:
        return package_file("sklearn", "scikit-learn", f"datasets/images/{IN_SKLEARN[name]}")
    return package_file("skimage", "scikit-image", f"data/{IN_SKIMAGE[name]}")
