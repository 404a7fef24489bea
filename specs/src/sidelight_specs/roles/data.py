"""The role `data`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

        Raises:
            UserError: no such split, or files that cannot be found or read.
        """

    def fingerprint(self) -> str:
        """What the content depends on beside the parameters and the code: changed files, for example.

        Trained components are trained again when it changes. The default says that nothing else matters.
        """
        return ""
