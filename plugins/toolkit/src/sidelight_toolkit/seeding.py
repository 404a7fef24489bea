"""Random streams that leave the global ones of torch, numpy and Python as they were."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import Run


def generator(run: Run, label: str, device: str = "cpu") -> torch.Generator:
    """A torch generator seeded with `run.seed(label)`.

    On the CPU unless asked otherwise; another device draws other numbers, and needs none copied. A draw names the
    device of its generator: `torch.randn(4, generator=random, device=random.device)`.
    """
    return torch.Generator(device).manual_seed(run.seed(label))


@contextmanager
def seeded(run: Run, label: str) -> Iterator[None]:
    """Within the context the global CPU streams follow `run.seed(label)`; afterwards they are as before.

    For code that takes no generator: weight initialisation, dropout, libraries that draw from numpy's or Python's.
    """
    devices = [run.device] if run.device.startswith("cuda") else []
    python, numpy, seed = random.getstate(), np.random.get_state(), run.seed(label)
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # the largest seed that numpy takes
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
