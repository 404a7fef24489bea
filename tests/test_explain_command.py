"""`sidelight explain`: files and a model in one line, the recipe that it stands for, and what mistakes are told."""

import numpy as np
import pytest
import sidelight
import torch
import yaml
from PIL import Image
from sidelight.cli import main
from torch import nn


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder: three pictures, one of them in a folder of its own, and a model for images of 24x32."""
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("b.png", "a.jpg", "more/c.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (torch.rand(2, 3, 24, 32),), dynamic_shapes=batch), tmp_path / "net.pt2")
    (tmp_path / "names.txt").write_text("cat\ndog\ncow\n")
    return tmp_path


def explain(*words):
    return main(["explain", *words, "--quiet"])


def test_images_are_explained_in_the_order_given(capsys):
    assert (
        explain("b.png", "more", "a.jpg", "--model", "net.pt2", "--with", "saliency", "--with", "captum/grad-cam") == 0
    )
    assert "open " in capsys.readouterr().out
    run = sidelight.load_run("runs/explain")
    assert run.results.split.ids == ("b.png", "more/c.png", "a.jpg")
    assert list(run.results.explanations) == ["saliency", "grad-cam"]
    assert run.results.split.images.shape == (3, 3, 24, 32)  # as the program was exported for


def test_the_saved_recipe_runs_and_gives_the_same():
    line = ("a.jpg", "--model", "net.pt2", "--with", "saliency", "--classes", "names.txt", "--probe", "cat")
    assert explain(*line, "--save-recipe", "mine.yaml", "--out", "first") == 0
    assert main(["run", "mine.yaml", "--out", "second", "--quiet"]) == 0
    first, second = sidelight.load_run("first"), sidelight.load_run("second")
    np.testing.assert_array_equal(first["saliency"].values, second["saliency"].values)
    assert yaml.safe_load((first.folder / "recipe.yaml").read_text())["explain"]["target"] == "cat"
    assert first.results.class_names == ("cat", "dog", "cow")


def test_settings_and_metrics_are_part_of_the_recipe():
    line = ("*.png", "--model", "net.pt2", "--with", "saliency", "--measure", "insertion-deletion")
    assert explain(*line, "--set", "explainers.saliency.with.samples=2", "--name", "mine") == 0
    run = sidelight.load_run("runs/mine")
    assert len(run.measurements) > 0
    assert run.recipe["explainers"]["saliency"]["with"]["samples"] == 2


def test_one_class_of_every_image_is_explained():
    line = ("a.jpg", "b.png", "--model", "net.pt2", "--with", "saliency", "--classes", "names.txt")
    assert explain(*line, "--class", "dog") == 0
    assert sidelight.load_run("runs/explain").results.targets.probe.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.jpg"], "--model"),
        (["c.png", "--model", "net.pt2"], "c.png"),
        (["*.gif", "--model", "net.pt2"], "*.gif"),
        (["a.jpg", "--model", "nat.pt2"], "net.pt2"),
        (["a.jpg", "--model", "resnet18"], "SOURCE:NAME"),
        (["a.jpg", "--model", "net.pt2", "--with", "gradcam"], "grad-cam"),
        (["a.jpg", "--model", "net.pt2", "--probe", "dag", "--classes", "names.txt"], "dog"),
        (["a.jpg", "--model", "net.pt2", "--size", "224"], "takes images of"),
        (["a.jpg", "--model", "net.pt2", "--mean", "half"], "--mean"),
        (["a.jpg", "--model", "net.pt2", "--mean", "0.1,0.2"], "mean has 2 numbers"),
        (["a.jpg", "--model", "net.pt2", "--classes", "name.txt"], "names.txt"),
        (["names.txt", "--model", "net.pt2"], "names.txt"),
        (["a.jpg", "--model", "names.txt"], "names.txt"),
        (["a.jpg", "--model", "net.pt2", "--set", "explian.count=3"], "explain"),
        (["a.jpg", "--model", "net.pt2", "--save-recipe", "none/x.yaml"], "none/x.yaml"),
    ],
)
def test_mistakes_exit_with_2_and_say_what_to_do(words, said, capsys, folder):
    assert explain(*words) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "runs/explain").exists()


def test_a_method_that_was_chosen_and_cannot_answer_is_a_warning(monkeypatch, capsys):
    from sidelight_captum.grad_cam import GradCam
    from sidelight_specs import UserError

    def refuse(self, images, targets):
        raise UserError("no map for such a model", "use another")

    monkeypatch.setattr(GradCam, "explain", refuse)
    assert explain("a.jpg", "--model", "net.pt2") == 0
    run = sidelight.load_run("runs/explain")
    assert "integrated-gradients" in run.results.explanations
    assert any("no map for such a model" in text for text in run.manifest["warnings"])
    assert explain("a.jpg", "--model", "net.pt2", "--with", "grad-cam", "--out", "named") == 2
    assert "no map for such a model" in capsys.readouterr().err
