"""What is wrong with a folder, as `sidelight check` says it; a run refuses the same."""

import json
import os
import sys

import pytest
import sidelight_transformers
import torch
from safetensors.torch import load_file, save_file
from sidelight_specs import UserError

(DESCRIPTOR,) = (one for one in sidelight_transformers.sidelight_classifiers() if one.name == "image-classifier")
GONE = object()


def config(**values):
    def spoil(folder, edit):
        edit(folder / "config.json", **values)

    return spoil


def processor(**values):
    def spoil(folder, edit):
        edit(folder / "preprocessor_config.json", **values)

    return spoil


def text(name, content):
    def spoil(folder, _edit):
        (folder / name).write_text(content)

    return spoil


def without(*names):
    def spoil(folder, _edit):
        for name in names:
            (folder / name).unlink()

    return spoil


def beside(name, content=""):
    def spoil(folder, _edit):
        (folder / "model.safetensors").unlink()
        (folder / name).write_text(content)

    return spoil


def cut(folder, _edit):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def adapter(folder, _edit):
    (folder / "config.json").rename(folder / "adapter_config.json")


def checkpoints(folder, _edit):
    for step in ("checkpoint-10", "checkpoint-20"):
        (folder / step).mkdir()
        (folder / step / "config.json").write_text("{}")
    (folder / "config.json").unlink()


MISTAKES = {
    "no config": (without("config.json"), "has no config.json", "save_pretrained(FOLDER), which writes config.json"),
    "trainer": (checkpoints, "has no config.json", "name one of its folders: checkpoint-10, checkpoint-20"),
    "adapter": (adapter, "holds an adapter of PEFT alone", "merge_and_unload"),
    "no json": (
        text("config.json", "model: vit"),
        "config.json cannot be read: Expecting value",
        "save the model again",
    ),
    "list": (text("config.json", "[]"), "config.json holds no JSON object", ""),
    "twice": (text("config.json", '{"a": 1, "a": 2}'), "cannot be read: it names a twice", ""),
    "deep": (text("config.json", '{"a":' * 100_000), "cannot be read: it is nested too deeply", ""),
    "infinite": (text("config.json", '{"a": Infinity}'), "cannot be read: Infinity is no number of JSON", ""),
    "large": (text("config.json", " " * (17 << 20)), "cannot be read: it is larger than 16 MB", ""),
    "no type": (config(model_type=None), "config.json names no model_type", "save_pretrained"),
    "timm": (
        config(model_type=None, pretrained_cfg={}),
        "holds a model of timm, not of transformers",
        "use timm/model",
    ),
    "timm wrapper": (config(model_type="timm_wrapper"), 'holds "timm_wrapper", a model of timm', "use timm/model"),
    "imagegpt": (config(model_type="imagegpt"), 'holds "imagegpt", which takes colours as words', "another model"),
    "base model": (
        config(architectures=["ViTModel"]),
        "holds a ViTModel, which does not classify images",
        "AutoModelFor",
    ),
    "code": (
        config(auto_map={"AutoModelForImageClassification": "modeling_own.Own"}),
        "config.json names code of its own (auto_map: modeling_own.Own), which Sidelight never runs",
        "classifiers/torch",
    ),
    "nested code": (config(vision_config={"auto_map": {"AutoConfig": "own.Own"}}), "names code of its own", ""),
    "code of the processor": (
        processor(auto_map={"AutoImageProcessor": "own.Own"}),
        "preprocessor_config.json names code of its own (auto_map: own.Own)",
        "",
    ),
    "quantised": (
        config(quantization_config={"quant_method": "bitsandbytes"}),
        "holds quantised weights",
        "dequantize",
    ),
    "gap": (config(id2label={"0": "a", "2": "c"}), "id2label has 2 names, but none for the score 1", "without gaps"),
    "labels": (config(id2label=["a", "b"]), "id2label is no mapping of indices to names", ""),
    "many": (config(id2label=None, num_labels=10**9), "num_labels is 1000000000", ""),
    "problem": (config(problem_type="detection"), 'problem_type is "detection"', "set `task`"),
    "several values": (config(problem_type="regression"), "gives 3 values at once", "one value"),
    "channels": (config(num_channels=12), "num_channels is 12", "1 or 3 channels"),
    "no weights": (without("model.safetensors"), "holds no weights (model.safetensors or pytorch_model.bin)", "save"),
    "tensorflow": (beside("tf_model.h5"), "preprocessor_config.json, tf_model.h5", "save_pretrained"),
    "lfs": (
        text("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
        "pointer of Git LFS",
        "lfs pull",
    ),
    "cut": (cut, "is incomplete", "download the file again"),
    "no tensors": (text("model.safetensors", "hello, this is no file of tensors"), "is no safetensors file", ""),
    "no shard": (
        beside("model.safetensors.index.json", '{"weight_map": {"a": "model-00001.safetensors"}}'),
        "model-00001.safetensors, which model.safetensors.index.json names",
        "copy the missing file",
    ),
    "shard outside": (
        beside("model.safetensors.index.json", '{"weight_map": {"a": "../secret.safetensors"}}'),
        'names "../secret.safetensors", which is no .safetensors file beside it',
        "",
    ),
    "no map": (beside("model.safetensors.index.json", "{}"), "has no weight_map", ""),
    "processor": (text("preprocessor_config.json", "{"), "preprocessor_config.json cannot be read", ""),
    "any size": (processor(size={"longest_edge": 99}), "gives every image a size of its own", "height and width"),
    "two means": (
        processor(image_mean=[0.5, 0.5]),
        "preprocessor_config.json: image_mean has 2 numbers for 3 channel(s)",
        "",
    ),
    "other size": (
        processor(size={"height": 48, "width": 48}),
        "images are resized to 48x48, and {folder} takes 32x32",
        "set height to 32 and width to 32",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_spoilt_folder(folder, edit, load, name):
    spoil, message, fix = MISTAKES[name]
    spoil(folder, edit)
    params = DESCRIPTOR.params(path=str(folder))
    refused = [mistake for mistake in DESCRIPTOR.mistakes(params) if mistake.refused]
    assert len(refused) == 1
    assert message.format(folder=folder) in refused[0].message
    assert fix in refused[0].fix
    assert refused[0].message[-1] != "."
    with pytest.raises(UserError):
        _ = load(folder).module, load(folder).task
    DESCRIPTOR.facts(params, None)
    DESCRIPTOR.provided_by(params)
    DESCRIPTOR.fingerprint(params)


@pytest.mark.parametrize(
    ("path", "message", "fix"),
    [
        ("google/vit-base-patch16-224", "there is no folder google/vit-base-patch16-224", "set download: true"),
        ("{folder}s", "there is no folder {folder}s", 'did you mean "vit"?'),
        (
            "{folder}/model.safetensors",
            "is a file, where the folder of a model is expected",
            "name the folder: {folder}",
        ),
        ("/nowhere/at/all/", "there is no folder /nowhere/at/all", "name the folder that save_pretrained wrote"),
    ],
)
def test_a_path_that_is_no_folder(folder, path, message, fix):
    (mistake,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path=path.format(folder=folder)))
    assert message.format(folder=folder) in mistake.message
    assert fix.format(folder=folder) in mistake.fix
    assert mistake.option == "path"


@pytest.mark.parametrize(
    ("options", "message", "option"),
    [
        ({"classes": ("a", "b")}, "2 class names are given, the model {folder} has 3 scores", "classes"),
        ({"task": "binary"}, "{folder} gives 3 score(s) for an image; a binary model gives one", "task"),
        ({"mean": (0.5, 0.5)}, "mean has 2 numbers for 3 channel(s)", "mean"),
        ({"height": 64, "width": 64}, "images are resized to 64x64, and {folder} takes 32x32", "path"),
    ],
)
def test_options_that_do_not_fit_the_folder(folder, load, options, message, option):
    (mistake,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(folder), **options))
    assert mistake.message == message.format(folder=folder)
    assert mistake.option == option
    with pytest.raises(UserError):
        _ = load(folder, **options).module, load(folder, **options).class_names


def test_several_mistakes_are_said_at_once(folder, edit):
    edit(folder / "config.json", id2label={"1": "a"})
    edit(folder / "preprocessor_config.json", size="large")
    (folder / "model.safetensors").unlink()
    messages = [mistake.message for mistake in DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(folder)))]
    assert len(messages) == 3


