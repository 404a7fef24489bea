"""`sidelight.explain`: live models and images from the call to the saved run, and what mistakes are told."""

import gc
import weakref

import numpy as np
import pytest
import sidelight
import torch
from PIL import Image
from sidelight.engine.quick import Request
from sidelight.registry.catalog import installed
from sidelight_specs import UserError
from torch import nn

CALL = {"progress": False, "mean": [0.5], "std": [0.25]}


class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5, padding=2)
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        return self.head(self.conv(x).relu().amax((2, 3)))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 24, 24, 3))  # channels last, as arrays of pictures are


def test_a_module_and_images_give_a_run_with_a_page(net, images):
    run = sidelight.explain(net, images, ["grad-cam", "captum/saliency"], **CALL)
    assert list(run.results.explanations) == ["grad-cam", "saliency"]
    assert run["grad-cam"].values.shape == (2, 24, 24)
    assert run.pages[0].is_file()
    html = run._repr_html_()
    assert "<img" in html
    assert "http" not in html.replace("http://www.w3.org/", "")  # nothing is fetched
    with pytest.raises(UserError, match='no explanation "gradcam"') as caught:
        run["gradcam"]
    assert "grad-cam" in caught.value.fix


def test_the_methods_chosen_fit_what_the_model_offers(net, images):
    chosen = sidelight.explain(net, images, **CALL).results.recipe["explainers"]
    assert {"grad-cam", "integrated-gradients"} <= set(chosen)
    black_box = sidelight.explain(lambda x: x.mean((2, 3)), images, progress=False)
    assert list(black_box.results.explanations) == ["occlusion"]


def test_an_equal_model_is_answered_from_the_cache_and_another_is_not(net, images):
    sidelight.explain(net, images, ["grad-cam"], **CALL)
    same = Net()
    same.load_state_dict(net.state_dict())
    again = sidelight.explain(same, images, ["grad-cam"], **CALL)
    assert again.manifest["cache"]["made"] == 0
    same.head.bias.data += 1
    other = sidelight.explain(same, images, ["grad-cam"], **CALL)
    assert other.manifest["cache"]["made"] > 0


def test_results_of_a_model_without_identity_are_not_kept_and_that_is_said(images, tmp_path):
    with (tmp_path / "log").open("w") as log:

        def score(x):
            log.write(".")
            return x.mean((2, 3))

        first = sidelight.explain(score, images, ["occlusion"], progress=False)
        again = sidelight.explain(score, images, ["occlusion"], progress=False)
    assert any("not kept for later runs" in text for text in first.manifest["warnings"])
    assert again.manifest["cache"]["made"] > 1
    np.testing.assert_array_equal(first["occlusion"].values, again["occlusion"].values)


def test_the_recipe_of_a_call_runs_again(net, images):
    run = sidelight.explain(net, images, ["grad-cam"], save_recipe="mine.yaml", **CALL)
    again = sidelight.run(run.recipe, progress=False)
    np.testing.assert_array_equal(run["grad-cam"].values, again["grad-cam"].values)
    del run, again
    gc.collect()
    with pytest.raises(UserError, match="live object, which this process does not hold"):
        sidelight.run("mine.yaml", progress=False)


def test_a_live_model_stands_in_a_recipe_given_as_a_dict(net, images):
    recipe = {"recipe": 1, "data": images, "classifier": net, "explainers": {"why": {"use": "captum/saliency"}}}
    run = sidelight.run(recipe | {"explain": {"split": "all"}}, progress=False)
    assert run["why"].values.shape == (2, 24, 24)


def test_a_run_goes_with_its_object_and_stays_where_it_is_saved(net, images, tmp_path):
    run = sidelight.explain(net, images, ["saliency"], **CALL)
    folder, values = run.folder, run["saliency"].values
    saved = run.save(tmp_path / "kept")
    del run
    gc.collect()
    assert not folder.exists()
    np.testing.assert_array_equal(sidelight.load_run(saved.folder)["saliency"].values, values)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not overwritten"):
        saved.save(tmp_path / "other")


