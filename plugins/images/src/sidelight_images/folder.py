"""Your own images: a folder with one sub-folder for each class."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.facts import folder_fingerprint
from sidelight_images.listing import SPLITS, Entry, Listing, choose, list_folder
from sidelight_images.pixels import UnreadableImageError, read_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sidelight_specs import Run

    from sidelight_images.params import FolderParams

NAMED_AT_MOST = 10  # files in one warning
FULL_DEPTH = 16  # bits of an image that fills its file


class Folder(Data):
    """Images in one sub-folder for each class, or without labels. The class names are those of the sub-folders."""

    def __init__(self, params: FolderParams, *, run: Run) -> None:
        self._params = params
        self._run = run

    @property
    def splits(self) -> tuple[str, ...]:
        """`train`, `test` and `all`, as far as the folder fills them."""
        filled = {split for split in SPLITS if self._chosen(split)}
        return tuple(split for split in (*SPLITS, "all") if split in filled or split == "all")

    def split(self, name: str) -> Split:
        """The readable images of a split; a warning names those left out."""
        if name not in self.splits:
            raise UserError(
                f'there is no split "{name}" in {self._params.path}', f"use one of: {', '.join(self.splits)}"
            )
        chosen = self._chosen(name)
        if len(chosen) > self._params.limit:
            self._run.warn(f"{self._params.path}: {self._params.limit} of {len(chosen)} images are used; see `limit`")
        entries, images = self._read(chosen[: self._params.limit])
        classes = self._listing.classes
        labels = np.array([classes.index(entry.label) for entry in entries], dtype=np.int64) if classes else None
        ids = tuple(printable(entry.relative) for entry in entries)
        return Split(images=images, labels=labels, class_names=tuple(map(printable, classes)), ids=ids)

    def fingerprint(self) -> str:
        """A hash over path, size and time of change of every image."""
        return folder_fingerprint(self._listing)

    @cached_property
    def _listing(self) -> Listing:
        folder = Path(self._params.path).expanduser()
        try:
            listing = list_folder(folder)
        except OSError as error:
            raise UserError(f"{folder} cannot be read: {error}", "make it readable, or name another `path`") from error
        if listing.passed_over:
            self._warn(f"passed over in {folder}, not images of a class", listing.passed_over)
        return listing

    def _chosen(self, split: str) -> tuple[Entry, ...]:
        return choose(self._listing, split, self._params.test_share, self._params.seed)

    def _read(self, entries: Sequence[Entry]) -> tuple[list[Entry], np.ndarray]:
        readable: list[Entry] = []
        pixels: list[np.ndarray] = []
        broken: list[str] = []
        guesses: dict[int, int] = {}
        for entry in self._run.progress(entries, "reading images"):
            try:
                pixels.append(self._pixels(entry, self._params.bit_depth, partial(guesses.setdefault, len(readable))))
                readable.append(entry)
            except UnreadableImageError as error:
                broken.append(f"{entry.relative} {error}")
                if self._params.on_error == "refuse":
                    raise UserError(
                        f"{self._params.path}: {broken[0]}", "mend or remove it, or set on_error: skip"
                    ) from error
        self._settle_depths(readable, pixels, guesses)
        if not readable:
            raise UserError(f"{self._params.path}: no image could be read; {broken[0]}", "mend the files")
        if broken:
            self._warn(f"left out of {self._params.path}", broken)
        return readable, np.stack(pixels).astype(np.float32) / 255

    def _pixels(self, entry: Entry, bits: int, guessed: Callable[[int], object]) -> np.ndarray:
        options = (self._params.size, self._params.crop, self._params.crop_share, self._params.mode)
        return read_pixels(entry.path, *options, bits, guessed)

    def _settle_depths(self, entries: Sequence[Entry], pixels: list[np.ndarray], guesses: Mapping[int, int]) -> None:
        """One number of bits, the largest, for all pictures that do not say theirs: dark ones stay dark."""
        if not guesses:
            return
        bits = max(guesses.values())
        for row, guess in guesses.items():
            if guess != bits:
                pixels[row] = self._pixels(entries[row], bits, lambda _: None)
        if bits < FULL_DEPTH:
            self._warn(
                f"{self._params.path}: read as {bits} bits a value, by the largest, as these files do not say it (set "
                "bit_depth)",
                [entries[row].relative for row in guesses],
            )

    def _warn(self, problem: str, names: Sequence[str]) -> None:
        named = "; ".join(names[:NAMED_AT_MOST])
        more = f"; and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
        self._run.warn(printable(f"{problem}: {named}{more}"))


def printable(text: str) -> str:
    """The text without the stray bytes that a file name may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
