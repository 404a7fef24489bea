"""Image files that you name: paths, patterns and folders, in the order in which they are given."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.roles import Data

from sidelight_images.facts import folder_fingerprint
from sidelight_images.listing import SPLIT
from sidelight_images.live import labels_of
from sidelight_images.paths import Paths, list_paths
from sidelight_images.reader import ImageReader, source_files, warn_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import Run
    from sidelight_specs.results import Split

    from sidelight_images.params import FilesParams

TOGETHER = "the images"


class Files(Data):
    """All files in one split. A file is read when its image is indexed."""

    def __init__(self, params: FilesParams, *, run: Run) -> None:
        self._params = params
        self._run = run
        self._listed = cache(self._list)  # no attribute: the guard of a run looks through these around every step

    @property
    def splits(self) -> tuple[str, ...]:
        """`all`."""
        return (SPLIT,)

    def split(self, name: str) -> Split:
        """The image files, unread."""
        if name != SPLIT:
            raise UserError(f'there is no split "{name}"', f"use {SPLIT}")
        split = self._reader.split(self._listed().entries, self._listed().classes)
        labels, names = labels_of(self._params.labels, self._params.classes or self._listed().classes, len(split))
        return split if labels is None else attrs.evolve(split, labels=labels, class_names=names)

    def source_files(self, ids: Sequence[str]) -> dict[str, Path]:
        """The image files themselves."""
        return source_files(self._listed().entries, ids)

    def fingerprint(self) -> str:
        """A hash over path, size and time of change of every image."""
        return folder_fingerprint(self._listed().entries)

    def _list(self) -> Paths:
        listed = list_paths(self._params.all_paths)
        if listed.mistakes:
            raise UserError(listed.mistakes[0].message, listed.mistakes[0].fix)
        if not listed.entries:
            raise UserError("no image is named", "name files, patterns or folders with `paths`")
        if listed.passed_over:
            warn_of(self._run, "passed over, not images by their names", listed.passed_over)
        return listed

    @cached_property
    def _reader(self) -> ImageReader:
        return ImageReader(self._params, self._run, TOGETHER, lambda: self._listed().entries)
