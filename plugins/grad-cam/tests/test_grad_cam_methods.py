"""Every method against the package called by hand, on all layouts, and what it leaves behind."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from sidelight_grad_cam import METHODS, cam, sidelight_explainers
from sidelight_specs import UserError
from sidelight_specs.errors import Cancelled
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_specs.testing.snapshots import changed, module_state
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch import nn

package = import_with_torchvision("pytorch_grad_cam")
SIZE = (32, 24)  # neither the images nor their patches are square


class ModuleClassifier(Classifier):
    class_names = tuple("abcde")
    input_shape = (3, *SIZE)
    module = task = None

    def __init__(self, module, task="multiclass"):
        self.module, self.task = module, task

    def scores(self, images):
        return self.module(images)


class Convolutional(nn.Module):
    """A normalisation followed by a ReLU in place."""

    def __init__(self, outputs=5):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 8, 3, stride=4, padding=1), nn.BatchNorm2d(8)
        self.hidden, self.head = nn.Linear(8, 16), nn.Linear(16, outputs)

    relu = staticmethod(torch.relu_)

    def forward(self, images):
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.relu(self.bn2(self.conv2(maps)))
        return self.head(torch.tanh(self.hidden(maps.mean((2, 3)))))


def vit():
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(SIZE, 4, embed_dim=24, depth=2, num_heads=2, num_classes=5)


def swin():
    from timm.models.swin_transformer import SwinTransformer

    return SwinTransformer(
        SIZE, 2, embed_dim=12, depths=(1, 2), num_heads=(1, 2), window_size=(4, 3), strict_img_size=False, num_classes=5
    )


def vit_maps(tokens):
    return tokens[:, 1:].unflatten(1, (8, 6)).permute(0, 3, 1, 2)


NETWORKS = {  # network, layer, the reshape_transform that its users write
    "convolutional": (Convolutional, "bn2", None),
    "vit": (vit, "blocks.1.norm1", vit_maps),
    "swin": (swin, "layers.1.blocks.1.norm1", lambda maps: maps.permute(0, 3, 1, 2)),
}


def random_network(make):
    """Weights from one seed, large enough that the maps differ from place to place."""
    network, generator = make(), torch.Generator().manual_seed(5)
    for name, part in network.named_parameters():
        scale = 1.5 / max(part[0].numel(), 1) ** 0.5 if part.dim() > 1 else 0.5
        part.data = scale * torch.randn(part.shape, generator=generator) + (part.dim() == 1 and "weight" in name)
    return network.eval().requires_grad_(False)


@pytest.fixture
def images():
    return torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def question(classifier, images):
    with torch.no_grad():
        order = classifier.class_logits(images).argsort(1, descending=True).numpy()
    return Targets(predicted=order[:, 0].copy(), probe=order[:, min(1, order.shape[1] - 1)].copy())


def explain(name, classifier, images, run=None, **options):
    (descriptor,) = [each for each in sidelight_explainers() if each.name == name]
    factory = getattr(cam, descriptor.factory.split(":")[1])
    explainer = factory(descriptor.params(**options), classifier=classifier, run=run or ToyRun())
    return explainer.explain(images, question(classifier, images))


def by_hand(name, network, layer, transform, images):
    """The package as its documentation uses it, on a network whose parameters require gradients."""
    network = copy.deepcopy(network).requires_grad_(True)
    if name == "full-grad":
        return package.FullGrad(network, [])(images, None)
    options = {"ablation_layer": package.AblationLayerVit()} if name == "ablation-cam" and transform else {}
    with torch.random.fork_rng():
        np.random.seed(0)
        method = getattr(package, METHODS[name][0])
        return method(network, [network.get_submodule(layer)], transform, **options)(images, None)


@pytest.mark.parametrize("shape", NETWORKS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_the_package_called_by_hand(name, shape, images):
    make, layer, transform = NETWORKS[shape]
    network = random_network(make)
    if shape == "convolutional":  # by hand the package would see the maps after the ReLU in place
        layer = "conv2"
    options = {} if name == "full-grad" else {"layer": layer}
    result = explain(name, ModuleClassifier(network), images, batch=2, **options)
    assert result.resolution == (None if name == "full-grad" else (8, 6))
    assert result.values.std((1, 2)).max() > 0.01
    if name == "shapley-cam" and shape != "convolutional":
        with pytest.raises((ValueError, RuntimeError)):  # the package forgets to reshape the maps
            by_hand(name, network, layer, transform, images)
        return
    if name == "ablation-cam" and shape == "vit":
        return  # by hand the class token is ablated too
    expected = by_hand(name, network, layer, transform, images)
    assert np.abs(result.values - expected).max() <= (1e-3 if name == "kpca-cam" else 1e-5)


def test_the_layer_is_the_one_that_captum_takes(images):
    """Without a name: the normalisation before a ViT's last attention, the last maps of the others."""
    for shape, (make, layer, _) in NETWORKS.items():
        classifier = ModuleClassifier(random_network(make))
        default = explain("grad-cam", classifier, images)
        assert default.resolution == (8, 6)
        if shape == "vit":
            assert np.array_equal(default.values, explain("grad-cam", classifier, images, layer=layer).values)


def test_a_layer_before_a_relu_in_place_is_read_before_it(images):
    """The package by hand reads what the ReLU made of it."""
    network = random_network(Convolutional)
    result = explain("grad-cam", ModuleClassifier(network), images, layer="bn2").values
    plain = copy.deepcopy(network)
    plain.relu = torch.relu
    assert np.abs(result - by_hand("grad-cam", plain, "bn2", None, images)).max() <= 1e-5
    assert np.abs(result - by_hand("grad-cam", network, "bn2", None, images)).max() > 0.01


