"""Live models of timm: configuration and class names are read from the model, which stays as it was."""

import copy

import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun
from sidelight_timm import sidelight_classifiers
from sidelight_timm.model import TimmModel, import_timm
from sidelight_timm.params import TimmParams
from torch import nn

SIDE = 64
(DESCRIPTOR,) = sidelight_classifiers()


@pytest.fixture
def adopt():
    kept = []

    def adopted(value, **hints):
        adoption = DESCRIPTOR.adopts(value, **hints)
        kept.append(adoption)  # live objects are held as long as somebody refers to them
        params = TimmParams(**adoption.params)
        return adoption, params, DESCRIPTOR.facts(params, DataFacts()), TimmModel(params, run=ToyRun())

    return adopted


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto"])
def test_a_live_model_says_what_it_takes(networks, adopt, name):
    network = networks[name]
    adoption, _, facts, model = adopt(network)
    config = import_timm().data.resolve_model_data_config(network)
    assert not adoption.warnings
    assert not adoption.generic
    side = SIDE if network.pretrained_cfg["fixed_input_size"] else 224
    assert facts.shape == model.input_shape == (3, side, side)
    assert facts.crop == config["crop_pct"]
    assert facts.classes == model.class_names == tuple(f"class {number}" for number in range(7))
    images = torch.rand(2, 3, side, side)
    normalised = (images - torch.tensor(config["mean"])[:, None, None]) / torch.tensor(config["std"])[:, None, None]
    with torch.no_grad():
        assert torch.allclose(model.scores(images), network(normalised), atol=1e-5)


def test_imagenets_names_for_a_live_model(adopt):
    _, _, facts, model = adopt(import_timm().create_model("resnet18").eval())
    assert facts.classes == model.class_names
    assert facts.classes[0] == "tench"


def test_a_new_head_counts_and_not_what_the_model_was_made_with(adopt):
    model = import_timm().create_model("resnet18").eval()
    model.fc = nn.Linear(512, 4)
    assert len(adopt(model)[2].classes) == 4
    model.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 3))
    _, _, facts, classifier = adopt(model)
    assert facts.classes is None  # not known before a run
    assert classifier.class_names == ("class 0", "class 1", "class 2")


def test_a_grey_live_model(adopt):
    model = import_timm().create_model("resnet18", in_chans=1, num_classes=2).eval()
    _, _, facts, classifier = adopt(model)
    assert facts.shape == classifier.input_shape == (1, 224, 224)
    assert classifier.source.preprocessing.mean == (pytest.approx(np.mean([0.485, 0.456, 0.406])),)


def test_the_model_of_the_user_is_left_as_it_was(adopt):
    model = import_timm().create_model("resnet18", num_classes=2, drop_rate=0.5).train()
    before = copy.deepcopy(model.state_dict())
    adoption, _, _, classifier = adopt(model)
    classifier.scores(torch.rand(2, 3, 32, 32))
    assert "training mode" in adoption.warnings[0]
    assert model.training
    assert all(each.requires_grad for each in model.parameters())
    assert all(torch.equal(old, new) for old, new in zip(before.values(), model.state_dict().values(), strict=True))


def test_keys_follow_the_weights(adopt):
    model = import_timm().create_model("resnet18", num_classes=2).eval()
    first = adopt(model)[1].object
    assert adopt(model)[1].object == first
    with torch.no_grad():
        model.fc.bias += 1
    assert adopt(model)[1].object != first


def test_preprocessing_given_beside_it(adopt):
    timm = import_timm()
    model = timm.create_model("resnet18", num_classes=2).eval()
    transform = timm.data.create_transform((3, 96, 96), mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), is_training=False)
    _, _, facts, classifier = adopt(model, preprocess=transform)
    assert facts.shape == (3, 96, 96)
    assert classifier.source.preprocessing.mean == pytest.approx((0.1, 0.2, 0.3))
    assert DESCRIPTOR.adopts(model, preprocess=lambda images: images) is None  # classifiers/live takes both


def test_other_modules_are_not_taken():
    assert DESCRIPTOR.adopts(nn.Linear(2, 2)) is None
    assert DESCRIPTOR.adopts({"pretrained_cfg": {}}) is None
    assert DESCRIPTOR.adopts(lambda images: images) is None


def test_texts(tmp_path, networks):
    assert DESCRIPTOR.adopts("timm:resnet18").params == {"architecture": "resnet18"}
    assert DESCRIPTOR.adopts("timm:resnet18@a/b.pth").params == {"architecture": "resnet18", "weights": "a/b.pth"}
    assert DESCRIPTOR.adopts("timm:resnet18@download").params == {"architecture": "resnet18", "download": True}
    assert DESCRIPTOR.adopts("hf-hub:me/mine").params == {"architecture": "hf-hub:me/mine"}
    assert DESCRIPTOR.adopts("resnet18") is None
    assert DESCRIPTOR.adopts(str(tmp_path)) is None
    import_timm().models.save_for_hf(networks["resnet18"], tmp_path, safe_serialization="both")
    assert DESCRIPTOR.adopts(str(tmp_path)).params == {"weights": str(tmp_path)}
    assert DESCRIPTOR.adopts(str(tmp_path / "pytorch_model.bin")).params == {
        "weights": str(tmp_path / "pytorch_model.bin")
    }
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    assert DESCRIPTOR.adopts(str(tmp_path)) is None


def test_a_live_model_that_is_gone_or_has_other_weights_beside_it(adopt):
    model = import_timm().create_model("resnet18", num_classes=2).eval()
    _, params, _, _ = adopt(model)
    both = TimmParams(object=params.object, weights="a.pth")
    assert "has its weights" in next(iter(DESCRIPTOR.mistakes(both))).message
    assert (
        "of 2 classes, num_classes says 5"
        in next(iter(DESCRIPTOR.mistakes(TimmParams(object=params.object, num_classes=5)))).message
    )
    gone = TimmParams(object="live:0123")
    assert "does not hold" in next(iter(DESCRIPTOR.mistakes(gone))).message
    assert DESCRIPTOR.facts(gone, DataFacts()).shape is None
    with pytest.raises(UserError):
        _ = TimmModel(gone, run=ToyRun()).module


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto"])
def test_attention_is_known_by_name_and_alive(networks, adopt, name):
    attends = name[0] in "vs"
    by_name = DESCRIPTOR.provided_by(TimmParams(architecture=name, weights="random"))
    assert ("attention" in by_name) == attends
    assert ("attention" in DESCRIPTOR.provided_by(adopt(networks[name])[1])) == attends


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_is_explained_in_float32(adopt, dtype):
    model = import_timm().create_model("resnet18", num_classes=2).eval().to(dtype)
    _, _, _, classifier = adopt(model)
    images = torch.rand(2, 3, 32, 32)
    scores = classifier.scores(images)
    assert scores.dtype == torch.float32
    assert model.fc.weight.dtype == dtype
    with torch.no_grad():
        preprocessed = (images - classifier.module.mean) / classifier.module.std
        resized = nn.functional.interpolate(preprocessed, (224, 224), mode="bicubic", antialias=True)
        assert torch.allclose(scores, copy.deepcopy(model).float()(resized), atol=1e-2)
