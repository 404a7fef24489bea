"""Digests follow the content, whatever holds it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sidelight_specs import SidelightError
from sidelight_specs.digests import digest_file, digest_of
from sidelight_specs.mapped import hash_into
from sidelight_specs.results import State
from sidelight_specs.testing.run import ToyRun

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x", 1), ["x", 1]),
        ({"a": 1, "b": ARRAY}, {"b": ARRAY.copy(), "a": 1}),
        (ARRAY, torch.tensor(ARRAY)),
        (ARRAY, torch.tensor(ARRAY.T.copy()).T),
        (ARRAY, ARRAY.T.copy().T),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
        (np.float32(2), 2.0),
        (State(arrays={"a": ARRAY}), State(arrays={"a": ARRAY.copy()})),
    ],
)
def test_the_same_content_has_the_same_digest(one, other):
    assert digest_of(one) == digest_of(other)
    assert digest_of(("deep", {"in": [one]})) == digest_of(("deep", {"in": [other]}))


def test_other_content_has_another_digest():
    values = [
        None,
        True,
        1,
        1.0,
        "1",
        b"1",
        ARRAY,
        ARRAY + 1,
        ARRAY.reshape(3, 2),
        ARRAY.astype(np.float64),
        torch.tensor(ARRAY).to(torch.bfloat16),
        np.zeros((0, 2)),
        torch.zeros(2, 0),
        State(arrays={"a": ARRAY}),
        State(arrays={"a": ARRAY + 1}),
        {"a": ARRAY},
        [ARRAY],
    ]
    assert len({digest_of(value) for value in values}) == len(values)


def test_plain_values_keep_the_digests_that_model_cards_quote():
    assert digest_of({"a": [1, "x"]}).startswith("2c8a54032941")


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, object(), np.array([object()]), {(1, 2): 3}, State])
def test_what_cannot_be_told_is_an_error(value):
    with pytest.raises(SidelightError, match="a digest needs plain values, arrays and tensors"):
        digest_of(("key", value))


def test_what_holds_itself_is_an_error():
    value = []
    value.append(value)
    with pytest.raises(SidelightError, match="Circular"):
        digest_of(value)


def test_a_file_is_digested_by_its_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x")
    other.write_bytes(b"x")
    assert digest_file(one) == digest_file(other)
    other.write_bytes(b"y")
    assert digest_file(one) != digest_file(other)


def test_the_toy_run_keeps_artifacts_under_arrays():
    run, made = ToyRun(), []

    def make():
        made.append(1)
        return State(arrays={"a": ARRAY})

    for key in (("x", ARRAY), ("x", ARRAY.copy()), ("x", torch.tensor(ARRAY)), ("x", ARRAY + 1)):
        run.cached(key, make)
    assert len(made) == 2
    with pytest.raises(SidelightError, match="Path has no digest"):
        run.cached(Path("x"), make)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(0),
        np.zeros((0, 3), np.float32),
        np.array(3.5),
        np.arange(12).reshape(3, 4).T,
        np.arange(10)[::2],
        np.broadcast_to(np.arange(3), (2, 3)),
        np.array(["a", "bcd"]),
        np.array([True, False]),
        np.arange(6, dtype=">i2"),
    ],
    ids=str,
)
def test_the_bytes_that_are_hashed_are_those_of_the_array(array):
    hasher = hashlib.blake2b()
    hash_into(hasher, array)
    assert hasher.digest() == hashlib.blake2b(array.tobytes()).digest()
