"""Live models: what is read from them, what is assumed and said, and that they are left as they are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sidelight_classifiers.live import LiveModel
from sidelight_classifiers.live_descriptor import LiveDescriptor, LiveParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from torch import nn

DESCRIPTOR = LiveDescriptor(
    name="live",
    summary="A live model.",
    params=LiveParams,
    factory="sidelight_classifiers.live:LiveModel",
    provides=("differentiable", "activations", "module", "classes"),
)


class Net(nn.Module):
    def __init__(self, channels=3, classes=4):
        super().__init__()
        self.conv = nn.Conv2d(channels, 5, 3)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(5, classes)

    def forward(self, x):
        return self.head(self.drop(self.conv(x).relu().mean((2, 3))))


def adopted(value, **hints):
    """The component that stands for a value; the adoption keeps the value alive."""
    adoption = DESCRIPTOR.adopts(value, **hints)
    options = {key: tuple(item) if isinstance(item, list) else item for key, item in adoption.params.items()}
    return LiveModel(LiveParams(**options), run=ToyRun()), adoption


def test_a_module_is_explained_in_evaluation_mode_and_left_in_training_mode():
    net = Net().train()
    model, adoption = adopted(net, shown=(3, 16, 16))
    images = torch.rand(3, 3, 16, 16)
    first, again = model.scores(images), model.scores(images)
    assert torch.equal(first, again)
    assert net.training
    assert all(each.requires_grad for each in net.parameters())
    assert any("training mode" in text for text in adoption.warnings)
    with torch.no_grad():
        torch.testing.assert_close(first, net.eval()(images))


def test_the_weights_are_shared_and_not_copied():
    net = Net()
    model, _ = adopted(net, shown=(3, 16, 16))
    assert model.module.get_parameter("model.head.weight").data_ptr() == net.head.weight.data_ptr()


def test_channels_come_from_the_first_layer_and_the_size_from_the_images():
    model, _ = adopted(Net(channels=1), shown=(1, 20, 24))
    assert model.input_shape == (1, 20, 24)
    assert model.class_names == ("class 0", "class 1", "class 2", "class 3")


def test_a_model_that_says_its_size_and_classes_is_believed():
    net = Net(classes=2)
    net.image_size, net.class_names = 32, ["cat", "dog"]
    model, adoption = adopted(net)
    assert model.input_shape == (3, 32, 32)
    assert model.class_names == ("cat", "dog")
    assert not any("assumed" in text for text in adoption.warnings)


def test_an_unknown_size_is_assumed_and_said():
    _, adoption = adopted(Net())
    assert any("224x224 is assumed" in text for text in adoption.warnings)


def test_missing_normalisation_is_said():
    assert any("as they are" in text for text in adopted(Net(), shown=(3, 8, 8))[1].warnings)
    assert not any("as they are" in text for text in adopted(Net(), shown=(3, 8, 8), mean=[0.5])[1].warnings)


def test_a_preset_gives_size_mean_and_std():
    preset = SimpleNamespace(crop_size=[12], resize_size=[16], mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.2])
    net = Net().eval()
    model, _ = adopted(net, preprocess=preset)
    assert model.input_shape == (3, 12, 12)
    images = torch.rand(2, 3, 12, 12)
    mean = torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(model.scores(images), net((images - mean) / 0.2))


def test_any_function_may_prepare_the_images_and_gradients_flow_through_it():
    net = Net().eval()
    model, _ = adopted(net, shown=(3, 12, 12), preprocess=lambda images: images * 2 - 1)
    images = torch.rand(2, 3, 12, 12, requires_grad=True)
    scores = model.scores(images)
    torch.testing.assert_close(scores, net(images * 2 - 1))
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    "as_array", [lambda scores: scores, lambda scores: scores.numpy(), lambda scores: scores.tolist()]
)
def test_a_function_is_a_black_box(as_array):
    net = Net().eval()
    model, adoption = adopted(lambda images: as_array(net(images)), shown=(3, 12, 12))
    images = torch.rand(2, 3, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(model.scores(images), net(images))
    assert DESCRIPTOR.provided_by(model._params) == ("classes",)
    assert model.layers == ()
    with pytest.raises(UserError, match="cannot be watched"):
        model.watch(["conv"])
    assert "Module itself" in DESCRIPTOR.absence(model._params, "differentiable")
    assert adoption.generic


def test_a_model_without_identity_is_not_kept_and_that_is_said(tmp_path):
    with (tmp_path / "log").open("w") as log:

        def score(images):
            log.write("asked")
            return np.zeros((len(images), 2))

        _, adoption = adopted(score, shown=(1, 8, 8))
    assert adoption.params["object"].startswith("live:unkept:")
    assert any("not kept" in text for text in adoption.warnings)


@pytest.mark.parametrize(
    ("value", "message", "fix"),
    [
        (Net, "Net is a class", "make one of it"),
        (Net().state_dict(), "holds weights and no network", "load_state_dict"),
        (torch.export.export(Net().eval(), (torch.rand(1, 3, 8, 8),)), "explained from its file", "torch.export.save"),
        (torch.jit.script(Net().eval()), "explained from its file", "model.ts"),
    ],
)
def test_what_is_no_model_is_told(value, message, fix):
    with pytest.raises(UserError, match=message) as caught:
        DESCRIPTOR.adopts(value)
    assert fix in caught.value.fix


def test_a_file_of_weights_alone_asks_for_its_architecture(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file(Net().state_dict(), path)
    with pytest.raises(UserError, match="holds weights and no network") as caught:
        DESCRIPTOR.adopts(str(path))
    assert f"timm:resnet18@{path}" in caught.value.fix
    assert DESCRIPTOR.adopts(str(tmp_path / "absent.safetensors")) is None


class Softmax(Net):
    def forward(self, x):
        return super().forward(x).softmax(1)


class Crowd(Net):
    def forward(self, x):
        return super().forward(x) - x.mean()


class Pair(Net):
    def forward(self, x):
        return super().forward(x), x


@pytest.mark.parametrize(
    ("net", "hints", "message", "fix"),
    [
        (Softmax(), {}, "gives probabilities, not logits", "probabilities: true"),
        (Net(classes=1), {}, r"gives 1 score\(s\)", "set `task`"),
        (Crowd(), {}, "beside other images", "one tensor of scores"),
        (Pair(), {}, "gives a tuple", "one tensor of scores"),
        (nn.Linear(3, 2), {}, "fails on images", "size="),
        (Net(), {"mean": [0.1, 0.2]}, "mean has 2 numbers", "one for each channel"),
    ],
)
def test_models_that_cannot_be_explained_are_told_why(net, hints, message, fix):
    adoption = DESCRIPTOR.adopts(net, shown=(3, 16, 16), **hints)
    options = {**adoption.params, **{key: tuple(item) for key, item in hints.items()}}
    with pytest.raises(UserError, match=message) as caught:
        LiveModel(LiveParams(**options), run=ToyRun()).scores(torch.rand(2, 3, 16, 16))
    assert fix in caught.value.fix
