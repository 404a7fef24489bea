"""Images of a split that are read when they are indexed, so that memory follows the images asked for."""

from __future__ import annotations

import hashlib
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from sidelight_specs.errors import SidelightError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_DIGEST_SIZE = 32  # bytes


class BrokenImageError(UserError):
    """An image that cannot be read: indexing raises it, reading many leaves the image out."""


class LazyImages:
    """Stands for a (N, C, H, W) float32 array in [0, 1] whose images are read when they are indexed, and not kept.

    `images[3]`, `images[2:8]`, `images[[5, 1]]`, `images[mask]` and `images[rows, 0]` read the rows that they name and
    give arrays; `numpy.asarray(images)` and `images[:]` read all. torch takes no stand-in: `torch.from_numpy` gets
    `split.read().images`.

    Args:
        shape: (N, C, H, W).
        read: row to its (C, H, W) float32 image in [0, 1]. Raises a `BrokenImageError` where it cannot be read.
        left_out: told the errors of the images that `read` left out.
        progress: as `Run.progress`, around the rows of `read`.
        rows: (M,) rows of the source that these images are; all N when None.
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(
        self,
        shape: Sequence[int],
        read: Callable[[int], np.ndarray],
        *,
        left_out: Callable[[list[BrokenImageError]], None] = lambda _: None,
        progress: Callable[[Iterable[int], str, int], Iterable[int]] = lambda rows, *_: rows,
        rows: np.ndarray | None = None,
    ) -> None:
        self._rows = np.arange(shape[0]) if rows is None else rows
        self.shape = (len(self._rows), *shape[1:])
        self._read, self._left_out, self._progress = read, left_out, progress

    @property
    def size(self) -> int:
        """The number of values."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._image(row) for row in self._rows.tolist())

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is None or first is Ellipsis or any(not isinstance(one, int | slice | EllipsisType) for one in rest):
            whole: np.ndarray = self[:][key]
            return whole
        rows = self._rows[first]
        if rows.ndim == 0:
            image: np.ndarray = self._image(int(rows))[tuple(rest)]
            return image
        images = np.empty((rows.size, *self.shape[1:]), self.dtype)
        for index, row in enumerate(rows.ravel().tolist()):
            images[index] = self._image(row)
        images = images.reshape(*rows.shape, *self.shape[1:])
        return images[(slice(None),) * rows.ndim + tuple(rest)] if rest else images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("lazy images are read into a new array")
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<LazyImages {self.shape}, read when indexed>"

    def pick(self, rows: Sequence[int]) -> LazyImages:
        """The images of some rows, still unread."""
        picked = self._rows[np.asarray(rows, dtype=np.int64)]
        return LazyImages(self.shape, self._read, left_out=self._left_out, progress=self._progress, rows=picked)

    def read(self, rows: Iterable[int] | None = None, count: int | None = None) -> tuple[list[int], np.ndarray]:
        """The readable ones of some rows, in their order.

        Args:
            rows: all when None.
            count: enough of them; the rest is not looked at.

        Returns:
            the rows that were read, and their (n, C, H, W) images.

        Raises:
            BrokenImageError: none of them can be read.
        """
        broken = list[BrokenImageError]()
        wanted = list(range(len(self)) if rows is None else rows)
        kept, images = self._fill(wanted, len(wanted) if count is None else min(count, len(wanted)), broken)
        self._tell(broken, len(kept))
        return kept, images

    def batches(self, size: int) -> Iterator[tuple[list[int], np.ndarray]]:
        """All readable images in batches of at most `size`: their rows and (n, C, H, W).

        Raises:
            BrokenImageError: none of them can be read.
        """
        broken, total = list[BrokenImageError](), 0
        for start in range(0, len(self), size):
            rows = list(range(start, min(start + size, len(self))))
            kept, images = self._fill(rows, len(rows), broken)
            total += len(kept)
            if kept:
                yield kept, images
        self._tell(broken, total)

    def _fill(self, wanted: list[int], most: int, broken: list[BrokenImageError]) -> tuple[list[int], np.ndarray]:
        images, kept = np.empty((most, *self.shape[1:]), self.dtype), list[int]()
        for row in self._progress(wanted, "reading images", most):
            if len(kept) == most:
                break
            try:
                images[len(kept)] = self._image(int(self._rows[row]))
                kept.append(row)
            except BrokenImageError as error:
                broken.append(error)
        return kept, images[: len(kept)]

    def _tell(self, broken: list[BrokenImageError], readable: int) -> None:
        if broken and not readable:
            raise BrokenImageError(f"no image could be read; {broken[0].message}", broken[0].fix) from broken[0]
        if broken:
            self._left_out(broken)

    def digest(self) -> str:
        """A hash of the content, for `digest_of`; reads one image at a time."""
        hasher = hashlib.blake2b(f"{self.dtype}{self.shape}".encode(), digest_size=_DIGEST_SIZE)
        for image in self:
            hasher.update(image.tobytes())
        return hasher.hexdigest()

    def _image(self, row: int) -> np.ndarray:
        image = np.ascontiguousarray(self._read(row))
        if image.dtype != self.dtype or image.shape != self.shape[1:]:
            raise SidelightError(f"image {row} is {image.dtype}{image.shape}, not {self.dtype}{self.shape[1:]}")
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):  # NaN too
            raise SidelightError(f"image {row} has values from {low:.6g} to {high:.6g}, not in [0, 1]")
        return image
