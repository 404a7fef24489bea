"""Live models, pipelines and image processors of transformers, and texts that name a folder."""

import copy
import sys

import numpy as np
import pytest
import sidelight_transformers
import torch
from PIL import Image
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun
from sidelight_transformers.image_classifier import ImageClassifier, import_transformers
from sidelight_transformers.params import ImageClassifierParams
from torch import nn

(DESCRIPTOR,) = sidelight_transformers.sidelight_classifiers()
TAKEN = {"shown": (3, 40, 40)}


@pytest.fixture
def adopt():
    kept = []

    def adopted(value, **hints):
        adoption = DESCRIPTOR.adopts(value, **TAKEN, **hints)
        kept.append(adoption)  # live objects are held as long as somebody refers to them
        params = ImageClassifierParams(**adoption.params)
        return adoption, params, ImageClassifier(params, run=ToyRun())

    return adopted


@pytest.fixture
def model(saved):
    """A model of this process, not from a folder."""
    return import_transformers().AutoModelForImageClassification.from_config(copy.deepcopy(saved()[1].config)).eval()


@pytest.fixture
def processor(model):
    """Another preprocessing than the default."""
    return import_transformers().ViTImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4], resample=3
    )


def expected(model, processor, images):
    """Logits on images (N, C, H, W) in [0, 1], preprocessed by transformers."""
    pixels = [Image.fromarray(image) for image in (images * 255).round().byte().permute(0, 2, 3, 1).numpy()]
    with torch.no_grad():
        return model(**processor(pixels, return_tensors="pt")).logits


def test_a_live_model_with_its_processor(adopt, model, processor):
    images = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    adoption, params, classifier = adopt(model, preprocess=processor)
    facts = DESCRIPTOR.facts(params, DataFacts())
    assert not adoption.generic
    assert adoption.warnings == ()
    assert list(DESCRIPTOR.mistakes(params)) == []
    assert (facts.shape, facts.classes, facts.task) == ((3, 32, 32), ("cat", "dog", "owl"), "multiclass")
    assert facts.crop == "whole"
    assert {"attention", "classes", "module"} <= set(DESCRIPTOR.provided_by(params))
    assert torch.allclose(classifier.scores(images), expected(model, processor, images), atol=1e-5)
    assert classifier.module.preprocessing.interpolation == "bicubic"


def test_a_live_model_without_a_processor_is_told_what_is_assumed(adopt, model):
    _, params, classifier = adopt(model)
    (warning,) = DESCRIPTOR.mistakes(params)
    assert not warning.refused
    assert warning.message == (
        "ViTForImageClassification was given without an image processor: assumed are the defaults of "
        "ViTImageProcessor, 32x32, mean 0.5, std 0.5"
    )
    assert warning.fix == "give preprocess=..., the image processor"
    assert classifier.scores(torch.rand(1, 3, 40, 40)).shape == (1, 3)


