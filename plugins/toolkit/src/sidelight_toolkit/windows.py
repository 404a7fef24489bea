"""Squares that slide over images: sizes that fit. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import Shape


def window_misfits(window: int | None, stride: int | None, shape: Shape | None) -> Iterator[Mistake]:
    """A window larger than the images, or a stride that leaves gaps.

    Args:
        window: its side in pixels; an eighth of the short side where None.
        stride: from one window to the next; half a window where None.
        shape: (C, H, W) of the images; None where it is not known.
    """
    side = min(shape[1:]) if shape else None
    if window is not None and side is not None and window > side:
        yield Mistake(f"{window} pixels do not fit into images of {side}", f"set window to {side // 8}", "window")
    taken = window if window is not None else max(1, side // 8) if side is not None else None
    if stride is not None and taken is not None and stride > taken:
        message = f"{stride} pixels leave gaps between windows of {taken}"
        yield Mistake(message, f"set stride to at most {taken}", "stride")