@pytest.mark.parametrize("target", ["probe", "contrast"])
def test_the_side_that_is_asked_about(target, images):
    """Grad-CAM of one logit, or of the difference of two, by the plain formula."""
    network = random_network(vit)
    classifier = ModuleClassifier(network)
    targets = question(classifier, images)
    kept = []
    handle = network.blocks[1].norm1.register_forward_hook(
        lambda *args: kept.append(args[2].requires_grad_()) or args[2].clone()
    )
    logits = network(images)
    handle.remove()
    rows = torch.arange(3)
    score = logits[rows, torch.from_numpy(targets.probe)]
    if target == "contrast":
        score = logits[rows, torch.from_numpy(targets.predicted)] - score
    slope = vit_maps(torch.autograd.grad(score.sum(), kept[0])[0])
    coarse = (slope.mean((2, 3), keepdim=True) * vit_maps(kept[0])).sum(1, keepdim=True).clamp(min=0).detach()
    expected = nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")[:, 0].numpy()
    result = explain("grad-cam", classifier, images, target=target)
    assert result.answers == target
    expected -= expected.min((1, 2), keepdims=True)
    assert expected.any()
    assert np.abs(result.values - expected / (expected.max((1, 2), keepdims=True) + 1e-12)).max() <= 1e-4
    finer = explain("finer-cam", classifier, images, target=target)
    if target == "contrast":  # of two classes it is Grad-CAM of the difference
        assert np.allclose(finer.values, result.values)


@pytest.mark.parametrize("shape", NETWORKS)
@pytest.mark.parametrize("name", METHODS)
def test_nothing_stays_behind_when_it_is_cancelled(name, shape, images, capfd):
    """In the middle of the package's own loops, where it has put another layer into the model."""
    network = random_network(NETWORKS[shape][0])
    classifier, before = ModuleClassifier(network), module_state(network)
    with pytest.raises(Cancelled):
        explain(name, classifier, images, ToyRun(cancel_after=1), batch=2)
    assert not changed(before, module_state(network))
    explain(name, classifier, images, batch=2)
    assert not changed(before, module_state(network))
    assert "tqdm" in sys.modules["pytorch_grad_cam.score_cam"].tqdm.__name__
    assert capfd.readouterr() == ("", "")


def test_hooks_go_when_the_constructor_fails(images):
    """FullGrad hooks the classifier's own layers before it asks for statistics that are not there."""
    network = random_network(Convolutional)
    network.bn1.running_mean = network.bn1.running_var = None
    before = module_state(network)
    with pytest.raises(TypeError):
        explain("full-grad", ModuleClassifier(network), images)
    assert not changed(before, module_state(network))


def test_a_map_without_numbers_is_refused_by_name(images):
    """Ablation-CAM divides by the score."""
    network = random_network(Convolutional)
    network.head.weight.data.zero_()
    network.head.bias.data.zero_()
    with pytest.raises(UserError, match="AblationCAM gives no numbers for 3 of 3 images"):
        explain("ablation-cam", ModuleClassifier(network), images, layer="bn2")


def test_full_grad_needs_convolutions(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 24, 5)).eval().requires_grad_(False)
    with pytest.raises(UserError, match="no Conv2d with a bias"):
        explain("full-grad", ModuleClassifier(network), images)


@pytest.mark.parametrize(("name", "passes"), [("grad-cam", 3), ("score-cam", 9), ("eigen-cam", 1), ("finer-cam", 3)])
def test_the_passes_are_counted(name, passes, images):
    result = explain(name, ModuleClassifier(random_network(Convolutional)), images, layer="bn2", batch=2)
    assert result.passes.tolist() == [passes] * 3  # one and the eight channels of bn2


def test_memory_follows_the_batch(images):
    network, seen = random_network(Convolutional), []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    classifier = ModuleClassifier(network)
    for name in ("grad-cam", "score-cam", "ablation-cam"):
        explain(name, classifier, images[:2], batch=2)
    assert max(seen) == 2


def test_a_regression_has_no_contrast(images):
    network = random_network(lambda: Convolutional(1))
    with pytest.raises(UserError, match="regression"):
        explain("grad-cam", ModuleClassifier(network, "regression"), images, target="contrast")


def test_a_package_that_cannot_be_imported_is_named_with_the_cure(images, monkeypatch):
    classifier = ModuleClassifier(random_network(Convolutional))
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(UserError, match="pytorch_grad_cam cannot be imported") as caught:
        explain("grad-cam", classifier, images)
    assert "torchvision" in caught.value.fix


@pytest.mark.processes
def test_importing_the_package_leaves_the_interpreter_as_it_was():
    """cv2 puts another list in the place of sys.path; scikit-learn draws from Python's random stream."""
    code = """if True:
    import random, sys, torch
    from sidelight_grad_cam import CamParams, cam
    from sidelight_specs.testing import ToyRun
    from sidelight_specs.surroundings import Surroundings
    from sidelight_toolkit.seeding import seeded
    with seeded(ToyRun(), "first"):
        pass
    before, state, path, entries = Surroundings(), random.getstate(), sys.path, list(sys.path)
    model = torch.nn.Module()
    model.maps = torch.nn.Identity()
    model.one = torch.nn.Parameter(torch.ones(()))
    with seeded(ToyRun(), "cam"), cam.package_method("GradCAM", model, ToyRun()):
        pass
    assert "cv2" in sys.modules and not before.mend()
    assert sys.path is path and path == entries and random.getstate() == state
    """
    subprocess.run([sys.executable, "-c", code], check=True)
