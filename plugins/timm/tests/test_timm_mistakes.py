"""Mistakes, and what each is told; those that need no weights are told before a run."""

import json

import pytest
import torch
from safetensors.torch import save_file
from sidelight_specs import UserError
from sidelight_timm import sidelight_classifiers
from sidelight_timm.model import import_timm
from sidelight_timm.params import TimmParams

(DESCRIPTOR,) = sidelight_classifiers()


def told(**options):
    options = {name: str(value) if name == "weights" else value for name, value in options.items()}
    return [
        (each.message, each.fix, each.option) for each in DESCRIPTOR.mistakes(TimmParams(**options)) if each.refused
    ]


@pytest.mark.parametrize(
    ("options", "message", "fix", "option"),
    [
        ({}, "neither an architecture nor a folder", "resnet18", "architecture"),
        ({"architecture": "resnet18"}, "no weights are given for resnet18", "download: true", "weights"),
        ({"architecture": "resnet19", "weights": "random"}, 'no architecture "resnet19"', "resnet18", "architecture"),
        ({"architecture": "ViT_tiny", "weights": "random"}, 'no architecture "ViT_tiny"', "vit_", "architecture"),
        (
            {"architecture": "resnet18.a1_in2k", "weights": "random"},
            'no weights "a1_in2k" of resnet18',
            'did you mean "a1_in1k"?',
            "architecture",
        ),
        (
            {"architecture": "resnet18", "weights": "random", "download": True},
            "both weights and download",
            "",
            "download",
        ),
        ({"architecture": "resnet18", "download": True, "num_classes": 4}, "have the classes", "", "num_classes"),
        ({"architecture": "hf-hub:me/mine"}, "nothing is downloaded unasked", "download: true", "architecture"),
        ({"architecture": "resnet18", "weights": "/nowhere.pth"}, "no file or folder /nowhere.pth", "", "weights"),
        ({"architecture": "resnet18", "weights": "random", "task": "binary"}, "gives 1000 score(s)", "`task`", "task"),
        (
            {"architecture": "resnet18", "weights": "random", "classes": ("cat", "dog")},
            "2 class names are given, the model resnet18 has 1000 scores",
            "name each class once",
            "classes",
        ),
        (
            {"architecture": "resnet18", "weights": "random", "num_classes": 2, "mean": (0.5, 0.5)},
            "mean has 2 numbers for 3 channel(s)",
            "one for each channel",
            "mean",
        ),
    ],
)
def test_options_that_do_not_go_together(options, message, fix, option):
    ((said, remedy, place),) = told(**options)
    assert message in said
    assert fix in remedy
    assert place == option


@pytest.fixture
def folder(tmp_path, networks):
    import_timm().models.save_for_hf(networks["resnet18"], tmp_path, safe_serialization=True)
    return tmp_path


def rewrite(folder, change):
    path = folder / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.clear(), "is a config of no model of timm"),
        (lambda data: (data.clear(), data.update(model_type="vit")), "is a config of transformers"),
        (lambda data: data.update(architecture="resnet17"), 'timm has no architecture "resnet17"'),
        (lambda data: data.update(num_classes="many"), "num_classes must be a whole number"),
        (lambda data: data["pretrained_cfg"].update(input_size=[3, -1, 2]), "input_size must be three whole numbers"),
        (lambda data: data.update(num_classes=10**12), "num_classes must be a whole number from 1 to 1,000,000"),
        (
            lambda data: data["pretrained_cfg"].update(input_size=[3, 10**6, 10**6]),
            "input_size must be three whole numbers up to 4096",
        ),
        (lambda data: data["pretrained_cfg"].update(mean="grey"), "mean and std must be lists of numbers"),
        (lambda data: data["pretrained_cfg"].update(crop_pct=0), "crop_pct must be a number above 0"),
        (lambda data: data.update(pretrained_cfg=[]), "must be mappings"),
        (
            lambda data: data.update(model_args={"checkpoint_path": "evil.pth"}),
            "model_args must not say checkpoint_path",
        ),
    ],
)
def test_a_config_that_is_not_timms(folder, change, message):
    rewrite(folder, change)
    ((said, fix, option),) = told(weights=folder)
    assert message in said
    assert fix
    assert option in {"weights", "architecture"}


def test_folders_without_config_or_weights(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    assert "has no config.json" in told(weights=tmp_path / "empty")[0][0]
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    assert told(weights=folder) == []  # there is one file
    (folder / "b.pth").write_bytes(b"")
    assert "several weights: a.safetensors, b.pth" in told(weights=folder)[0][0]
    (folder / "a.safetensors").unlink()
    (folder / "b.pth").unlink()
    assert "holds no weights" in told(weights=folder)[0][0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"depth": 10**9}, "asks for depth 1000000000, more than 1000"),
        ({"embed_dim": 49152}, "describes a network of"),
    ],
)
def test_a_config_that_asks_for_a_giant(folder, load, args, message):
    rewrite(folder, lambda data: data.update(architecture="vit_tiny_patch16_224", model_args=args))
    with pytest.raises(UserError, match=message):
        load(weights=folder).scores(torch.rand(1, 3, 64, 64))


