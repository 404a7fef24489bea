"""Weights, preprocessing and class names of timm's models are timm's own."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sidelight_specs.facts import DataFacts
from sidelight_timm import sidelight_classifiers
from sidelight_timm.model import import_timm
from sidelight_timm.params import TimmParams
from sidelight_timm.setup import Setup

NETWORKS = ("resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto")
SIDE = 64
(DESCRIPTOR,) = sidelight_classifiers()


def facts(**options):
    options = {name: str(value) if name == "weights" else value for name, value in options.items()}
    return DESCRIPTOR.facts(TimmParams(**options), DataFacts())


def normalised(images, mean, std):
    return (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_those_of_the_network_that_was_saved(networks, files, small, images, name, ending):
    model = small(architecture=name, weights=files[name, ending])
    config = import_timm().data.resolve_model_data_config(networks[name])
    with torch.no_grad():
        expected = networks[name](normalised(images, config["mean"], config["std"]))
    assert torch.allclose(model.scores(images), expected, atol=1e-5)
    assert model.class_names == tuple(f"class {number}" for number in range(7))
    told = facts(architecture=name, weights=files[name, ending], height=SIDE, width=SIDE)
    assert (told.shape, told.classes) == (model.input_shape, model.class_names)


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "vit_base_patch16_clip_224.openai", "convnext_atto.d2_in1k"])
def test_preprocessing_is_that_of_timms_evaluation(name, load, tmp_path):
    """A picture that is cropped and resized as timm does it reaches the network with the same numbers."""
    timm = import_timm()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((600, 400), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    picture = Image.open(tmp_path / "a.png")
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    theirs = timm.data.create_transform(**config, is_training=False)(picture)

    source = load(architecture=name, weights="random", num_classes=3).source
    # the crop, which whoever reads the images applies
    whole = int(np.floor(source.preprocessing.size[0] / config["crop_pct"]))
    resized = picture.resize((round(whole * 600 / 400), whole), Image.Resampling.BICUBIC)
    left, top = (round((length - source.preprocessing.size[0]) / 2) for length in resized.size)
    cropped = np.asarray(resized)[top : top + theirs.shape[1], left : left + theirs.shape[2]]
    ours = torch.from_numpy(cropped.copy()).permute(2, 0, 1) / 255
    ours = normalised(ours, source.preprocessing.mean, source.preprocessing.std)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 1e-6
    assert DESCRIPTOR.known(TimmParams(architecture=name, weights="random")).crop == config["crop_pct"]


def test_larger_images_are_resized_as_pillow_does(load):
    """Bicubic and antialiased, in the model: the difference is Pillow's rounding to whole numbers."""
    from sidelight_toolkit.images import resize

    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)
    large = Image.fromarray(pixels).resize((333, 333), Image.Resampling.BICUBIC)
    model = load(architecture="resnet18", weights="random", num_classes=2)
    assert model.source.preprocessing.interpolation == "bicubic"
    tensor = torch.from_numpy(np.asarray(large).copy()).permute(2, 0, 1)[None] / 255
    theirs = np.asarray(large.resize((224, 224), Image.Resampling.BICUBIC)) / 255
    ours = resize(tensor, (224, 224), "bicubic")[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).max() < 1.5 / 255


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_vision_transformer_takes_the_size_of_its_weights(files, load, ending):
    model = load(architecture="vit_tiny_patch16_224", weights=files["vit_tiny_patch16_224", ending])
    assert model.input_shape == (3, SIDE, SIDE)
    assert model.scores(torch.rand(1, 3, SIDE, SIDE)).shape == (1, 7)
    assert facts(architecture="vit_tiny_patch16_224", weights=files["vit_tiny_patch16_224", ending]).shape[1:] == (
        64,
        64,
    )


@pytest.mark.parametrize(("tokens", "side"), [(197, 224), (577, 384), (201, 224), (196, 224), (198, 224)])
def test_positions_of_a_vision_transformer(tokens, side):
    """With a class token, four registers beside it, neither, or two tokens."""
    shapes = {"pos_embed": (1, tokens, 192), "patch_embed.proj.weight": (192, 3, 16, 16)}
    setup = Setup(name="vit_tiny_patch16_224", outline=shapes)
    registered = {"fixed_input_size": True, "first_conv": "patch_embed.proj", "input_size": (3, 8, 8)}
    assert setup.configuration(registered)["input_size"] == (3, side, side)


def test_a_folder_of_save_for_hf_needs_nothing_else(tmp_path, load, networks, images):
    timm = import_timm()
    labels = [f"sort {number}" for number in range(7)]
    config = {"label_names": labels, "pretrained_cfg": {"mean": (0.1, 0.2, 0.3), "input_size": (3, SIDE, SIDE)}}
    timm.models.save_for_hf(networks["resnet18"], tmp_path, model_config=config, safe_serialization=True)
    data = json.loads((tmp_path / "config.json").read_text())
    data["pretrained_cfg"].update(mean=[0.1, 0.2, 0.3], std=[0.2, 0.3, 0.4], input_size=[3, SIDE, SIDE])
    (tmp_path / "config.json").write_text(json.dumps(data))
    model = load(weights=tmp_path)
    assert model.class_names == tuple(labels)
    assert model.input_shape == (3, SIDE, SIDE)
    with torch.no_grad():
        expected = networks["resnet18"](normalised(images, (0.1, 0.2, 0.3), (0.2, 0.3, 0.4)))
    assert torch.allclose(model.scores(images), expected, atol=1e-5)
    told = facts(weights=tmp_path)
    assert (told.shape, told.classes) == ((3, SIDE, SIDE), tuple(labels))


