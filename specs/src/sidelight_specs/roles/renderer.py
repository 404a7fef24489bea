"""The role `renderer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs.results import Results


class Renderer(ABC):
    """Shows a finished run."""

    @abstractmethod
    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write files for people to open.

        Args:
            results: the finished run.
            folder: an empty folder to write into.

        Returns:
            the files written, the one to open first.
        """
