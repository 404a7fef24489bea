"""CPU time of Grad-CAM against captum's, called directly on the same layer; EfficientNet-Lite0, four images.

    python benchmarks/grad_cam.py [--rounds N]

Both run in turn, so that a busy machine slows both. Given are the ratio of their least CPU times, which other work
disturbs least, and the ratios round by round. The layer is found before the first round, as in a run, where one
component explains shard after shard.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import torch
from sidelight_captum.grad_cam import GradCam, upsample
from sidelight_captum.params import GradCamParams
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_classifiers.params import EfficientNetLiteParams
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.score import class_pairs, score_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def main() -> None:
    """Print the ratio of CPU times and the largest difference of the heatmaps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    classifier = EfficientNetLite(EfficientNetLiteParams(), run=ToyRun())
    images = torch.rand(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        order = classifier.class_logits(images).argsort(1, descending=True).numpy()
    targets = Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())
    explainer = GradCam(GradCamParams(), classifier=classifier, run=ToyRun())
    layer = classifier.module.get_submodule(explainer._find_layer(images).name)
    score, pairs = score_function(classifier, "predicted"), class_pairs(targets, "predicted", images.device)

    def ours() -> Tensor:
        return torch.from_numpy(explainer.explain(images, targets).values)

    def theirs() -> Tensor:
        method = captum.attr.LayerGradCam(score, layer)
        coarse = method.attribute(images, additional_forward_args=(pairs,), relu_attributions=True)
        return upsample(coarse.detach()[:, 0], images)

    gap = float((ours() - theirs()).abs().max() / theirs().abs().max())
    times = np.array([(seconds(ours), seconds(theirs)) for _ in range(rounds)])
    least, ratios = times.min(0), np.sort(times[:, 0] / times[:, 1])
    print(
        f"CPU time, ours / captum's: {least[0] / least[1]:.3f} of the least times ({least[0]:.2f} s, {least[1]:.2f} s)"
    )
    print(f"round by round: median {np.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f}, {rounds} rounds")
    print(f"largest difference: {gap:.1e} of the largest value")


def seconds(compute: Callable[[], Tensor]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    compute()
    return time.process_time() - start


if __name__ == "__main__":
    main()