def test_of_explains_one_class_of_every_image(net, images):
    run = sidelight.explain(net, images, ["saliency"], of=2, **CALL)
    assert run.results.targets.probe.tolist() == [2, 2]
    batch = torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32, requires_grad=True)
    (gradient,) = torch.autograd.grad(net((batch - 0.5) / 0.25)[:, 2].sum(), batch)
    expected = gradient.abs().amax(1).numpy()
    ratio = np.corrcoef(run["saliency"].values.ravel(), expected.ravel())[0, 1]
    assert ratio > 0.9


def test_labels_make_errors_visible(net, images):
    with torch.no_grad():
        batch = torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32)
        predicted = net((batch - 0.5) / 0.25).argmax(1).tolist()
    wrong = [(each + 1) % 3 for each in predicted]
    run = sidelight.explain(net, images, ["saliency"], labels=wrong, classes=["a", "b", "c"], **CALL)
    assert run.results.targets.probe.tolist() == wrong  # why not the true class?


def test_a_method_that_fails_unasked_is_a_warning_and_one_asked_for_an_error(net, images):
    flat = np.zeros((2, 3, 24, 24), np.float32)
    run = sidelight.explain(net, flat, **CALL)
    assert len(run.results.explanations) >= 1
    failed = [text for text in run.manifest["warnings"] if "igos++" in text]
    if failed:
        with pytest.raises(UserError, match="igos"):
            sidelight.explain(net, flat, ["igos++"], **CALL)


def with_options(**options):
    return lambda net, images: sidelight.explain(net, images, **{**CALL, "methods": ["saliency"], **options})


@pytest.mark.parametrize(
    ("mistake", "message", "fix"),
    [
        (with_options(methods=["gradcam"]), 'no explainer "gradcam"', "grad-cam"),
        (with_options(methods=["acme/unknown"]), "unknown", ""),
        (with_options(metrics=["insertion"]), 'no metric "insertion"', "insertion-deletion"),
        (with_options(size=(1, 2, 3)), "no height and width", "one number"),
        (with_options(target="cat"), "cat", "known are"),
        (with_options(classes=["a"]), "class name", "name each class once"),
        (with_options(classes=["a", "b"]), "2 class names", "name each class once"),
        (with_options(labels=[0]), "1 labels for 2 images", "one for each image"),
        (with_options(labels=[0.5, 1]), "0.5 is no class", "class names, or indices"),
        (with_options(depth=3), 'no option "depth"', "it has"),
        (with_options(std=[0.0]), "std", ""),
        (with_options(methods={"saliency": {"sampels": 3}}), 'no parameter "sampels"', "samples"),
        (lambda net, images: sidelight.explain(net, images * 3 - 1, **CALL), "run from", "before they are normalised"),
        (lambda net, images: sidelight.explain(net, images * 255, **CALL), "run from", "divide them by 255"),
        (lambda net, images: sidelight.explain(net, images[..., :2], **CALL), "two channels", "one channel or three"),
        (lambda net, images: sidelight.explain(net, images[..., :1], **CALL), "takes images of", ""),
        (lambda net, images: sidelight.explain(Net, images, **CALL), "Net is a class", "make one of it"),
        (lambda net, images: sidelight.explain(net.state_dict(), images, **CALL), "state dict", "load_state_dict"),
        (lambda net, images: sidelight.explain(42, images, **CALL), "takes 42 as a classifier", "torch.nn.Module"),
        (lambda net, images: sidelight.explain("model.onx", images, **CALL), 'no file or folder "model.onx"', "file"),
        (lambda net, images: sidelight.explain("~nobody/" + "x" * 300, images, **CALL), "takes", "file"),
        (lambda net, images: sidelight.explain(net, [], **CALL), "no images", "one or more"),
        (lambda net, images: sidelight.explain(net, 7, **CALL), "takes 7 as data", "paths"),
        (lambda net, images: sidelight.explain(net.head, images, ["saliency"], **CALL), "fails on images", "size="),
        (lambda net, images: sidelight.explain(Net(1), images, ["saliency"], **CALL), "gives 1 score", "`task`"),
        (
            lambda net, images: sidelight.explain(nn.Sequential(net, nn.Softmax(1)), images, ["saliency"], **CALL),
            "probabilities, not logits",
            "probabilities: true",
        ),
        (
            lambda net, images: sidelight.explain(lambda x: net(x), images, ["grad-cam"], progress=False),
            "needs a classifier with differentiable",
            "Module itself",
        ),
    ],
)
def test_plausible_mistakes_are_told_with_their_cure(net, images, mistake, message, fix):
    with pytest.raises(UserError) as caught:
        mistake(net, images)
    text = str(caught.value)
    assert message in text
    assert fix in text


