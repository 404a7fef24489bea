"""The layer that Grad-CAM finds, or refuses."""

import pytest
import torch
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.params import GradCamParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyClassifier, ToyRun
from sidelight_toolkit.feature_layer import LayerFinder
from torch import nn


def find_layer(classifier, name, images):
    return LayerFinder(classifier, GradCamParams(layer=name))(images)


def layer_name(classifier, image, name=None):
    return find_layer(classifier, name, image).name


def test_the_user_s_name_of_a_layer_inside_a_wrapper(network, classify, images):
    """What resizes and normalises stands around the network; a name that fits two layers is refused."""
    wrapped = nn.Sequential(nn.Identity(), nn.Sequential(network(), nn.Identity()))
    module = nn.Module()
    module.model, module.forward = wrapped, wrapped.forward
    assert layer_name(classify(module.eval()), images[:1], "0.4") == "model.1.0.4"
    with pytest.raises(UserError, match='no layer "0"'):
        layer_name(classify(module), images[:1], "0")


def test_activation_and_normalisation_go_with_the_convolution(network, classify, images):
    module = network()
    assert layer_name(classify(module), images[:1]) == "5"
    module.insert(5, nn.BatchNorm2d(8))
    assert layer_name(classify(module.eval()), images[:1]) == "6"


def test_a_network_that_is_blind_to_fine_noise(classify, images):
    """Its filters average 8x8 pixels, and its ReLU passes averages above .6 alone, which fine noise never reaches."""
    channels = images.shape[1]
    blur = nn.Conv2d(channels, 1, 8, padding=4, padding_mode="replicate")
    with torch.no_grad():
        blur.weight.fill_(1 / (64 * channels))
        blur.bias.fill_(-0.6)
    module = nn.Sequential(blur, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3)).eval()
    assert not module[:2](torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0))[None]).any()
    assert layer_name(classify(module), images[:1]) == "1"


def test_a_convolution_may_have_children(network, classify, images):
    """EfficientNet's convolutions pad by a module of their own."""

    class Padded(nn.Conv2d):
        def __init__(self):
            super().__init__(6, 8, 3)
            self.pad = nn.ZeroPad2d(1)

        def forward(self, maps):
            return super().forward(self.pad(maps))

    module = network()
    module[4] = Padded()
    assert layer_name(classify(module), images[:1]) == "5"


def test_a_block_goes_with_its_last_convolution(classify, images):
    """As in a ResNet, whose last feature map is the rectified sum, not its last convolution's output."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, maps):
            return torch.relu(self.conv(maps) + maps)

    module = nn.Sequential(Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4))
    assert layer_name(classify(module), images[:1]) == "0"


def test_convolutions_as_operators_whose_output_passes_through_a_module(classify, images):
    """As a torch.export program computes them."""

    class Program(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.tap, self.fc = nn.Parameter(torch.rand(3, 2, 3, 3)), nn.Identity(), nn.Linear(3, 4)

        def forward(self, x):
            return self.fc(self.tap(torch.ops.aten.conv2d.default(x, self.weight)).mean((2, 3)))

    assert layer_name(classify(Program()), images[:1]) == "tap"


def test_the_toy_network():
    classifier = ToyClassifier()
    assert layer_name(classifier, torch.rand(1, 1, 32, 32)) == "relu2"


def test_a_convolution_on_one_pixel_is_no_feature_map(network, classify, images):
    module = network()
    head = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Flatten(), nn.Linear(8, 4))
    assert layer_name(classify(nn.Sequential(*module[:6], *head)), images[:1]) == "5"


def test_a_module_that_runs_again_later_is_not_moved_to(classify, images):
    """The ReLU after the convolution also serves the head; its latest output would be the head's."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu, self.fc, self.out = nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Linear(3, 5), nn.Linear(5, 4)

        def forward(self, x):
            return self.out(self.relu(self.fc(self.relu(self.conv(x)).mean((2, 3)))))

    assert layer_name(classify(Shared()), images[:1]) == "conv"


def test_a_residual_block_ends_at_its_last_reused_relu(residual, classify, images):
    assert layer_name(classify(residual), images[:1]) == "relu"


def test_the_latest_output_of_a_reused_in_place_relu(residual, classify, images, ask):
    """conv2's block: the map is the rectified sum, as computed by hand."""
    classifier = classify(residual)
    targets = ask(classifier, images)
    heatmap = GradCam(GradCamParams(relu=False), classifier=classifier, run=ToyRun()).explain(images, targets)
    stem = residual.stem(images).relu()
    maps = (residual.conv2(residual.bn1(residual.conv1(stem)).relu()) + stem).relu().requires_grad_()
    logits = residual.fc(maps.mean((2, 3)))
    total = logits.gather(1, torch.from_numpy(targets.predicted)[:, None]).sum()
    gradient = torch.autograd.grad(total, maps)[0]
    coarse = (gradient.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).detach()
    expected = nn.functional.interpolate(coarse, size=(24, 20), mode="bilinear", align_corners=False)[:, 0]
    assert heatmap.resolution == (12, 10)
    scale = float(expected.abs().max())
    assert scale > 1e-4
    assert torch.allclose(torch.from_numpy(heatmap.values), expected, rtol=0, atol=1e-5 * scale)


def test_unknown_names_get_suggestions(residual, classify, images):
    with pytest.raises(UserError, match='"conv_2"') as caught:
        find_layer(classify(residual), "conv_2", images[:1])
    assert "conv2" in caught.value.fix


def test_a_layer_without_feature_maps_is_refused(network, classify, images, ask):
    classifier = classify(network())
    explainer = GradCam(GradCamParams(layer="10"), classifier=classifier, run=ToyRun())
    with pytest.raises(UserError, match=r"gives \(1, 4\)"):
        explainer.explain(images, ask(classifier, images))


def test_a_network_without_convolutions_is_refused(classify, images):
    classifier = classify(nn.Sequential(nn.Flatten(), nn.Linear(2 * 24 * 20, 4)))
    with pytest.raises(UserError, match="no layer with more than one place"):
        find_layer(classifier, None, images[:1])


def test_tracing_leaves_no_hook_even_after_an_error(network, classify, images):
    classifier = classify(network())
    with pytest.raises(RuntimeError):
        find_layer(classifier, None, images[:1, :1])
    assert not any(module._forward_hooks for module in classifier.module.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", [None, "4"])
def test_torchscript_is_refused_with_advice(name, network, classify, images):
    classifier = classify(network())
    classifier._module = torch.jit.script(classifier.module)
    with pytest.raises(UserError) as caught:
        find_layer(classifier, name, images[:1])
    assert "export the model as .pt2" in caught.value.fix
