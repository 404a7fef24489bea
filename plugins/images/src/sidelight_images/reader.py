"""Reading of image files into lazy splits, for `images/folder` and `images/files`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.lazy import BrokenImageError, LazyImages
from sidelight_specs.results import Split, State

from sidelight_images.facts import image_shape, printable
from sidelight_images.pixels import UnreadableImageError, read_pixels, unstated_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sidelight_specs import Run

    from sidelight_images.listing import Entry
    from sidelight_images.params import FilesParams, FolderParams

NAMED_AT_MOST = 10  # files in one warning
FULL_DEPTH = 16  # bits of an image that fills its file


class ImageReader:
    """Reads the files of a listing when their images are indexed.

    Args:
        params: size, crop, mode, bit depth, and what happens to files that cannot be read.
        run: of the data.
        place: what the files are called together in messages: `photos/`.
        every: gives all files of the data; those among them whose bit depth no tag states share one.
    """

    def __init__(
        self, params: FolderParams | FilesParams, run: Run, place: str, every: Callable[[], Sequence[Entry]]
    ) -> None:
        self._params, self._run, self._place, self._every = params, run, place, every
        shape = image_shape(params)
        if shape is None:
            fix = "set `size`, such as size: 224; in a recipe it follows a classifier that is not trained on them"
            raise UserError(f"{place}: the size of the images is open", fix)
        self._shape = shape

    def split(self, entries: Sequence[Entry], classes: Sequence[str]) -> Split:
        """Unread images of some files; labels are indices into `classes`, where there are any."""
        images: Any = LazyImages(  # stands for an array
            (len(entries), *self._shape),
            lambda row: self._image(entries[row]),
            left_out=self._name_broken,
            progress=self._run.progress,
        )
        labels = np.array([classes.index(entry.label) for entry in entries], dtype=np.int64) if classes else None
        ids = tuple(printable(entry.relative) for entry in entries)
        return Split(images=images, labels=labels, class_names=tuple(map(printable, classes)), ids=ids)

    def _image(self, entry: Entry) -> np.ndarray:
        """(C, H, W) float32 in [0, 1]."""
        guesses = list[int]()
        try:
            pixels = self._pixels(entry, self._params.bit_depth, guesses)
            if guesses and guesses[0] != self._shared_bits:
                pixels = self._pixels(entry, self._shared_bits, guesses)
        except UnreadableImageError as error:
            message = f"{self._place}: {entry.relative} {error}"
            if self._params.on_error == "refuse":
                raise UserError(message, "mend or remove it, or set on_error: skip") from error
            raise BrokenImageError(message, "mend or remove the file") from error
        return pixels.astype(np.float32) / 255

    def _pixels(self, entry: Entry, bits: int, guesses: list[int]) -> np.ndarray:
        params = self._params
        share = 1.0 if params.crop_share is None else params.crop_share
        crop, mode, size = params.crop or "center", params.mode or "rgb", self._shape[1:]
        return read_pixels(entry.path, size, crop, share, mode, bits, guesses.append)

    @cached_property
    def _shared_bits(self) -> int:
        """One number of bits, the largest, for all files that do not state theirs: dark ones stay dark."""
        return int(self._run.cached("bit depth", self._measure_bits).settings["bits"])

    def _measure_bits(self) -> State:
        guesses: dict[str, int] = {}
        for entry in self._run.progress(self._every(), "measuring bit depth"):
            bits = unstated_bits(entry.path)
            if bits:
                guesses[entry.relative] = bits
        bits = max(guesses.values(), default=FULL_DEPTH)
        if bits < FULL_DEPTH:
            warn_of(
                self._run,
                f"{self._place}: read as {bits} bits a value, by the largest, as these files do not say it (set "
                "bit_depth)",
                list(guesses),
            )
        return State(arrays={}, settings={"bits": str(bits)})

    def _name_broken(self, errors: Iterable[BrokenImageError]) -> None:
        prefix = f"{self._place}: "
        warn_of(self._run, f"left out of {self._place}", [error.message.removeprefix(prefix) for error in errors])


def source_files(entries: Iterable[Entry], ids: Iterable[str]) -> dict[str, Path]:
    """The files of images by their ids in a split."""
    wanted = set(ids)
    named = ((printable(entry.relative), entry.path) for entry in entries)
    return {name: path for name, path in named if name in wanted}


def warn_of(run: Run, problem: str, names: Sequence[str]) -> None:
    """One warning that names the first files."""
    named = "; ".join(names[:NAMED_AT_MOST])
    more = f"; and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    run.warn(printable(f"{problem}: {named}{more}"))
