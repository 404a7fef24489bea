"""A stranger's explainer of fifty lines gets a row of the leaderboard by one flag; nothing of ours changes.

So does nonsense, which then stands where what tells no models apart stands.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun

EXAMPLE = Path(__file__).parents[1] / "examples" / "sidelight-rise"
NONSENSE = EXAMPLE.with_name("sidelight-checksum")
INSTALL = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
CHEAT = """
from sidelight_specs import ExplainerDescriptor, Need, hookimpl

@hookimpl
def sidelight_explainers():
    yield ExplainerDescriptor(
        name="peek", summary="Looks the factors up.", factory="cheat:Peek", needs=(Need("data"), Need("classifier")),
        gives="heatmap", answers="predicted",
    )
"""


def sidelight(site, *words):
    settings = {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "SIDELIGHT_CACHE": str(site.parent / "cache")}
    command = [sys.executable, "-m", "sidelight", *map(str, words)]
    return subprocess.run(
        command, env={**os.environ, **settings}, cwd=site.parent, capture_output=True, text=True, check=False
    )


def install(source, site):
    command = [sys.executable, "-m", "pip", "install", *INSTALL, "--target", str(site), str(source)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the examples."""
    folder = tmp_path_factory.mktemp("rise") / "site"
    for example in (EXAMPLE, NONSENSE):
        shutil.copytree(example, folder.parent / example.name)  # pip builds beside its sources
        install(folder.parent / example.name, folder)
    return folder


def test_it_has_at_most_50_lines_of_code_and_imports_nothing_of_the_kernel():
    texts = [path.read_text() for path in EXAMPLE.glob("src/**/*.py")]
    assert sum(bool(line.strip()) for text in texts for line in text.splitlines()) <= 50
    assert not any(re.search(r"^\s*(from|import) sidelight[. ]", text, flags=re.MULTILINE) for text in texts)


def test_its_map_is_0_at_the_least_and_stands_out_where_the_classifier_looks(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE / "src")
    from acme_rise import RiseParams
    from acme_rise.explain import Rise

    class Corner:
        def class_logits(self, images):
            bright = images[:, :, :8, :8].mean((1, 2, 3)) - 0.5
            return 8 * torch.stack([bright, -bright], 1)

    one = torch.zeros(1, dtype=torch.int64).numpy()
    rise = Rise(RiseParams(), classifier=Corner(), run=ToyRun())
    result = rise.explain(torch.ones(1, 3, 32, 32), Targets(predicted=one, probe=one + 1))
    assert not result.signed
    assert result.values.min() == 0
    assert result.values[:, :8, :8].mean() > 3 * result.values[:, 16:, 16:].mean()


def test_nonsense_is_a_checksum_of_the_image_and_tells_nothing_of_a_model(monkeypatch):
    monkeypatch.syspath_prepend(NONSENSE / "src")
    from acme_checksum.explain import Checksum

    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    maps = Checksum(None, run=ToyRun()).explain(images, None).values
    assert maps.shape == (2, 16, 16)
    assert not (maps[0] == maps[1]).all()
    images[0, 0, 0, 0] += 1e-6  # one bit
    other = Checksum(None, run=ToyRun()).explain(images, None).values
    assert (other[1] == maps[1]).all()
    assert (other[0] != maps[0]).mean() > 0.9


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("example", [EXAMPLE, NONSENSE], ids=lambda path: path.name)
def test_it_passes_the_conformance_kit(site, example):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(example / "tests")]
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=site.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.processes
def test_an_explainer_that_wants_the_data_is_refused(tmp_path):
    source = tmp_path / "source"
    (source / "src/cheat").mkdir(parents=True)
    (source / "src/cheat/__init__.py").write_text(CHEAT)
    project = (EXAMPLE / "pyproject.toml").read_text()
    (source / "pyproject.toml").write_text(
        project.replace("acme-rise", "cheat").replace("acme_rise", "cheat").replace("rise =", "peek =")
    )
    install(source, tmp_path / "site")
    done = sidelight(tmp_path / "site", "bench", "quick", "--suite", "faces", "--with", "cheat/peek", "--out", "out")
    assert done.returncode == 2
    assert "needs data, in which the planted causes stand" in done.stderr
    assert not (tmp_path / "out" / "cells.csv").exists()


@pytest.mark.processes
@pytest.mark.slow
def test_it_gets_a_row_by_one_flag(site):
    words = ["bench", "quick", "--suite", "faces", "--seeds", "1", "--method", "captum/grad-cam"]
    guests = ["--with", "acme-rise/rise", "--with", "acme-checksum/checksum"]
    done = sidelight(site, *words, *guests, "--out", "out")
    assert done.returncode == 0, done.stderr
    with (site.parent / "out" / "leaderboard.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if (row["suite"], row["factor"]) == ("all", "all")]
    rise, nonsense = ({row["method"]: row for row in rows}[name] for name in guests[1::2])
    assert (rise["family"], nonsense["family"]) == ("yours", "yours")
    assert rise["auroc"]
    assert not rise["failed"] + nonsense["failed"]
    assert float(nonsense["auroc"]) == 0.5, "all models explain the same images"
    page = (site.parent / "out" / "leaderboard.html").read_text()
    assert all(name in page for name in guests[1::2])
