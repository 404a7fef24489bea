"""Weights, preprocessing and class names of torchvision's classifiers are torchvision's own."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun
from sidelight_torchvision import model_index, sidelight_classifiers
from sidelight_torchvision.model import TorchvisionModel, import_models
from sidelight_torchvision.params import TorchvisionParams
from sidelight_torchvision.setup import Setup, recognise, shapes_of
from torch import nn

SIDE = 64
MEAN, STD = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
(DESCRIPTOR,) = sidelight_classifiers()


@pytest.fixture(scope="module")
def models():
    return import_models()


def load(**options):
    options = {name: str(value) if name == "weights" else value for name, value in options.items()}
    return TorchvisionModel(TorchvisionParams(**options), run=ToyRun())


def facts(**options):
    options = {name: str(value) if name == "weights" else value for name, value in options.items()}
    return DESCRIPTOR.facts(TorchvisionParams(**options), DataFacts())


def make(models, name, columns=5):
    torch.manual_seed(0)
    extra = {"init_weights": False} if name == "googlenet" else {}
    return models.get_model(name, weights=None, num_classes=columns, **extra).eval()


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v3_small",
        "efficientnet_b0",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "mnasnet0_5",
        "densenet121",
    ],
)
def test_scores_are_those_of_the_network_that_was_saved(models, tmp_path, name, ending):
    network = make(models, name)
    path = tmp_path / f"weights{ending}"
    save_file(network.state_dict(), path) if ending == ".safetensors" else torch.save(network.state_dict(), path)
    model = load(architecture=name, weights=path, height=SIDE, width=SIDE)
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        expected = network((images - MEAN) / STD)
    assert torch.allclose(model.scores(images), expected, atol=1e-4)
    assert model.class_names == tuple(f"class {number}" for number in range(5))
    told = facts(architecture=name, weights=path, height=SIDE, width=SIDE)
    assert (told.shape, told.classes) == (model.input_shape, model.class_names)


@pytest.mark.parametrize("auxiliary", [True, False])
def test_googlenet_with_and_without_auxiliary_heads(models, tmp_path, auxiliary):
    network = models.googlenet(weights=None, num_classes=3, init_weights=False, aux_logits=auxiliary).eval()
    torch.save(network.state_dict(), tmp_path / "a.pth")
    images = torch.rand(2, 3, SIDE, SIDE)
    for transform in (True, False):
        network.transform_input = transform
        model = load(
            architecture="googlenet", weights=tmp_path / "a.pth", height=SIDE, width=SIDE, transform_input=transform
        )
        with torch.no_grad():
            assert torch.allclose(model.scores(images), network((images - MEAN) / STD), atol=1e-4)


def test_published_densenets_have_older_names_of_layers(models, tmp_path):
    state = make(models, "densenet121").state_dict()
    old = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): each for name, each in state.items()}
    torch.save(old, tmp_path / "old.pth")
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert load(architecture="densenet121", weights=tmp_path / "old.pth").scores(torch.rand(1, 3, 64, 64)).shape == (
        1,
        5,
    )


def test_presets_are_those_of_torchvision(models):
    """Every classifier and all of its published weights."""
    known = set(models.list_models(module=models))
    assert set(model_index.architectures()) == known
    for name in known:
        enumeration = models.get_model_weights(name)
        assert model_index.preset(name).name == enumeration.DEFAULT.name
        for weights in enumeration:
            ours, theirs = model_index.preset(name, weights.name), weights.transforms()
            assert [[ours.size], [ours.resized]] == [theirs.crop_size, theirs.resize_size]
            assert [list(ours.mean), list(ours.std)] == [theirs.mean, theirs.std]
            assert ours.interpolation == theirs.interpolation.value
            assert (ours.url, ours.parameters) == (weights.url, weights.meta["num_params"])
            assert list(ours.classes) == (weights.meta["categories"] or [])  # torchvision's do not repeat


@pytest.mark.parametrize(("name", "preset"), [("resnet50", "IMAGENET1K_V2"), ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")])
def test_preprocessing_is_the_presets(models, tmp_path, name, preset):
    """A picture that is cropped and resized as torchvision does it reaches the network with the same numbers."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((600, 400), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    picture = Image.open(tmp_path / "a.png")
    transform = models.get_model_weights(name)[preset].transforms()
    theirs = transform(picture)

    source = load(architecture=name, weights="random", preset=preset).source
    side, whole = source.preprocessing.size[0], transform.resize_size[0]
    kind = Image.Resampling.BICUBIC if source.preprocessing.interpolation == "bicubic" else Image.Resampling.BILINEAR
    resized = picture.resize((int(whole * 600 / 400), whole), kind)
    left, top = (round((length - side) / 2) for length in resized.size)
    cropped = np.asarray(resized)[top : top + side, left : left + side]
    ours = torch.from_numpy(cropped.copy()).permute(2, 0, 1) / 255
    ours = (ours - torch.tensor(source.preprocessing.mean)[:, None, None]) / torch.tensor(source.preprocessing.std)[
        :, None, None
    ]
    assert (ours - theirs).abs().max() < 1e-6
    assert facts(architecture=name, weights="random", preset=preset).crop == side / whole


