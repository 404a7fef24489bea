"""Random streams for torch that leave its global generator as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import Run


def generator(run: Run, label: str, device: str = "cpu") -> torch.Generator:
    """A torch generator seeded with `run.seed(label)`; on the CPU unless asked otherwise, so that devices agree."""
    return torch.Generator(device).manual_seed(run.seed(label))


@contextmanager
def seeded(run: Run, label: str) -> Iterator[None]:
    """Within the context torch's global CPU generator follows `run.seed(label)`; afterwards it is as before.

    For code that takes no generator: weight initialisation, dropout.
    """
    devices = [run.device] if run.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(run.seed(label))
        yield
