"""`onnx`: what it computes, and what it refuses. That explainers which need gradients are told so: tests/."""

import sys

import numpy as np
import pytest
import torch
from sidelight_classifiers import sidelight_classifiers
from sidelight_classifiers.files.onnx_inspection import inspect
from sidelight_classifiers.files.onnx_model import OnnxModel
from sidelight_classifiers.params import OnnxParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SHAPE = (3, 8, 9)
WEIGHTS = np.random.default_rng(0).normal(size=(216, 3)).astype(np.float32) / 15


def write(path, batch="batch", weights=WEIGHTS, end=None, dtype=TensorProto.FLOAT, nodes=(), shape=SHAPE, functions=()):
    """A linear model; `end` names a further operator on its scores, `nodes` come before it."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    images = helper.make_tensor_value_info("images", dtype, [batch, *shape])
    outputs = [helper.make_tensor_value_info(name, dtype, None) for name in (("scores", "end") if end else ("scores",))]
    body = [
        *nodes,
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    if end:
        body.append(helper.make_node(end, ["scores"], ["end"]))
    tensor = weights if isinstance(weights, TensorProto) else numpy_helper.from_array(weights.astype(kind), "weights")
    graph = helper.make_graph(body, "linear", [images], outputs, [tensor])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("stranger", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions)), path)
    return path


def external(location, **more):
    """Weights kept elsewhere."""
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=WEIGHTS.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return tensor


def load(path, run=None, **options):
    params = OnnxParams(path=str(path), **{"channels": 3, "height": 8, "width": 9, **options})
    return OnnxModel(params, run=run or ToyRun())


def expected(images):
    return images.flatten(1) @ torch.from_numpy(WEIGHTS)


@pytest.fixture
def images():
    return torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("black_box", [False, True])
@pytest.mark.parametrize("batch", ["batch", None, 1, 2, 4, 8])
def test_scores_are_those_of_the_model_whatever_number_of_images_it_takes(tmp_path, images, batch, black_box):
    classifier = load(write(tmp_path / "a.onnx", batch), black_box=black_box)
    torch.testing.assert_close(classifier.scores(images), expected(images))
    torch.testing.assert_close(classifier.scores(images[:1]), expected(images[:1]))
    assert classifier.class_names == ("class 0", "class 1", "class 2")
    assert classifier.scores(images.clone().requires_grad_()).requires_grad != black_box


@pytest.mark.parametrize("black_box", [False, True])
def test_a_model_that_takes_one_image_but_promises_more_gets_one_at_a_time(tmp_path, images, black_box):
    path = write(tmp_path / "a.onnx")
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("form", TensorProto.INT64, [2], [1, -1]))
    model.graph.node[0].CopyFrom(helper.make_node("Reshape", ["images", "form"], ["flat"]))
    onnx.save(model, path)
    torch.testing.assert_close(load(path, black_box=black_box).scores(images), expected(images))


@pytest.mark.parametrize("black_box", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(TensorProto.FLOAT16, 1e-2), (TensorProto.DOUBLE, 1e-5)])
def test_other_floating_point_numbers_are_converted(tmp_path, images, dtype, tolerance, black_box):
    scores = load(write(tmp_path / "a.onnx", dtype=dtype), black_box=black_box).scores(images)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected(images), rtol=0, atol=tolerance)


def test_images_are_normalised_and_resized(tmp_path, images):
    classifier = load(write(tmp_path / "a.onnx"), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    mean, std = torch.tensor([0.1, 0.2, 0.3])[:, None, None], torch.tensor([0.5, 0.6, 0.7])[:, None, None]
    torch.testing.assert_close(classifier.scores(images), expected((images - mean) / std))
    large = torch.rand(2, 3, 16, 18, generator=torch.Generator().manual_seed(1))
    half = torch.nn.functional.interpolate(large, size=(8, 9), mode="bilinear", antialias=True)
    torch.testing.assert_close(classifier.scores(large), expected((half - mean) / std))


@pytest.mark.parametrize("black_box", [False, True])
def test_probabilities_become_logits_again(tmp_path, images, black_box):
    path = write(tmp_path / "a.onnx", end="Softmax")
    scores = load(path, output="end", probabilities=True, black_box=black_box).scores(images)
    torch.testing.assert_close(scores.softmax(1), expected(images).softmax(1))
    with pytest.raises(UserError, match="ends with softmax, which would be applied a second time") as caught:
        load(path, output="end").scores(images)
    assert "`probabilities: true`" in caught.value.fix


@pytest.mark.parametrize("black_box", [False, True])
def test_a_binary_probability_becomes_its_logit(tmp_path, images, black_box):
    path = write(tmp_path / "a.onnx", end="Sigmoid", weights=WEIGHTS[:, :1])
    options = {"probabilities": True, "task": "binary", "classes": ("no", "yes"), "black_box": black_box}
    classifier = load(path, output="end", **options)
    torch.testing.assert_close(classifier.scores(images), expected(images)[:, :1], rtol=1e-3, atol=1e-5)
    assert classifier.class_logits(images).shape == (5, 2)


@pytest.mark.parametrize("black_box", [False, True])
def test_a_regression_has_one_value(tmp_path, images, black_box):
    path = write(tmp_path / "a.onnx", weights=WEIGHTS[:, 0])
    classifier = load(path, task="regression", classes=("age",), black_box=black_box)
    torch.testing.assert_close(classifier.scores(images), expected(images)[:, :1])


@pytest.mark.parametrize("black_box", [False, True])
def test_weights_in_a_file_beside_the_model_are_read(tmp_path, images, black_box):
    (tmp_path / "w.bin").write_bytes(b"1234" + WEIGHTS.tobytes())
    path = write(tmp_path / "a.onnx", weights=external("w.bin", offset=4, length=WEIGHTS.nbytes))
    assert inspect(path) == (tmp_path / "w.bin",)
    torch.testing.assert_close(load(path, black_box=black_box).scores(images), expected(images))


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "sub/w.bin", "./w.bin", "", "..", "sub\\w.bin", "*/_ORT_MEM_ADDR_/*", "/etc/hostname", "missing.bin"],
)
def test_weights_anywhere_else_are_refused(tmp_path, location):
    folder = tmp_path / "model"
    for place in (tmp_path, folder / "sub", folder / "*" / "_ORT_MEM_ADDR_"):
        place.mkdir(exist_ok=True, parents=True)
        (place / "w.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(UserError, match="keeps weights in"):
        load(write(folder / "a.onnx", weights=external(location))).scores(torch.rand(1, *SHAPE))


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_weights_behind_a_link_are_refused(tmp_path, kind):
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    if kind == "link":
        (folder / "w.bin").symlink_to(tmp_path / "secret")
    else:
        (folder / "w.bin").mkdir()
    with pytest.raises(UserError, match="a link or no plain file"):
        load(write(folder / "a.onnx", weights=external("w.bin"))).class_names  # noqa: B018


def test_weights_elsewhere_are_found_also_in_a_nodes_subgraph(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=external("../w.bin"))], "inner", [], [], []
    )
    branch = helper.make_node("If", ["images"], ["other"], then_branch=inner, else_branch=inner)
    with pytest.raises(UserError, match="keeps weights in"):
        inspect(write(tmp_path / "a.onnx", nodes=[branch]))


def test_operators_from_libraries_are_refused(tmp_path):
    node = helper.make_node("Run", ["images"], ["other"], domain="stranger")
    with pytest.raises(UserError, match="the operator Run of 'stranger'") as caught:
        load(write(tmp_path / "a.onnx", nodes=[node])).scores(torch.rand(1, *SHAPE))
    assert "standard ONNX operators" in caught.value.fix


def test_functions_that_the_model_itself_defines_are_no_libraries(tmp_path, images):
    opsets = [helper.make_opsetid("", 17)]
    body = [helper.make_node("Identity", ["x"], ["y"])]
    function = helper.make_function("stranger", "Own", ["x"], ["y"], body, opsets)
    node = helper.make_node("Own", ["images"], ["unused"], domain="stranger")
    path = write(tmp_path / "a.onnx", nodes=[node], functions=[function])
    torch.testing.assert_close(load(path).scores(images), expected(images))


@pytest.mark.parametrize("content", [b"", b"\x80\x04 no model", b"hello " * 50, b"\x00" * 99])
def test_files_that_are_no_models_are_named(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.onnx is no ONNX"):
        load(tmp_path / "a.onnx").scores(torch.rand(1, *SHAPE))


def test_a_truncated_model_is_refused(tmp_path):
    whole = write(tmp_path / "a.onnx").read_bytes()
    for length in range(1, len(whole), 211):
        (tmp_path / "b.onnx").write_bytes(whole[:length])
        with pytest.raises(UserError):
            load(tmp_path / "b.onnx").scores(torch.rand(1, *SHAPE))


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        ({"height": 16}, {}, "takes images of 3 x 8 x 9, the options say 3 x 16 x 9"),
        ({}, {"shape": (8, 9, 3)}, "takes images of 8 x 9 x 3, the options say 3 x 8 x 9; its channels come last"),
        ({}, {"dtype": TensorProto.FLOAT, "end": "Softmax"}, "has 2 outputs: scores, end"),
        ({"output": "logits"}, {}, 'has no output "logits"; it has scores'),
        ({"task": "binary"}, {}, r"gives 3 score\(s\) for an image"),
        ({"classes": ("a", "b")}, {}, "2 class names are given"),
        ({"mean": (0.1, 0.2)}, {}, "mean has 2 numbers for 3"),
        ({}, {"dtype": TensorProto.INT64, "weights": np.ones((216, 3))}, "floating-point numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, options, more, message):
    classifier = load(write(tmp_path / "a.onnx", **more), **options)
    with pytest.raises(UserError, match=message) as caught:
        _ = classifier.class_names, classifier.scores(torch.rand(1, *SHAPE))
    assert caught.value.fix


def test_images_with_other_channels_are_named(tmp_path):
    with pytest.raises(UserError, match=r"takes images with 3 channel\(s\)"):
        load(write(tmp_path / "a.onnx")).scores(torch.rand(1, 1, 8, 9))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_comes_with_the_way_to_get_it(tmp_path, monkeypatch, package):
    path = write(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"the package {package} is not installed") as caught:
        load(path).scores(torch.rand(1, *SHAPE))
    assert caught.value.fix == "pip install onnx onnxruntime"


def test_construction_reads_nothing():
    assert load("/nowhere/model.onnx", classes=("a", "b", "c")).input_shape == SHAPE


def test_the_fingerprint_covers_the_weights_beside_the_model(tmp_path):
    descriptor = next(each for each in sidelight_classifiers() if each.name == "onnx")
    weights = tmp_path / "w.bin"
    weights.write_bytes(WEIGHTS.tobytes())
    params = OnnxParams(path=str(write(tmp_path / "a.onnx", weights=external("w.bin"))))
    before = descriptor.fingerprint(params)
    assert descriptor.fingerprint(params) == before
    weights.write_bytes(WEIGHTS.tobytes() + b"more")
    assert descriptor.fingerprint(params) != before