def test_labels_with_descriptions_are_named_by_these(tmp_path, load, networks):
    import_timm().models.save_for_hf(networks["resnet18"], tmp_path)
    data = json.loads((tmp_path / "config.json").read_text())
    data["label_names"] = {str(number): f"n0{number}" for number in range(7)}
    data["label_descriptions"] = {f"n0{number}": f"{'crane' if number < 2 else number}, bird" for number in range(7)}
    (tmp_path / "config.json").write_text(json.dumps(data))
    names = load(weights=tmp_path).class_names
    assert names == ("crane, bird (n00)", "crane, bird (n01)", "2", "3", "4", "5", "6")
    assert facts(weights=tmp_path).classes == names


def test_checkpoints_of_training_scripts_are_read(tmp_path, networks, small, images, files):
    """Averaged weights first; the names of DistributedDataParallel and of torch.compile are undone."""
    import argparse

    state = networks["resnet18"].state_dict()
    wrong = {f"module.{name}": torch.zeros_like(each) for name, each in state.items()}
    ema = {f"_orig_mod.module.{name}": each for name, each in state.items()}
    checkpoint = {"epoch": 3, "args": argparse.Namespace(lr=0.1), "state_dict": wrong, "state_dict_ema": ema}
    torch.save(checkpoint, tmp_path / "last.pth.tar")
    model = small(architecture="resnet18", weights=tmp_path / "last.pth.tar")
    expected = small(architecture="resnet18", weights=files["resnet18", ".pth"])
    assert torch.equal(model.scores(images), expected.scores(images))
    assert len(facts(architecture="resnet18", weights=tmp_path / "last.pth.tar").classes) == 7


def test_files_of_old_torch_are_read_though_check_knows_less_of_them(tmp_path, networks, small, images):
    torch.save(networks["resnet18"].state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    model = small(architecture="resnet18", weights=tmp_path / "old.pth")
    assert model.scores(images).shape == (2, 7)
    assert facts(architecture="resnet18", weights=tmp_path / "old.pth").classes is None


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_a_grey_model_is_known_by_its_weights(tmp_path, small, name):
    timm = import_timm()
    size = {"img_size": SIDE} if name.startswith("vit") else {}
    grey = timm.create_model(name, in_chans=1, num_classes=3, **size).eval()
    save_file(grey.state_dict(), tmp_path / "grey.safetensors")
    model = small(architecture=name, weights=tmp_path / "grey.safetensors")
    assert model.input_shape == (1, SIDE, SIDE)
    images = torch.rand(2, 1, SIDE, SIDE)
    config = timm.data.resolve_model_data_config(grey)
    with torch.no_grad():
        expected = grey((images - np.mean(config["mean"])) / np.mean(config["std"]))
    assert torch.allclose(model.scores(images), expected, atol=1e-5)
    assert facts(architecture=name, weights=tmp_path / "grey.safetensors").shape[0] == 1


def test_a_binary_model_and_a_regression(tmp_path, small, images):
    one = import_timm().create_model("resnet18", num_classes=1).eval()
    save_file(one.state_dict(), tmp_path / "one.safetensors")
    binary = small(architecture="resnet18", weights=tmp_path / "one.safetensors", task="binary", classes=("no", "yes"))
    assert binary.scores(images).shape == (2, 1)
    assert binary.class_names == ("no", "yes")
    told = facts(architecture="resnet18", weights=tmp_path / "one.safetensors", task="regression", classes=("age",))
    assert (told.task, told.classes) == ("regression", ("age",))


def test_imagenets_names_are_those_of_timm(load):
    names = load(architecture="resnet18", weights="random").class_names
    info = import_timm().data.ImageNetInfo()
    descriptions = [info.index_to_description(index) for index in range(1000)]
    assert len(set(names)) == 1000
    assert names[0] == "tench"
    assert names[134] == "crane (n02012849)"
    assert all(name.split(" (")[0] in description for name, description in zip(names, descriptions, strict=True))
    assert facts(architecture="resnet18", weights="random").classes == names


def test_options_correct_the_configuration(small, images):
    model = small(architecture="resnet18", weights="random", num_classes=2, mean=(0.5,), std=(0.25, 0.5, 1.0))
    assert model.source.preprocessing.mean == (0.5,)
    assert model.module.std.flatten().tolist() == [0.25, 0.5, 1.0]
    assert model.scores(torch.rand(1, 3, 80, 80)).shape == (1, 2)


def test_random_weights_depend_on_the_seed_alone(small, images):
    first = small(architecture="resnet18", weights="random", num_classes=2).scores(images)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    second = small(architecture="resnet18", weights="random", num_classes=2).scores(images)
    assert torch.equal(first, second)
    assert torch.equal(before, torch.random.get_rng_state())


def test_downloaded_weights_lie_in_the_cache_of_the_hub(tmp_path, monkeypatch, networks, load, images):
    """A repository that huggingface_hub has fetched before is used without a network."""
    import huggingface_hub.constants as hub

    snapshot = tmp_path / "models--timm--resnet18.a1_in1k/snapshots/0123"
    snapshot.mkdir(parents=True)
    import_timm().models.save_for_hf(networks["resnet18"], snapshot, safe_serialization=True)
    (tmp_path / "models--timm--resnet18.a1_in1k/refs").mkdir()
    (tmp_path / "models--timm--resnet18.a1_in1k/refs/main").write_text("0123")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    model = load(architecture="resnet18", download=True)
    assert torch.allclose(model.scores(images), load(weights=snapshot).scores(images))
    direct = load(architecture="hf-hub:timm/resnet18.a1_in1k", download=True)
    assert direct.class_names == model.class_names
