"""Every type of image classifier in transformers, tiny and with random weights."""

import pytest
import torch
from sidelight_specs.testing import ToyRun
from sidelight_transformers.architectures import NOT_EXPLAINED, PROCESSORS
from sidelight_transformers.image_classifier import import_transformers

pytestmark = pytest.mark.slow


def square(side):
    return {"size": {"height": side, "width": side}}


def cropped(short, side):
    return {"size": {"shortest_edge": short}, "crop_size": {"height": side, "width": side}}


def short(side):
    return {"size": {"shortest_edge": side}}


VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
          "image_size": 32, "patch_size": 8}  # fmt: skip
WINDOWS = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}
FOUR = {"image_size": 64, "hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4}
HEADS = {"num_attention_heads": [1, 2, 2, 4]}
MORE = {  # beside those of conftest: options of the configuration and of the image processor
    "bit": ({"hidden_sizes": [8, 16], "depths": [1, 1], "embedding_size": 8, "num_groups": 2}, cropped(36, 32)),
    "clip": ({"vision_config": VISION, "projection_dim": 16}, cropped(32, 32)),
    "convnextv2": ({"num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1]}, short(28)),
    "cvt": ({}, short(64)),
    "data2vec-vision": (VISION, square(32)),
    "dinov2": ({name: value for name, value in VISION.items() if name != "intermediate_size"}, cropped(36, 32)),
    "donut-swin": (WINDOWS, square(32)),
    "efficientnet": (
        {"image_size": 64, "width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320},
        square(64),
    ),
    "focalnet": (
        {"image_size": 32, "embed_dim": 8, "depths": [1, 1], "focal_levels": [1, 1], "focal_windows": [3, 3]},
        cropped(36, 32),
    ),
    "hiera": ({"image_size": [64, 64], "embed_dim": 8, "depths": [1] * 4}, cropped(64, 64)),
    "ijepa": (VISION, square(32)),
    "levit": (
        {"image_size": 64, "hidden_sizes": [16, 32, 48], "num_attention_heads": [1, 2, 3], "depths": [1] * 3},
        cropped(64, 64),
    ),
    "metaclip_2": ({"vision_config": VISION, "projection_dim": 16}, cropped(32, 32)),
    "mobilenet_v1": ({"depth_multiplier": 0.25}, cropped(36, 32)),
    "mobilenet_v2": ({"depth_multiplier": 0.25}, cropped(36, 32)),
    "mobilevitv2": ({"image_size": 64, "width_multiplier": 0.25}, cropped(70, 64)),
    "perceiver": (
        {"num_latents": 4, "d_latents": 16, "image_size": 32, "num_blocks": 1, "num_self_attends_per_block": 1,
         "num_self_attention_heads": 2},
        {**square(32), "crop_size": {"height": 36, "width": 36}},
    ),
    "poolformer": ({"hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4}, cropped(32, 32)),
    "pvt": ({**FOUR, **HEADS}, square(64)),
    "pvt_v2": ({**FOUR, **HEADS}, square(64)),
    "regnet": ({"embedding_size": 8, "hidden_sizes": [8] * 4, "depths": [1] * 4, "groups_width": 4}, short(32)),
    "segformer": ({"hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4}, square(64)),
    "siglip": ({"vision_config": VISION}, square(32)),
    "swiftformer": ({"image_size": 64, "embed_dims": [8, 8, 16, 16], "depths": [1] * 4}, square(64)),
    "swinv2": (WINDOWS, square(32)),
    "textnet": ({}, short(64)),
    "vit_msn": (VISION, square(32)),
}  # fmt: skip
NEEDS_NATTEN = {"dinat"}


def test_every_type_is_tried_here_or_refused(tiny):
    known = import_transformers().MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING._model_mapping
    untried = set(known) - set(tiny) - set(MORE) - set(NOT_EXPLAINED) - NEEDS_NATTEN
    assert untried == {"hgnet_v2"}, "transformers gives it no image processor"
    assert set(PROCESSORS) <= set(tiny) | set(MORE) | NEEDS_NATTEN


@pytest.mark.parametrize("model_type", MORE)
def test_logits_gradients_and_layers(model_type, tiny, make, load, tmp_path, monkeypatch):
    monkeypatch.setitem(tiny, model_type, MORE[model_type])
    model = make(tmp_path, model_type)
    classifier = load(tmp_path, run := ToyRun())
    processor = classifier.configuration.processor
    images = torch.rand(2, *classifier.input_shape, requires_grad=True)
    ordered = images.flip(1) if processor.reversed_channels else images
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (processor.mean, processor.std))
    with torch.no_grad():
        expected = model(pixel_values=(ordered - mean) / std).logits
    names = classifier.layers
    with classifier.watch(names) as seen:
        scores = classifier.scores(images)
        (gradient,) = torch.autograd.grad(scores[:, 0].sum(), images)
    assert torch.allclose(scores, expected, atol=1e-4)
    assert gradient.isfinite().all()
    assert set(seen) == set(names)
    assert run.warnings == []
