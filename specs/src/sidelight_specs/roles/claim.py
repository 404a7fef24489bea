"""The role `claim`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidelight_specs.results import ClaimResult, Results


class Claim(ABC):
    """Judges a claim that the recipe declares before the run."""

    @abstractmethod
    def judge(self, results: Results) -> ClaimResult:
        """The verdict on the claim.

        Whatever cannot be measured (a missing explanation, too few images) is `not established`, and no error.

        Args:
            results: of the run, without those of renderers and of other claims; not to be changed.
        """
