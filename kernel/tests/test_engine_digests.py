"""Digests in the manifest: what changes them, and what does not."""

import hashlib
import json

import attrs
import numpy as np
import pytest
from sidelight.engine.digests import arrays_digest, file_digest, image_digests, split_digest, weights_digest
from sidelight_specs.results import Split, State


def split(**changes):
    images = np.random.default_rng(0).random((3, 1, 4, 4), dtype=np.float32)
    return Split(images=images, labels=np.arange(3), class_names=("a", "b", "c"), ids=("x", "y", "z"), **changes)


def test_a_file_has_the_digest_that_sha256sum_gives(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    assert file_digest(tmp_path / "two") == "sha256:" + hashlib.sha256(b"2").hexdigest()
    lines = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a/one", b"1"), ("two", b"2")))
    assert file_digest(tmp_path) == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    before = file_digest(tmp_path)
    (tmp_path / "a/one").rename(tmp_path / "a/uno")
    assert file_digest(tmp_path) != before


def test_another_pixel_changes_the_digest_of_its_image_and_no_other():
    one, other = split(), split()
    other.images[1, 0, 2, 2] = np.nextafter(other.images[1, 0, 2, 2], np.float32(2))
    before, after = image_digests(one), image_digests(other)
    assert [image["id"] for image in before] == ["x", "y", "z"]
    assert [mine == theirs for mine, theirs in zip(before, after, strict=True)] == [True, False, True]
    assert split_digest(one) != split_digest(other)


@pytest.mark.parametrize("change", [{"labels": np.array([0, 1, 1])}, {"class_names": ("a", "b", "d")}])
def test_labels_and_class_names_belong_to_the_data(change):
    one = split()
    assert split_digest(attrs.evolve(one, **change)) != split_digest(one)
    assert image_digests(attrs.evolve(one, **change)) == image_digests(one)


def test_names_types_and_shapes_belong_to_weights():
    weights = {"a": np.zeros(4, np.float32), "b": np.zeros((2, 2), np.float32)}
    others = [
        {"a": weights["b"], "b": weights["a"]},
        {"a": weights["a"], "c": weights["b"]},
        {**weights, "a": np.zeros(2, np.float64)},
        {**weights, "b": np.zeros((4, 1), np.float32)},
    ]
    assert arrays_digest(dict(reversed(weights.items()))) == arrays_digest(weights)
    assert len({arrays_digest(one) for one in (weights, *others)}) == 5


class Loaded:
    """A component that loads a network when it is asked for, and holds another."""

    def __init__(self, torch, value=0.0):
        self.inner = torch.nn.BatchNorm2d(2)
        self._torch, self._value = torch, value

    @property
    def network(self):
        network = self._torch.nn.Linear(3, 2).to(self._torch.bfloat16)
        self._torch.nn.init.constant_(network.weight, self._value)
        self._torch.nn.init.zeros_(network.bias)
        return network


def test_parameters_and_buffers_of_networks_are_weights():
    torch = pytest.importorskip("torch")
    one, buffer = Loaded(torch), Loaded(torch)
    buffer.inner.running_mean[0] = 1
    digests = [weights_digest(component) for component in (one, Loaded(torch), Loaded(torch, 0.5), buffer)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert weights_digest(object()) is None


def test_tensors_and_arrays_of_the_same_content_have_one_digest():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(12.0).reshape(3, 4)
    assert arrays_digest({"a": tensor.T}) == arrays_digest({"a": tensor.numpy().T.copy()})
    assert arrays_digest({"a": torch.tensor(2.5)}) == arrays_digest({"a": np.array(2.5, np.float32)})


def digests(finished):
    return json.loads((finished.folder / "run.json").read_text())["digests"]


def test_a_run_tells_them_whatever_its_folder_cache_and_shards(toys, tmp_path, monkeypatch):
    first = digests(toys.run())
    assert [image["id"] for image in first["images"]] == list(toys.run().results.split.ids[:6])
    assert set(first["weights"]) == {"classifier"}
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "other"))
    assert digests(toys.run(out=tmp_path / "elsewhere")) == first  # computed anew
    assert digests(toys.run({**toys.RECIPE, "explain": {**toys.RECIPE["explain"], "shard": 5}})) == first


@pytest.mark.processes
def test_workers_leave_the_same_digests(toys, tmp_path, monkeypatch):
    first = digests(toys.run())
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "other"))
    assert digests(toys.run(executor="processes", workers=2)) == first


def test_weights_have_the_digest_of_the_learned_state(toys):
    finished = toys.run(toys.small())
    state = State(arrays={"weights": _weights(finished)})
    assert digests(finished)["weights"]["classifier"] == arrays_digest(state.arrays)


def _weights(finished):
    from sidelight.engine.store import Store
    from sidelight_specs import Artifact

    (entry,) = [
        one.folder
        for one in Store().entries()
        if one.component == "toy/mean" and json.loads((one.folder / "entry.json").read_text())["step"] == "fit"
    ]
    return Artifact.load(entry / "result").arrays["weights"]


def test_another_training_changes_the_weights_and_another_choice_the_images(toys):
    first = digests(toys.run(toys.small()))
    seeded = digests(toys.run({**toys.small(), "seed": 8}))
    assert seeded["weights"] != first["weights"]
    assert seeded["images"] == first["images"]
    fewer = digests(toys.run({**toys.small(), "explain": {"split": "test", "count": 2}}))
    assert fewer["images"] == first["images"][:2]
    assert fewer["weights"] == first["weights"]
    assert fewer["data"] != first["data"]


def test_a_cached_run_takes_them_from_the_store(toys):
    toys.run()
    toys.calls.clear()
    toys.run()
    assert not [call for call in toys.calls if not call.startswith("read")]
