"""`sidelight init`: what it looks at, what it refuses, and the recipe that it writes."""

import sys

import attrs
import pytest
import yaml
from sidelight.cli.host import KernelHost
from sidelight_specs import UserError
from sidelight_specs.facts import ClassifierFacts
from sidelight_start import init
from sidelight_start.folder import look_at
from sidelight_start.init import add_arguments
from sidelight_start.models import model_of
from sidelight_start.plan import first_plan, passes
from sidelight_start.recipes import duration, memory
from sidelight_start.recipes import yaml as as_yaml


def parse(*words):
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def start(*words):
    """Run `sidelight init` in this process."""
    return init.run(parse(*words), KernelHost())


def refused(*words):
    with pytest.raises(UserError) as caught:
        start(*words)
    return f"{caught.value.message}; {caught.value.fix}"


@pytest.fixture
def given(halves, model_file):
    return ("--images", halves, "--model", model_file, "--size", 48, "--no-timing")


@pytest.mark.parametrize("kind", ["heatmaps", "counterfactuals", "stylex"])
def test_the_recipe_is_commented_and_in_order(kind, given, tmp_path, capsys):
    path = tmp_path / f"{kind}.yaml"
    assert start(kind, *given, "--out", path) == 0
    text = path.read_text()
    assert text.count("#") > 8
    recipe = yaml.safe_load(text)
    assert recipe["classifier"]["with"]["classes"] == ["left", "right"]  # those of the folders
    assert set(recipe["data"]["with"]) == {"path"}  # all else follows the model
    assert ("generator" in recipe) == (kind != "heatmaps")
    said = capsys.readouterr().out
    assert "90 images of 48 px, 2 classes (left, right)" in said
    assert f"sidelight run {path}" in said


def test_stylex_keeps_the_details_and_works_at_a_size_that_it_can(given, tmp_path):
    path = tmp_path / "stylex.yaml"
    start("stylex", *given, "--out", path)
    recipe = yaml.safe_load(path.read_text())
    assert recipe["generator"]["with"]["size"] == 32  # 48 is no power of two times four
    assert all(one["with"]["residual"] for one in recipe["explainers"].values())


def test_a_black_box_gets_heatmaps_without_gradients_and_no_generator(halves, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    import onnx
    from onnx import TensorProto, helper

    pooled = helper.make_node("GlobalAveragePool", ["x"], ["p"])
    flat = helper.make_node("Flatten", ["p"], ["y"])
    shape = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 48, 48])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph([pooled, flat], "g", shape, out)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    host = KernelHost()
    box = model_of(str(path), host, {"classes": ["a", "b", "c"], "height": 48, "width": 48})
    monkeypatch.setattr(type(box.descriptor), "provided_by", lambda self, params: ("classes",))
    assert {use for _, use in init._methods(box, host)} <= {"captum/occlusion", "captum/lime"}
    words = ("--images", halves, "--model", path, "--size", 48, "--classes", "a,b,c", "--no-timing")
    assert "has none" in refused("counterfactuals", *words, "--out", tmp_path / "r.yaml")


