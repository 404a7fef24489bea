"""`resnet` and `vgg`: the networks, how they learn, and which explainers can look inside."""

import numpy as np
import pytest
import torch
from sidelight_classifiers import sidelight_classifiers
from sidelight_classifiers.params import ResNetParams, VggParams
from sidelight_classifiers.trained.base import DataSummary
from sidelight_classifiers.trained.resnet import Block, ResNet, ResNetModule
from sidelight_classifiers.trained.vgg import Vgg, VggModule
from sidelight_specs.results import Split, State, Targets
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyRun
from torch import nn
from torch.nn import functional

KINDS = {"resnet": (ResNet, ResNetParams), "vgg": (Vgg, VggParams)}
FACTS = DataSummary(shape=(1, 32, 32), classes=tuple("0123456789"), mean=0.1, std=0.3)


class Stripes(Data):
    """Horizontal or vertical stripes, with noise."""

    splits = ("train", "test")

    def split(self, name):
        rng = np.random.default_rng(self.splits.index(name))
        labels = np.arange(48) % 2
        images = rng.uniform(0, 0.4, (48, 1, 32, 32)).astype(np.float32)
        images[labels == 0, :, ::4] += 0.6
        images[labels == 1, :, :, ::4] += 0.6
        names = ("horizontal", "vertical")
        return Split(images=images, labels=labels, class_names=names, ids=tuple(map(str, range(48))))


def build(kind, run=None, **options):
    factory, params = KINDS[kind]
    small = {"width": 4, "steps": 30, "batch": 16, "learning_rate": 0.05, "flip": False, "shift": 1}
    return factory(params(**{**small, **options}), run=run or ToyRun())


@pytest.fixture(scope="module", params=list(KINDS))
def trained(request):
    run = ToyRun()
    classifier = build(request.param, run, **({"dropout": 0.0} if request.param == "vgg" else {}))
    classifier.fit(Stripes())
    return classifier, run


def kinds_of(network, *kinds):
    return [module for module in network.modules() if isinstance(module, kinds)]


