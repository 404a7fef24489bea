"""The reader of TensorFlow.js weights: values, and files that are damaged or hostile."""

import json
import os

import numpy as np
import pytest
from sidelight_faces import weights_manifest
from sidelight_faces.weights_manifest import read_manifest
from sidelight_specs import UserError

FLOATS = np.array([[1.5, -2.0, 0.25]], "<f4")
WEIGHT = {"name": "a", "shape": [1, 3], "dtype": "float32"}


def write(folder, groups, **shards):
    for name, data in shards.items():
        (folder / f"{name}.bin").write_bytes(data)
    (folder / "manifest.json").write_text(groups if isinstance(groups, str) else json.dumps(groups), encoding="utf-8")
    return folder / "manifest.json"


def group(weights, *paths):
    return {"paths": list(paths), "weights": weights}


def quantised(stored, scale=0.5, low=-1.0, **changes):
    return {**WEIGHT, "quantization": {"dtype": stored, "scale": scale, "min": low}, **changes}


def test_plain_quantised_and_half_precision_values_over_several_shards(tmp_path):
    codes, wide, half = np.array([0, 255, 7], "u1"), np.array([0, 65535, 9], "<u2"), np.array([0.5, -3, 2], "<f2")
    numbers = np.array([-1, 2**31 - 1, 5], "<i4")
    data = FLOATS.tobytes() + codes.tobytes() + wide.tobytes() + half.tobytes() + numbers.tobytes()
    weights = [
        WEIGHT,
        quantised("uint8", name="b"),
        quantised("uint16", name="c", scale=0.1, low=0),
        {**WEIGHT, "name": "d", "quantization": {"dtype": "float16"}},
        {**WEIGHT, "name": "e", "dtype": "int32"},
    ]
    path = write(tmp_path, [group(weights, "x.bin", "y.bin")], x=data[:13], y=data[13:])
    arrays = read_manifest(path)
    assert list(arrays) == ["a", "b", "c", "d", "e"]
    assert {array.dtype for array in arrays.values()} == {np.dtype("f4")}
    np.testing.assert_array_equal(arrays["a"], FLOATS)
    np.testing.assert_array_equal(arrays["b"], [[-1, 126.5, 2.5]])
    np.testing.assert_array_equal(arrays["c"], np.array([[0, 6553.5, 0.9]], "f4"))
    np.testing.assert_array_equal(arrays["d"], [[0.5, -3, 2]])
    np.testing.assert_array_equal(arrays["e"], np.array([[-1, 2**31 - 1, 5]], "f4"))


def test_a_whole_model_file_and_a_scalar(tmp_path):
    scalar = {"name": "s", "shape": [], "dtype": "float32"}
    path = write(tmp_path, {"format": "layers-model", "weightsManifest": [group([scalar], "x.bin")]}, x=b"\0\0\x80?")
    assert read_manifest(path)["s"] == np.float32(1)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([{**WEIGHT, "shape": [1, -3]}], "shape"),
        ([{**WEIGHT, "shape": [1, 3.0]}], "shape"),
        ([{**WEIGHT, "shape": [True, 3]}], "shape"),
        ([{**WEIGHT, "shape": [1] * 9}], "shape"),
        ([{**WEIGHT, "shape": [10**9, 10**9]}], "more than"),
        ([{**WEIGHT, "shape": [1, 4]}], "12 bytes, the weights take 16"),
        ([{**WEIGHT, "shape": [1, 2]}], "12 bytes, the weights take 8"),
        ([{**WEIGHT, "dtype": "string"}], "of the type string"),
        ([{**WEIGHT, "dtype": ["float32"]}], "of the type"),
        ([{**WEIGHT, "name": 3}], "no name"),
        ([quantised("uint8", scale=float("nan"))], "the scale"),
        ([quantised("uint8", low=10**400)], "the min"),
        ([quantised("uint8", low=None)], "the min"),
        ([quantised("uint8", low=True)], "the min"),
        ([quantised("int8")], "of the type int8"),
        ([quantised("uint8", dtype="int32")], "no float32"),
        ([{**WEIGHT, "quantization": "uint8"}], "no float32"),
        ([{**WEIGHT, "shape": [1, 1]}, {**WEIGHT, "shape": [1, 2]}], "twice"),
        ([3], "no name"),
        ([], "12 bytes"),
    ],
)
def test_weights_that_are_refused(tmp_path, weights, words):
    path = write(tmp_path, [group(weights, "x.bin")], x=FLOATS.tobytes())
    with pytest.raises(UserError, match=words) as caught:
        read_manifest(path)
    assert str(path) in caught.value.message
    assert "where" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["", "{", "3", "{}", "[3]", '[{"paths": 3, "weights": []}]', '[{"paths": []}]', "[]", "[" * 100_000, "\x00"]
)
def test_manifests_that_are_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_manifest(write(tmp_path, text))


@pytest.mark.parametrize("name", ["../x.bin", "sub/../../x.bin", "/etc/hostname", "link.bin", 3, None, "."])
def test_shards_outside_of_the_folder(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "x.bin").write_bytes(FLOATS.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "x.bin")
    with pytest.raises(UserError, match=r"outside|folder"):
        read_manifest(write(folder, [group([WEIGHT], name)]))


def test_groups_that_name_one_shard_again_and_again_take_no_more_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_manifest, "LARGEST_WEIGHTS", 3 * len(FLOATS.tobytes()))
    groups = [group([{**WEIGHT, "name": str(number)}], "x.bin") for number in range(4)]
    assert len(read_manifest(write(tmp_path, groups[:3], x=FLOATS.tobytes()))) == 3
    with pytest.raises(UserError, match="promises 48 bytes, more than 36"):
        read_manifest(write(tmp_path, groups))


def test_a_link_to_itself_is_no_shard(tmp_path):
    (tmp_path / "x.bin").symlink_to(tmp_path / "x.bin")
    with pytest.raises(UserError, match=r"manifest\.json|x\.bin"):
        read_manifest(write(tmp_path, [group([WEIGHT], "x.bin")]))


def test_a_pipe_and_a_missing_shard_are_named(tmp_path):
    os.mkfifo(tmp_path / "x.bin")
    with pytest.raises(UserError, match="a pipe"):
        read_manifest(write(tmp_path, [group([WEIGHT], "x.bin")]))
    with pytest.raises(UserError, match=r"y\.bin cannot be read"):
        read_manifest(write(tmp_path, [group([WEIGHT], "y.bin")]))


def test_a_manifest_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_manifest, "LARGEST_MANIFEST", 10)
    with pytest.raises(UserError, match="larger than"):
        read_manifest(write(tmp_path, [group([WEIGHT], "x.bin")], x=FLOATS.tobytes()))