def test_nothing_is_overwritten_without_force(given, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("mine")
    assert "exists already" in refused("heatmaps", *given, "--out", path)
    assert path.read_text() == "mine"
    assert start("heatmaps", *given, "--out", path, "--force") == 0


@pytest.mark.parametrize(
    ("words", "missing"),
    [((), ["KIND", "--images", "--model"]), (("heatmaps", "--images", "x"), ["--model"]), (("stylex",), ["--images"])],
)
def test_without_a_terminal_what_is_missing_is_named(words, missing):
    said = refused(*words)
    assert all(word in said for word in missing)


def test_on_a_terminal_what_is_missing_is_asked(given, tmp_path, monkeypatch):
    answers = iter(["nonsense", "heatmaps", "", str(given[1])])
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: (asked.append(text), next(answers))[1])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    path = tmp_path / "r.yaml"
    assert start(*given[2:], "--out", path) == 0
    assert len(asked) == 4  # the wrong kind and the empty folder are asked again
    assert yaml.safe_load(path.read_text())["data"]["with"]["path"] == str(given[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--images": "nowhere"}, "nowhere is no folder"),
        ({"--model": "no.pt2"}, "no.pt2"),
        ({"--model": "zzz:model"}, "; give a model file"),
        ({"--model": "captum/grad-cam"}, "captum/grad-cam"),
        ({"--classes": "one"}, "class"),
        ({"--mean": "0.5,x"}, "--mean is no list of numbers"),
        ({"--out": "/proc/r.yaml"}, "cannot write"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(change, said, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = dict(zip(given[:6:2], given[1:6:2], strict=True)) | {"--out": tmp_path / "r.yaml"} | change
    assert said in refused("heatmaps", *(word for pair in words.items() for word in pair), "--no-timing")


def test_a_folder_that_is_too_small_for_a_generator_is_refused(images, model_file, tmp_path):
    few = images(tmp_path / "few", 12)
    words = ("--images", few, "--model", model_file, "--size", 48, "--no-timing", "--out", tmp_path / "r.yaml")
    assert "cannot learn from" in refused("counterfactuals", *words)
    assert start("heatmaps", *words) == 0


def test_a_regression_has_no_other_class(given, tmp_path):
    words = (*given, "--task", "regression", "--classes", "age", "--out", tmp_path / "r.yaml")
    assert "one value" in refused("counterfactuals", *words)


def test_grey_images_and_folders_without_classes(images, tmp_path):
    grey = images(tmp_path / "grey", 10, mode="L", classes=())
    folder = look_at(str(grey), KernelHost())
    assert (folder.images, folder.side, folder.grey, folder.classes) == (10, 48, True, ())
    model = model_of("classifiers/torch", KernelHost(), {"path": "m.pt2", "channels": 1, "classes": ["a", "b"]})
    plan = first_plan("heatmaps", folder, model, None)
    assert plan.shape == (1, 224, 224)
    assert passes(plan) > 0


def test_a_generator_draws_nothing_finer_than_the_images_and_sees_each_as_often_as_it_may(halves, model_file):
    host = KernelHost()
    model = model_of(str(model_file), host, {"classes": ["a", "b"]})
    few = look_at(str(halves), host)
    many = attrs.evolve(few, images=5000, train=4000, side=300)
    assert model.facts.shape == (3, 48, 48)  # the file says it
    model = attrs.evolve(model, facts=ClassifierFacts(shape=(3, 224, 224)))
    assert first_plan("counterfactuals", few, model, None).generator["size"] == 48  # no finer than the images
    assert first_plan("counterfactuals", many, model, None).generator["size"] == 64
    assert first_plan("counterfactuals", many, model, 128).generator["size"] == 128
    assert first_plan("counterfactuals", many, model, None).steps == 2500  # 40 times 4,000 images by 64


@pytest.mark.parametrize("value", ["a: b # c", 'say "x"', "${HOME}", "é\n", ["1", 2, None, True, 0.5], "null", "1e3"])
def test_every_value_survives_yaml_and_is_no_variable(value):
    plain = yaml.safe_load(as_yaml(value))
    assert (plain.replace("$${", "${") if isinstance(plain, str) else plain) == value


def test_durations_and_memory_are_short():
    assert [duration(s) for s in (0.2, 89, 90, 3600, 6000)] == ["1 s", "89 s", "2 min", "60 min", "1 h 40 min"]
    assert [memory(b) for b in (1e6, 2.4e8, 3.44e9)] == ["10 MB", "240 MB", "3.4 GB"]


def test_class_names_from_a_file_and_options_of_the_models_component(given, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("port\nstarboard\n")
    path = tmp_path / "r.yaml"
    start(
        "heatmaps", *given, "--classes", names, "--option", "trial_seconds=60", "--option", "std=[0.5]", "--out", path
    )
    settings = yaml.safe_load(path.read_text())["classifier"]["with"]
    assert (settings["classes"], settings["trial_seconds"], settings["std"]) == (["port", "starboard"], 60, [0.5])
    assert "no value" in refused("heatmaps", *given, "--option", "std", "--out", tmp_path / "s.yaml")
    assert "no option" in refused("heatmaps", *given, "--option", "wings=2", "--out", tmp_path / "s.yaml")
    wrong = refused("heatmaps", *given, "--classes", "a,b,c", "--out", tmp_path / "s.yaml")
    assert "3 class names are given, the model" in wrong
