"""Weights in maps of files: the same numbers in the same tensors, each held once by all who map the file."""

import shutil

import attrs
import pytest
from sidelight.engine.weights import SharedWeights, share_weights

torch = pytest.importorskip("torch")


class Model:
    """A classifier as the fingerprint walks it: a module with two weights in one block, and a plain tensor."""

    def __init__(self):
        torch.manual_seed(0)
        self.module = torch.nn.Sequential(torch.nn.Linear(200, 200), torch.nn.ReLU(), torch.nn.Linear(200, 200))
        self.module[2].weight = self.module[0].weight
        self.table = torch.arange(60_000.0).reshape(300, 200).T  # not contiguous
        self.small = torch.ones(3)


@attrs.frozen
class Component:
    """What the recipe says of a component."""

    role: str


def test_tensors_stay_what_they_are(tmp_path):
    model = Model()
    weight, images = model.module[0].weight, torch.rand(2, 200)
    before, table = model.module(images), model.table.clone()
    assert share_weights(model, tmp_path / "weights") == 4 * (200 * 200 + 60_000)
    shutil.rmtree(tmp_path / "weights")  # the maps stay
    assert model.module[0].weight is model.module[2].weight is weight
    assert weight.requires_grad
    assert torch.equal(model.module(images), before)
    assert torch.equal(model.table, table)
    assert model.table.stride() == (1, 200)
    model.module(images).sum().backward()
    assert weight.grad is not None


def test_one_file_for_all_and_nobody_writes_to_it(tmp_path):
    one, other = Model(), Model()
    for model in (one, other):
        share_weights(model, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(files) == 2
    with torch.no_grad():
        one.module[0].weight.zero_()
    assert other.module[0].weight.any()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path):
    (tmp_path / "file").touch()
    model = Model()
    before = model.module[0].weight.clone()
    assert share_weights(model, tmp_path / "file" / "weights") == 0
    assert torch.equal(model.module[0].weight, before)


def test_a_file_that_is_too_short_costs_nothing(tmp_path):
    model = Model()
    share_weights(model, tmp_path)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
        path.write_bytes(b"")
    other = Model()
    before = other.module[0].weight.clone()
    assert share_weights(other, tmp_path) == 0
    assert torch.equal(other.module[0].weight, before)


def test_a_tensor_that_is_conjugated_when_it_is_read_stays(tmp_path):
    model = Model()
    model.filter = torch.fft.fft(torch.rand(100, 100)).conj()
    before = model.filter.clone()
    share_weights(model, tmp_path)
    assert torch.equal(model.filter, before)


def test_models_that_others_use_are_shared_each_once(tmp_path):
    weights = SharedWeights(tmp_path)
    alive = {Component("classifier"): Model(), Component("metric"): Model()}
    before = [model.module[0].weight.data_ptr() for model in alive.values()]
    weights.share(alive)
    after = [model.module[0].weight.data_ptr() for model in alive.values()]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
    weights.share(alive)
    assert [model.module[0].weight.data_ptr() for model in alive.values()] == after
