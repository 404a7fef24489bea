"""Models of timm and torchvision, explained from Python and by recipes, by four methods each."""

from __future__ import annotations

import numpy as np
import pytest
import sidelight
import torch
from PIL import Image
from safetensors.torch import save_file
from sidelight_specs import UserError

pytestmark = [pytest.mark.training]

SIDE = 64
METHODS = {
    "cam": {"use": "captum/grad-cam"},
    "gradients": {"use": "captum/integrated-gradients", "with": {"steps": 8}},
    "occlusion": {"use": "captum/occlusion", "with": {"window": 32, "stride": 16}},
    "igos": {"use": "structured/igos++", "with": {"baseline_limit": 1.0, "steps": 3, "size": 8}},
}


@pytest.fixture(scope="module")
def timm():
    return pytest.importorskip("sidelight_timm.model").import_timm()


def make(timm, name, **options):
    torch.manual_seed(0)
    fixed = timm.get_pretrained_cfg(name).fixed_input_size
    return timm.create_model(name, **{"num_classes": 5, **({"img_size": SIDE} if fixed else {}), **options}).eval()


def check(run):
    for name in METHODS:
        values = run[name].values
        assert values.shape[-2:] == (SIDE, SIDE)
        assert np.isfinite(values).all()
        assert values.std() > 0, name


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto"])
def test_live_models_of_timm(timm, name):
    images = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    model = make(timm, name)
    size = None if model.pretrained_cfg["fixed_input_size"] else SIDE
    run = sidelight.explain(model, images, METHODS, size=size, progress=False, threads=1)
    assert run.recipe["classifier"]["use"] == "timm/model"
    check(run)


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "mobilenet_v3_small"])
def test_live_models_of_torchvision(name):
    models = pytest.importorskip("sidelight_torchvision.model").import_models()
    torch.manual_seed(0)
    model = models.get_model(name, num_classes=5, **({"image_size": SIDE} if name.startswith("vit") else {})).eval()
    if name.startswith("vit"):
        torch.nn.init.normal_(model.heads.head.weight)  # torchvision starts with zeros, which no image changes
    images = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    run = sidelight.explain(model, images, METHODS, size=SIDE, progress=False, threads=1)
    assert run.recipe["classifier"]["use"] == "torchvision/model"
    assert any("is assumed" in warning for warning in run.results.warnings)
    check(run)


def test_a_recipe_with_a_folder_of_timm(timm, tmp_path):
    """Size, crop and class names follow config.json."""
    model = make(timm, "vit_tiny_patch16_224")
    folder = tmp_path / "model"
    names = {"label_names": [f"sort {number}" for number in range(5)]}
    timm.models.save_for_hf(model, folder, model_config=names, safe_serialization=True)
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos/a.png")
    recipe = {
        "recipe": 1,
        "name": "folder",
        "data": {"use": "images/folder", "with": {"path": str(tmp_path / "photos")}},
        "explain": {"split": "all"},
        "classifier": {"use": "timm/model", "with": {"weights": str(folder)}},
        "explainers": METHODS,
    }
    run = sidelight.run(recipe, out=tmp_path / "run", progress=False, threads=1)
    check(run)
    assert run.results.class_names == tuple(names["label_names"])


def test_a_name_of_timm_with_weights_beside_it(timm, tmp_path):
    save_file(make(timm, "resnet18").state_dict(), tmp_path / "weights.safetensors")
    images = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    images[:, 20:40, 20:40] = 255
    options = {"weights": str(tmp_path / "weights.safetensors"), "size": SIDE, "progress": False, "threads": 1}
    run = sidelight.explain("timm:resnet18", images, ["saliency"], **options)
    assert run["saliency"].values.shape == (2, SIDE, SIDE)
    with pytest.raises(UserError, match="no weights are given for resnet18"):
        sidelight.explain("timm:resnet18", images, ["saliency"], progress=False)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("timm:resnet19", 'timm has no architecture "resnet19"'),
        ("timm:resnet18@nowhere.pth", 'there is no file "nowhere.pth"'),
        ("torchvision:resnet51", 'torchvision has no classifier "resnet51"'),
        ("torchvision:resnet18@nowhere.pt", 'there is no file "nowhere.pt"'),
    ],
)
def test_texts_that_name_no_model(timm, model, message):
    pytest.importorskip("sidelight_torchvision")
    with pytest.raises(UserError, match=message):
        sidelight.explain(model, np.zeros((1, 8, 8, 3), np.uint8), ["saliency"], progress=False)


def test_a_model_is_digested_once(timm, monkeypatch):
    """Only one component computes a digest of a live model that a particular one takes."""
    from sidelight_toolkit import identity

    digested = []
    true = identity.identity
    monkeypatch.setattr(identity, "identity", lambda value: digested.append(value) or true(value))
    model = make(timm, "resnet18")
    sidelight.explain(model, torch.rand(1, 3, SIDE, SIDE), ["saliency"], size=SIDE, progress=False, threads=1)
    assert sum(value[1] is model for value in digested) == 1