def test_labels_that_do_not_exclude_each_other_are_a_warning(folder, edit, load):
    edit(folder / "config.json", problem_type="multi_label_classification")
    (mistake,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(folder)))
    assert not mistake.refused
    assert "is a multi-label model: its classes do not exclude each other" in mistake.message
    assert load(folder).task == "multiclass"


def test_weights_of_another_size_are_named(folder, edit, load):
    edit(folder / "config.json", id2label={str(index): str(index) for index in range(5)})
    with pytest.raises(UserError) as caught:
        _ = load(folder).module
    assert "classifier.bias is stored as (3,), config.json describes (5,) and 1 more" in caught.value.message


def test_missing_weights_are_named_and_never_random(folder, load):
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file({**weights, "other.weight": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as caught:
        _ = load(folder).module
    assert "lacks weights of vit, which would be random: classifier.weight; not used are other.weight" in (
        caught.value.message
    )


def test_weights_that_are_not_finite(folder, load):
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="gives scores that are not finite"):
        _ = load(folder).module


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "bert"}, "which transformers [0-9.]+ does not know as an image classifier"),
        ({"model_type": "vit-9"}, "'vit-9', which transformers [0-9.]+ does not know"),
        ({"hidden_size": "wide"}, "config.json describes no vit: "),
        ({"num_hidden_layers": 10**6}, "config.json describes no vit: num_hidden_layers is 1000000, more than 1000"),
        ({"hidden_size": 2**16, "intermediate_size": 2**18}, "describes a network of [0-9,]+ weights, its files hold"),
    ],
)
def test_a_configuration_that_transformers_does_not_build(folder, edit, load, values, message):
    edit(folder / "config.json", architectures=None, **values)
    with pytest.raises(UserError, match=message):
        _ = load(folder).module


def test_a_pipe_is_not_waited_for(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    (mistake,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(folder)))
    assert "has no config.json" in mistake.message


def test_check_imports_neither_torch_nor_transformers(folder):
    import subprocess

    code = (
        "import sys, sidelight_transformers as s\n"
        "(d,) = (one for one in s.sidelight_classifiers() if one.name == 'image-classifier')\n"
        f"p = d.params(path={str(folder)!r})\n"
        "assert not list(d.mistakes(p)) and d.facts(p, None).shape == (3, 32, 32) and d.fingerprint(p)\n"
        "heavy = {'torch', 'numpy', 'transformers', 'huggingface_hub', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_json_is_the_fixture_of_these_tests(folder):
    assert json.loads((folder / "config.json").read_text())["model_type"] == "vit"
