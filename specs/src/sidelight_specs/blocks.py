"""Neutral blocks of a page: what `Artifact.view` gives and every report knows how to draw.

Images are (C, H, W) with 1 or 3 channels, float in [0, 1] or uint8. None in place of an image stands for the explained
image of the row, which the report has. A text names a class as `{class 3}`; `with_class_names` puts in the names.
Constructing a block checks shapes, so that a mistake shows where it is made and not on the page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLASS = re.compile(r"\{class (\d+)\}")


def _image(_: Any, field: Any, value: np.ndarray | None) -> None:
    if value is not None:
        _check(field.name, value, ("1 or 3", "H", "W"))


def _strip(_: Any, field: Any, value: np.ndarray) -> None:
    _check(field.name, value, ("T", "1 or 3", "H", "W"))


def _check(name: str, image: np.ndarray, axes: tuple[str, ...]) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != len(axes) or image.shape[-3] not in (1, 3):
        shape = getattr(image, "shape", type(image).__name__)
        raise ValueError(f"{name} has shape {shape}, not ({', '.join(axes)})")
    if image.dtype != np.uint8 and not (image.dtype.kind == "f" and _within_0_and_1(image)):
        raise ValueError(f"{name} must be uint8, or floating point in [0, 1]")


def _within_0_and_1(image: np.ndarray) -> bool:
    slack = 1e-5  # of float32 arithmetic, as in validate
    return not image.size or bool(image.min() >= -slack and image.max() <= 1 + slack)  # False where one is NaN


def _texts(items: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, items))


def _rows(rows: Sequence[Sequence[Any]]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(_texts, rows))


@attrs.frozen(eq=False)
class Picture:
    """One image.

    Args:
        image: (C, H, W); None for the explained image.
        caption: one line below it.
    """

    image: np.ndarray | None = attrs.field(validator=_image)
    caption: str = ""


@attrs.frozen(eq=False)
class Overlay:
    """One value for each pixel, over an image.

    Args:
        values: (H, W) float32, finite, in a unit of its own; the report scales the colours.
        image: (C, H, W) below it; None for the explained image.
        caption: one line below it.
        signed: zero is neutral and the sign counts; else larger is more important.
        mask: values in [0, 1] say how visible `image` is, for what is hidden instead of coloured.
        hidden: (C, H, W), what shows where a mask hides the image; None for black.
    """

    values: np.ndarray = attrs.field()
    image: np.ndarray | None = attrs.field(default=None, validator=_image)
    caption: str = ""
    signed: bool = False
    mask: bool = False
    hidden: np.ndarray | None = attrs.field(default=None, validator=_image)

    @values.validator
    def _is_map(self, _: Any, value: np.ndarray) -> None:
        if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "fiub":
            raise ValueError(f"values has shape {getattr(value, 'shape', type(value).__name__)}, not (H, W)")


@attrs.frozen(eq=False)
class Pair:
    """Two images that are compared: side by side, with a slider, or with their difference.

    Args:
        before: (C, H, W); None for the explained image.
        after: (C, H, W).
        caption: one line below both.
        captions: a word for each.
    """

    before: np.ndarray | None = attrs.field(validator=_image)
    after: np.ndarray = attrs.field(validator=_image)
    caption: str = ""
    captions: tuple[str, str] = ("before", "after")


@attrs.frozen(eq=False)
class Strip:
    """Images in an order: a path, exemplars.

    Args:
        images: (T, C, H, W).
        caption: one line below all.
        captions: one for each image, or none.
    """

    images: np.ndarray = attrs.field(validator=_strip)
    caption: str = ""
    captions: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    @captions.validator
    def _one_each(self, _: Any, value: tuple[str, ...]) -> None:
        if value and len(value) != len(self.images):
            raise ValueError(f"a strip of {len(self.images)} images has {len(value)} captions")


@attrs.frozen(eq=False)
class Plot:
    """Lines, or bars, over one axis.

    Args:
        x: (T,) numbers, or T words for bars.
        lines: name to (T,) float32; NaN leaves a gap.
        caption: one line below it.
        x_label: what `x` is, with its unit.
        y_label: what the lines are, with their unit.
        style: how it is drawn.
    """

    x: np.ndarray | tuple[str, ...]
    lines: dict[str, np.ndarray] = attrs.field()
    caption: str = ""
    x_label: str = ""
    y_label: str = ""
    style: Literal["line", "bar"] = "line"

    @lines.validator
    def _as_long_as_x(self, _: Any, value: dict[str, np.ndarray]) -> None:
        for name, line in value.items():
            if np.shape(line) != (len(self.x),):
                raise ValueError(f'line "{name}" has shape {np.shape(line)}, not ({len(self.x)},)')


@attrs.frozen(eq=False)
class Table:
    """Cells of text under headings; numbers as the kind wants them read.

    Args:
        headings: one for each column.
        rows: as many cells each.
        caption: one line above it.
    """

    headings: tuple[str, ...] = attrs.field(converter=_texts)
    rows: tuple[tuple[str, ...], ...] = attrs.field(converter=_rows)
    caption: str = ""

    @rows.validator
    def _as_wide_as_headings(self, _: Any, value: tuple[tuple[str, ...], ...]) -> None:
        for row in value:
            if len(row) != len(self.headings):
                raise ValueError(f"a row has {len(row)} cells, there are {len(self.headings)} headings")


@attrs.frozen(eq=False)
class Text:
    """A paragraph of plain text; never markup."""

    text: str
    caption: str = ""


Block: TypeAlias = Picture | Overlay | Pair | Strip | Plot | Table | Text


def with_class_names(block: Block, names: Sequence[str]) -> Block:
    """The block with `{class 3}` replaced by the name of class 3, wherever a text stands; "class 3" without a name."""

    def named(value: Any) -> Any:
        if isinstance(value, str):
            return _CLASS.sub(lambda match: _class_name(int(match[1]), names), value)
        if isinstance(value, tuple):
            return tuple(map(named, value))
        if isinstance(value, dict):
            return {named(key): item for key, item in value.items()}
        return value

    fields = attrs.fields(type(block))
    changed: Block = attrs.evolve(block, **{field.name: named(getattr(block, field.name)) for field in fields})
    return changed


def _class_name(index: int, names: Sequence[str]) -> str:
    return names[index] if index < len(names) else f"class {index}"
