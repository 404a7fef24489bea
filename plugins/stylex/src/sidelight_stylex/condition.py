"""What the generator is told of the classifier's answer (StylEx, section 3.2, "Conditional training")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["logits", "probabilities", "none"]


@attrs.frozen
class Condition:
    """Class logits to the numbers that stand beside the encoder's in w.

    Args:
        kind: what they are.
        classes: K.
        scale: the spread of logits less their mean over the training images, by which they are divided.
    """

    kind: Kind
    classes: int
    scale: float = 1.0

    @property
    def length(self) -> int:
        """How many numbers there are: K, or none."""
        return 0 if self.kind == "none" else self.classes

    def of(self, logits: Tensor) -> Tensor:
        """(N, K) logits to (N, length)."""
        if self.kind == "none":
            return logits[:, :0]
        return logits.softmax(1) if self.kind == "probabilities" else centred(logits) / self.scale


def centred(logits: Tensor) -> Tensor:
    """Logits less their mean over the classes, which the probabilities do not depend on."""
    return logits - logits.mean(1, keepdim=True)


def spread(logits: Tensor) -> float:
    """The root mean square of (N, K) centred logits, at least a thousandth."""
    return max(1e-3, float(centred(logits).square().mean().sqrt()))
