"""Facts about model files before they are loaded, held against the loaded models."""

import json
import os
import re
import zipfile

import pytest
import sidelight_classifiers
import torch
from sidelight_classifiers.files.archive import kind_of_file, sizes_of_exported
from sidelight_classifiers.files.torch_model import TorchModel
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun

DESCRIPTORS = {one.name: one for one in sidelight_classifiers.sidelight_classifiers()}
TORCH, ONNX = DESCRIPTORS["torch"], DESCRIPTORS["onnx"]
SIZE = {"height": 16, "width": 16}


def told(path, **options):
    params = TORCH.params(path=str(path), **{**SIZE, **options})
    return [mistake.message for mistake in TORCH.mistakes(params)], params


def test_sizes_are_those_of_a_real_program(pt2):
    assert kind_of_file(pt2) == "exported"
    assert sizes_of_exported(pt2) == ((None, 3, 16, 16), 5)


def test_facts_are_what_the_model_turns_out_to_be(pt2):
    wrong, params = told(pt2)
    model = TorchModel(params, run=ToyRun())
    facts = TORCH.facts(params, DataFacts())
    assert wrong == []
    assert (facts.shape, facts.classes, facts.task) == (model.input_shape, model.class_names, model.task)
    assert "activations" in TORCH.provided_by(params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 32}, "takes images of 3 x 16 x 16, the options say 3 x 32 x 16"),
        ({"channels": 1}, "takes images of 3 x 16 x 16, the options say 1 x 16 x 16"),
        ({"classes": ("a", "b")}, "2 class names are given"),
        ({"task": "binary"}, "gives 5 score(s)"),
        ({"mean": (0.1, 0.2)}, "mean has 2 numbers for 3 channel(s)"),
    ],
)
def test_what_is_told_is_refused_on_loading(pt2, options, message):
    wrong, params = told(pt2, **options)
    assert len(wrong) == 1
    assert message in wrong[0]
    model = TorchModel(params, run=ToyRun())
    with pytest.raises(UserError):
        _ = model.module, model.class_names


def test_a_program_for_a_fixed_number_of_images(small, tmp_path):
    path = tmp_path / "two.pt2"
    torch.export.save(torch.export.export(small, (torch.rand(2, 3, 16, 16),)), path)
    assert "exactly 2 image(s)" in told(path)[0][0]


def test_torchscript_hides_its_layers_whatever_its_name(scripted, tmp_path):
    renamed = tmp_path / "model.pt2"
    renamed.write_bytes(scripted.read_bytes())
    for path in (scripted, renamed):
        wrong, params = told(path)
        assert wrong == []
        assert "activations" not in TORCH.provided_by(params)
        assert TORCH.absence(params, "activations") == (
            f"{path} is TorchScript, which hides its layers: export the model as .pt2 (torch.export.save)"
        )


def test_files_of_other_kinds_are_named(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pth")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "text.pt").write_text("not a model")
    assert "a file of torch.save, a pickle" in told(tmp_path / "weights.pth")[0][0]
    assert "a file of torch.save, a pickle" in told(tmp_path / "old.pth")[0][0]
    (mistake,) = TORCH.mistakes(TORCH.params(path=str(tmp_path / "old.pth"), **SIZE))
    assert "name the architecture; or export" in mistake.fix
    assert "no model file that torch writes" in told(tmp_path / "text.pt")[0][0]


@pytest.mark.parametrize(
    "graph", ["[" * 100_000, "{}", '{"graph_module": 3}', "\udcff", '{"graph_module": {"graph": []}}']
)
def test_a_graph_that_cannot_be_read_tells_nothing(tmp_path, graph):
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/models/model.json", graph.encode("utf-8", "surrogateescape"))
    assert sizes_of_exported(path) == ((), None)
    assert told(path)[0] == []


def test_a_graph_that_unpacks_to_too_much_is_not_read(tmp_path):
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/models/model.json", json.dumps({"filling": "x" * (20 << 20)}))
    assert path.stat().st_size < 100_000
    assert sizes_of_exported(path) == ((), None)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.pt2")
    assert kind_of_file(tmp_path / "m.pt2") is None
    assert "activations" in TORCH.provided_by(TORCH.params(path=str(tmp_path / "m.pt2")))


@pytest.mark.parametrize("descriptor", [TORCH, ONNX], ids=["torch", "onnx"])
@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"classes": ("a", "b"), "classes_file": "names.txt"}, "classes_file"),
        ({"classes": ("a",)}, "classes"),
        ({"classes": ("a", "b", "c"), "task": "binary"}, "classes"),
        ({"classes": ("a", "b"), "task": "regression"}, "classes"),
        ({"std": (1.0, 1.0), "channels": 1}, "std"),
    ],
)
def test_options_that_do_not_go_together(descriptor, options, option, tmp_path):
    params = descriptor.params(path=str(tmp_path / "none"), **options)
    assert {mistake.option for mistake in descriptor.mistakes(params)} == {option}


