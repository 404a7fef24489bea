"""The networks against plain forward passes on random files, and against face-api itself where it is installed."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from sidelight_faces import EXPRESSIONS, detector
from sidelight_faces.conformance import (
    dense_shapes,
    detector_shapes,
    recognition_shapes,
    write_dcgan,
    write_manifest,
    write_mini_xception,
)
from sidelight_faces.dcgan import CONTENT, load_dcgan
from sidelight_faces.dense_features import face_input, load_dense_network
from sidelight_faces.detector import ANCHORS, find_faces, load_detector
from sidelight_faces.locations import DCGAN, DETECTOR, EXPRESSION, LANDMARKS, RECOGNITION, weights_file
from sidelight_faces.mini_xception import ORDER, load_mini_xception
from sidelight_faces.recognition import load_recognition_network
from sidelight_faces.weights_manifest import read_manifest
from sidelight_specs import UserError
from torch.nn import functional

MEAN = np.array([122.782, 117.001, 104.298])


def installed(source):
    try:
        return weights_file(source, "")
    except UserError:
        return None


def conv(x, filters, bias, stride, padding):
    """TensorFlow's convolution of one (H, W, in) map with (h, w, in, out) filters, as sums of scipy's correlations."""
    x = np.pad(x, (*padding, (0, 0)))
    maps = [
        sum(correlate(x[..., i], filters[..., i, o], "valid") for i in range(x.shape[2]))
        for o in range(filters.shape[3])
    ]
    return np.stack(maps, -1)[::stride, ::stride] + bias


def separable(x, weights, layer, stride):
    padding = ((1, 1), (1, 1)) if stride == 1 else ((0, 1), (0, 1))
    depthwise = weights[f"{layer}/depthwise_filter"]
    maps = [conv(x[..., i : i + 1], depthwise[:, :, i : i + 1], 0, stride, padding) for i in range(x.shape[2])]
    return np.concatenate(maps, -1) @ weights[f"{layer}/pointwise_filter"][0, 0] + weights[f"{layer}/bias"]


def dense_forward(image, weights):
    """One (112, 112, 3) image in [0, 255]; written after face-api's denseBlock4, layer by layer."""
    x = (image - MEAN) / 255
    for block in range(4):
        name = f"dense{block}"
        if block == 0:
            a1 = conv(x, weights["dense0/conv0/filters"], weights["dense0/conv0/bias"], 2, ((0, 1), (0, 1)))
        else:
            a1 = separable(x, weights, f"{name}/conv0", 2)
        a1 = np.maximum(a1, 0)
        a2 = separable(a1, weights, f"{name}/conv1", 1)
        a3 = separable(np.maximum(a1 + a2, 0), weights, f"{name}/conv2", 1)
        a4 = separable(np.maximum(a1 + a2 + a3, 0), weights, f"{name}/conv3", 1)
        x = np.maximum(a1 + a2 + a3 + a4, 0)
    return x.mean((0, 1)) @ weights["fc/weights"] + weights["fc/bias"]


def test_the_dense_network_equals_a_plain_forward(tmp_path):
    path = write_manifest(tmp_path, EXPRESSION, dense_shapes(7))
    images = np.random.default_rng(0).random((2, 112, 112, 3))
    expected = np.stack([dense_forward(255 * image, read_manifest(path)) for image in images])
    made = load_dense_network(EXPRESSION, path, 7)(torch.from_numpy(images.transpose(0, 3, 1, 2).astype("f4")))
    np.testing.assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())


def scaled(x, weights, layer, stride, padding):
    x = conv(x, weights[f"{layer}/conv/filters"], weights[f"{layer}/conv/bias"], stride, padding)
    return x * weights[f"{layer}/scale/weights"] + weights[f"{layer}/scale/biases"]


def pooled(x, size, stride, of):
    side = (len(x) - size) // stride + 1
    rows = [
        [of(x[i * stride : i * stride + size, j * stride : j * stride + size]) for j in range(side)]
        for i in range(side)
    ]
    return np.array(rows)


def recognition_forward(image, weights):
    """One (150, 150, 3) image in [0, 255]; written after face-api's residual and residualDown."""
    none, one = ((0, 0), (0, 0)), ((1, 1), (1, 1))
    x = np.maximum(scaled((image - MEAN) / 255, weights, "conv32_down", 2, none), 0)
    x = pooled(x, 3, 2, lambda part: part.max((0, 1)))
    blocks = [name.removesuffix("/conv1/conv/filters") for name in weights if name.endswith("/conv1/conv/filters")]
    for name in blocks:
        halve = "down" in name
        out = np.maximum(scaled(x, weights, f"{name}/conv1", 2 if halve else 1, none if halve else one), 0)
        out = scaled(out, weights, f"{name}/conv2", 1, one)
        if halve:
            x = pooled(x, 2, 2, lambda part: part.mean((0, 1)))
            if x.shape[:2] != out.shape[:2]:
                out = np.pad(out, ((0, 1), (0, 1), (0, 0)))
            x = np.concatenate([x, np.zeros((*x.shape[:2], out.shape[2] - x.shape[2]))], 2)
        x = np.maximum(out + x, 0)
    return x.mean((0, 1)) @ weights["fc"]


