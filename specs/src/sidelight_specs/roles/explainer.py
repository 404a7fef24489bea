"""The role `explainer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.results import Explanation, Targets


class Explainer(ABC):
    """Explains single predictions of a classifier."""

    @abstractmethod
    def explain(self, images: Tensor, targets: Targets) -> Explanation:
        """One explanation for each image.

        An image's explanation does not depend on its neighbours in the batch. Memory follows a batch size of the
        explainer's own, not N. The kernel calls this once for each shard of the images.

        Args:
            images: (N, C, H, W) float32 in [0, 1].
            targets: for each image the predicted class and the class asked about.

        Returns:
            an explanation of the kind that the descriptor's `gives` names, N rows.
        """
