"""Factors of a drawn face: names, ranges, and the law that each is drawn by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Law = Literal["uniform", "presence", "amount"]


@attrs.frozen
class Factor:
    """One number that a face is drawn from.

    Args:
        name: as in `Split.factors`.
        low, high: its range; rendering clips to it.
        help: appearance of its two ends.
        law: `"uniform"` over the range; `"presence"` is 0 or 1; `"amount"` is 0, or uniform in [0.4, 1].
        often: how often a presence is 1, or an amount not 0.
    """

    name: str
    low: float
    high: float
    help: str
    law: Law = "uniform"
    often: float = 0.5

    def draw(self, u: np.ndarray) -> np.ndarray:
        """(N,) float32 values from numbers uniform in [0, 1)."""
        if self.law == "uniform":
            return self._at(u)
        return self.on_side(u < self.often, u / self.often)

    def on_side(self, high: np.ndarray, u: np.ndarray) -> np.ndarray:
        """(N,) float32 values in the upper or the lower 40% of the range; of a presence or amount, some or none.

        Args:
            high: (N,) bool, which side.
            u: (N,) uniform in [0, 1), where on that side.
        """
        if self.law == "presence":
            return high.astype(np.float32)
        if self.law == "amount":
            return np.where(high, self._at(0.4 + 0.6 * u), 0.0).astype(np.float32)
        return self._at(np.where(high, 0.6 + 0.4 * u, 0.4 * u))

    def centred(self, values: np.ndarray) -> np.ndarray:
        """(N,) float64 in [-1, 1]: the lowest value is -1, the highest 1; of an amount, none is -1 and any is 1."""
        if self.law == "amount":
            return np.where(values > 0, 1.0, -1.0)
        scaled: np.ndarray = (2 * values.astype(np.float64) - self.low - self.high) / (self.high - self.low)
        return scaled

    def _at(self, u: np.ndarray) -> np.ndarray:
        values: np.ndarray = (self.low + (self.high - self.low) * u).astype(np.float32)
        return values


FACTORS = (
    Factor("skin", 0, 1, "from pale to deep"),
    Factor("face-width", 0, 1, "from narrow to wide"),
    Factor("jaw", 0, 1, "from pointed to square"),
    Factor("nose", 0, 1, "from small to large"),
    Factor("hair-colour", 0, 1, "black, brown, auburn, copper, blond, silver"),
    Factor("hair-length", 0, 1, "from cropped to below the shoulders"),
    Factor("hair-volume", 0, 1, "from flat to full"),
    Factor("hair-wave", 0, 1, "from straight to wavy"),
    Factor("fringe", 0, 1, "from a high forehead to a fringe above the brows"),
    Factor("parting", -1, 1, "where the hair parts, from left to right"),
    Factor("eye-colour", 0, 1, "dark brown, hazel, green, blue, grey"),
    Factor("eye-size", 0, 1, "from narrow to wide open"),
    Factor("brow-angle", -1, 1, "from worried (inner ends up) to stern (inner ends down)"),
    Factor("brow-thickness", 0, 1, "from thin to bushy"),
    Factor("smile", -1, 1, "from the corners of the mouth down to up"),
    Factor("mouth-opening", 0, 1, "from closed to open"),
    Factor("lip-colour", 0, 1, "from pale to bright red"),
    Factor("glasses", 0, 1, "without or with; values between are translucent", "presence", 0.35),
    Factor("glasses-shape", 0, 1, "from round to square; seen only with glasses"),
    Factor("beard", 0, 1, "from none over stubble to full", "amount", 0.35),
    Factor("tilt", -1, 1, "the head leans by up to 7 degrees, left to right"),
    Factor("yaw", -1, 1, "the head turns, left to right"),
    Factor("light", -1, 1, "where the light comes from, left to right"),
    Factor("background", 0, 1, "peach, butter, mint, aqua, blue, lilac, pink"),
    Factor("clothes", 0, 1, "navy, teal, green, cream, mustard, brick, plum"),
)
NAMES = tuple(factor.name for factor in FACTORS)
BY_NAME = {factor.name: factor for factor in FACTORS}


def as_table(factors: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, 25) float32, the columns in the order of `FACTORS`, clipped to their ranges.

    Raises:
        ValueError: a factor is missing, unknown or not finite.
    """
    if set(factors) != set(NAMES):
        wrong = ", ".join(sorted(set(factors) ^ set(NAMES)))
        raise ValueError(f"a face needs exactly the {len(NAMES)} factors of `FACTORS`; missing or unknown: {wrong}")
    table = np.stack([np.asarray(factors[name], dtype=np.float32) for name in NAMES], axis=1)
    if not np.isfinite(table).all():
        raise ValueError("factors must be finite numbers")
    low, high = (np.array([getattr(factor, end) for factor in FACTORS], np.float32) for end in ("low", "high"))
    clipped: np.ndarray = table.clip(low, high)
    return clipped
