"""From a StyleGAN2 file of 256 pixels and a classifier file to both pages, without an inverter; killed and resumed.

The networks have random weights, and few channels: what is tried is the path, not the explanation.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from sidelight_specs.results import Attributes
from torch import nn

pytestmark = [pytest.mark.slow, pytest.mark.processes]

WIDTHS = (16, 16, 16, 16, 12, 8, 4)  # 4 to 256 pixels
SIDE = 256
MEMORY = 4 << 20  # KiB


@pytest.fixture
def recipe(tmp_path):
    """The recipe's file, beside network.pkl, classifier.pt2 and two images."""
    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_stylegan2.testing.nvidia_pickle import write_nvidia_pickle

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(Architecture(image_channels=3, widths=WIDTHS, z=16, w=16, mapping=2)).eval()
        net = nn.Sequential(nn.Conv2d(3, 8, 7, 4, 3), nn.ReLU(), nn.Conv2d(8, 8, 5, 4), nn.ReLU(), nn.Flatten())
        net = nn.Sequential(*net, nn.AdaptiveAvgPool1d(64), nn.Linear(64, 2)).eval()
    write_nvidia_pickle(network, tmp_path / "network.pkl")
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.rand(2, 3, SIDE, SIDE),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "classifier.pt2")
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    search = {"latents": "samples", "samples": 24, "mode": "screened", "candidates": 12, "certificate": 6}
    shown = {"attributes": 2, "examples": 1, "frames": 2, "surroundings": 8, "reference": 60, "threshold": 1e6}
    document = {
        "recipe": 1,
        "name": "file",
        "data": {"use": "images/files", "with": {"paths": ["one.png", "two.png"]}},
        "explain": {"target": "all"},
        "classifier": {"use": "classifiers/torch", "with": {"path": "classifier.pt2", "classes": ["a", "b"]}},
        "generator": {"use": "stylegan2/pretrained", "with": {"path": "network.pkl"}},
        "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": {**search, **shown}}},
        "renderers": {
            "page": {"use": "report/html"},
            "explorer": {"use": "explorer/web", "with": {"images": 2, "styles": 2, "region": 64, "precomputed": 4}},
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def started(recipe, out, cache):
    """The command in a process group of its own."""
    environment = {**os.environ, "SIDELIGHT_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sidelight", "run", recipe.name, "--out", str(out)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=recipe.parent, env=environment, text=True, start_new_session=True, **pipes)


def entries(cache):
    return len(list(cache.glob("v*/*/*")))


def ended(process):
    """Ends well; gives the largest memory of the process that ran, in KiB."""
    import resource

    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def test_from_two_files_to_both_pages_killed_and_resumed(recipe, tmp_path):
    assert ended(started(recipe, tmp_path / "whole", tmp_path / "whole-cache")) < MEMORY
    whole = manifest(tmp_path / "whole")

    cache, killed = tmp_path / "cache", None
    kept = entries(tmp_path / "whole-cache")
    process = started(recipe, tmp_path / "run", cache)
    deadline = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < deadline:
        if entries(cache) >= kept // 2:  # in the midst of the search, most of whose parts are entries
            os.killpg(process.pid, signal.SIGKILL)
            killed = entries(cache)
            break
        time.sleep(0.02)
    process.communicate()
    assert killed is not None
    assert killed < kept
    ended(started(recipe, tmp_path / "run", cache))
    resumed = manifest(tmp_path / "run")
    assert resumed["outputs"] == whole["outputs"]

    (folder,) = [Path(one["folder"]) for one in resumed["results"] if one["kind"] == "attributes"]
    found = Attributes.load(tmp_path / "run" / folder)
    assert found.drawn == "24 samples of the generator, seed 0"
    assert found.attributes
    assert found.after.shape[-3:] == (3, SIDE, SIDE)
    assert all(one.sampled == 6 and one.low <= one.recall <= one.high for one in found.certificates)
    for page in ("page", "explorer"):
        (file,) = (tmp_path / "run").rglob(f"{page}/index.html")
        assert file.stat().st_size > 10_000


def manifest(folder):
    return json.loads((folder / "run.json").read_text())