def onnx_file(path, operator="Relu", **options):
    """Four means of an image of 16x16, behind an operator; the parameters of `onnx` with which it is read."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 16, 16])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])
    nodes = [
        helper.make_node(operator, ["images"], ["values"]),
        helper.make_node("AveragePool", ["values"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMean", ["pooled"], ["means"], axes=[1], keepdims=0),
        helper.make_node("Flatten", ["means"], ["scores"]),
    ]
    graph = helper.make_graph(nodes, "means", [images], [scores])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return ONNX.params(path=str(path), **{**SIZE, **options})


def test_capabilities_of_an_onnx_file_follow_its_operators(tmp_path):
    everything = {"differentiable", "activations", "module"}
    params = onnx_file(tmp_path / "known.onnx")
    assert set(ONNX.provided_by(params)) == {*everything, "classes"}
    assert set(ONNX.provided_by(onnx_file(tmp_path / "one.onnx", task="regression"))) == everything
    unknown = onnx_file(tmp_path / "unknown.onnx", operator="Atan")
    assert ONNX.provided_by(unknown) == ("classes",)
    assert "unknown.onnx uses the operator Atan, which" in ONNX.absence(unknown, "differentiable")
    black_box = onnx_file(tmp_path / "box.onnx", black_box=True)
    assert ONNX.provided_by(black_box) == ("classes",)
    assert "black_box: true" in ONNX.absence(black_box, "activations")
    assert ONNX.absence(ONNX.params(path="m.onnx", task="regression"), "classes")


def test_capabilities_are_those_of_a_file_that_changed(tmp_path):
    assert "module" in ONNX.provided_by(onnx_file(tmp_path / "a.onnx"))
    assert "module" not in ONNX.provided_by(onnx_file(tmp_path / "a.onnx", operator="Atanh"))


def test_capabilities_of_a_file_that_is_not_there_are_not_denied():
    assert "differentiable" in ONNX.provided_by(ONNX.params(path="missing.onnx"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, None),
        ({"height": 32}, "takes images of 3 x 16 x 16, the options say 3 x 32 x 16"),
        ({"channels": 1}, "takes images of 3 x 16 x 16, the options say 1 x 16 x 16"),
        ({"task": "binary"}, r"gives 4 score\(s\) for an image"),
        ({"classes": ("a", "b")}, "2 class names are given"),
        ({"output": "logits"}, 'has no output "logits"; it has scores'),
    ],
)
def test_what_does_not_fit_an_onnx_file_is_known_before_it_is_loaded(tmp_path, options, message):
    params = onnx_file(tmp_path / "a.onnx", **options)
    mistakes = list(ONNX.mistakes(params))
    assert [True] * bool(message) == [bool(re.search(message, mistake.message)) for mistake in mistakes]
    assert all(mistake.fix for mistake in mistakes)
    if not message:
        assert ONNX.facts(params, DataFacts()).classes == ("class 0", "class 1", "class 2", "class 3")


def test_the_shape_is_the_files_where_no_option_says_it(tmp_path, pt2):
    params = ONNX.params(path=onnx_file(tmp_path / "a.onnx").path)
    assert ONNX.facts(params, DataFacts()).shape == (3, 16, 16)
    assert list(ONNX.mistakes(params)) == []
    assert TORCH.facts(TORCH.params(path=str(pt2)), DataFacts()).shape == (3, 16, 16)
    assert TorchModel(TORCH.params(path=str(pt2)), run=ToyRun()).input_shape == (3, 16, 16)
    assert ONNX.facts(ONNX.params(path="missing.onnx", height=32), DataFacts()).shape == (3, 32, 224)


def test_a_pipe_is_no_file_to_wait_for(tmp_path):
    os.mkfifo(tmp_path / "model.onnx")
    params = ONNX.params(path=str(tmp_path / "model.onnx"))
    assert ONNX.facts(params, DataFacts()).shape == (3, 224, 224)
    assert "differentiable" in ONNX.provided_by(params)


def test_attention_is_told_by_the_graph(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    def params(*operators):
        nodes = [
            helper.make_node(
                name, [f"v{number}", *(["images"] if name in {"MatMul", "Mul"} else [])], [f"v{number + 1}"]
            )
            for number, name in enumerate(operators)
        ]
        nodes[0].input[0] = "images"
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 16, 16])
        last = helper.make_empty_tensor_value_info(f"v{len(operators)}")
        model = helper.make_model(helper.make_graph(nodes, "graph", [images], [last]), ir_version=8)
        path = tmp_path / f"{'-'.join(operators)}.onnx"
        onnx.save(model, path)
        return ONNX.params(path=str(path))

    assert "attention" in ONNX.provided_by(params("Softmax", "MatMul"))
    assert "attention" in ONNX.provided_by(params("Softmax", "Dropout", "MatMul", "Flatten"))
    assert "attention" not in ONNX.provided_by(params("Softmax", "Mul", "MatMul"))
    assert "attention" not in ONNX.provided_by(params("MatMul", "Softmax"))
    assert "attention" not in ONNX.provided_by(params("Softmax", "MatMul", "Atan"))
