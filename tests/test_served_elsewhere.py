"""A run of files is served from another folder, and after its project was moved: data, weights, session."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

pytestmark = [pytest.mark.slow, pytest.mark.processes]

WIDTHS, SIDE, LAYERS = (8, 8, 8, 4), 32, 8  # 4 to 32 pixels, two layers for each size


@pytest.fixture
def project(tmp_path):
    """A folder with a recipe and all the files that it names by relative paths."""
    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_stylegan2.testing.nvidia_pickle import write_nvidia_pickle

    folder = tmp_path / "project"
    for label in ("a", "b"):
        (folder / "photos" / "test" / label).mkdir(parents=True)
        (folder / "photos" / "train" / label).mkdir(parents=True)
        for part in ("test", "train"):
            pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / part / label / "one.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(Architecture(image_channels=3, widths=WIDTHS, z=8, w=8, mapping=2)).eval()
        net = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 2)).eval()
    write_nvidia_pickle(network, folder / "network.pkl")
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.rand(2, 3, SIDE, SIDE),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "classifier.pt2")
    spec = {"layers": [["draw-0-0-100", "draw-0-0-100", 0]] * LAYERS, "moves": {}}
    session = {
        "format": 1,
        "layers": LAYERS,
        "groups": 2,
        "styles": [],
        "images": [{"id": "i0", "name": "the saved one", "start": spec, "now": spec}],
    }
    (folder / "session.json").write_text(json.dumps(session))
    explorer = {"session": "session.json", "region": 64, "precomputed": 1, "offline": "pictures"}
    recipe = {
        "recipe": 1,
        "name": "files",
        "explain": {"count": 1},
        "data": {"use": "images/folder", "with": {"path": "photos", "size": SIDE}},
        "classifier": {"use": "classifiers/torch", "with": {"path": "classifier.pt2", "classes": ["a", "b"]}},
        "generator": {"use": "stylegan2/pretrained", "with": {"path": "network.pkl"}},
        "inverter": {"use": "stylegan2/project", "with": {"steps": 2}},
        "explainers": {"sensitivity": {"use": "captum/saliency"}},
        "renderers": {"explorer": {"use": "explorer/web", "with": explorer}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return folder


def sidelight(*arguments, cwd, cache):
    environment = {**os.environ, "SIDELIGHT_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "sidelight", *arguments], cwd=cwd, env=environment, **pipes)


@contextmanager
def served(run, cwd, cache):
    """What a visitor asks, and is answered."""
    process = sidelight("serve", str(run), cwd=cwd, cache=cache)
    line = process.stdout.readline()
    if not line.startswith("open "):
        process.kill()
        raise AssertionError(line + process.communicate()[1])
    place = urlsplit(line.split()[1])
    visitor = http.client.HTTPConnection(place.hostname, place.port, timeout=300)
    token = {"x-sidelight-token": parse_qs(place.query)["token"][0]}

    def ask(path, body=None):
        visitor.request("POST", path, json.dumps(body), token)
        answer = visitor.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)

    try:
        yield ask, visitor
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        process.stdout.close()
        process.stderr.close()


def test_a_run_of_files_is_served_from_anywhere_and_after_a_move(project, tmp_path):
    cache = tmp_path / "cache"
    made = sidelight("run", "recipe.yaml", "--quiet", cwd=project, cache=cache)
    told = made.communicate(timeout=600)
    assert made.returncode == 0, told
    moved = tmp_path / "elsewhere" / "project"
    for run in (project / "runs" / "files", moved / "runs" / "files"):
        if run.is_relative_to(moved):
            moved.parent.mkdir()
            shutil.move(project, moved)
        with served(run, "/", cache) as (ask, visitor):
            entered = ask("/api/tabs")
            assert [image["name"] for image in entered["document"]["images"]] == ["the saved one"]
            assert set(entered["facts"]["splits"]) >= {"train", "test"}
            path = f"/api/tabs/{entered['tab']}"
            (picture,) = ask(f"{path}/draw", {"specs": [entered["document"]["images"][0]["now"]]})["pictures"]
            assert len(picture["values"]["classifier"]) == 2
            events = http.client.HTTPConnection(visitor.host, visitor.port, timeout=300)
            events.request("GET", f"{path}/events")
            stream = events.getresponse()
            ask(f"{path}/data", {"split": "test", "index": 0})
            states = []
            while "done" not in states and "failed" not in states:
                states += re.findall(r'"state": "(\w+)"', stream.readline().decode())
            assert states[-1] == "done"
            events.close()
