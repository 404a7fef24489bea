"""Relevance against closed forms, against the package called by hand, and its sum against the logit."""

import copy

import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.torchvision_import import import_with_torchvision
from sidelight_zennit import COMPOSITES, lrp, sidelight_explainers
from torch import nn
from torch.nn import functional

zennit = import_with_torchvision("zennit")
LRP = tuple(name for name in COMPOSITES if name != "excitation-backprop")


class ModuleClassifier(Classifier):
    class_names = tuple("abcd")
    input_shape = (2, 24, 20)
    module = task = None

    def __init__(self, module, task="multiclass"):
        self.module, self.task = module.eval().requires_grad_(False), task

    def scores(self, images):
        return self.module(images)


def randomised(module, bias=0.1):
    generator = torch.Generator().manual_seed(5)
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            part.weight.data = torch.randn(part.weight.shape, generator=generator) * (2 / part.weight[0].numel()) ** 0.5
            if part.bias is not None:
                part.bias.data = bias * torch.randn(part.bias.shape, generator=generator)
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = bias * torch.randn(part.running_mean.shape, generator=generator)
            part.running_var = 0.5 + torch.rand(part.running_var.shape, generator=generator)
            part.weight.data = 1 + 0.2 * torch.randn(part.weight.shape, generator=generator)
            part.bias.data = bias * torch.randn(part.bias.shape, generator=generator)
    return module.eval().requires_grad_(False)


def plain(activation=nn.ReLU, bias=0.1):
    """A chain of modules, as the package likes it."""
    return randomised(
        nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            activation(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            activation(),
            nn.AdaptiveAvgPool2d((3, 2)),
            nn.Flatten(),
            nn.Linear(48, 10),
            activation(),
            nn.Linear(10, 4),
        ),
        bias,
    )


class Residual(nn.Module):
    """A functional ReLU, one in place that is used twice, a skip connection and a mean."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 4)

    def forward(self, images):
        stem = functional.relu(self.stem(images))
        inner = self.conv2(self.relu(self.bn1(self.conv1(stem))))
        return self.fc(self.relu(inner + stem).mean((2, 3)))


class Canonized(nn.Module):
    """`Residual` as a user of the package rewrites it: every operator a module of its own."""

    def __init__(self, source):
        super().__init__()
        for name in ("stem", "conv1", "bn1", "conv2", "fc"):
            setattr(self, name, copy.deepcopy(getattr(source, name)))
        self.relu0, self.relu1, self.relu2 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.sum, self.pool = zennit.layer.Sum(), nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        stem = self.relu0(self.stem(images))
        inner = self.conv2(self.relu1(self.bn1(self.conv1(stem))))
        return self.fc(self.pool(self.relu2(self.sum(torch.stack([inner, stem], -1)))).flatten(1))


class Prepared(nn.Module):
    """Resizes and normalises before a network."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        larger = functional.interpolate(images, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
        return self.inner((larger - 0.4) / 0.25)


@pytest.fixture
def images():
    return torch.rand(3, 2, 24, 20, generator=torch.Generator().manual_seed(3))


def question(classifier, images):
    with torch.no_grad():
        order = classifier.class_logits(images).argsort(1, descending=True).numpy()
    return Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())


def explain(name, module, images, task="multiclass", **options):
    (descriptor,) = [each for each in sidelight_explainers() if each.name == name]
    classifier = ModuleClassifier(module, task)
    factory = getattr(lrp, descriptor.factory.split(":")[1])
    explainer = factory(descriptor.params(**options), classifier=classifier, run=ToyRun())
    return explainer.explain(images, question(classifier, images))


def by_hand(name, module, images):
    """(N, H, W): the package as its documentation uses it, relevance starting from the predicted logit."""
    options = {"canonizers": [zennit.canonizers.SequentialMergeBatchNorm()]}
    if name == "epsilon-gamma-box":
        options |= {"low": 0.0, "high": 1.0}
    composite = getattr(zennit.composites, COMPOSITES[name][0])(**options)

    def of_predicted(output):
        return output.detach() * functional.one_hot(output.argmax(1), output.shape[1])

    with zennit.attribution.Gradient(copy.deepcopy(module), composite) as attributor:
        _, relevance = attributor(images.clone().requires_grad_(), of_predicted)
    return relevance.detach().sum(1).numpy()


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_chain_of_modules_is_the_package_called_by_hand(name, images):
    module = plain()
    expected = by_hand(name, module, images)
    result = explain(name, module, images, batch=2)
    assert np.abs(expected).max() > 1e-4
    assert np.abs(result.values - expected).max() <= 1e-4 * np.abs(expected).max()  # batches round otherwise
    assert result.signed is True


@pytest.mark.parametrize("name", COMPOSITES)
def test_functions_and_skip_connections_are_the_package_on_a_rewritten_network(name, images):
    module = randomised(Residual())
    expected = by_hand(name, Canonized(module), images)
    result = explain(name, module, images)
    assert np.abs(expected).max() > 1e-4
    assert np.abs(result.values - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["epsilon-plus-flat", "epsilon-gamma-box"])
