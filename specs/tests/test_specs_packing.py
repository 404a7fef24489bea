"""Values as bytes and back, without pickle."""

import numpy as np
import pytest
from sidelight_specs import SidelightError
from sidelight_specs.digests import digest_of
from sidelight_specs.packing import pack, unpack
from sidelight_specs.results import State, Targets

TARGETS = Targets(predicted=np.array([0, 1]), probe=np.array([1, 0]))
VALUES = [
    None,
    [1, 2.5, float("inf"), "text", True, [], {}],
    {"$array": 0, "$dict": {"$artifact": "x"}},
    np.arange(12, dtype=np.float32).reshape(3, 4).T,
    np.zeros((0, 3), np.int64),
    np.array(True),
    {"images": np.ones((2, 1, 4, 4), np.float32), "targets": TARGETS},
    [State(arrays={"a.b": np.arange(3), "c": np.zeros(2)}, settings={"x": "1"}), ["deep", [TARGETS]]],
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back(value):
    again = unpack(pack(value))
    assert type(again) is type(value)
    assert digest_of(again) == digest_of(value)


def test_arrays_come_back_writable_and_of_their_own():
    again = unpack(pack({"x": np.arange(3)}))["x"]
    again[0] = 7
    assert again.tolist() == [7, 1, 2]


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, np.array([None]), np.zeros(2, [("a", "i4")]), {"x": {3}}, b"bytes"]
)
def test_anything_else_is_refused(value):
    with pytest.raises(SidelightError, match="cannot go to another process"):
        pack(value)


def test_a_tensor_is_refused_with_the_cure():
    torch = pytest.importorskip("torch")
    with pytest.raises(SidelightError, match="numpy array"):
        pack([torch.zeros(2)])


DAMAGED = [b"", b"12345678", pack([np.arange(9)])[:-8], pack(1)[:-1], pack({"x": 1}).replace(b'{"x": 1}', b"12345678")]


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_bytes_are_refused(data):
    with pytest.raises(SidelightError, match="no packed value"):
        unpack(data)
