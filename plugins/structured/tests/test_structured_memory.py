"""Peak memory follows the batch: measured in processes of their own, for torch's memory is not Python's."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from /proc")  # noqa: PTH110

SCRIPT = """
import re, sys
from pathlib import Path
import numpy as np, torch
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured.igos.igos import IgosPlusPlus
from sidelight_structured.params import IgosPlusPlusParams, SagParams
from sidelight_structured.sag.sag import Sag

torch.set_num_threads(1)
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Conv2d(3, 32, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3, 2, 1), torch.nn.ReLU(),
    torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 2),
).requires_grad_(False)

class Network:
    def class_logits(self, images):
        return net(images)

method, numbers = sys.argv[1], list(map(int, sys.argv[2:]))
if method == "igos++":
    count, points, steps, batch = numbers
    params = IgosPlusPlusParams(
        size=28, steps=steps, integration_steps=points, batch=batch, images_at_once=4, baseline_limit=1.0
    )
    explainer = IgosPlusPlus(params, classifier=Network(), run=ToyRun())
else:
    count, candidates, points, batch = numbers
    params = SagParams(
        width=candidates, candidates=candidates, order_steps=points, batch=batch, passes=200, baseline_limit=1.0
    )
    explainer = Sag(params, classifier=Network(), run=ToyRun())
images = torch.rand(count, 3, 160, 160)
zeros = np.zeros(count, dtype=np.int64)
explainer.explain(images, Targets(predicted=zeros, probe=zeros + 1))
# not ru_maxrss, which begins with the size of the process that started this one
print(int(re.search(r"VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""
IMAGE = 3 * 160 * 160 * 4 / 2**20
"""MiB of one image; so much, and the same for its heatmap and baseline, an image more may take."""


def peak(method, *numbers):
    """MiB, the least of three processes: a peak varies by 5 upwards."""
    # glibc keeps one heap for each thread and returns little of it; one heap makes the peak repeatable
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-c", SCRIPT, method, *map(str, numbers)]
    runs = [subprocess.run(arguments, env=environment, capture_output=True, check=True, text=True) for _ in range(3)]
    return min(float(run.stdout) for run in runs)


@pytest.mark.slow
def test_peak_memory_of_masks_grows_with_the_batch_but_not_with_images_points_or_steps():
    few = peak("igos++", 4, 2, 2, 2)
    assert peak("igos++", 4, 12, 2, 2) - few < 10
    assert peak("igos++", 4, 2, 12, 2) - few < 10
    assert peak("igos++", 24, 2, 2, 2) - few < 10 + 20 * 2 * IMAGE
    assert peak("igos++", 4, 2, 2, 16) - few > 30


@pytest.mark.slow
def test_peak_memory_of_the_search_grows_with_the_batch_but_not_with_images_candidates_or_points():
    few = peak("sag", 2, 2, 2, 2)
    result = {"candidates": peak("sag", 2, 15, 2, 2), "points": peak("sag", 2, 2, 12, 2)}
    result |= {"images": peak("sag", 22, 2, 2, 2), "batch": peak("sag", 2, 2, 2, 32)}
    print("\nMiB more than", few, {name: round(value - few, 1) for name, value in result.items()})
    assert result["candidates"] - few < 10
    assert result["points"] - few < 10
    assert result["images"] - few < 10 + 20 * 3 * IMAGE  # the image, its baseline, and that with the graph
    assert result["batch"] - few > 20  # 25 to 28 here: beyond the 10 that the others may take