def test_the_recognition_network_equals_a_plain_forward(tmp_path):
    path = write_manifest(tmp_path, RECOGNITION, recognition_shapes())
    images = np.random.default_rng(0).random((2, 150, 150, 3))
    expected = np.stack([recognition_forward(255 * image, read_manifest(path)) for image in images])
    made = load_recognition_network(path)(torch.from_numpy(images.transpose(0, 3, 1, 2).astype("f4")))
    np.testing.assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


def halved(x, stride=2):
    side = len(x) if stride == 1 else -(-len(x) // 2)
    padded = np.pad(x, ((0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    return pooled(
        padded[: (side - 1) * stride + 2, : (side - 1) * stride + 2], 2, stride, lambda part: part.max((0, 1))
    )


def detector_forward(image, weights):
    """One (S, S, 3) image in [0, 255]; written after face-api's TinyYolov2Base, `runMobilenet`."""
    none = ((0, 0), (0, 0))
    x = (image - np.array([117.001, 114.697, 97.404])) / 255
    x = leaky(conv(x, weights["conv0/filters"], weights["conv0/bias"], 1, none))
    for layer in range(1, 6):
        x = leaky(separable(halved(x), weights, f"conv{layer}", 1))
    return conv(halved(x, 1), weights["conv8/filters"], weights["conv8/bias"], 1, none)


def test_the_detector_equals_a_plain_forward(tmp_path):
    path = write_manifest(tmp_path, DETECTOR, detector_shapes())
    image = np.random.default_rng(0).random((130, 130, 3))  # an odd side on the way
    expected = detector_forward(255 * image, read_manifest(path))
    made = load_detector(path)(torch.from_numpy(image.transpose(2, 0, 1)[None].astype("f4")))[0]
    np.testing.assert_allclose(made.flatten(2), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("largest", [4096, 260])
def test_boxes_are_in_pixels_of_the_photograph_and_do_not_overlap(monkeypatch, largest):
    monkeypatch.setattr(detector, "LARGEST", largest)
    values = torch.full((13, 13, 5, 5), -9.0)
    values[6, 6, 1] = torch.tensor([0.0, 0.0, 0.0, 0.0, 3.0])  # the middle cell: a box of the anchor's size
    values[6, 6, 3] = torch.tensor([0.0, 0.0, 0.1, 0.1, 2.0])  # most of the same box, less certain
    values[2, 1, 0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    small, middle = find_faces(lambda _: values[None], torch.zeros(3, 260, 520), 0.5)  # 130 of padding above
    cell = 520 / 13
    width, height = (cell * side for side in ANCHORS[1])
    edges = middle.left, middle.top, middle.right, middle.bottom
    np.testing.assert_allclose(edges, [260 - width / 2, 130 - height / 2, 260 + width / 2, 130 + height / 2], rtol=1e-6)
    assert (small.left + small.right) / 2 == pytest.approx(1.5 * cell)
    assert (small.top + small.bottom) / 2 == pytest.approx(2.5 * cell - 130)


def test_a_narrow_strip_is_not_padded_to_a_huge_square(monkeypatch):
    padded = []
    monkeypatch.setattr(detector, "pad_to_square", lambda images: padded.append(images.shape) or images)
    assert not find_faces(lambda _: torch.full((1, 13, 13, 5, 5), -9.0), torch.zeros(3, 2, 60_000), 0.5)
    assert padded == [(1, 3, 1, 4096)]


def test_the_dcgan_equals_a_plain_forward(tmp_path):
    path = write_dcgan(tmp_path)
    state = torch.load(path, weights_only=True)[CONTENT]
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 6)).astype("f4"))
    x = z[:, :, None, None]
    for layer in range(5):
        stride, padding = (1, 0) if layer == 0 else (2, 1)
        x = functional.conv_transpose2d(x, state[f"main.{3 * layer}.weight"], None, stride, padding)
        if layer < 4:
            mean, variance, gain, shift = (
                state[f"main.{3 * layer + 1}.{part}"][:, None, None]
                for part in ("running_mean", "running_var", "weight", "bias")
            )
            x = ((x - mean) / torch.sqrt(variance + 1e-5) * gain + shift).clamp(min=0)
    torch.testing.assert_close(load_dcgan(path)(z), x.tanh())


def same(x, kernel, stride, value=0.0):
    """TensorFlow's padding of a (H, W, C) map."""
    gaps = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[:2]]
    return np.pad(x, (*((gap // 2, gap - gap // 2) for gap in gaps), (0, 0)), constant_values=value)


def keras_forward(grey, file):
    """One (64, 64, 1) image in [-1, 1], along the layers that the file of Keras describes."""
    none = ((0, 0), (0, 0))

    def array(layer, part):
        return file[f"model_weights/{layer}/{layer}_1/{part}:0"][()].astype("f8")

    def norm(x, number):
        layer = f"batch_normalization_{number}"
        gamma, beta, mean, variance = (
            array(layer, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def separable_conv(x, number):
        depthwise = array(f"separable_conv2d_{number}", "depthwise_kernel")
        padded = same(x, 3, 1)
        maps = [conv(padded[..., i : i + 1], depthwise[:, :, i : i + 1], 0, 1, none) for i in range(x.shape[2])]
        return np.concatenate(maps, -1) @ array(f"separable_conv2d_{number}", "pointwise_kernel")[0, 0]

    x = np.maximum(norm(conv(grey, array("conv2d_1", "kernel"), 0, 1, none), 1), 0)
    x = np.maximum(norm(conv(x, array("conv2d_2", "kernel"), 0, 1, none), 2), 0)
    for block in range(4):
        shortcut = norm(conv(x, array(f"conv2d_{block + 3}", "kernel"), 0, 2, none), 3 * block + 3)
        made = np.maximum(norm(separable_conv(x, 2 * block + 1), 3 * block + 4), 0)
        made = norm(separable_conv(made, 2 * block + 2), 3 * block + 5)
        x = pooled(same(made, 3, 2, -np.inf), 3, 2, lambda part: part.max((0, 1))) + shortcut
    return conv(same(x, 3, 1), array("conv2d_7", "kernel"), array("conv2d_7", "bias"), 1, none).mean((0, 1))


def test_mini_xception_equals_a_plain_forward(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write_mini_xception(tmp_path)
    images = np.random.default_rng(0).random((1, 3, 64, 64))
    made = load_mini_xception(path)(torch.from_numpy(images.astype("f4"))).numpy()[0]
    grey = np.tensordot((0.299, 0.587, 0.114), images[0], 1)[..., None]
    with h5py.File(path, "r") as file:
        expected = dict(zip(ORDER, keras_forward(2 * grey - 1, file), strict=True))
    np.testing.assert_allclose(made, [expected[name] for name in EXPRESSIONS], rtol=1e-3, atol=1e-4)


def test_files_that_hold_no_mini_xception(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "other").mkdir()
    path = write_mini_xception(tmp_path)
    with h5py.File(path, "a") as file:
        del file["model_weights/conv2d_3"]
        file["model_weights/conv2d_3/conv2d_3_1/kernel:0"] = h5py.ExternalLink("other.hdf5", "/x")
    with pytest.raises(UserError, match="a link to it"):
        load_mini_xception(path)
    with h5py.File(path, "a") as file:
        group = file["model_weights/conv2d_3/conv2d_3_1"]
        del group["kernel:0"]
        (tmp_path / "raw").write_bytes(b"0" * 512)
        group.create_dataset("kernel:0", (1, 1, 8, 16), "f4", external=[(str(tmp_path / "raw"), 0, 512)])
    with pytest.raises(UserError, match="lies in another file"):
        load_mini_xception(path)
    with h5py.File(path, "a") as file:
        del group, file["model_weights/conv2d_3"]
        file["model_weights/conv2d_3"] = np.zeros(2, np.float32)
    with pytest.raises(UserError, match="conv2d_3 has no conv2d_3_1"):
        load_mini_xception(path)
    other = write_mini_xception(tmp_path / "other")
    with h5py.File(path, "w") as file:
        file["model_weights"] = h5py.ExternalLink(str(other), "/model_weights")
    with pytest.raises(UserError, match="has no model_weights, or a link to it"):
        load_mini_xception(path)
    with h5py.File(path, "w") as file:
        file["model_weights"] = np.zeros(2, np.float32)
    with pytest.raises(UserError, match="does not hold mini-XCEPTION"):
        load_mini_xception(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        load_mini_xception(path)


def test_images_that_are_not_square_are_padded_with_black_in_the_middle():
    image = torch.ones(1, 3, 112, 109)
    made = face_input(image, 112) + torch.tensor(MEAN, dtype=torch.float32)[:, None, None] / 255
    torch.testing.assert_close(made[0, 0, 0], torch.tensor([0.0] + [1.0] * 109 + [0.0] * 2))


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ({}, CONTENT),
        ({CONTENT: [torch.zeros(2)]}, CONTENT),
        ({CONTENT: {"main.0.weight": torch.zeros(2)}}, "five layers"),
        ({CONTENT: {f"main.{n}.weight": torch.zeros(1, 1, 1, 1) for n in (0, 3, 6, 9, 12)}}, "do not fit"),
        ({CONTENT: {f"main.{n}.weight": torch.zeros(1, 1, 1, 1).expand(9999, 1, 1, 1) for n in (0, 3, 6, 9, 12)}}, "9"),
    ],
)
def test_checkpoints_that_are_refused(tmp_path, checkpoint, words):
    torch.save(checkpoint, tmp_path / "weights.tar")
    with pytest.raises(UserError, match=words) as caught:
        load_dcgan(tmp_path / "weights.tar")
    assert "where" in caught.value.fix


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({CONTENT: Harmful()}, tmp_path / "weights.tar")
    with pytest.raises(UserError, match="no weights that can be read"):
        load_dcgan(tmp_path / "weights.tar")
    assert not (tmp_path / "ran").exists()


def test_another_network_is_refused_by_name(tmp_path):
    path = write_manifest(tmp_path, LANDMARKS, dense_shapes(136))
    with pytest.raises(UserError, match=r"fc\.weight \(136, 4\) instead of \(7, 4\)"):
        load_dense_network(EXPRESSION, path, 7)
    with pytest.raises(UserError, match="does not hold the weights of the recognition network"):
        load_recognition_network(path)
    with pytest.raises(UserError, match="does not hold the weights of the face detector"):
        load_detector(path)
    shapes = recognition_shapes()
    del shapes["conv64_1/conv2/scale/weights"]
    with pytest.raises(UserError, match="conv64_1/conv2/scale/weights"):
        load_recognition_network(write_manifest(tmp_path, RECOGNITION, shapes))


@pytest.mark.parametrize("load", [lambda path: load_dense_network(EXPRESSION, path, 7), load_recognition_network])
def test_biases_without_a_length_are_refused(tmp_path, load):
    names = ["conv32_down/conv/bias", *(f"dense{block}/conv0/bias" for block in range(4))]
    with pytest.raises(UserError, match=r"do not fit|does not hold"):
        load(write_manifest(tmp_path, EXPRESSION, dict.fromkeys(names, ())))


@pytest.mark.parametrize("shape", [(), (1,), (4, 1), (3, 4)])
def test_batch_norms_are_not_broadcast_over_filters(tmp_path, shape):
    shapes = recognition_shapes() | {"conv32_down/scale/weights": shape}
    with pytest.raises(UserError, match="the batch norm of conv32_down does not fit"):
        load_recognition_network(write_manifest(tmp_path, RECOGNITION, shapes))


def test_wide_names_of_a_small_file_build_no_large_network(tmp_path):
    shapes = {f"dense{block}/conv0/bias": (100_000,) for block in range(4)}
    with pytest.raises(UserError, match="describes a network of"):
        load_dense_network(EXPRESSION, write_manifest(tmp_path, EXPRESSION, shapes), 7)


@pytest.mark.skipif(not installed(EXPRESSION) or not shutil.which("node"), reason="face-api or node is not installed")
@pytest.mark.processes
def test_answers_equal_those_of_face_api(tmp_path):
    path = installed(EXPRESSION)
    rng, inputs = np.random.default_rng(0), {}
    for side in (112, 150, 416):
        inputs[side] = rng.random((2, side, side, 3)).astype("f4")
        (255 * inputs[side]).astype("<f4").tofile(tmp_path / f"in.{side}")
    script = __file__.replace("test_faces_networks.py", "face_api.mjs")
    command = ["node", script, str(path.parent.parent), str(tmp_path / "in"), str(tmp_path / "out.json")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    theirs = json.loads((tmp_path / "out.json").read_text())
    networks = {
        "expression": (load_dense_network(EXPRESSION, path, 7), 112),
        "landmark_68": (load_dense_network(LANDMARKS, installed(LANDMARKS), 136), 112),
        "recognition": (load_recognition_network(installed(RECOGNITION)), 150),
        "tiny_face_detector": (load_detector(installed(DETECTOR)), 416),
    }
    for name, (network, side) in networks.items():
        made = network(torch.from_numpy(inputs[side].transpose(0, 3, 1, 2).copy())).numpy()
        expected = np.array(theirs[name]).reshape(made.shape)
        assert np.abs(made - expected).max() < 1e-5 * max(1, np.abs(expected).max()), name


@pytest.mark.skipif(not installed(DCGAN), reason="gan-face-generate is not installed")
def test_the_published_dcgan_has_the_published_size():
    network = load_dcgan(installed(DCGAN))
    assert sum(each.numel() for each in network.parameters()) == 3_576_704
    faces = network(torch.from_numpy(np.random.default_rng(0).standard_normal((16, 100), "f4")))
    assert faces.shape == (16, 3, 64, 64)
    assert (faces.std((1, 2, 3)) > 0.2).all()