def test_an_exported_program_gets_the_same_relevance(name, images):
    module = randomised(Residual())
    program = torch.export.export(module, (images,)).module()
    program.eval = lambda: program  # exported programs have no modes
    expected = explain(name, module, images, batch=3).values
    assert np.abs(explain(name, program, images, batch=3).values - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["epsilon-plus", "epsilon-alpha2-beta1"])
def test_a_linear_classifier_gets_weight_times_pixel(name, images):
    """One linear layer without bias, by the epsilon rule: R_i = w_ci x_i."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(2 * 24 * 20, 4, bias=False))
    module = randomised(linear)
    classes = module(images).argmax(1)
    expected = (module[1].weight[classes] * images.flatten(1)).reshape(images.shape).sum(1).numpy()
    assert np.abs(explain(name, module, images, epsilon=1e-9).values - expected).max() <= 1e-4 * np.abs(expected).max()


def test_excitation_backprop_of_a_linear_classifier_shares_by_positive_products(images):
    """R_i = x_i w+_ci / sum_j x_j w+_cj times the logit."""
    module = randomised(nn.Sequential(nn.Flatten(), nn.Linear(2 * 24 * 20, 4, bias=False)))
    logits, positive = module(images).max(1), module[1].weight.clamp(min=0)
    products = positive[logits.indices] * images.flatten(1)
    expected = (products / products.sum(1, keepdim=True) * logits.values[:, None]).reshape(images.shape).sum(1).numpy()
    result = explain("excitation-backprop", module, images).values
    assert np.abs(result - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_flat_rule_of_the_first_layer_does_not_see_the_pixels(images):
    """One convolution of the size of the image: every pixel gets the same part of the logit."""
    conv = nn.Conv2d(2, 4, (24, 20), bias=False)
    result = explain("epsilon-plus-flat", randomised(nn.Sequential(conv, nn.Flatten())), images)
    expected = conv(images).flatten(1).max(1).values.detach().numpy()[:, None, None] / (24 * 20)
    assert np.abs(result.values - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.SiLU])
@pytest.mark.parametrize("name", COMPOSITES)
def test_relevance_sums_to_the_logit_without_biases(name, activation, images):
    """Through merged normalisation, pooling, resizing and black pixels; SiLU's negative values are inputs too."""
    module = Prepared(plain(activation, bias=0.0))
    few = images.clone()
    few[:, :, :6] = 0
    logits = module.eval()(few).max(1).values.detach().numpy()
    result = explain(name, module, few)
    assert np.abs(result.values.sum((1, 2)) - logits).max() <= 2e-3 * np.abs(logits).max()


@pytest.mark.parametrize("name", COMPOSITES)
def test_biases_absorb_relevance_unless_they_are_zeroed(name, images):
    module = randomised(Residual(), bias=0.5)
    logits = module(images).max(1).values.numpy()
    lost = [
        np.abs(explain(name, module, images, zero_bias=zero_bias).values.sum((1, 2)) - logits).max()
        for zero_bias in (False, True)
    ]
    assert lost[0] > 0.05 * np.abs(logits).max()
    assert lost[1] <= 2e-3 * np.abs(logits).max()


@pytest.mark.parametrize("name", LRP)
def test_a_contrast_is_the_difference_of_two_classes(name, images):
    module = plain()
    maps = {side: explain(name, module, images, target=side).values for side in ("predicted", "probe", "contrast")}
    difference = maps["predicted"] - maps["probe"]
    assert np.abs(maps["contrast"] - difference).max() <= 1e-4 * np.abs(difference).max()


def test_normalisation_without_a_convolution_passes_relevance_on(images):
    module = randomised(
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(1584, 4))
    )
    result = explain("epsilon-plus", module, images).values
    assert np.abs(result - by_hand("epsilon-plus", module, images)).max() <= 1e-5 * np.abs(result).max()


def test_the_box_reaches_from_black_to_white(images):
    low, high = lrp.pixel_bounds(ModuleClassifier(Prepared(plain())), images)
    assert low.shape == high.shape == (1, 2, 36, 30)
    assert torch.allclose(low, torch.tensor(-1.6))
    assert torch.allclose(high, torch.tensor(2.4))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(2, 4, 4, stride=4), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, images):
        return self.fc(self.norm(self.conv(images).flatten(2).transpose(1, 2)).mean(1))


def test_operators_without_a_rule_are_named(images):
    with pytest.raises(UserError, match="layer_norm"):
        explain("epsilon-plus", randomised(Attention()), images)
    with pytest.raises(UserError, match="TorchScript"):
        explain("epsilon-plus", torch.jit.trace(plain(), images), images)
    with pytest.raises(UserError, match="no layer"):
        explain("epsilon-gamma-box", nn.Sequential(nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten()), images)