def test_a_vision_transformer_takes_the_size_of_its_weights(models, tmp_path):
    shapes = {
        "encoder.pos_embedding": (1, 145, 768),
        "conv_proj.weight": (768, 3, 32, 32),
        "heads.head.weight": (4, 768),
    }
    setup = Setup(name="vit_b_32", preset=model_index.preset("vit_b_32"), outline=shapes)
    assert setup.side == 384
    assert setup.columns(TorchvisionParams()) == 4
    model = load(architecture="vit_b_32", weights="random", num_classes=3, height=64, width=64)
    assert model.scores(torch.rand(1, 3, 64, 64)).shape == (1, 3)
    with pytest.raises(UserError, match="takes square images"):
        load(architecture="vit_b_32", weights="random", num_classes=3, height=64, width=96).scores(
            torch.rand(1, 3, 64, 96)
        )


def test_imagenets_names(models):
    names = load(architecture="resnet18", weights="random").class_names
    assert names == tuple(models.ResNet18_Weights.DEFAULT.meta["categories"])
    assert facts(architecture="resnet18", weights="random").classes == names
    assert len(set(names)) == 1000


def test_published_weights_lie_in_torchs_cache(models, tmp_path, monkeypatch):
    """A file that torch has fetched before is used without a network, and read as data."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    network = make(models, "squeezenet1_1", 1000)
    name = model_index.preset("squeezenet1_1").url.rpartition("/")[2]
    torch.save(network.state_dict(), tmp_path / "checkpoints" / name)
    model = load(architecture="squeezenet1_1", download=True)
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(model.scores(images), network((images - MEAN) / STD), atol=1e-4)
    assert model.class_names[0] == "tench"


def refusal(model):
    with pytest.raises(UserError) as caught:
        _ = model.module
    assert caught.value.fix
    return caught.value


def test_a_server_that_is_not_reached(tmp_path, monkeypatch):
    def unreachable(*_arguments, **_options):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    error = refusal(load(architecture="resnet18", download=True))
    assert "the weights of resnet18 cannot be downloaded" in error.message
    assert "weights: FILE" in error.fix


def told(**options):
    return [
        (each.message, each.fix, each.option)
        for each in DESCRIPTOR.mistakes(TorchvisionParams(**options))
        if each.refused
    ]


@pytest.mark.parametrize(
    ("options", "message", "fix", "option"),
    [
        ({}, "no architecture is given", "resnet50", "architecture"),
        ({"architecture": "ResNet-50", "weights": "random"}, 'no classifier "ResNet-50"', "resnet50", "architecture"),
        ({"architecture": "fasterrcnn_resnet50_fpn", "weights": "random"}, "no classifier", "resnet50", "architecture"),
        ({"architecture": "resnet18"}, "no weights are given", "download: true", "weights"),
        (
            {"architecture": "resnet18", "weights": "random", "download": True},
            "both weights and download",
            "",
            "download",
        ),
        ({"architecture": "resnet18", "download": True, "num_classes": 3}, "have the classes", "", "num_classes"),
        ({"architecture": "resnet18", "weights": "random", "preset": "IMAGENET1K_V2"}, "no weights", "V1", "preset"),
        ({"architecture": "resnet18", "weights": "/nowhere.pth"}, "there is no file", "path", "weights"),
        ({"architecture": "resnet18", "weights": "random", "task": "binary"}, "gives 1000 score(s)", "task", "task"),
        ({"architecture": "resnet18", "weights": "random", "classes": ("a", "b")}, "2 class names", "", "classes"),
        ({"object": "live:0", "weights": "a.pth"}, "a live model has its weights", "leave", "object"),
        ({"object": "live:0"}, "does not hold", "explain", "object"),
    ],
)
def test_options_that_do_not_go_together(options, message, fix, option):
    ((said, remedy, place),) = told(**options)
    assert message in said
    assert fix in remedy
    assert place == option


def test_weights_that_do_not_fit_are_named(models, tmp_path):
    torch.save(make(models, "resnet18").state_dict(), tmp_path / "a.pth")
    assert (
        "of 5 classes, num_classes says 7"
        in told(architecture="resnet18", weights=str(tmp_path / "a.pth"), num_classes=7)[0][0]
    )
    error = refusal(load(architecture="resnet34", weights=tmp_path / "a.pth"))
    assert "it lacks layer1.2.conv1.weight" in error.message
    grey = make(models, "resnet18")
    grey.conv1 = nn.Conv2d(1, 64, 7, bias=False)
    torch.save(grey.state_dict(), tmp_path / "grey.pth")
    error = refusal(load(architecture="resnet18", weights=tmp_path / "grey.pth"))
    assert "conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7)" in error.message
    assert "sidelight.explain" in error.fix


def test_a_torchvision_that_does_not_fit_is_named_with_its_cure(monkeypatch):
    from sidelight_torchvision import model

    def broken():
        raise ImportError("libtorch_cuda.so: cannot open shared object file")

    monkeypatch.setattr(model, "import_torchvision", broken)
    error = refusal(load(architecture="resnet18", weights="random"))
    assert error.message == "torchvision cannot be imported: libtorch_cuda.so: cannot open shared object file"
    assert "pip install --force-reinstall torch torchvision" in error.fix


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b1", "densenet121", "mobilenet_v3_small", "squeezenet1_1"])
@pytest.mark.parametrize("columns", [1000, 4])
def test_a_live_model_is_recognised_by_its_size(models, name, columns):
    with torch.device("meta"):
        model = make(models, name, columns)
    assert recognise(type(model).__module__, shapes_of(model)) == name


def test_a_live_model_and_what_is_assumed_of_it(models):
    model = make(models, "efficientnet_b1", 1000)
    adoption = DESCRIPTOR.adopts(model)
    preset = model_index.preset("efficientnet_b1")
    told = DESCRIPTOR.facts(TorchvisionParams(**adoption.params), DataFacts())
    assert told.shape == (3, preset.size, preset.size)
    assert told.classes[0] == "tench"
    assert "efficientnet_b1 does not say its preprocessing; IMAGENET1K_V2 is assumed (240x240" in adoption.warnings[0]
    weights = models.EfficientNet_B1_Weights.IMAGENET1K_V1
    given = DESCRIPTOR.adopts(model, preprocess=weights.transforms())
    assert DESCRIPTOR.adopts(model, preprocess=weights).params == given.params  # the member itself
    assert given.warnings == ()
    assert given.params["preset"] == "IMAGENET1K_V1"
    assert DESCRIPTOR.facts(TorchvisionParams(**given.params), DataFacts()).crop == 240 / 256


def test_a_live_model_that_was_changed(models):
    model = make(models, "resnet18").train()
    model.fc = nn.Sequential(nn.Dropout(0.2), nn.Linear(512, 3))
    adoption = DESCRIPTOR.adopts(model)
    assert "training mode" in adoption.warnings[0]
    assert "ImageNet's usual is assumed (224x224, mean 0.485, 0.456, 0.406" in adoption.warnings[1]
    classifier = TorchvisionModel(TorchvisionParams(**adoption.params), run=ToyRun())
    assert classifier.class_names == ("class 0", "class 1", "class 2")
    assert model.training
    assert all(each.requires_grad for each in model.parameters())
    assert DESCRIPTOR.adopts(model, mean=(0.0,)).warnings == adoption.warnings[:1]


def test_other_values_are_not_taken(models):
    assert DESCRIPTOR.adopts(nn.Linear(2, 2)) is None
    assert DESCRIPTOR.adopts("resnet18") is None
    assert DESCRIPTOR.adopts("torchvision:resnet18").params == {"architecture": "resnet18"}
    assert DESCRIPTOR.adopts("torchvision:resnet18@random").params == {"architecture": "resnet18", "weights": "random"}
    assert DESCRIPTOR.adopts(make(models, "resnet18"), preprocess=lambda images: images) is None


@pytest.mark.parametrize("name", ["resnet18", "swin_t", "maxvit_t", "vit_b_32", "convnext_tiny"])
def test_attention_is_known_by_name(models, name):
    from sidelight_toolkit.live_model import has_attention

    with torch.device("meta"):
        network = models.get_model(name, weights=None)
    assert model_index.has_attention(name) == has_attention(network) == (name in {"swin_t", "vit_b_32"})