def test_vgg_has_the_thirteen_convolutions_and_three_linear_layers_of_configuration_d():
    network = VggModule(FACTS, 64, VggParams().convolutions, VggParams().linear, 0.5)
    widths = [layer.out_channels for layer in kinds_of(network, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    assert len(kinds_of(network, nn.Linear)) == 3
    assert len(kinds_of(network, nn.MaxPool2d)) == 5
    assert all(layer.kernel_size == (3, 3) for layer in kinds_of(network, nn.Conv2d))


def test_fewer_stages_give_the_six_convolutions_and_two_linear_layers_of_gat_et_al():
    network = VggModule(FACTS, 16, (2, 2, 2), 2, 0.0).eval()
    assert [layer.out_channels for layer in kinds_of(network, nn.Conv2d)] == [16, 16, 32, 32, 64, 64]
    assert [layer.out_features for layer in kinds_of(network, nn.Linear)] == [64, len(FACTS.classes)]
    assert network(torch.rand(2, 1, 5, 20)).shape == (2, len(FACTS.classes))  # enlarged to 8 pixels at least


@pytest.mark.parametrize("blocks", [1, 3])
def test_resnet_has_three_stages_that_halve_the_size(blocks):
    network = ResNetModule(FACTS, 8, blocks).eval()
    x = network.stem(torch.rand(1, 1, 32, 32))
    shapes = []
    for stage in network.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(8, 32, 32), (16, 16, 16), (32, 8, 8)]
    weighted = [layer for layer in kinds_of(network, nn.Conv2d, nn.Linear) if layer.weight.shape[-1] != 1]
    assert len(weighted) == 2 + 6 * blocks


def test_a_block_hands_its_input_on():
    network = ResNetModule(FACTS, 8, 2).eval()
    block = network.stages[1][1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 16, 16, 16)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(
    "network", [ResNetModule(FACTS, 4, 2), VggModule(FACTS, 4, (2, 2, 3, 3, 3), 3, 0.2)], ids=list(KINDS)
)
def test_no_activation_is_shared_or_works_in_place(network):
    calls = []
    for module in kinds_of(network, nn.ReLU):
        module.register_forward_hook(lambda module, *_: calls.append(module))
    network(torch.rand(2, 1, 32, 32))
    assert calls
    assert len(calls) == len(set(calls)) == len(kinds_of(network, nn.ReLU))
    assert not any(module.inplace for module in calls)


def test_it_learns(trained):
    classifier, run = trained
    assert run.emitted["accuracy"].items[0].value > 0.9
    losses = classifier.state().curves["loss"]
    assert losses[-5:].mean() < losses[:5].mean() / 2


def test_a_saved_state_gives_the_same_scores(trained, tmp_path):
    classifier, _ = trained
    classifier.state().save(tmp_path)
    other = type(classifier)(classifier._params, run=ToyRun())
    other.load_state(State.load(tmp_path))
    images = torch.rand(3, 1, 32, 32)
    torch.testing.assert_close(other.scores(images), classifier.scores(images))


@pytest.mark.parametrize("size", [(8, 8), (20, 33), (64, 64)])
def test_other_sizes_are_taken(trained, size):
    classifier, _ = trained
    assert classifier.scores(torch.rand(2, 1, *size)).shape == (2, 2)


@pytest.mark.parametrize("kind", list(KINDS))
def test_bfloat16_trains_float32_weights_near_those_of_float32(kind):
    losses = {}
    for precision in ("float32", "bfloat16"):
        classifier = build(kind, precision=precision, steps=2)
        classifier.fit(Stripes())
        losses[precision] = classifier.state().curves["loss"]
        assert {tensor.dtype for tensor in classifier.module.parameters()} == {torch.float32}
        assert classifier.scores(torch.rand(1, 1, 32, 32)).dtype == torch.float32
    assert losses["bfloat16"][0] != losses["float32"][0]
    np.testing.assert_allclose(losses["bfloat16"][0], losses["float32"][0], rtol=0.05)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_only_the_training_is_in_the_precision_asked_for(precision):
    classifier = build("resnet", precision=precision, steps=1)
    seen = []
    build_network = classifier.build

    def watched(facts):
        network = build_network(facts)
        network.stem.register_forward_hook(lambda module, _, output: seen.append((module.training, output.dtype)))
        return network

    classifier.build = watched
    classifier.fit(Stripes())
    assert set(seen) == {(True, getattr(torch, precision)), (False, torch.float32)}


def targets_of(classifier, images):
    order = classifier.class_logits(images).detach().argsort(1, descending=True).numpy()
    return Targets(predicted=order[:, 0], probe=order[:, 1])


def explain(module, name, params, classifier, images):
    pytest.importorskip("sidelight_captum")
    from importlib import import_module

    options = getattr(import_module("sidelight_captum.params"), params)()
    explainer = getattr(import_module(f"sidelight_captum.{module}"), name)(options, classifier=classifier, run=ToyRun())
    return explainer.explain(images, targets_of(classifier, images))


@pytest.mark.parametrize(
    ("module", "name"), [("guided_backprop", "GuidedBackprop"), ("grad_cam", "GradCam"), ("lrp", "Lrp")]
)
def test_explainers_that_look_inside(trained, module, name):
    classifier, _ = trained
    images = torch.from_numpy(Stripes().split("test").images[:2])
    values = explain(module, name, f"{name}Params", classifier, images).values
    assert np.isfinite(values).all()
    assert np.abs(values).max() > 0


def test_a_vgg_has_a_stage():
    descriptor = next(one for one in sidelight_classifiers() if one.name == "vgg")
    (mistake,) = descriptor.mistakes(VggParams(convolutions=()))
    assert (mistake.message, mistake.option) == ("a network without convolutions", "convolutions")
    assert not list(descriptor.mistakes(VggParams(convolutions=(1,))))


def test_a_narrow_shortcut_of_large_colour_images_learns():
    """Before, the gradient of its strided 1x1 convolution ended the process with a segmentation fault."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block, images = Block(8, 16, 2), torch.randn(64, 8, 64, 64).contiguous(memory_format=torch.channels_last)
    active = block.relu1(block.bn1(images))
    strided = functional.conv2d(active, block.shortcut.weight, stride=2)
    torch.testing.assert_close(block.shortcut(active[:, :, ::2, ::2]), strided)
    block(images).square().mean().backward()
    assert block.shortcut.weight.grad.isfinite().all()
