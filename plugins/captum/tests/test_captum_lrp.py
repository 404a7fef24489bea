"""LRP against a second implementation: every layer as a dense matrix of double precision, the epsilon rule by hand."""

import numpy as np
import pytest
import torch
from sidelight_captum._params import LrpParams
from sidelight_captum.chain import chain_of
from sidelight_captum.lrp import Lrp
from sidelight_captum.preprocessing import Preprocessing
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from torch import nn
from torch.nn import functional

EPSILON = 0.02


def matrix_of(layer, shape):
    """(outputs, inputs) of an affine layer, found by trying every input alone; and its output for a zero image."""
    basis = torch.eye(int(np.prod(shape))).reshape(-1, *shape)
    zero = layer(torch.zeros(1, *shape)).double()
    return (layer(basis).double() - zero).flatten(1).T.numpy(), zero.flatten().numpy()


def winners(value, side):
    """(outputs, inputs) of a max pooling without overlap, for one (C, H, W) input: 1 at each window's maximum."""
    channels, height, width = value.shape
    rows = []
    for channel in range(channels):
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                window = value[channel, top : top + side, left : left + side]
                y, x = np.unravel_index(int(window.argmax()), window.shape)
                row = np.zeros(value.shape)
                row[channel, top + y, left + x] = 1
                rows.append(row.ravel())
    return np.stack(rows)


def by_hand(layers, image, node):
    """(C, H, W): Bach et al. 2015, equation 58, from the raw output `node` back to the pixels."""
    values, steps = image.double().numpy(), []
    for layer in layers:
        if isinstance(layer, nn.Flatten):
            values = values.ravel()
        elif isinstance(layer, nn.ReLU):
            values = values.clip(0)
        else:
            single = torch.from_numpy(values).float()[None]
            if isinstance(layer, nn.MaxPool2d):
                matrix, zero = winners(values, layer.kernel_size), 0.0
            else:
                matrix, zero = matrix_of(layer, values.shape)
            steps.append((values.ravel(), matrix, matrix @ values.ravel() + zero))
            values = steps[-1][2].reshape(layer(single).shape[1:])
    relevance = np.zeros(values.shape)
    relevance[node] = values[node]
    relevance = relevance.ravel()
    for inputs, matrix, outputs in reversed(steps):
        shares = relevance / (outputs + EPSILON * np.where(outputs < 0, -1, 1))
        relevance = inputs * (matrix.T @ shares)
    return relevance.reshape(image.shape)


def merged(network):
    """The layers with the batch normalisation and the convolution before it as one."""
    return [nn.Sequential(network[0], network[1]), *network[2:]]


@pytest.mark.parametrize("channels", ["sum", "max"])
@pytest.mark.parametrize(
    ("task", "outputs", "side"),
    [
        ("multiclass", 4, "predicted"),
        ("multiclass", 4, "contrast"),
        ("binary", 1, "probe"),
        ("binary", 1, "contrast"),
        ("regression", 1, "predicted"),
    ],
)
def test_lrp_by_the_epsilon_rule(task, outputs, side, channels, network, classify, images, ask):
    module, few = network(outputs), images[:2]
    classifier = classify(module, task)
    targets = ask(classifier, few)
    params = LrpParams(target=side, epsilon=EPSILON, channels=channels, batch=2)
    found = Lrp(params, classifier=classifier, run=ToyRun()).explain(few, targets)
    expected = []
    for image, predicted, probe in zip(few, targets.predicted, targets.probe, strict=True):
        terms = {"predicted": [(predicted, 1)], "probe": [(probe, 1)], "contrast": [(predicted, 1), (probe, -1)]}[side]
        total = np.zeros(image.shape)
        for index, sign in terms:
            factor = {"multiclass": 1, "binary": index - 0.5, "regression": 1}[task]
            total += sign * factor * by_hand(merged(module), image, index if task == "multiclass" else 0)
        expected.append(total.sum(0) if channels == "sum" else np.abs(total).max(0))
    scale = np.abs(expected).max()
    assert scale > 1e-4
    assert np.abs(found.values - np.stack(expected)).max() <= 1e-5 * scale
    assert found.answers == side
    assert found.signed is (channels == "sum")


