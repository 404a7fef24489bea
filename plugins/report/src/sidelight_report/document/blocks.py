"""Neutral blocks as JSON values: the page of every kind that has no section of its own (see `explanations`)."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.blocks import Overlay, Pair, Picture, Plot, Strip, Table, Text, with_class_names

from sidelight_report.encoding import grid, number, numbers, saturation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.blocks import Block

    from sidelight_report.document.context import Context


def view(artifact: Artifact, context: Context, row: int) -> dict[str, Any]:
    """The blocks of one row; an empty list, with the reason, if the kind's own `view` fails."""
    entry: dict[str, Any] = {"kind": "blocks", "what": artifact.kind or type(artifact).__name__, "error": ""}
    try:
        return entry | {"blocks": encode_blocks(artifact.view(row), context, row)}
    except Exception as error:  # a plugin's view may raise anything; the rest of the page is not lost
        reason = f"{type(error).__name__}: {error}"
        context.problems[f'"{entry["what"]}" cannot be shown: {reason}'] = None
        return entry | {"blocks": [], "error": reason}


def encode_blocks(blocks: Iterable[Block], context: Context, row: int) -> list[dict[str, Any]]:
    """Blocks as JSON values, with class names put in."""
    names = context.results.class_names
    return [encode_block(with_class_names(block, names), context, row) for block in blocks]


@singledispatch
def encode_block(block: Any, context: Context, row: int) -> dict[str, Any]:
    """One block; `picture: null` stands for the card's own image."""
    raise TypeError(f"{type(block).__name__} is no block")


@encode_block.register(Picture)
def _picture(block: Picture, context: Context, row: int) -> dict[str, Any]:
    return {"block": "picture", "picture": _encode(block.image, context), "caption": block.caption}


@encode_block.register(Overlay)
def _overlay(block: Overlay, context: Context, row: int) -> dict[str, Any]:
    image = block.image if block.image is not None else context.results.split.images[row]
    values = _resized(block.values, image.shape[-2:]).astype(np.float32)
    if block.mask:
        hidden = 0.0 if block.hidden is None else _as_float(_resized(block.hidden, image.shape[-2:]))
        shown = values * _as_float(image) + (1 - values) * hidden  # M * I + (1 - M) * I0, (C, H, W)
        return {"block": "picture", "picture": context.picture(shown), "caption": block.caption}
    return {
        "block": "overlay",
        "picture": _encode(block.image, context),
        "values": grid(values),
        "saturation": number(saturation(values, context.params.percentile)),
        "signed": block.signed,
        "caption": block.caption,
    }


@encode_block.register(Pair)
def _pair(block: Pair, context: Context, row: int) -> dict[str, Any]:
    return {
        "block": "pair",
        "before": _encode(block.before, context),
        "after": context.picture(_as_float(block.after)),
        "captions": list(block.captions),
        "caption": block.caption,
    }


@encode_block.register(Strip)
def _strip(block: Strip, context: Context, row: int) -> dict[str, Any]:
    return strip_entry(block.images, block.captions, block.caption, context)


def strip_entry(
    images: Iterable[np.ndarray], captions: Sequence[str], caption: str, context: Context
) -> dict[str, Any]:
    """A strip of images with any number of channels."""
    pictures = [context.picture(_as_float(image)) for image in images]
    return {"block": "strip", "pictures": pictures, "captions": list(captions), "caption": caption}


@encode_block.register(Plot)
def _plot(block: Plot, context: Context, row: int) -> dict[str, Any]:
    return {
        "block": "plot",
        "x": list(block.x) if isinstance(block.x, tuple) else numbers(block.x, 4),
        "lines": [{"name": name, "y": numbers(line)} for name, line in block.lines.items()],
        "x_label": block.x_label,
        "y_label": block.y_label,
        "style": block.style,
        "caption": block.caption,
    }


@encode_block.register(Table)
def _table(block: Table, context: Context, row: int) -> dict[str, Any]:
    rows = [list(cells) for cells in block.rows]
    return {"block": "table", "headings": list(block.headings), "rows": rows, "caption": block.caption}


@encode_block.register(Text)
def _text(block: Text, context: Context, row: int) -> dict[str, Any]:
    return {"block": "text", "text": block.text, "caption": block.caption}


def _encode(image: np.ndarray | None, context: Context) -> dict[str, Any] | None:
    return None if image is None else context.picture(_as_float(image))


def _as_float(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) / 255 if image.dtype == np.uint8 else image


def _resized(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Nearest-neighbour resize of (..., h, w) to (..., H, W): a coarse map shows its cells."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, values.shape[-2:], strict=True))
    return np.asarray(values[..., rows[:, None], columns])
