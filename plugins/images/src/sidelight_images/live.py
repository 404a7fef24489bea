"""Images that this process holds: a tensor, an array, PIL images, or a list of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps
from sidelight_specs import UserError, live
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_specs.wording import listing

from sidelight_images.listing import SPLIT
from sidelight_images.pixels import opaque, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run

    from sidelight_images.params import LiveParams

LAYOUTS = "(N, C, H, W) or (N, H, W, C), or one image (C, H, W), (H, W, C) or (H, W), with one channel or three"
BEFORE = (
    "give images before they are normalised; sidelight.explain(..., mean=..., std=...) tells the model's normalisation"
)


class LiveImages(Data):
    """All images in one split, in the order in which they were given."""

    def __init__(self, params: LiveParams, *, run: Run) -> None:
        del run
        self._params = params

    @property
    def splits(self) -> tuple[str, ...]:
        """`all`."""
        return (SPLIT,)

    def split(self, name: str) -> Split:
        """The images with their labels, as far as these were given."""
        if name != SPLIT:
            raise UserError(f'there is no split "{name}"', f"use {SPLIT}")
        images = live.get(self._params.object)
        images = self._drawn(images) if isinstance(images, tuple) else in_mode(images, self._params.mode)
        labels, names = labels_of(self._params.labels, self._params.classes, len(images))
        ids = self._params.names or tuple(f"image {index}" for index in range(len(images)))
        return Split(images=images, labels=labels, class_names=names, ids=ids)

    def _drawn(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(N, C, H, W) of PIL images, at the size of the options."""
        params = self._params
        mode = "L" if params.mode == "grey" else "RGB"
        flat = [opaque(picture).convert(mode) for picture in pictures]
        if params.size is None and len({picture.size for picture in flat}) > 1:
            fix = "give size=..., the height and width that the model takes"
            raise UserError(f"the images differ in size: {flat[0].size} and others", fix)
        if params.size is not None:
            size = (params.size, params.width or params.size)
            flat = [resized(each, size, params.crop or "center", params.crop_share or 1.0) for each in flat]
        return _array(np.stack([np.asarray(picture) for picture in flat]))


def as_images(value: Any) -> np.ndarray:
    """(N, C, H, W) float32 images in [0, 1] of a tensor, an array, or a list of these.

    Args:
        value: floats in [0, 1], or whole numbers, in any of `LAYOUTS`.

    Raises:
        UserError: it is none of these, or its numbers or shapes do not fit; the fix says what to give.
    """
    if isinstance(value, (list, tuple)):
        if not value:
            raise UserError("there are no images", "give one or more")
        arrays = [_array(item) for item in value]
        shapes = sorted({array.shape[1:] for array in arrays})
        if len(shapes) > 1:
            raise UserError(
                f"the images differ in shape: {shapes[0]} and {shapes[1]}", "give them as PIL images or paths"
            )
        return np.concatenate(arrays)
    return _array(value)


def in_mode(images: np.ndarray, mode: str | None) -> np.ndarray:
    """(N, C, H, W) images in colour (one channel three times) or in grey (luma of BT.601); as they are when None."""
    channels = images.shape[1]
    if mode == "rgb" and channels == 1:
        return np.repeat(images, 3, axis=1)
    if mode == "grey" and channels == 3:
        luma = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), images, (0, 1))  # (N, H, W)
        return luma[:, np.newaxis].clip(0, 1)
    return images


