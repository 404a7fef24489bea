"""Speed-up by larger batches on a CPU: heatmaps, their metric, masks and attention graphs with batches of 4 and more.

    python benchmarks/batches.py [--rounds N] [--large]

A LeNet with random weights on 16 random images of 32 pixels, or, with `--large`, timm's resnet18 on two of 224. Batches
are taken in turn. Given are CPU milliseconds an image, the ratio of batch 4 over each (median and range over the
rounds), and the largest difference of the results relative to the largest value.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_captum.integrated_gradients import IntegratedGradients
from sidelight_captum.lime import Lime
from sidelight_captum.occlusion import Occlusion
from sidelight_captum.params import IntegratedGradientsParams, LimeParams, OcclusionParams
from sidelight_metrics.heatmaps.insertion_deletion import InsertionDeletion
from sidelight_metrics.params import InsertionDeletionParams
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured.igos.igos import IgosPlusPlus
from sidelight_structured.params import IgosPlusPlusParams, SagParams
from sidelight_structured.sag.sag import Sag
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable


class Network(TorchClassifier):
    """A network with random weights."""

    task = "multiclass"

    def __init__(self, module: nn.Module, classes: int, shape: tuple[int, int, int]) -> None:
        self._module, self._classes, self._shape = module.eval().requires_grad_(False), classes, shape

    @property
    def module(self) -> nn.Module:
        """As given."""
        return self._module

    @property
    def class_names(self) -> tuple[str, ...]:
        """Numbers."""
        return tuple(map(str, range(self._classes)))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self._shape


def main() -> None:
    """Print a line for each method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="images of 224 pixels")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    if arguments.large:
        classifier = Network(import_with_torchvision("timm").create_model("resnet18"), 1000, (3, 224, 224))
        images, batches = torch.rand(2, 3, 224, 224), (4, 32)
    else:
        classifier, images, batches = Network(lenet(), 10, (1, 32, 32)), torch.rand(16, 1, 32, 32), (4, 32, 256)
    for name, method in methods(classifier, images, arguments.large).items():
        compare(name, method, batches, len(images), arguments.rounds)


def methods(classifier: Network, images: torch.Tensor, large: bool) -> dict[str, Callable[[int], np.ndarray]]:
    """Name to a function of the batch that gives results."""
    with torch.no_grad():
        order = classifier.class_logits(images).argsort(1, descending=True).numpy()
    targets = Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())
    squares: dict[str, Any] = {"window": 56, "stride": 28} if large else {}

    def explain(kind: Any, params: Any) -> Any:
        return kind(params, classifier=classifier, run=ToyRun()).explain(images, targets)

    def gradients(batch: int) -> Any:
        return explain(IntegratedGradients, IntegratedGradientsParams(batch=batch, steps=16 if large else 50))

    heatmap = gradients(32)

    def curves(batch: int) -> np.ndarray:
        params = InsertionDeletionParams(batch=batch, baselines=("black",), step=0.02)
        metric = InsertionDeletion(params, classifier=classifier, run=ToyRun())
        return np.asarray(metric.measure(heatmap, images, targets).items[0].curve_y)

    def masks(batch: int) -> np.ndarray:
        return explain(IgosPlusPlus, IgosPlusPlusParams(batch=batch, steps=8, size=16, baseline_limit=1.0)).values

    def graphs(batch: int) -> np.ndarray:
        params = SagParams(batch=batch, baseline="black", baseline_limit=1.0, passes=400)
        return np.array([graph.probability for graph in explain(Sag, params).graphs])

    heatmaps = {
        "integrated gradients": lambda batch: gradients(batch).values,
        "occlusion": lambda batch: explain(Occlusion, OcclusionParams(batch=batch, **squares)).values,
        "LIME": lambda batch: explain(Lime, LimeParams(batch=batch, samples=100 if large else 300)).values,
        "insertion and deletion": curves,
    }
    return heatmaps if large else {**heatmaps, "iGOS++": masks, "attention graphs": graphs}


def compare(name: str, method: Callable[[int], np.ndarray], batches: tuple[int, ...], count: int, rounds: int) -> None:
    """Print what one method takes with each batch."""
    times, expected, gap = np.zeros((rounds, len(batches))), method(batches[0]), 0.0
    for number in range(rounds):
        for column, batch in enumerate(batches):
            start = time.process_time()
            values = method(batch)
            times[number, column] = time.process_time() - start
            gap = max(gap, float(np.abs(values - expected).max() / np.abs(expected).max()))
    ratios = times[:, :1] / times
    for column, batch in enumerate(batches):
        own = ratios[:, column]
        took = 1e3 * np.median(times[:, column]) / count
        print(f"{name}, batch {batch}: {took:.1f} ms, {np.median(own):.2f} ({own.min():.2f} to {own.max():.2f})")
    print(f"{name}: largest difference {gap:.1e}", flush=True)


def lenet() -> nn.Sequential:
    """LeNet for grey images of 32 pixels and ten classes."""
    return nn.Sequential(
        *(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(50 * 25, 500), nn.ReLU(), nn.Linear(500, 10)),
    )


if __name__ == "__main__":
    main()
