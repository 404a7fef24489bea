"""Effects of single bits of a code z (N, n): the change of prediction by each flip, dead bits, ranked attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes, Measurement, Measurements
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CONSTANT = 0.001  # a bit whose rarer value is in a smaller ratio of the images is constant
SLIGHT = 0.01  # a flip that moves no class's probability by more, in any image, is without effect


class FlipEffects(NamedTuple):
    """Effects of flipping each of n bits, over N codes.

    Attributes:
        class_changes: (n,) ratio of the codes whose predicted class another value of the bit changes.
        largest_change: (n,) of any class's probability.
        on: (n,) ratio of the codes in which the bit is 1.
    """

    class_changes: np.ndarray
    largest_change: np.ndarray
    on: np.ndarray

    @property
    def dead(self) -> np.ndarray:
        """(n,) bool: constant, or without effect."""
        constant = np.minimum(self.on, 1 - self.on) < CONSTANT
        return np.asarray(constant | (self.largest_change <= SLIGHT))


def flip_bit(codes: Tensor, bit: int) -> Tensor:
    """A copy of the codes with one bit flipped."""
    result = codes.clone()
    result[:, bit] = 1 - result[:, bit]
    return result


def set_bit(codes: Tensor, bit: int, on: bool) -> Tensor:
    """A copy of the codes with one bit on, or off."""
    result = codes.clone()
    result[:, bit] = float(on)
    return result


def single_flip_effects(logits_of: Callable[[Tensor], Tensor], codes: Tensor) -> FlipEffects:
    """Flip each bit of every code (N, n): n + 1 passes of `logits_of`, codes to class logits (N, K)."""
    before = logits_of(codes).softmax(1)
    class_changes, largest_change = [], []
    for bit in range(codes.shape[1]):
        after = logits_of(flip_bit(codes, bit)).softmax(1)
        class_changes.append((after.argmax(1) != before.argmax(1)).float().mean())
        largest_change.append((after - before).abs().max())
    changes, largest = torch.stack(class_changes), torch.stack(largest_change)
    return FlipEffects(to_array(changes), to_array(largest), to_array(codes.mean(0)))


def flip_measurements(effects: FlipEffects, images: str) -> Measurements:
    """Effects of single flips on `images`, of the report: for each bit, strongest first, and the dead bits."""
    order = np.argsort(-effects.class_changes, kind="stable")
    strongest = ", ".join(f"{bit} {effects.class_changes[bit]:.1%}" for bit in order[:5])
    dead = ", ".join(str(bit) for bit in np.flatnonzero(effects.dead)) or "none"
    return Measurements(
        items=(
            Measurement(
                name="changed by a flip",
                values=effects.class_changes[order],
                better="neither",
                unit="share of images",
                help=f"Images whose class the flip of one bit changes, bit by bit, most first: {strongest}.",
                settings={"images": images, "bits": " ".join(map(str, order))},
            ),
            Measurement(
                name="dead bits",
                values=np.array([effects.dead.mean()], dtype=np.float32),
                better="lower",
                unit="share of bits",
                help=f"Bits that are the same in 99.9% of the images, or that change nothing: {dead}.",
                settings={"images": images},
            ),
        )
    )


def rank_attributes(changes: Tensor, target: int, dead: np.ndarray) -> Attributes:
    """Attributes, strongest first.

    Args:
        changes: (2 n, N) change of the target's logit; row 2 i sets bit i off, row 2 i + 1 sets it on.
        target: index of the class.
        dead: (n,) bool, which bits are flagged.
    """
    effects = changes.double().mean(1)
    order = torch.argsort(-effects, stable=True).tolist()
    attributes = tuple(_attribute(row, float(effects[row]), target, bool(dead[row // 2])) for row in order)
    return Attributes(attributes=attributes, effects=to_array(changes[order]), answers="probe")


def _attribute(row: int, effect: float, target: int, dead: bool) -> Attribute:
    bit, sign = row // 2, 1 if row % 2 else -1
    return Attribute(
        name=f"bit {bit}, {'on' if sign > 0 else 'off'}",
        coordinate=bit,
        channel=bit,
        direction=sign,
        shift=float(sign),
        effect=effect,
        target=target,
        flagged="dead: the same in nearly all images, or flipping it changes nothing" if dead else "",
    )
