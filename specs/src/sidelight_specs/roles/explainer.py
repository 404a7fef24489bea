"""The role `explainer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from sidelight_specs.roles.classifier import Classifier

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.results import Explanation, Targets


class Explainer(ABC):
    """Explains single predictions of a classifier."""

    _construction: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **needs: Any) -> Self:
        """Remember what it is constructed with, for `about`."""
        explainer = super().__new__(cls)
        object.__setattr__(explainer, "_construction", (args, needs))
        return explainer

    def about(self, classifier: Classifier) -> Self:
        """The same method with the same parameters, needs and run, for another classifier.

        For components that explain a part of a classifier with a method that the user names: an explainer of
        concepts shows where each concept is by asking about a classifier that says whether the concept is there.
        What this explainer has learned, if it learns, is not taken along.
        """
        args, needs = self._construction

        def replaced(argument: Any) -> Any:
            return classifier if isinstance(argument, Classifier) else argument

        return type(self)(*map(replaced, args), **{slot: replaced(need) for slot, need in needs.items()})

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
