"""Limits on the size of a recipe, so that a hostile file costs no more than an error."""

from __future__ import annotations

from attrs import define

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 32
MAX_TEXT = 8192
"""Characters of one piece of text after variables are filled in."""


class TooBigError(Exception):
    """A limit was passed. The message says which."""


@define
class Budget:
    """Counts the values of a tree as if every alias and variable were written out.

    Args:
        count: values so far.
        deepest: the deepest nesting so far.
    """

    count: int = 0
    deepest: int = 0

    def spend(self, depth: int, size: Size | None = None) -> None:
        """Account for one value at `depth`, or for a whole subtree of known size placed there.

        Raises:
            TooBigError: the tree has too many values or is nested too deeply.
        """
        self.count += size.count if size else 1
        self.deepest = max(self.deepest, depth + (size.height if size else 0))
        if self.count > MAX_VALUES:
            raise TooBigError(f"more than {MAX_VALUES} values, counting every alias and variable as written out")
        if self.deepest > MAX_DEPTH:
            raise TooBigError(f"nested more than {MAX_DEPTH} levels deep")


@define
class Size:
    """The size of a subtree.

    Args:
        count: its values.
        height: levels below its root.
    """

    count: int
    height: int
