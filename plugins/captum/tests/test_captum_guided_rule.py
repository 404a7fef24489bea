"""Guided backpropagation however a network spells its ReLUs, and refusals that name what is in the way."""

import captum.attr
import pytest
import torch
from sidelight_captum.guided_backprop import GuidedBackprop, GuidedRule
from sidelight_captum.params import GuidedBackpropParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from torch import nn
from torch.nn import functional

SPELLINGS = {
    "module": nn.ReLU(),
    "in-place module": nn.ReLU(inplace=True),
    "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x, inplace=True),
    "torch": torch.relu,
    "torch in place": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "aten": torch.ops.aten.relu.default,
    "keyword": lambda x: functional.relu(input=x),
}
CAPPED = {
    "module": nn.ReLU6(),
    "in-place module": nn.ReLU6(inplace=True),
    "functional": functional.relu6,
    "hardtanh": nn.Hardtanh(0.0, 6.0),
    "functional hardtanh": lambda x: functional.hardtanh(x, 0.0, 6.0),
    "hardtanh in place": lambda x: functional.hardtanh_(x, 0.0, 6.0),
    "aten": lambda x: torch.ops.aten.hardtanh.default(x, 0.0, 6.0),
}


def backward(activation, inputs, upstream):
    """Values and gradient of one activation under the rule."""
    leaf = inputs.clone().requires_grad_()
    with GuidedRule() as rule:
        after = activation(leaf * 1.0)
        (gradient,) = torch.autograd.grad(after, leaf, upstream)
    assert rule.seen == 1
    return after.detach(), gradient


@pytest.fixture
def values():
    """Inputs below, within and above the range of a ReLU6, with positive and negative upstream gradients."""
    generator = torch.Generator().manual_seed(0)
    return 5 * torch.randn(200, generator=generator), torch.randn(200, generator=generator)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_relu(spelling, values):
    inputs, upstream = values
    after, gradient = backward(SPELLINGS[spelling], inputs, upstream)
    assert torch.equal(after, functional.relu(inputs))
    assert torch.equal(gradient, torch.where((inputs > 0) & (upstream > 0), upstream, 0.0))


@pytest.mark.parametrize("spelling", CAPPED)
def test_every_spelling_of_a_relu6(spelling, values):
    inputs, upstream = values
    after, gradient = backward(CAPPED[spelling], inputs, upstream)
    assert torch.equal(after, functional.relu6(inputs))
    assert torch.equal(gradient, torch.where((inputs > 0) & (inputs < 6) & (upstream > 0), upstream, 0.0))


def test_the_rule_ends_with_the_context(values):
    inputs, upstream = values
    backward(torch.relu, inputs, upstream)
    leaf = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(leaf.relu(), leaf, upstream)
    assert torch.equal(gradient, torch.where(inputs > 0, upstream, 0.0))


def explain(classifier, images, targets):
    return GuidedBackprop(GuidedBackpropParams(channels="sum"), classifier=classifier, run=ToyRun()).explain(
        images, targets
    )


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_captums_own_guided_backprop_agrees_where_it_applies(network, classify, images, ask):
    classifier = classify(network())
    targets = ask(classifier, images)
    pixels = images.clone().requires_grad_()
    expected = captum.attr.GuidedBackprop(classifier.module).attribute(pixels, torch.from_numpy(targets.predicted))
    result = torch.from_numpy(explain(classifier, images, targets).values)
    assert torch.allclose(result, expected.detach().sum(1), rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_reused_in_place_and_functional_relus_in_a_residual_network(residual, classify, images, ask):
    """Against the same network with separate autograd functions written into its forward."""
    classifier = classify(residual)
    targets = ask(classifier, images)
    result = explain(classifier, images, targets).values

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.maximum(torch.zeros(()))

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return gradient * (x > 0) * (gradient > 0)

    pixels = images.clone().requires_grad_()
    stem = Rule.apply(residual.stem(pixels))
    inner = residual.conv2(Rule.apply(residual.bn1(residual.conv1(stem))))
    scores = residual.fc(Rule.apply(inner + stem).mean((2, 3)))
    total = scores.gather(1, torch.from_numpy(targets.predicted)[:, None]).sum()
    expected = torch.autograd.grad(total, pixels)[0].sum(1)
    assert expected.abs().max() > 1e-4
    assert torch.allclose(torch.from_numpy(result), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_an_exported_program_gives_what_its_source_gives(residual, classify, images, ask):
    classifier = classify(residual)
    targets = ask(classifier, images)
    program = torch.export.export(residual, (images,)).module()
    exported = classify(nn.Sequential())
    exported._module = program
    expected = explain(classifier, images, targets).values
    assert abs(explain_whole(exported, images, targets).values - expected).max() <= 1e-5 * abs(expected).max()


def explain_whole(classifier, images, targets):
    """All images in one pass: an exported program has a fixed batch size."""
    params = GuidedBackpropParams(channels="sum", batch=len(images))
    return GuidedBackprop(params, classifier=classifier, run=ToyRun()).explain(images, targets)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (nn.SiLU(), "silu"),
        (nn.GELU(), "gelu"),
        (nn.LeakyReLU(inplace=True), "leaky_relu"),
        (nn.PReLU(), "prelu"),
        (nn.Hardswish(), "hardswish"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Tanh(), "tanh"),
        (nn.ELU(), "elu"),
    ],
)
def test_other_activations_are_refused_by_name(activation, name, network, classify, images, ask):
    module = network()
    module[5] = activation
    classifier = classify(module)
    with pytest.raises(UserError, match=f"uses {name}") as caught:
        explain(classifier, images, ask(classifier, images))
    assert "saliency" in caught.value.fix


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_network_without_a_visible_relu_is_refused(network, classify, images, ask):
    scripted = classify(network())
    scripted._module = torch.jit.script(scripted.module)
    linear = classify(nn.Sequential(nn.Flatten(), nn.Linear(2 * 24 * 20, 4)))
    for classifier in (scripted, linear):
        with pytest.raises(UserError, match="no ReLU") as caught:
            explain(classifier, images, ask(classifier, images))
        assert "TorchScript" in caught.value.fix


def test_gates_pass(network, classify, images, ask):
    """Squeeze-and-excitation networks use sigmoid beside ReLU."""

    class Gate(nn.Module):
        def forward(self, maps):
            return maps * maps.mean((2, 3), keepdim=True).sigmoid()

    module = network()
    module.insert(6, Gate())
    classifier = classify(module)
    assert explain(classifier, images, ask(classifier, images)).values.any()


@pytest.mark.training
def test_a_file_read_late_is_refused_with_the_same_sentence(network, images, ask, tmp_path):
    """As when predictions come from the store, so that the explainer is the first to read the file."""
    torch_model = pytest.importorskip("sidelight_classifiers.files.torch_model")
    from sidelight_classifiers.params import TorchParams

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    program = torch.export.export(
        module.eval(), (torch.rand(3, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    torch.export.save(program, tmp_path / "gelu.pt2")
    params = TorchParams(path=str(tmp_path / "gelu.pt2"), classes=("a", "b"), channels=3, height=16, width=16)
    cold, warm = (torch_model.TorchModel(params, run=ToyRun()) for _ in range(2))
    colour = torch.rand(2, 3, 16, 16)
    targets, told = ask(cold, colour), []
    for classifier in (cold, warm):
        with pytest.raises(UserError) as caught:
            explain(classifier, colour, targets)
        told.append((caught.value.message, caught.value.fix))
    assert told[0] == told[1]
    assert told[0][0] == "guided backpropagation is defined for ReLU networks, and the classifier uses gelu"
