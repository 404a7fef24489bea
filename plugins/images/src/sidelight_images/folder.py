"""Your own images: a folder with one sub-folder for each class."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import Data

from sidelight_images.facts import folder_fingerprint
from sidelight_images.listing import SPLITS, Entry, Listing, choose, list_folder
from sidelight_images.reader import ImageReader, source_files, warn_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Split

    from sidelight_images.params import FolderParams


class Folder(Data):
    """Images in one sub-folder for each class, or without labels. The class names are those of the sub-folders.

    A file is read when its image is indexed.
    """

    def __init__(self, params: FolderParams, *, run: Run) -> None:
        self._params = params
        self._run = run
        # functions that remember, and no attributes: the guard of a run looks through these around every step
        self._listing, self._chosen = cache(self._list), cache(self._choose)

    @property
    def splits(self) -> tuple[str, ...]:
        """`train`, `test` and `all`, as far as the folder fills them."""
        filled = {split for split in SPLITS if self._chosen(split)}
        return tuple(split for split in (*SPLITS, "all") if split in filled or split == "all")

    def split(self, name: str) -> Split:
        """The image files of a split, unread."""
        if name not in self.splits:
            raise UserError(
                f'there is no split "{name}" in {self._params.path}', f"use one of: {', '.join(self.splits)}"
            )
        chosen = self._chosen(name)
        if len(chosen) > self._params.limit:
            self._run.warn(f"{self._params.path}: {self._params.limit} of {len(chosen)} images are used; see `limit`")
        return self._reader.split(chosen[: self._params.limit], self._listing().classes)

    def source_files(self, ids: Sequence[str]) -> dict[str, Path]:
        """The image files themselves."""
        return source_files(self._listing().entries, ids)

    def fingerprint(self) -> str:
        """A hash over path, size and time of change of every image."""
        return folder_fingerprint(self._listing().entries)

    def _list(self) -> Listing:
        folder = Path(self._params.path).expanduser()
        try:
            listing = list_folder(folder)
        except OSError as error:
            raise UserError(f"{folder} cannot be read: {error}", "make it readable, or name another `path`") from error
        if listing.passed_over:
            warn_of(self._run, f"passed over in {folder}, not images of a class", listing.passed_over)
        return listing

    @cached_property
    def _reader(self) -> ImageReader:
        return ImageReader(self._params, self._run, self._params.path, lambda: self._listing().entries)

    def _choose(self, split: str) -> tuple[Entry, ...]:
        return choose(self._listing(), split, self._params.test_share, self._params.seed)