def test_a_model_loaded_from_a_folder_has_the_folders_processor(adopt, folder, edit, load, images):
    edit(folder / "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3])
    model = import_transformers().ViTForImageClassification.from_pretrained(folder)
    _, params, classifier = adopt(model)
    assert list(DESCRIPTOR.mistakes(params)) == []
    assert torch.allclose(classifier.scores(images), load(folder).scores(images), atol=1e-6)


def test_a_pipeline_brings_model_and_processor(adopt, model, processor):
    pipeline = import_transformers().pipeline("image-classification", model=model, image_processor=processor)
    images = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    adoption, params, classifier = adopt(pipeline)
    assert adoption.params == adopt(model, preprocess=processor)[0].params
    assert torch.allclose(classifier.scores(images), expected(model, processor, images), atol=1e-5)
    assert list(DESCRIPTOR.mistakes(params)) == []


def test_a_preset_of_another_library_gives_numbers(adopt, model):
    class Preset:
        crop_size, mean, std = [32], [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]

    adoption, _, classifier = adopt(model, preprocess=Preset())
    assert adoption.params["mean"] == (0.1, 0.2, 0.3)
    assert classifier.source.preprocessing.std == (0.4, 0.5, 0.6)


def test_a_function_before_the_model_is_left_to_the_generic_component(model):
    assert DESCRIPTOR.adopts(model, preprocess=lambda images: images * 2) is None


def test_the_model_stays_as_it_was(adopt, model, processor):
    model.train()
    model.config.return_dict = False
    hooks = sum(len(each._forward_hooks) for each in model.modules())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adoption, _, classifier = adopt(model, preprocess=processor)
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    with classifier.watch(classifier.layers[:3]):
        classifier.scores(images).sum().backward()
    assert adoption.warnings == (
        "ViTForImageClassification is in training mode; a copy in evaluation mode is explained",
    )
    assert model.training
    assert model.config.return_dict is False
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert sum(len(each._forward_hooks) for each in model.modules()) == hooks
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_weights_are_shared_and_half_precision_is_computed_in_single(adopt, model, processor):
    _, _, classifier = adopt(model, preprocess=processor)
    assert classifier.module.model.classifier.weight.data_ptr() == model.classifier.weight.data_ptr()
    half = import_transformers().AutoModelForImageClassification.from_config(model.config).eval().half()
    _, _, classifier = adopt(half, preprocess=processor)
    assert classifier.scores(torch.rand(1, 3, 32, 32)).dtype == torch.float32
    assert half.classifier.weight.dtype == torch.float16


def test_the_token_follows_the_weights(adopt, model):
    first = adopt(model)[0].params["object"]
    assert adopt(model)[0].params["object"] == first
    with torch.no_grad():
        model.classifier.bias += 1
    assert adopt(model)[0].params["object"] != first


def test_a_subclass_is_adopted_as_well(adopt, model):
    class Own(type(model)):
        """A head of the user's own."""

    own = Own(model.config).eval()
    _, _, classifier = adopt(own)
    assert classifier.scores(torch.rand(2, 3, 32, 32)).shape == (2, 3)


def test_a_model_without_a_head_is_refused(model):
    with pytest.raises(UserError, match="a ViTModel does not classify images"):
        DESCRIPTOR.adopts(model.vit, **TAKEN)


@pytest.mark.parametrize(
    "value", [nn.Linear(2, 2), np.zeros(3), print, 3, "missing", "digits.png", "timm:resnet18", ""]
)
def test_other_values_are_left_to_others(value):
    assert DESCRIPTOR.adopts(value, **TAKEN) is None


def test_a_folder_and_a_name_after_the_prefix(adopt, folder, load, images):
    expected = load(folder).scores(images)
    for text in (str(folder), f"transformers:{folder}", str(folder / "model.safetensors")):
        adoption, params, classifier = adopt(text)
        assert adoption.params == {"path": str(folder)}
        assert list(DESCRIPTOR.mistakes(params)) == []
        assert torch.equal(classifier.scores(images), expected)
    adoption = DESCRIPTOR.adopts("transformers:owner/vit", **TAKEN)
    (mistake,) = DESCRIPTOR.mistakes(ImageClassifierParams(**adoption.params))
    assert "set download: true" in mistake.fix


def test_other_files_in_the_folder_are_not_the_model(folder):
    (folder / "optimizer.bin").write_bytes(b"")
    assert DESCRIPTOR.adopts(str(folder / "optimizer.bin"), **TAKEN) is None


def test_a_folder_with_a_processor_of_its_user(adopt, folder, processor, saved):
    images = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    _, params, classifier = adopt(str(folder), preprocess=processor)
    assert list(DESCRIPTOR.mistakes(params)) == []
    assert torch.allclose(classifier.scores(images), expected(saved()[1], processor, images), atol=1e-5)
    with pytest.raises(UserError, match=r"size, mean and std of .* cannot be read"):
        DESCRIPTOR.adopts(str(folder), **TAKEN, preprocess=print)


def test_a_folder_of_timm_is_left_to_timm(tmp_path):
    for content in ('{"pretrained_cfg": {}}', '{"model_type": "timm_wrapper"}', "{", "[]"):
        (tmp_path / "config.json").write_text(content)
        assert DESCRIPTOR.adopts(str(tmp_path), **TAKEN) is None


def test_a_wrapped_model_of_timm_is_given_without_its_wrapper(tmp_path):
    timm = pytest.importorskip("timm")
    transformers = import_transformers()
    cfg = timm.get_pretrained_cfg("resnet10t").to_dict()
    config = transformers.TimmWrapperConfig(architecture="resnet10t", pretrained_cfg=cfg, num_labels=3)
    model = transformers.TimmWrapperForImageClassification(config).eval()
    with pytest.raises(UserError, match="wraps a model of timm") as caught:
        DESCRIPTOR.adopts(model, **TAKEN)
    assert caught.value.fix == "give that: model.timm_model"
    model.save_pretrained(tmp_path)
    (sources,) = pytest.importorskip("sidelight_timm").sidelight_classifiers()
    adoption = sources.adopts(str(tmp_path), **TAKEN)
    classifier = pytest.importorskip("sidelight_timm.model").TimmModel(sources.params(**adoption.params), run=ToyRun())
    images = torch.rand(2, *classifier.input_shape)
    mean, std = (torch.tensor(cfg[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = model(pixel_values=(images - mean) / std).logits
    assert torch.allclose(classifier.scores(images), expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"object": "live:gone"}, {"path": "x", "preprocess": "live:gone"}])
def test_a_token_of_another_process(folder, options):
    given = options | ({"path": str(folder)} if "path" in options else {})
    params = ImageClassifierParams(**given)
    (mistake,) = DESCRIPTOR.mistakes(params)
    assert "which this process does not hold" in mistake.message
    assert DESCRIPTOR.facts(params, DataFacts()).shape is None
    assert DESCRIPTOR.fingerprint(params) == ""


@pytest.mark.parametrize("options", [{}, {"path": "x", "object": "live:x"}])
def test_one_model_is_named(options):
    (mistake,) = DESCRIPTOR.mistakes(ImageClassifierParams(**options))
    assert mistake.message == "no model is named"


def test_without_torch_nothing_is_a_live_model(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    assert DESCRIPTOR.adopts(object(), **TAKEN) is None
