"""The linear probe: its optimum, what it learns, and that the network behind it stays as it was."""

import numpy as np
import pytest
import torch
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_classifiers.params import EfficientNetLiteParams, LinearProbeParams
from sidelight_classifiers.trained.linear_probe import LinearProbe, logistic_regression
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyRun
from torch.nn import functional


def stripes(count, seed=0, channels=3):
    """Noise with stripes, horizontal in class 0 and vertical in class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.uniform(0, 0.4, (count, channels, 32, 32)).astype(np.float32)
    wave = (0.5 * (np.arange(32) // 4 % 2)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image += wave[:, None] if label == 0 else wave
    return Split(images=images, labels=labels, class_names=("rows", "columns"), ids=tuple(map(str, range(count))))


class Stripes(Data):
    splits = ("train", "validation", "test")

    def __init__(self, channels=3):
        self.channels = channels

    def split(self, name):
        return stripes(16 if name == "train" else 8, self.splits.index(name), self.channels)


@pytest.fixture(scope="module")
def trained():
    run = ToyRun()
    probe = LinearProbe(LinearProbeParams(), run=run)
    probe.fit(Stripes())
    return probe, run


def test_the_optimum_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    weight, bias = logistic_regression(torch.from_numpy(features), torch.from_numpy(labels), 3, 0.05)
    reference = LogisticRegression(C=1 / (0.05 * 60), tol=1e-10, max_iter=10_000).fit(features, labels)
    np.testing.assert_allclose(weight, reference.coef_, atol=1e-4)
    np.testing.assert_allclose(bias - bias.mean(), reference.intercept_ - reference.intercept_.mean(), atol=1e-4)


def test_the_gradient_vanishes_at_the_optimum():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(40, 5, generator=generator), torch.arange(40) % 2
    weight, bias = (one.double().requires_grad_() for one in logistic_regression(features, labels, 2, 0.01))
    loss = functional.cross_entropy(features.double() @ weight.T + bias, labels) + 0.005 * weight.square().sum()
    loss.backward()
    assert max(weight.grad.abs().max(), bias.grad.abs().max()) < 1e-5


def test_it_learns_and_says_how_well(trained):
    probe, run = trained
    assert probe.class_names == ("rows", "columns")
    assert probe.input_shape == (3, 32, 32)
    assert set(run.emitted) == {"accuracy", "accuracy on validation"}
    assert run.emitted["accuracy"].items[0].value == 1


def test_the_logits_are_linear_in_the_frozen_networks_features(trained):
    probe, _ = trained
    images = torch.from_numpy(stripes(3, 9).images)
    original = EfficientNetLite(EfficientNetLiteParams(), run=ToyRun()).module
    with torch.no_grad():
        x = original.pool(original.head(original.blocks(original.stem(_prepared(images))))).flatten(1)
        head = probe.module.classifier
        torch.testing.assert_close(probe.scores(images), functional.linear(x, head.weight, head.bias))


def _prepared(images):
    from sidelight_toolkit.images import resize

    return (resize(images, (224, 224)) * 255 - 127) / 128


def test_only_the_last_layer_is_stored_and_it_comes_back(trained):
    probe, _ = trained
    state = probe.state()
    assert {name: array.shape for name, array in state.arrays.items()} == {"weight": (2, 1280), "bias": (2,)}
    again = LinearProbe(LinearProbeParams(), run=ToyRun())
    again.load_state(state)
    images = torch.from_numpy(stripes(2, 5).images).requires_grad_()
    torch.testing.assert_close(again.scores(images), probe.scores(images), rtol=0, atol=0)
    again.scores(images)[:, 0].sum().backward()
    assert images.grad.abs().max() > 0
    assert again.class_names == probe.class_names


def test_grey_images_count_as_three_equal_channels(trained):
    probe, _ = trained
    grey = torch.from_numpy(stripes(2, 4, 1).images)
    with torch.no_grad():
        torch.testing.assert_close(probe.module(grey), probe.scores(grey.expand(-1, 3, -1, -1)))


def test_mistakes_are_named():
    with pytest.raises(NotFittedError):
        _ = LinearProbe(LinearProbeParams(), run=ToyRun()).class_names
    with pytest.raises(UserError, match="one class"):
        logistic_regression(torch.rand(4, 3), torch.zeros(4, dtype=torch.int64), 2, 0.1)