def as_pictures(value: Any) -> tuple[Image.Image, ...]:
    """PIL images, loaded and copied, of one or a list of them; nothing where there are others."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(item, Image.Image) for item in listed):
        return ()
    return tuple(map(_loaded, listed))


def _loaded(image: Image.Image) -> Image.Image:
    """The picture upright, with the name of its file."""
    upright = ImageOps.exif_transpose(image).copy()
    upright.filename = getattr(image, "filename", "")  # type: ignore[attr-defined]
    return upright


def _array(value: Any) -> np.ndarray:
    """Arrays and tensors in any usual layout."""
    try:
        if hasattr(value, "detach"):  # a tensor, perhaps on a device, or part of a graph
            value = value.detach().cpu()
            value = value.float() if "bfloat16" in str(value.dtype) else value  # numpy has no bfloat16
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"a {type(value).__name__} holds no images: {error}", f"give {LAYOUTS}") from error
    return np.ascontiguousarray(_scaled(_channels_first(array)))  # in another order convolutions round otherwise


def _channels_first(array: np.ndarray) -> np.ndarray:
    """(N, C, H, W) of an array in any of `LAYOUTS`; where both ends could be channels, the first ones are."""
    if array.ndim == 2:
        return array[np.newaxis, np.newaxis]
    if array.ndim == 3 and array.shape[0] not in (1, 3) and array.shape[-1] not in (1, 3):  # grey images in a row
        return array[:, np.newaxis]
    batch = array[np.newaxis] if array.ndim == 3 else array
    if batch.ndim == 4 and batch.shape[1] in (1, 3):
        return batch
    if batch.ndim == 4 and batch.shape[-1] in (1, 3):
        return batch.transpose(0, 3, 1, 2)
    if batch.ndim == 4 and 4 in (batch.shape[1], batch.shape[-1]):
        raise UserError(
            f"images of shape {array.shape} have four channels", "drop the alpha channel, or give PIL images"
        )
    if batch.ndim == 4 and 2 in (batch.shape[1], batch.shape[-1]):
        raise UserError(f"images of shape {array.shape} have two channels", "give one channel or three")
    raise UserError(f"images of shape {array.shape} were given", f"give {LAYOUTS}")


def _scaled(array: np.ndarray) -> np.ndarray:
    """float32 in [0, 1]; whole numbers by the range of their type."""
    if not array.size:
        raise UserError(f"images of shape {array.shape} hold nothing", "give one image or more")
    if array.dtype == bool:
        return array.astype(np.float32)
    if array.dtype.kind == "u":
        return (array / np.iinfo(array.dtype).max).astype(np.float32)
    if array.dtype.kind not in "if":
        raise UserError(f"images of {array.dtype} were given", "give floats in [0, 1], or uint8")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise UserError("the images hold values that are not finite", "mend them")
    if array.dtype.kind == "i" and low >= 0 and 1 < high <= 255:
        return (array / 255).astype(np.float32)
    if low < 0 or high > 1:
        fix = "divide them by 255" if low >= 0 and high <= 255 else BEFORE
        raise UserError(f"the images run from {low:.4g} to {high:.4g}, and not within 0 and 1", fix)
    return np.array(array, dtype=np.float32, order="C")  # a copy: the user may write to his own


def labels_of(
    labels: Sequence[str | int], classes: Sequence[str], count: int
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """(N,) class indices, and the names that they index; None where no labels were given.

    Args:
        labels: one for each image, all of them names or all of them indices.
        classes: class names that indices refer to; those of the labels, sorted, where there are none.
        count: N.

    Raises:
        UserError: another number of labels than images, or a label that is no class.
    """
    if not labels:
        return None, ()
    if len(labels) != count:
        raise UserError(f"{len(labels)} labels were given for {count} images", "give one label for each image")
    named = all(isinstance(label, str) for label in labels)
    if not named and any(isinstance(label, str) for label in labels):
        raise UserError("labels are names and indices mixed", "give names alone, or indices alone")
    highest = -1 if named else max(int(label) for label in labels)
    names = tuple(classes) or (tuple(sorted({*map(str, labels)})) if named else _numbered(highest + 1))
    unknown = [label for label in labels if (label not in names if named else not 0 <= int(label) < len(names))]
    if unknown:
        raise UserError(
            f"there is no class {unknown[0]!r} among the labels' classes", f"known are {listing(names, 12)}"
        )
    return np.array([names.index(str(each)) if named else int(each) for each in labels], dtype=np.int64), names


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))
