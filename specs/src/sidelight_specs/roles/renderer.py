"""The role `renderer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs.results import Results
    from sidelight_specs.stage import Stage


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

    def serve(self, results: Results, stage: Stage) -> None:
        """Serve a live page of the run until the user interrupts (capability `serves`).

        Args:
            results: the finished run.
            stage: its components, alive, and where to listen.

        Raises:
            UserError: it cannot listen there.
        """
        raise SidelightError(f"{type(self).__name__} serves no page")
