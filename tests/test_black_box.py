"""A classifier without gradients: explainers that need them are refused from the recipe alone, others explain it."""

import numpy as np
import pytest
import sidelight
from sidelight.cli import main
from sidelight_specs import UserError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path):
    """Ten scores of 32x32 images: the brightness of the first ten rows, behind an operator without gradients here."""
    from onnx import TensorProto, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 1, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])
    nodes = [
        helper.make_node("Atan", ["images"], ["angles"]),
        helper.make_node("AveragePool", ["angles"], ["rows"], kernel_shape=[1, 32]),
        helper.make_node("Flatten", ["rows"], ["flat"]),
        helper.make_node("Slice", ["flat", "start", "end", "axis"], ["scores"]),
    ]
    numbers = [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("start", 0), ("end", 10), ("axis", 1))]
    graph = helper.make_graph(nodes, "rows", [images], [scores], numbers)
    path = tmp_path / "rows.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def recipe(model, explainer):
    options = {"path": str(model), "channels": 1, "height": 32, "width": 32}
    return {
        "recipe": 1,
        "name": "black-box",
        "data": {"use": "images/digits"},
        "explain": {"count": 2},
        "classifier": {"use": "classifiers/onnx", "with": options},
        "explainers": {"why": explainer},
    }


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own."""
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("explainer", ["captum/integrated-gradients", "captum/saliency"])
def test_what_needs_gradients_is_refused_with_the_operator_that_has_none(explainer, model, tmp_path):
    refused = rf"(?s){explainer} needs a classifier with differentiable.*; classifiers/onnx provides classes.*Atan"
    with pytest.raises(UserError, match=refused):
        sidelight.run(recipe(model, {"use": explainer}), out=tmp_path / "out")


@pytest.mark.parametrize("explainer", ["captum/lime", "captum/saliency"])
def test_a_model_that_is_not_there_is_said_to_be_missing(explainer, tmp_path):
    with pytest.raises(UserError, match=r'there is no file "missing\.onnx"'):
        sidelight.run(recipe("missing.onnx", {"use": explainer}), out=tmp_path / "out")


def test_check_says_so_too(model, tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "recipe: 1\nname: black-box\ndata: {use: images/digits}\nexplain: {count: 1}\n"
        f"classifier: {{use: classifiers/onnx, with: {{path: {model}, channels: 1, height: 32, width: 32}}}}\n"
        "explainers: {why: {use: captum/grad-cam}}\n"
    )
    assert main(["check", str(path)]) == 2
    told = capsys.readouterr().err
    assert "captum/grad-cam needs a classifier with" in told
    assert "the operator Atan" in told


@pytest.mark.training
def test_occlusion_explains_it(model, tmp_path):
    run = sidelight.run(
        recipe(model, {"use": "captum/occlusion", "with": {"window": 16, "stride": 16}}), out=tmp_path / "out"
    )
    values = run.results.explanations["why"].values
    assert values.shape == (2, 32, 32)
    assert np.abs(values).max() > 0
    assert not np.abs(values[:, 16:]).any()


@pytest.mark.parametrize("explainer", ["grad-cam", "guided-grad-cam", "guided-backprop", "lrp"])
def test_torchscript_is_refused_by_check_where_layers_are_needed(explainer, tmp_path, capsys):
    (tmp_path / "m.ts").write_bytes(b"")
    recipe = (
        "recipe: 1\nname: script\ndata: {use: images/digits}\n"
        "classifier: {use: classifiers/torch, with: {path: m.ts, channels: 1, height: 32, width: 32}}\n"
        f"explainers: {{why: {{use: captum/{explainer}}}}}\n"
    )
    (tmp_path / "r.yaml").write_text(recipe)
    assert main(["check", str(tmp_path / "r.yaml")]) == 2
    assert f"captum/{explainer} needs a classifier with" in capsys.readouterr().err
