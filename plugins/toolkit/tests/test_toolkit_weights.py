"""Weights files and the tables of packages, read without their numbers or an import."""

import json
import os
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from sidelight_specs import UserError
from sidelight_toolkit.source_text import NotConstantError, SourceText
from sidelight_toolkit.weights_files import load_weights, read_state_dict
from sidelight_toolkit.weights_outline import outline
from torch import nn

STATE = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2), "count": torch.tensor(4)}
SHAPES = {"a.weight": (2, 3), "a.bias": (2,), "count": ()}


@pytest.fixture(params=["safetensors", "torch", "wrapped", "half"])
def path(request, tmp_path):
    path = tmp_path / "weights"
    if request.param == "safetensors":
        save_file(STATE, path, {"by": "us"})
    elif request.param == "half":
        torch.save({name: nn.Parameter(each.half(), requires_grad=False) for name, each in STATE.items()}, path)
    else:
        state = {f"module.{name}": each for name, each in STATE.items()}
        torch.save(STATE if request.param == "torch" else {"epoch": 1, "model": state, "best": 0.5}, path)
    return path


def test_outline_and_weights_agree(path):
    assert outline(path) == SHAPES
    state = read_state_dict(path)
    assert {name: tuple(each.shape) for name, each in state.items()} == SHAPES
    assert torch.equal(state["a.weight"].float(), STATE["a.weight"])


def test_outline_of_other_files_is_unknown(tmp_path, path):
    for name, content in {"empty": b"", "text": b"hello, I am text", "safe": b"\xff" * 8 + b"{"}.items():
        (tmp_path / name).write_bytes(content)
        assert outline(tmp_path / name) is None
    assert outline(tmp_path / "absent") is None
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02cos\nsystem\n.")
    assert outline(tmp_path / "other.zip") is None
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        (tmp_path / "cut").write_bytes(data[:length])
        outline(tmp_path / "cut")  # whatever it gives, it raises nothing


def test_weights_that_do_not_fit_are_named():
    network = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.BatchNorm1d(2)})
    state = {"a.weight": torch.ones(2, 4), "a.bias": torch.zeros(2), "c": torch.ones(1)}
    with pytest.raises(UserError) as caught:
        load_weights(network, state, "w.pth", "the net", "do this")
    assert caught.value.message == (
        "the weights w.pth do not fit the net: it lacks b.weight, b.bias, b.running_mean, b.running_var; it has c; "
        "of another shape are a.weight (2, 4) instead of (2, 3)"
    )
    fitting = {name: each for name, each in network.state_dict().items() if not name.endswith("tracked")}
    load_weights(network, {**fitting, "a.bias": torch.tensor([1.0, 2.0])}, "w.pth", "the net", "do this")
    assert network["a"].bias.tolist() == [1.0, 2.0]


def test_a_folder_and_a_missing_file_are_no_weights(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="cannot be read"):
            read_state_dict(path)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "module.py"
    path.write_text('''
from somewhere import MEAN

HALF = 1 / 2
STD = tuple([1 / (0.5 * 4)] * 3)


def _cfg(url="", **kwargs):
    """A docstring."""
    return {"url": url, "size": (3, 8), "mean": MEAN, **kwargs}


def _tcfg(url="", **kwargs):
    return _cfg(url=url, **dict({"size": (3, 9)}, **kwargs))


def long():
    x = 1
    return x


table = {
    "a": _cfg("here", crop=HALF),
    "b": _tcfg(size=(*[3], -5)),
    "c": _tcfg(),
}
table = wrap(table)
kind: str = Mode.CUBIC
lazy = [x for x in range(3)]
called = long()
unknown = elsewhere(2)
''')
    return SourceText(path, {"MEAN": (0.1,)}, {"wrap": lambda value: value})


def test_constants_of_a_module_that_is_not_imported(source):
    assert source.value("HALF") == 0.5
    assert source.value("STD") == (0.5, 0.5, 0.5)
    assert source.value("table") == {
        "a": {"url": "here", "size": (3, 8), "mean": (0.1,), "crop": 0.5},
        "b": {"url": "", "size": (3, -5), "mean": (0.1,)},
        "c": {"url": "", "size": (3, 9), "mean": (0.1,)},
    }
    assert source.value("kind") == "CUBIC"


@pytest.mark.parametrize("name", ["lazy", "called", "unknown", "absent", "long"])
def test_what_is_not_computed_is_said(source, name):
    with pytest.raises(NotConstantError):
        source.value(name)


@pytest.mark.parametrize("shape", [["five"], [-1], [True], [10**12], 3, None])
def test_outline_of_a_header_with_impossible_shapes_is_unknown(tmp_path, shape):
    header = json.dumps({"fc.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert outline(tmp_path / "w.safetensors") is None


def test_outline_of_a_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert outline(tmp_path / "pipe") is None
