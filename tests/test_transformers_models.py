"""Models of transformers, explained by a recipe with a folder and from Python."""

import json

import numpy as np
import pytest
import sidelight
import torch
from PIL import Image

pytestmark = [pytest.mark.training]
image_classifier = pytest.importorskip("sidelight_transformers.image_classifier")

SIDE = 48
TOKENS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 8}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
SWIN = {"image_size": SIDE, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 6}
TYPES = {
    "vit": {**TOKENS, "intermediate_size": 64},
    "deit": {**TOKENS, "intermediate_size": 64},
    "beit": {**TOKENS, "intermediate_size": 64},
    "dinov2_with_registers": TOKENS,
    "swin": SWIN,
    "convnext": {"num_stages": 2, **STAGES},
    "resnet": {"embedding_size": 8, "layer_type": "basic", **STAGES},
}
METHODS = {
    "cam": {"use": "captum/grad-cam"},
    "saliency": {"use": "captum/saliency"},
    "gradients": {"use": "captum/integrated-gradients", "with": {"steps": 8}},
    "guided": {"use": "captum/guided-grad-cam"},
    "occlusion": {"use": "captum/occlusion", "with": {"window": 16, "stride": 8}},
    "igos": {"use": "structured/igos++", "with": {"baseline_limit": 1.0, "steps": 3, "size": 6}},
}


def make(model_type):
    transformers = image_classifier.import_transformers()
    labels = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.AutoConfig.for_model(model_type, **TYPES[model_type], id2label=labels)
    networks = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    torch.manual_seed(0)
    model = (networks[0] if isinstance(networks, tuple) else networks)(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.xavier_uniform_(parameter)
    return model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed, size in enumerate([(90, 120), (70, 60)]):
        noise = np.random.default_rng(seed).random((7, 7, 3)) * 255
        Image.fromarray(noise.astype(np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC).save(
            folder / f"{seed}.png"
        )
    return folder


@pytest.mark.parametrize("model_type", TYPES)
def test_a_recipe_with_a_folder(model_type, photos, tmp_path):
    """Size, crop and class names follow the folder; six methods give heatmaps of the image's size."""
    transformers = image_classifier.import_transformers()
    model = make(model_type)
    model.save_pretrained(tmp_path / "model")
    processor = transformers.ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=3)
    processor.save_pretrained(tmp_path / "model")
    methods = {name: one for name, one in METHODS.items() if name != "guided" or model_type == "resnet"}
    recipe = {
        "recipe": 1,
        "name": model_type,
        "data": {"use": "images/folder", "with": {"path": str(photos)}},
        "explain": {"split": "all"},
        "classifier": {"use": "transformers/image-classifier", "with": {"path": str(tmp_path / "model")}},
        "explainers": methods,
    }
    run = sidelight.run(recipe, out=tmp_path / "run", progress=False, threads=1)
    assert run.results.class_names == ("cat", "dog", "owl")
    for name in methods:
        values = run[name].values
        assert values.shape == (2, SIDE, SIDE)
        assert np.isfinite(values).all()
        assert values.std() > 0, name
    # a photo that is not square goes through whole, as through the processor, and both resize by Pillow
    images = [Image.open(path) for path in sorted(photos.iterdir())]
    with torch.no_grad():
        expected = model(**processor(images, return_tensors="pt")).logits
    order = [sorted(path.name for path in photos.iterdir()).index(name) for name in run.results.split.ids]
    assert np.allclose(run.results.predictions.logits, expected[order], atol=1e-4)


def test_sag_finds_patches_of_a_vit(photos, tmp_path):
    make("vit").save_pretrained(tmp_path / "model")
    recipe = {
        "recipe": 1,
        "name": "sag",
        "data": {"use": "images/folder", "with": {"path": str(photos)}},
        "explain": {"split": "all", "count": 1},
        "classifier": {
            "use": "transformers/image-classifier",
            "with": {"path": str(tmp_path / "model"), "mean": [0.5], "std": [0.5]},
        },
        "explainers": {"sag": {"use": "structured/sag", "with": {"grid": 3, "baseline_limit": 1.0}}},
    }
    run = sidelight.run(recipe, out=tmp_path / "run", progress=False, threads=1)
    assert run["sag"].kind == "attention-graph"


def test_a_live_model_in_a_dict_recipe_and_three_lines(photos):
    model = make("vit")
    image = np.asarray(Image.open(photos / "0.png").resize((SIDE, SIDE)))
    run = sidelight.explain(model, image, ["saliency", "grad-cam"], progress=False, threads=1)
    assert run.recipe["classifier"]["use"] == "transformers/image-classifier"
    assert run["grad-cam"].values.shape == (1, SIDE, SIDE)
    assert "assumed are the defaults of ViTImageProcessor" in json.dumps(run.manifest)
