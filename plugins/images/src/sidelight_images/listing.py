"""Listing of a folder: image files, their classes and splits."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError

from sidelight_images.order import interleaved, uniform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_CLASS = ""
SPLITS = ("train", "test")
SPLIT = "all"  # the one split of images that are named or held
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
"""Of the files that count as images."""


@attrs.frozen
class Entry:
    """One image file.

    Args:
        path: where it is.
        relative: path below the data set's folder, with forward slashes; what hashes and names are made of.
        split: `"train"` or `"test"` where its folder says so; else empty.
        label: the class's name; empty in a folder without classes.
    """

    path: Path
    relative: str
    split: str
    label: str


@attrs.frozen
class Listing:
    """Images and classes of a folder.

    Args:
        entries: images, sorted by path.
        classes: class names, sorted; empty where the images have no labels.
        passed_over: files that are no images by their name, and empty class folders.
        complete: false where the folder holds more files than were listed.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    passed_over: tuple[str, ...]
    complete: bool = True


def list_folder(folder: Path, most: int | None = None) -> Listing:
    """Walk through a folder.

    Links to files and to class folders are followed, links to folders further down are not. Names that start
    with a dot do not count.

    Args:
        folder: what is listed.
        most: stop after so many files.

    Raises:
        UserError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        fix = "name a folder of images with `path`; images/files takes files and patterns"
        raise UserError(f"{folder} is no folder", fix)
    named_splits = [name for name in SPLITS if (folder / name).is_dir()]
    entries: list[Entry] = []
    passed_over: list[str] = []
    files = ((split, *file) for split in named_splits or [""] for file in _labelled(folder / split, passed_over))
    for split, label, path in islice(files, most):
        relative = path.relative_to(folder).as_posix()
        if path.suffix.lower() in SUFFIXES:
            entries.append(Entry(path, relative, split, label))
        else:
            passed_over.append(relative)
    complete = most is None or next(files, None) is None
    if complete and not entries:
        raise UserError(
            f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})",
            "put one sub-folder of images for each class into it, or images alone",
        )
    classes = sorted({entry.label for entry in entries} - {NO_CLASS})
    entries.sort(key=lambda entry: entry.relative)
    return _without_strays(entries, tuple(classes), passed_over, complete)


def _labelled(folder: Path, passed_over: list[str]) -> Iterator[tuple[str, Path]]:
    """Class name and path of every file below `folder`."""
    for child in sorted(folder.iterdir()):
        if child.name.startswith("."):
            continue
        if not child.is_dir():
            yield NO_CLASS, child
            continue
        empty = True
        for parent, folders, names in os.walk(child):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in names:
                if not name.startswith("."):
                    empty = False
                    yield child.name, Path(parent) / name
        if empty:
            passed_over.append(f"{child.name}/ (an empty folder)")


def _without_strays(
    entries: Sequence[Entry], classes: tuple[str, ...], passed_over: list[str], complete: bool
) -> Listing:
    """The listing without images beside the class folders, which belong to no class."""
    strays = [entry for entry in entries if classes and entry.label == NO_CLASS]
    passed_over += [entry.relative for entry in strays]
    labelled = tuple(entry for entry in entries if entry not in strays)
    return Listing(labelled, classes, tuple(sorted(passed_over)), complete)


def choose(listing: Listing, split: str, test_share: float, seed: int) -> tuple[Entry, ...]:
    """The entries of one split (`"all"` for every one), classes taking turns.

    Where no sub-folder says it, an image belongs to the test split if the hash of its path falls below
    `test_share`: adding images moves none that were there before.
    """
    import numpy as np  # a listing alone does without

    entries = listing.entries
    keys = uniform(seed, [entry.relative for entry in entries])
    labels = np.array([listing.classes.index(entry.label) if entry.label else 0 for entry in entries])
    wanted = [
        split == "all" or (entry.split or ("test" if key < test_share else "train")) == split
        for entry, key in zip(entries, keys, strict=True)
    ]
    return tuple(entries[row] for row in interleaved(labels, keys) if wanted[row])
