import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sidelight_classifiers import sidelight_classifiers
from sidelight_classifiers.params import TorchParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import ToyRun
from torch import nn

pytestmark = [
    pytest.mark.processes,  # files are tried in a child process
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def script(model, path):
    torch.jit.script(model).save(path)
    return path


class Returns(nn.Module):
    """Gives zeros of a fixed width, or flat, or not finite."""

    def __init__(self, width: int, flat: bool = False, value: float = 0.0):
        super().__init__()
        self.width, self.flat, self.value = width, flat, value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = images.mean((1, 2, 3))[:, None].repeat(1, self.width) + self.value
        return scores[:, 0] if self.flat else scores


@pytest.fixture(params=["pt2", "scripted"])
def path(request):
    return request.getfixturevalue(request.param)


def test_scores_are_those_of_the_model(path, load, small, images):
    with torch.no_grad():
        torch.testing.assert_close(load(path).scores(images), small(images), rtol=0, atol=1e-6)


def test_gradients_are_those_of_the_model(path, load, small, images):
    found, expected = images.clone().requires_grad_(), images.clone().requires_grad_()
    load(path).scores(found)[:, 2].sum().backward()
    small(expected)[:, 2].sum().backward()
    assert expected.grad.abs().max() > 0
    torch.testing.assert_close(found.grad, expected.grad, rtol=1e-5, atol=1e-7)


def test_images_are_normalised_and_resized(path, load, small):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0.1, 0.2, 0.3])[:, None, None], torch.tensor([0.5, 0.6, 0.7])[:, None, None]
    half = nn.functional.interpolate(images, size=(16, 16), mode="bilinear", antialias=True)
    with torch.no_grad():
        found = load(path, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)).scores(images)
        torch.testing.assert_close(found, small((half - mean) / std))


def test_one_number_normalises_every_channel(pt2, load, small, images):
    with torch.no_grad():
        torch.testing.assert_close(load(pt2, mean=(0.5,), std=(0.25,)).scores(images), small((images - 0.5) / 0.25))


def test_layers_of_an_exported_program_are_those_of_the_model(pt2, load, small, images):
    classifier = load(pt2)
    assert {"model.features.1", "model.norm", "model.head"} <= set(classifier.layers)
    recorded = {}
    handle = small.features[1].register_forward_hook(lambda *call: recorded.update(bn=call[2].clone()))
    small(images)
    handle.remove()
    with classifier.watch(["model.features.1", "model.head"]) as activations:
        scores = classifier.scores(images.requires_grad_())
    torch.testing.assert_close(activations["model.features.1"], recorded["bn"])
    (gradient,) = torch.autograd.grad(scores[:, 0].sum(), activations["model.features.1"])
    assert gradient.abs().sum() > 0


def test_torchscript_shows_no_layers_and_says_so(scripted, load):
    classifier = load(scripted)
    assert classifier.layers == ()
    with pytest.raises(SidelightError, match="is TorchScript"):
        classifier.watch(["model.head"])


def test_capabilities_follow_format_and_task():
    descriptor = next(each for each in sidelight_classifiers() if each.name == "torch")

    def provided(**options):
        return set(descriptor.provided_by(TorchParams(**options)))

    assert provided(path="a.pt2") == {"differentiable", "module", "activations", "classes"}
    assert provided(path="a.ts", task="binary") == {"differentiable", "module", "classes"}
    assert provided(path="a.ts", task="regression") == {"differentiable", "module"}


def test_nothing_requires_a_gradient_and_nothing_trains(path, load):
    module = load(path).module
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_global_random_streams_are_left_alone(path, load, images):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    load(path).scores(images)
    assert (torch.rand(1), np.random.rand()) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("class 0", "class 1", "class 2", "class 3", "class 4")),
        ({"classes": ("a", "b", "c", "d", "e")}, ("a", "b", "c", "d", "e")),
    ],
)
def test_class_names(path, load, options, expected):
    assert load(path, **options).class_names == expected


