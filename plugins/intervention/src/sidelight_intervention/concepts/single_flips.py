"""Effects of single bits: the change of prediction by each flip, and dead bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes, Measurement, Measurements
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from torch import Tensor

CONSTANT = 0.001
"""A bit that has its rarer value in a smaller share of the images is constant."""
SLIGHT = 0.01
"""A flip that moves no class's probability by more than this, in any image, is without effect."""


class Codes(Protocol):
    """What can be flipped: codes with class logits."""

    def logits_of(self, codes: Tensor) -> Tensor:
        """(N, n) to (N, K)."""


class Flips(NamedTuple):
    """What flipping each of n bits does, over N codes.

    Attributes:
        changes: (n,) share of the codes whose predicted class another value of the bit changes.
        largest: (n,) the largest change of any class's probability.
        on: (n,) share of the codes in which the bit is 1.
    """

    changes: np.ndarray
    largest: np.ndarray
    on: np.ndarray

    @property
    def dead(self) -> np.ndarray:
        """(n,) bool: constant, or without effect."""
        constant = np.minimum(self.on, 1 - self.on) < CONSTANT
        return np.asarray(constant | (self.largest <= SLIGHT))


def flipped(codes: Tensor, bit: int) -> Tensor:
    """The codes with one bit turned over."""
    others = codes.clone()
    others[:, bit] = 1 - others[:, bit]
    return others


def turned(codes: Tensor, bit: int, on: bool) -> Tensor:
    """The codes with one bit on, or off."""
    others = codes.clone()
    others[:, bit] = float(on)
    return others


def by_single_flips(dvae: Codes, codes: Tensor) -> Flips:
    """Flip each bit of every code: n + 1 passes through what follows the layer."""
    before = dvae.logits_of(codes).softmax(1)
    changes, largest = [], []
    for bit in range(codes.shape[1]):
        after = dvae.logits_of(flipped(codes, bit)).softmax(1)
        changes.append((after.argmax(1) != before.argmax(1)).float().mean())
        largest.append((after - before).abs().max())
    return Flips(to_array(torch.stack(changes)), to_array(torch.stack(largest)), to_array(codes.mean(0)))


def flip_effects(found: Flips, images: str) -> Measurements:
    """Effects of single flips on `images`, of the report: for each bit, strongest first, and the dead bits."""
    order = np.argsort(-found.changes, kind="stable")
    listed = ", ".join(f"{bit} {found.changes[bit]:.1%}" for bit in order[:5])
    dead = ", ".join(str(bit) for bit in np.flatnonzero(found.dead)) or "none"
    return Measurements(
        items=(
            Measurement(
                name="changed by a flip",
                values=found.changes[order],
                better="neither",
                unit="share of images",
                help=f"Images whose class the flip of one bit changes, bit by bit, most first: {listed}.",
                settings={"images": images, "bits": " ".join(map(str, order))},
            ),
            Measurement(
                name="dead bits",
                values=np.array([found.dead.mean()], dtype=np.float32),
                better="lower",
                unit="share of bits",
                help=f"Bits that are the same in 99.9% of the images, or that change nothing: {dead}.",
                settings={"images": images},
            ),
        )
    )


def ranked(changes: Tensor, target: int, dead: np.ndarray) -> Attributes:
    """Attributes, strongest first.

    Args:
        changes: (2 n, N) change of the target's logit; row 2 i turns bit i off, row 2 i + 1 turns it on.
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
