import io
import zipfile

import pytest
import torch
from sidelight_toolkit.pickles import RefusedError, check_nesting
from sidelight_toolkit.torch_files import read_weights

WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3), "c": torch.arange(6.0)[1::2]}


@pytest.mark.parametrize("new", [True, False])
def test_weights_are_those_that_were_saved(tmp_path, new):
    torch.save(WEIGHTS, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    found = read_weights(tmp_path / "a.pt", "cpu")
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


def test_a_storage_that_is_shorter_than_its_tensor_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save(WEIGHTS, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(tmp_path / "a.pt", "w") as target:
        for name in source.namelist():
            target.writestr(name, b"1234" if name.endswith("data/0") else source.read(name))
    with pytest.raises(ValueError, match="a storage holds 4 bytes, 6 elements"):
        read_weights(tmp_path / "a.pt", "cpu")


@pytest.mark.parametrize("value", [torch.nn.Linear(2, 2), [torch.ones(2)], {"a": 1}])
def test_what_is_more_than_weights_is_refused(tmp_path, value):
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(RefusedError):
        read_weights(tmp_path / "a.pt", "cpu")


def test_nesting_is_bounded_and_circles_are_found():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        check_nesting(deep)
    circle = []
    circle.append({"a": (circle,)})
    with pytest.raises(ValueError, match="lies in itself"):
        check_nesting(circle)
    shared = [1]
    assert len(check_nesting([shared, shared, {"a": shared}])) == 4