def test_class_names_from_a_file(pt2, load, tmp_path):
    (tmp_path / "names.txt").write_text("crane\n\nsea lion \nowl\nÄhre\nbee\n", encoding="utf-8")
    assert load(pt2, classes_file=str(tmp_path / "names.txt")).class_names == (
        "crane",
        "sea lion",
        "owl",
        "Ähre",
        "bee",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("a", "b")}, "2 class names are given, the multiclass model .* needs 5"),
        ({"classes_file": "/nowhere/names.txt"}, "classes_file: /nowhere/names.txt cannot be read"),
        ({"classes_file": "a", "classes": ("a",)}, "both classes and classes_file"),
        ({"mean": (0.0, 0.0)}, r"mean has 2 numbers for 3 channel\(s\)"),
        ({"std": (1.0, 1.0, 1.0, 1.0)}, r"std has 4 numbers for 3 channel\(s\)"),
        ({"task": "binary"}, r"gives 5 score\(s\) for an image; a binary model gives one column"),
        ({"task": "regression"}, "a regression model gives one column"),
        ({"height": 20, "width": 20}, "takes images of 3 x 16 x 16, the options say 3 x 20 x 20"),
        ({"channels": 1}, "takes images of 3 x 16 x 16, the options say 1 x 16 x 16"),
    ],
)
def test_options_that_do_not_fit_are_named_with_a_fix(pt2, load, options, message):
    with pytest.raises(UserError, match=message) as caught:
        _ = load(pt2, **options).module, load(pt2, **options).class_names
    assert caught.value.fix


def test_torchscript_for_other_channels_is_named(scripted, load):
    with pytest.raises(UserError, match=r"small\.ts fails on images of \(3, 1, 16, 16\)") as caught:
        _ = load(scripted, channels=1).module
    assert "channels" in caught.value.fix


def test_binary_and_regression_models(load, tmp_path, images):
    binary = load(script(Returns(1), tmp_path / "a.ts"), task="binary", classes=("no", "yes"))
    assert binary.scores(images).shape == (4, 1)
    assert binary.class_logits(images).shape == (4, 2)
    assert load(script(Returns(1), tmp_path / "a.ts"), task="binary").class_names == ("class 0", "class 1")
    value = load(script(Returns(1, flat=True), tmp_path / "b.ts"), task="regression", classes=("age",))
    assert value.scores(images).shape == (4, 1)
    assert value.class_names == ("age",)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Returns(1), "gives 1 score"),
        (Returns(3, value=float("nan")), "not finite"),
        (nn.Identity(), r"gives \(3, 3, 16, 16\) for 3 images"),
    ],
)
def test_scores_of_a_wrong_form_are_named(load, tmp_path, model, message):
    with pytest.raises(UserError, match=message):
        _ = load(script(model, tmp_path / "a.ts")).module


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.5), nn.BatchNorm2d(3)], ids=["answers by chance", "answers depend on the others"]
)
@pytest.mark.filterwarnings("ignore")
def test_a_model_in_training_mode_is_refused(load, tmp_path, layer):
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(768, 3)).train()
    torch.jit.trace(model, torch.rand(2, 3, 16, 16), check_trace=False).save(tmp_path / "a.ts")
    with pytest.raises(UserError, match="training mode") as caught:
        _ = load(tmp_path / "a.ts").module
    assert "model.eval()" in caught.value.fix


def test_construction_reads_nothing(load):
    assert load("/nowhere/model.pt2", classes=("a", "b")).input_shape == (3, 16, 16)


def test_images_with_other_channels_are_named(pt2, load):
    with pytest.raises(UserError, match=r"takes images with 3 channel\(s\)"):
        load(pt2).scores(torch.rand(2, 1, 16, 16))


def test_the_same_seed_tries_the_same_images(pt2, load, images):
    first, second = (load(pt2, ToyRun(seed=seed)).scores(images) for seed in (0, 1))
    assert torch.equal(first, second)


def test_a_changed_file_changes_the_fingerprint(tmp_path):
    descriptor = next(each for each in sidelight_classifiers() if each.name == "torch")
    model, names = tmp_path / "a.ts", tmp_path / "names.txt"
    params = TorchParams(path=str(model), classes_file=str(names))
    found = [descriptor.fingerprint(params)]
    for path, content in ((model, "1"), (names, "1"), (model, "12"), (names, "123")):
        path.write_text(content)
        found.append(descriptor.fingerprint(params))
    assert len(set(found)) == 5
    assert descriptor.fingerprint(params) == found[-1]


def test_a_model_first_used_in_inference_mode_can_be_differentiated_later(path, load, images):
    classifier = load(path)
    with torch.inference_mode():
        classifier.scores(images.clone())
    scores = classifier.scores(images.requires_grad_())
    assert torch.autograd.grad(scores.sum(), images)[0].abs().sum() > 0


