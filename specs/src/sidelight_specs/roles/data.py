"""The role `data`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from sidelight_specs.results import Split


class Data(ABC):
    """Real or rendered images in named splits."""

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """The names that `split` takes; `"train"` among them where something can be trained on it."""

    @abstractmethod
    def split(self, name: str) -> Split:
        """The images of one split, always in the same order.

        Its images may be `LazyImages`, which are read when they are indexed, so that memory follows the images asked
        for. Who needs all of them in memory asks `split.read()`, or `split.read(count=n)` for the first n.

        Raises:
            UserError: no such split, or files that cannot be found or read.
        """

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """The factors that `render` takes, name to lowest and highest value; empty without `factors.render`."""
        return {}

    @property
    def factor_levels(self) -> Mapping[str, tuple[str, ...]]:
        """Those of these factors that are no measures, name to the names of their values; value i is the i-th name.

        Differences of such values mean nothing: what is the case is read and changed, not how much. Their range is 0 to
        the number of names minus 1. The default says that all factors are measures.
        """
        return {}

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Images drawn from ground-truth factors and nothing else (capability `factors.render`).

        The same factors give the same image bit by bit, so that an image can be had again with one factor changed:

        ```python
        split = data.split("test")
        low, high = data.factor_ranges["lip-colour"]
        reddened = data.render({**split.factors, "lip-colour": np.full(len(split), high, np.float32)})
        ```

        Args:
            factors: every name in `factor_ranges` to (N,) float32; values outside of their range are clipped to it.

        Returns:
            (N, C, H, W) float32 in [0, 1]; for the factors of a split, its images. The images of the result are all
            that is held in memory.

        Raises:
            SidelightError: a factor is missing, unknown or not finite; or the data cannot be drawn from factors.
        """
        raise SidelightError(f"{type(self).__name__} cannot be drawn from factors")

    def source_files(self, ids: Sequence[str]) -> Mapping[str, Path]:
        """The files that images were read from, by the ids that splits give them; images without one are left out.

        A run keeps their digests, so that an auditor can tell whether he holds the same files.
        """
        del ids
        return {}

    def fingerprint(self) -> str:
        """Text of what the content depends on beside parameters and code: changed files, for example.

        Trained components are trained again when it changes. The default says that nothing else matters.
        """
        return ""
