"""A folder of images at a glance: how many, of which classes and sizes. No pixel is read."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.descriptors import DataDescriptor

from sidelight_start.models import params_of

if TYPE_CHECKING:
    from sidelight_specs.host import Host

USE = "images/folder"
SAMPLE = 40  # files whose headers are read for their size
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}


@attrs.frozen(kw_only=True)
class Folder:
    """Contents of a folder of images.

    Args:
        path: as the user named it.
        images: how many there are.
        train: how many of them a generator learns from; None where it is not known.
        classes: names of the sub-folders that hold them; empty without.
        side: median of the shorter sides of some images, in pixels; None where none could be read.
        grey: none of these is coloured.
    """

    path: str
    images: int
    train: int | None
    classes: tuple[str, ...]
    side: int | None
    grey: bool

    @property
    def learned(self) -> int:
        """Images that a generator learns from, at a guess four fifths."""
        return self.train if self.train is not None else round(0.8 * self.images)

    def described(self) -> str:
        """`2,520 images of 224 px, 2 classes (bird, mammal)`."""
        size = "" if self.side is None else f" of {self.side} px"
        names = ", ".join(self.classes[:4]) + (", ..." if len(self.classes) > 4 else "")
        return f"{self.images:,} images{size}, " + (f"{len(self.classes)} classes ({names})" if names else "no classes")


def look_at(path: str, host: Host) -> Folder:
    """Look at a folder, as `images/folder` would read it.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "a file" if root.exists() else "not there"
        raise UserError(f"{path} is no folder: it is {what}", "name a folder of images with --images")
    (found,) = host.find(USE, "data")
    assert isinstance(found.descriptor, DataDescriptor), "the role was asked for"
    facts = found.descriptor.facts(params_of(found.descriptor.params, {"path": path}, USE))
    splits = facts.splits or {}
    sizes, grey = _headers(root)
    images = splits.get("all") or sum(count for name, count in splits.items() if name in ("train", "test") and count)
    if not images:
        raise UserError(f"{path} holds no images", "put images, or one sub-folder of them for each class, into it")
    return Folder(
        path=path,
        images=images,
        train=splits.get("train"),
        classes=facts.classes or (),
        side=round(median(sizes)) if sizes else None,
        grey=grey,
    )


def _headers(root: Path) -> tuple[list[int], bool]:
    """Shorter sides of some images, by their headers; and whether none is coloured."""
    from PIL import Image

    files = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES)
    paths = list(files)
    sides, modes = [], set()
    for path in paths[:: max(1, len(paths) // SAMPLE)]:
        try:
            with Image.open(path) as image:  # reads the header alone
                sides.append(min(image.size))
                modes.add(image.mode)
        except (OSError, Image.DecompressionBombError):  # `images/folder` names those that it cannot read
            continue
    return sides, bool(modes) and modes <= {"L", "1", "LA", "I", "I;16"}