def test_a_trial_passes_on_what_somebody_else_refuses():
    """An error that names its own fix is not wrapped into another."""

    class Refusing(torch.nn.Module):
        def forward(self, images):
            raise UserError("no", "do otherwise")

    from sidelight_toolkit.trial import try_out

    with pytest.raises(UserError) as caught:
        try_out(Refusing(), torch.rand(3, 1, 4, 4), Path("m.pt2"), "multiclass", "export it")
    assert (caught.value.message, caught.value.fix) == ("no", "do otherwise")


class Ends(nn.Module):
    """Ends with softmax or sigmoid, or shows neither and gives probabilities all the same."""

    def __init__(self, ending: str, columns: int):
        super().__init__()
        self.ending = ending
        self.head = nn.Linear(3, columns)
        nn.init.constant_(self.head.bias, 0.25)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.mean((2, 3)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.logits(images)
        if self.ending == "softmax":
            return x.softmax(1)
        if self.ending == "sigmoid":
            return x.sigmoid()
        if self.ending == "squeezed":
            return x.sigmoid().squeeze(1)
        return x.exp() / x.exp().sum(1, keepdim=True)


@pytest.fixture(params=["exported", "traced"])
def ends(request, tmp_path):
    def write(ending, columns):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = Ends(ending, columns).eval()
        if request.param == "traced":
            torch.jit.trace(model, torch.rand(2, 3, 16, 16)).save(tmp_path / "a.ts")
            return model, tmp_path / "a.ts"
        program = torch.export.export(
            model, (torch.rand(2, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        torch.export.save(program, tmp_path / "a.pt2")
        return model, tmp_path / "a.pt2"

    return write


@pytest.mark.parametrize(
    ("ending", "columns", "task"),
    [
        ("softmax", 4, "multiclass"),
        ("hidden", 4, "multiclass"),
        ("sigmoid", 4, "multiclass"),
        ("sigmoid", 1, "binary"),
        ("squeezed", 1, "binary"),
    ],
)
def test_a_model_that_gives_probabilities_is_not_softmaxed_again(ends, load, images, ending, columns, task):
    model, path = ends(ending, columns)
    with pytest.raises(UserError, match="gives probabilities, not logits") as caught:
        _ = load(path, task=task).module
    assert "`probabilities: true`" in caught.value.fix
    found, expected = images.clone().requires_grad_(), images.clone().requires_grad_()
    scores, logits = load(path, task=task, probabilities=True).scores(found), model.logits(expected)
    if ending == "hidden":  # logits up to a constant: log p = x - log sum exp x
        logits = logits.log_softmax(1)
    torch.testing.assert_close(scores, logits)
    gradients = [torch.autograd.grad(each[:, 0].sum(), x)[0] for each, x in ((scores, found), (logits, expected))]
    assert gradients[1].abs().max() > 0
    torch.testing.assert_close(*gradients)


def test_scores_that_are_no_probabilities_are_not_taken_for_them(pt2, load):
    with pytest.raises(UserError, match="which are no probabilities of classes") as caught:
        _ = load(pt2, probabilities=True).module
    assert caught.value.fix == "set probabilities to false"


def test_a_regression_may_end_with_a_sigmoid(ends, load, images):
    model, path = ends("sigmoid", 1)
    with torch.no_grad():
        torch.testing.assert_close(load(path, task="regression").scores(images), model(images))


@pytest.mark.parametrize(("name", "message"), [("plain", "is a folder, where"), ("hf", "Hugging Face")])
def test_a_folder_is_named_as_what_it_is(load, tmp_path, name, message):
    (tmp_path / name).mkdir()
    if name == "hf":
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(UserError, match=message) as caught:
        _ = load(tmp_path / name).module
    assert "torch.export.save" in caught.value.fix


def test_a_pipe_does_not_hang(load, tmp_path):
    os.mkfifo(tmp_path / "a.pt2")
    with pytest.raises(UserError, match="no plain file"):
        _ = load(tmp_path / "a.pt2").module


def test_an_unknown_operator_is_named_with_a_way_on(load, tmp_path):
    class Unusual(nn.Module):
        def forward(self, images):
            return torch.special.bessel_j0(images).mean((2, 3))

    torch.jit.trace(Unusual(), torch.rand(2, 3, 16, 16)).save(tmp_path / "a.ts")
    with pytest.raises(UserError, match=r"has the operator aten\.special_bessel_j0\.default") as caught:
        _ = load(tmp_path / "a.ts").module
    assert "classifiers/onnx" in caught.value.fix
