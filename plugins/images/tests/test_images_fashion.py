import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import sidelight_images
from hypothesis import given
from hypothesis import strategies as st
from sidelight_images.fashion import Fashion
from sidelight_images.idx import _parsed
from sidelight_images.names import GARMENTS
from sidelight_images.params import FashionParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun

EXAMPLE = Path(sidelight_images.__file__).parent / "examples/idx"


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write(folder, split="train", images=None, labels=None, compress=False):
    images = np.zeros((20, 28, 28), np.uint8) if images is None else images
    labels = np.tile(np.arange(10, dtype=np.uint8), 2) if labels is None else labels
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        content = gzip.compress(idx(array)) if compress else idx(array)
        (folder / f"{split}-{kind}-ubyte{'.gz' if compress else ''}").write_bytes(content)


def fashion(path, **options):
    return Fashion(FashionParams(path=str(path), **options), run=ToyRun())


@pytest.mark.parametrize("compress", [True, False])
def test_files_are_read_compressed_or_not(tmp_path, compress):
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    for name in ("train", "t10k"):
        write(tmp_path, name, noise, compress=compress)
    split = fashion(tmp_path, size=28).split("train")
    rows = [int(name.rsplit("-", 1)[1]) for name in split.ids]
    np.testing.assert_allclose(split.images[:, 0], noise[rows] / 255, atol=1e-6)
    np.testing.assert_array_equal(split.labels, np.array(rows) % 10)
    assert split.class_names == GARMENTS
    assert set(split.labels[:10]) == set(range(10))


def test_the_options_are_those_of_digits():
    data = fashion(EXAMPLE, classes=("Bag", "Coat"), keep={"Coat": 1}, square="Bag")
    assert data.splits == ("train", "test", "test-square", "test-aligned", "test-decorrelated", "test-conflicting")
    assert list(np.bincount(data.split("train").labels)) == [4, 1]
    assert data.split("test").images.shape == (4, 1, 32, 32)


def test_missing_files_come_with_the_way_to_get_them(tmp_path):
    with pytest.raises(UserError, match="Fashion-MNIST: neither") as caught:
        fashion(tmp_path).split("train")
    assert "dataset-fashion-mnist" in caught.value.fix


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: write(folder, images=np.zeros((20, 28, 27), np.uint8)),
        lambda folder: write(folder, images=np.zeros((19, 28, 28), np.uint8)),
        lambda folder: write(folder, labels=np.full(20, 10, np.uint8)),
        lambda folder: (folder / "train-images-idx3-ubyte").write_bytes(b""),
        lambda folder: (folder / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\xff" * 40),
        lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x0d\x01\0\0\0\x14" + b"\0" * 80),
        lambda folder: (folder / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b\x08\0 damaged"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, spoil):
    write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match="train"):
        fashion(tmp_path).split("train")


@given(st.binary(max_size=60))
def test_any_bytes_are_an_array_or_a_value_error(content):
    try:
        found = _parsed(content, 1).nbytes
    except ValueError as error:
        found = str(error)
    assert found == len(content) - 8 or "IDX" in str(found) or "promises" in str(found)


def test_the_fingerprint_follows_the_files(tmp_path):
    for split in ("train", "t10k"):
        write(tmp_path, split)
    first = fashion(tmp_path).fingerprint()
    write(tmp_path, "t10k", np.ones((30, 28, 28), np.uint8), np.zeros(30, np.uint8))
    assert fashion(tmp_path).fingerprint() != first