def test_what_is_changed_later_changes_nothing_that_is_held(net, images):
    array = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    before = array.copy()
    run = sidelight.explain(net, array, ["saliency"], **CALL)
    logits = run.results.predictions.logits
    array *= 0.5
    np.testing.assert_array_equal(run.results.split.images, before)
    with torch.no_grad():
        net.head.bias += 1  # trained further
    same = Net()
    same.load_state_dict(net.state_dict())
    with torch.no_grad():
        same.head.bias -= 1  # what it was before
    other = sidelight.explain(same, before, ["occlusion"], count=1, seed=1, **CALL)
    np.testing.assert_allclose(other.results.predictions.logits, logits[:1], rtol=1e-5)
    np.testing.assert_array_equal(other.results.split.images, before[:1])


def test_a_recipe_does_not_run_again_with_a_model_that_was_trained_further(net, images):
    run = sidelight.explain(net, images, ["saliency"], **CALL)
    with torch.no_grad():
        net.head.bias += 1
    with pytest.raises(UserError, match="live object has changed since"):
        sidelight.run(run.recipe | {"seed": 1}, progress=False)


def test_a_run_of_a_run_s_recipe_holds_its_objects(net, images):
    run = sidelight.explain(net, images, ["saliency"], **CALL)
    for _ in range(2):
        run = sidelight.run(run.recipe, progress=False)
        gc.collect()
    assert run["saliency"].values.shape == (2, 24, 24)


def test_a_model_is_freed_with_its_last_run_at_once(images):
    class Own(Net):
        pass

    for methods in (["saliency"], ["grad-cam"], ["occlusion"]):
        model = Own()
        run = sidelight.explain(model, images, methods, **CALL)
        last = weakref.ref(model)
        gc.disable()
        try:
            del run, model
            assert last() is None, methods
        finally:
            gc.enable()


def test_two_methods_of_one_name_are_both_used(net, images):
    call = Request(model=net, images=images, methods=["captum/grad-cam", "grad-cam/grad-cam", "captum/saliency"])
    chosen = call.resolve(installed()).plain["explainers"]
    assert list(chosen) == ["captum-grad-cam", "grad-cam-grad-cam", "saliency"]


def test_a_method_may_be_given_without_options(net, images):
    run = sidelight.explain(net, images, {"saliency": None, "captum/occlusion": {"window": 8, "stride": 8}}, **CALL)
    assert list(run.results.explanations) == ["saliency", "captum-occlusion"]


@pytest.mark.parametrize("of", [lambda labels: list(np.array(labels)), lambda labels: list(torch.tensor(labels)), iter])
def test_labels_may_be_elements_of_arrays(net, images, of):
    run = sidelight.explain(net, images, ["saliency"], labels=of([0, 2]), **CALL)
    assert run.results.split.labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"size": "24"}, "is no height and width"),
        ({"target": "zz", "classes": ["a", "b", "c"]}, "the recipe of this call, at explain.target"),
        ({"images": torch.empty(2, 3, 8, 8, device="meta")}, "holds no images"),
    ],
)
def test_mistakes_are_told_in_the_words_of_a_call(net, images, call, message):
    with pytest.raises(UserError, match=message):
        sidelight.explain(net, call.pop("images", images), ["saliency"], **CALL, **call)


def test_a_dollar_in_a_name_is_no_variable(net, tmp_path):
    Image.fromarray(np.full((24, 24, 3), 90, dtype=np.uint8)).save(tmp_path / "${a}.png")
    run = sidelight.explain(net, "${a}.png", ["saliency"], size=24, **CALL)
    assert run.results.split.ids == ("${a}.png",)
    for recipe in (run.recipe, run.results.recipe):
        assert sidelight.run(recipe, progress=False).results.split.ids == ("${a}.png",)