class Prepared(nn.Module):
    """Resizes and normalises before a plain network, as classifiers of the digits and of ImageNet do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        larger = functional.interpolate(images, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
        return self.inner((larger - 0.4) / torch.tensor([0.2, 0.3])[:, None, None])


def test_preprocessing_hands_back_what_it_was_given(network, images):
    """Relevance of the resized image goes to each pixel by its share in it, found by resizing single pixels."""
    module = Prepared(network()).eval().requires_grad_(False)
    chain = chain_of(module, images[:1])
    preprocessing = Preprocessing(chain.network, chain.layers[0], images)
    relevance = torch.randn(3, 2, 36, 30, generator=torch.Generator().manual_seed(1))
    found = preprocessing.handed_back(images, relevance)
    basis = torch.eye(24 * 20).reshape(-1, 1, 24, 20)
    shares = functional.interpolate(basis, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
    expected = torch.einsum("phw,nchw->ncp", shares[:, 0], relevance).reshape(3, 2, 24, 20)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)
    assert torch.allclose(found.sum((1, 2, 3)), relevance.sum((1, 2, 3)), rtol=0, atol=1e-3)


def test_relevance_goes_through_the_preprocessing(network, classify, images, ask):
    """What the first layer gets is what LRP gives for that image without preprocessing; black pixels have a share."""
    inner = network()
    prepared = Prepared(inner).eval()
    few = images[:1].clone()
    few[:, :, :6] = 0
    classifier = classify(prepared)
    targets = ask(classifier, few)
    found = Lrp(LrpParams(epsilon=EPSILON), classifier=classifier, run=ToyRun()).explain(few, targets)
    larger = functional.interpolate(few, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
    normalised = (larger - 0.4) / torch.tensor([0.2, 0.3])[:, None, None]
    plain = Lrp(LrpParams(epsilon=EPSILON), classifier=classify(inner), run=ToyRun()).explain(normalised, targets)
    assert np.abs(found.values.sum() - plain.values.sum()) <= 1e-4 * np.abs(plain.values).sum()
    assert np.abs(found.values[0, :4]).max() > 0.01 * np.abs(found.values).max()


def test_functions_in_place_of_modules(network, classify, images, ask):
    """ReLU, max pooling and flattening written as functions give what the modules give, but for epsilon."""

    class Functional(nn.Module):
        def __init__(self, plain):
            super().__init__()
            self.conv1, self.conv2, self.pool, self.fc1, self.fc2 = plain[0], plain[4], plain[6], plain[8], plain[10]
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            x = functional.max_pool2d(torch.relu(self.conv1(x)), 2)
            x = self.pool(self.conv2(x).relu_())
            return self.fc2(self.drop(functional.relu(self.fc1(x.view(x.size(0), -1)))))

    plain = network()
    plain[1] = nn.Identity()
    found = []
    for module in (plain, Functional(plain).eval()):
        classifier = classify(module)
        lrp = Lrp(LrpParams(epsilon=1e-7), classifier=classifier, run=ToyRun())
        found.append(lrp.explain(images, ask(classifier, images)))
    assert np.abs(found[0].values).max() > 1e-3
    assert np.abs(found[0].values - found[1].values).max() <= 1e-5 * np.abs(found[0].values).max()


class Between(nn.Module):
    """Two linear layers with any function between them."""

    def __init__(self, function):
        super().__init__()
        self.one, self.two, self.function = nn.Linear(960, 8), nn.Linear(8, 4), function

    def forward(self, images):
        return self.two(self.function(self.one(images.flatten(1))))


def convolved(*layers):
    return nn.Sequential(nn.Conv2d(2, 4, 3), *layers, nn.Flatten(), nn.LazyLinear(4))


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (convolved(nn.SiLU()), "its layer 1 is a SiLU"),
        (convolved(nn.ReLU6()), "its layer 1 is a ReLU6"),
        (convolved(nn.ReLU(), nn.BatchNorm2d(4)), "its layer 2 is a BatchNorm2d"),
        (Between(torch.tanh), "between its layers it uses tanh"),
        (Between(lambda x: x + 1), "between its layers it uses add"),
        (Between(lambda x: 2 * x), "between its layers it uses mul"),
        (Between(functional.gelu), "between its layers it uses gelu"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), "no layer with a rule"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(module, named, images):
    with torch.no_grad():
        module(images)  # lazy layers take shape
    with pytest.raises(UserError, match=named) as caught:
        chain_of(module.eval().requires_grad_(False), images[:1])
    assert "grad-cam" in caught.value.fix
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_skip_connections_and_layers_that_run_twice_are_refused(residual, classify, images, ask):
    with pytest.raises(UserError, match="between its layers it uses add"):
        chain_of(residual, images[:1])
    twice = Between(lambda x: x)
    shared = nn.Linear(8, 8)
    twice.function = nn.Sequential(shared, nn.ReLU(), shared)
    with pytest.raises(UserError, match=r"function\.0 runs more than once"):
        chain_of(twice.eval(), images[:1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(network, images):
    scripted = torch.jit.trace(network(), images)
    with pytest.raises(UserError, match="TorchScript file hides"):
        chain_of(scripted, images[:1])


def test_the_weights_are_shared_not_copied(network, images):
    module = network()
    chain = chain_of(module, images[:1])
    assert chain.layers[1] is not module[3]
    assert chain.layers[2].weight is module[4].weight
    assert not hasattr(module[4], "rule")


def test_a_contrast_of_a_regression_is_refused(network, classify, images, ask):
    classifier = classify(network(1), "regression")
    with pytest.raises(UserError, match="regression"):
        Lrp(LrpParams(target="contrast"), classifier=classifier, run=ToyRun()).explain(images, ask(classifier, images))
