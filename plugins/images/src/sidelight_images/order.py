"""An order and a split that stay the same whatever the machine, the version of numpy, or the other images.

`check` counts the images of each split without numpy, which is therefore imported only where arrays are made.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np


def hash_uniform(seed: int, name: str) -> float:
    """A number in [0, 1) that depends on the seed and the name alone."""
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8, key=str(seed).encode()).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53  # 53 bits, the precision of float64


def uniform(seed: int, names: Iterable[str]) -> np.ndarray:
    """(N,) float64 `hash_uniform` of each name."""
    import numpy as np

    return np.array([hash_uniform(seed, name) for name in names], dtype=np.float64)


def interleaved(labels: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Row numbers in rounds: each round holds one image of every class that has any left, ordered by `keys`.

    So the first images of a split show different classes, and its first n hold as many of each as possible.

    Args:
        labels: (N,) integers.
        keys: (N,) numbers that order the images of a class, and the classes within a round.
    """
    import numpy as np

    by_class = np.lexsort((keys, labels))  # rows class by class, each in the order of its keys
    first_of_class = np.searchsorted(labels[by_class], labels[by_class])
    rounds = np.empty(len(labels), dtype=np.int64)
    rounds[by_class] = np.arange(len(labels)) - first_of_class  # place of each row within its class
    return np.lexsort((keys, rounds))
