"""An order and a split that stay the same whatever the machine, the version of numpy, or the other images."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def uniform(seed: int, names: Sequence[str]) -> np.ndarray:
    """(N,) float64 in [0, 1): for each name a number that depends on it and on the seed alone."""
    key = str(seed).encode()
    encoded = (name.encode("utf-8", "surrogateescape") for name in names)
    digests = b"".join(blake2b(name, digest_size=8, key=key).digest() for name in encoded)
    return (np.frombuffer(digests, "<u8") >> np.uint64(11)) * 2.0**-53  # 53 bits, the precision of float64


def interleaved(labels: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Row numbers in rounds: each round holds one image of every class that has any left, ordered by `keys`.

    So the first images of a split show different classes, and its first n hold as many of each as possible.

    Args:
        labels: (N,) integers.
        keys: (N,) numbers that order the images of a class, and the classes within a round.
    """
    by_class = np.lexsort((keys, labels))  # rows class by class, each in the order of its keys
    first_of_class = np.searchsorted(labels[by_class], labels[by_class])
    rounds = np.empty(len(labels), dtype=np.int64)
    rounds[by_class] = np.arange(len(labels)) - first_of_class  # place of each row within its class
    return np.lexsort((keys, rounds))