def test_a_config_that_is_no_json(folder):
    (folder / "config.json").write_text("{")
    assert "cannot be read" in told(weights=folder)[0][0]


def test_a_config_of_somebody_else_beside_the_weights_is_left_alone(folder, small, images):
    (folder / "config.json").write_text('{"learning_rate": 0.1}')
    assert told(architecture="resnet18", weights=folder / "model.safetensors") == []
    assert "says no architecture" in told(weights=folder / "model.safetensors")[0][0]


def test_options_that_the_weights_contradict(folder):
    assert "is of resnet18, the options say resnet34" in told(architecture="resnet34", weights=folder)[0][0]
    assert "of 7 classes, num_classes says 5" in told(weights=folder, num_classes=5)[0][0]
    assert "take 3 colour channel(s), channels says 1" in told(weights=folder, channels=1)[0][0]
    assert "gives 7 score(s)" in told(weights=folder, task="regression")[0][0]


def refusal(model):
    with pytest.raises(UserError) as caught:
        _ = model.module
    assert caught.value.fix
    return caught.value


def test_weights_of_another_architecture_are_named_by_their_layers(small, files):
    error = refusal(small(architecture="resnet34", weights=files["resnet18", ".safetensors"]))
    assert "do not fit resnet34: it lacks layer1.2.conv1.weight" in error.message
    assert "and 76 more" in error.message
    assert "set `architecture` to theirs" in error.fix
    error = refusal(small(architecture="vit_tiny_patch16_224", weights=files["resnet18", ".pth"]))
    assert "it lacks cls_token" in error.message
    assert "it has conv1.weight" in error.message


def test_weights_for_another_size_are_named_by_their_shape(load, files):
    path = files["vit_tiny_patch16_224", ".pth"]
    error = refusal(load(architecture="vit_tiny_patch16_224", weights=path, height=224, width=224))
    assert "of another shape are pos_embed (1, 17, 192) instead of (1, 197, 192)" in error.message
    assert "height and width" in error.fix


def test_files_that_hold_no_weights(tmp_path, small, networks):
    (tmp_path / "text.pth").write_text("weights")
    assert (
        "neither safetensors nor a file of torch.save"
        in refusal(small(architecture="resnet18", weights=tmp_path / "text.pth")).message
    )
    torch.save(networks["resnet18"], tmp_path / "whole.pth")
    error = refusal(small(architecture="resnet18", weights=tmp_path / "whole.pth"))
    assert "holds more than weights" in error.message
    assert "state_dict()" in error.fix
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    assert (
        "not weights by their names" in refusal(small(architecture="resnet18", weights=tmp_path / "list.pth")).message
    )
    torch.save({"epoch": 1}, tmp_path / "none.pth")
    assert "no weights by their names" in refusal(small(architecture="resnet18", weights=tmp_path / "none.pth")).message
    state = networks["resnet18"].state_dict()
    save_file(state, tmp_path / "cut.safetensors")
    data = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    assert (
        "no safetensors file that can be read"
        in refusal(small(architecture="resnet18", weights=tmp_path / "cut.safetensors")).message
    )
    state["fc.bias"] = torch.full_like(state["fc.bias"], torch.nan)
    save_file(state, tmp_path / "nan.safetensors")
    assert (
        "not finite in fc.bias" in refusal(small(architecture="resnet18", weights=tmp_path / "nan.safetensors")).message
    )


def test_nothing_in_a_pickle_is_called(tmp_path, small):
    """A file that would write another one if it were unpickled."""

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    assert "could run code" in refusal(small(architecture="resnet18", weights=tmp_path / "evil.pth")).message
    assert not (tmp_path / "written").exists()


def test_an_architecture_that_gives_features(load):
    error = refusal(load(architecture="vit_small_patch14_dinov2", weights="random"))
    assert "has no classes" in error.message
    assert "num_classes" in error.fix


def test_a_size_that_the_architecture_does_not_take(load):
    error = refusal(load(architecture="vit_tiny_patch16_224", weights="random", num_classes=2, height=8, width=8))
    assert "height and width" in error.fix


def test_a_hub_that_is_not_reached(load, monkeypatch, tmp_path):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    error = refusal(load(architecture="resnet18", download=True))
    assert "cannot be downloaded from timm/resnet18.a1_in1k" in error.message
    assert "weights: FOLDER" in error.fix


def test_weights_that_are_not_published(load):
    assert "publishes no weights of mnasnet_050" in refusal(load(architecture="mnasnet_050", download=True)).message


def test_a_torchvision_that_does_not_fit_is_named_with_its_cure(load, monkeypatch):
    from sidelight_timm import model

    def broken():
        raise RuntimeError("a\noperator torchvision::nms does not exist")

    monkeypatch.setattr(model, "import_torchvision", broken)
    error = refusal(load(architecture="resnet18", weights="random"))
    assert "timm cannot be imported: operator torchvision::nms does not exist" in error.message
    assert "pip install --force-reinstall torch torchvision" in error.fix


def test_random_weights_are_warned_of():
    (warning,) = DESCRIPTOR.mistakes(TimmParams(architecture="resnet18", weights="random"))
    assert not warning.refused
    assert "random" in warning.message
