"""Speed-up by `torch.compile` of one pass of a classifier: eager and compiled in turn, with and without gradients.

    python benchmarks/compiled.py [--rounds N] [NETWORK ...]

Networks of timm with random weights on images of 224 pixels, `lenet` on images of 64. One program for every number of
rows (`dynamic`), as `--compile` makes it. Given are CPU seconds of a pass (process time, median over the rounds), their
ratio with its range over the rounds, the largest difference relative to the largest value, and the wall time until the
first compiled pass is done. torch keeps programs in a folder; the benchmark takes one of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 0.3  # seconds of CPU time of one measurement


def main() -> None:
    """Print a line for each network, batch and kind of pass."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=["lenet", "resnet18", "vit_tiny_patch16_224"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
    for name in arguments.networks:
        for batch in (1, 32) if name == "lenet" else (4,):
            compare(name, batch, arguments.rounds)


def compare(name: str, batch: int, rounds: int) -> None:
    """Print what passes of one network take."""
    torch.manual_seed(0)
    network = lenet() if name == "lenet" else import_with_torchvision("timm").create_model(name)
    network = network.eval().requires_grad_(False)
    images = torch.rand(batch, *((1, 64, 64) if name == "lenet" else (3, 224, 224)))
    torch._dynamo.reset()
    compiled = torch.compile(network, dynamic=True)

    def forward(function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return function(images)

    def gradient(function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        pixels = images.clone().requires_grad_()
        return torch.autograd.grad(function(pixels).logsumexp(1).sum(), pixels)[0]

    for kind, run in (("forward", forward), ("gradient", gradient)):
        start = time.perf_counter()
        result, expected = run(compiled), run(network)
        first = time.perf_counter() - start
        gap = float((result - expected).abs().max() / expected.abs().max())
        count = max(1, int(SHORTEST / seconds(run, network, 1)))
        times = np.array([[seconds(run, one, count) for one in (network, compiled)] for _ in range(rounds)])
        ratios = times[:, 0] / times[:, 1]
        eager, fast = 1e3 * np.median(times, axis=0)
        print(
            f"{name} batch {batch} {kind}: eager {eager:.2f} ms, compiled {fast:.2f} ms, ratio {np.median(ratios):.2f} "
            f"({ratios.min():.2f} to {ratios.max():.2f}), gap {gap:.1e}, first pass {first:.0f} s",
            flush=True,
        )


def lenet() -> nn.Sequential:
    """LeNet for grey images of 64 pixels and ten classes."""
    return nn.Sequential(
        *(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(50 * 13 * 13, 500), nn.ReLU(), nn.Linear(500, 10)),
    )


def seconds(run: Callable[[nn.Module], torch.Tensor], network: nn.Module, count: int) -> float:
    """CPU seconds of one of `count` passes."""
    start = time.process_time()
    for _ in range(count):
        run(network)
    return (time.process_time() - start) / count


if __name__ == "__main__":
    main()
