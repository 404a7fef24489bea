"""Prediction difference analysis against the method written out, and its samplers against closed forms."""

import numpy as np
import pytest
import torch
from sidelight_cdeepex.baselines.prediction_difference import Conditional, Marginal, PredictionDifference, window_starts
from sidelight_cdeepex.params import PdaParams
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun, toy_targets


class Images(Data):
    """Given images as a training split."""

    def __init__(self, images, name="train"):
        self._images, self._name = images, name

    @property
    def splits(self):
        return (self._name,)

    def split(self, name):
        return Split(images=self._images)


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images():
    return torch.from_numpy(ToyData().split("test").images[:3].copy())


@pytest.mark.parametrize(
    ("task", "target", "sampling", "grid"),
    [
        ("multiclass", "predicted", "conditional", (6, 4)),
        ("multiclass", "contrast", "marginal", (8, 8)),
        ("multiclass", "probe", "marginal", (7, 5)),
        ("binary", "contrast", "conditional", (8, 6)),
    ],
)
@pytest.mark.training
def test_weight_of_evidence_written_out(images, task, target, sampling, grid):
    classifier, data, run, (window, stride) = ToyClassifier(task=task), ToyData(task=task), ToyRun(), grid
    targets = toy_targets(classifier, images)
    params = PdaParams(
        target=target, window=window, stride=stride, sampling=sampling, border=2, samples=3, patches=300, batch=7
    )
    result = PredictionDifference(params, classifier=classifier, data=data, run=run).explain(images, targets)
    train = torch.from_numpy(data.split("train").images)
    more = {"border": 2, "patches": 300} if sampling == "conditional" else {}
    sampler = {"conditional": Conditional, "marginal": Marginal}[sampling](train, window, 3, run, **more)
    assert result.answers == target
    for row, image in enumerate(images):
        sides = [int(targets.predicted[row]), int(targets.probe[row])]
        expected = by_hand(classifier, image, sides, target, sampler, stride)
        assert np.abs(expected).max() > 0.01
        assert np.abs(result.values[row] - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def by_hand(classifier, image, sides, target, sampler, stride):
    window, count = sampler.window, len(sampler.train)
    before = odds(classifier, image[None], count)
    total, times = np.zeros((32, 32)), np.zeros((32, 32))
    for top in starts(32, window, stride):
        for left in starts(32, window, stride):
            copies = image.repeat(sampler.samples, 1, 1, 1)
            copies[:, :, top : top + window, left : left + window] = sampler.draw(image[None], top, left)[0]
            change = (before - odds(classifier, copies, count))[sides]
            amount = {"predicted": change[0], "probe": change[1], "contrast": change[0] - change[1]}[target]
            total[top : top + window, left : left + window] += amount
            times[top : top + window, left : left + window] += 1
    return total / times


def odds(classifier, copies, count):
    with torch.no_grad():
        logits = classifier.class_logits(copies).double().numpy()
    powers = np.exp(logits - logits.max(1, keepdims=True))
    p = (powers / powers.sum(1, keepdims=True)).mean(0)
    p = (p * count + 1) / (count + len(p))
    return np.log2(p / (1 - p))


def starts(side, window, stride):
    result = [0]
    while result[-1] + stride + window < side:
        result.append(result[-1] + stride)
    return [*result, side - window]


@pytest.mark.parametrize(("side", "window", "stride"), [(32, 4, 2), (32, 5, 3), (7, 7, 2), (10, 3, 3), (9, 2, 1)])
def test_windows_cover_the_image_and_end_with_it(side, window, stride):
    result = window_starts(side, window, stride)
    assert result == sorted(set(result))
    assert result[-1] == side - window
    covered = {pixel for start in result for pixel in range(start, start + window)}
    assert covered == set(range(side))


def test_the_gaussian_is_conditioned_rightly():
    """Regression and remaining covariance by way of the precision matrix."""
    train = noise(40, 2, 12, 12) * 0.5 + noise(40, 2, 12, 1, seed=1) * 0.5
    sampler = Conditional(train, 3, 5, ToyRun(), border=2, patches=400)
    _, covariance = sampler.moments
    for y, x in [(2, 2), (0, 4), (4, 1)]:
        inner = np.zeros((7, 7), dtype=bool)
        inner[y : y + 3, x : x + 3] = True
        inner = inner.ravel()
        regression, spread = sampler.conditional(y, x)
        for channel in range(2):
            precision = np.linalg.inv(covariance[channel].numpy())
            left = np.linalg.inv(precision[np.ix_(inner, inner)])
            assert np.allclose(regression[channel], -left @ precision[np.ix_(inner, ~inner)], atol=1e-9)
            assert np.allclose(spread[channel] @ spread[channel].T, left, atol=1e-9)


def test_the_moments_are_those_of_the_patches():
    """With as many patches as there are places nothing but chance is left; images as large as a patch leave none."""
    train = noise(30, 1, 6, 6)
    sampler = Conditional(train, 2, 4, ToyRun(), border=2, patches=60_000)
    mean, covariance = sampler.moments
    flat = train.flatten(1).double().numpy()
    expected = np.cov(flat.T, bias=True)
    assert np.abs(mean[0].numpy() - flat.mean(0)).max() < 0.01
    off = covariance[0].numpy() - expected
    assert np.abs(off).max() < 0.005


def test_windows_are_filled_with_what_surrounds_them():
    """Training images are of one grey each: so is what stands in a window, whatever the grey of the image."""
    train = noise(200, 1, 1, 1).expand(200, 1, 16, 16)
    sampler = Conditional(train, 4, 50, ToyRun(), border=2, patches=2000)
    images = torch.tensor([0.2, 0.7])[:, None, None, None].expand(2, 1, 16, 16)
    for place in [(6, 6), (0, 0), (12, 3), (5, 12)]:
        drawn = sampler.draw(images, *place)
        assert drawn.shape == (2, 50, 1, 4, 4)
        assert torch.allclose(drawn.mean((1, 2, 3, 4)), torch.tensor([0.2, 0.7]), atol=0.02)


def test_draws_spread_as_the_gaussian_says():
    """Independent pixels: the window does not depend on its border, and varies as the data does."""
    train = 0.5 + 0.1 * torch.randn(300, 1, 10, 10, generator=torch.Generator().manual_seed(4))
    sampler = Conditional(train, 2, 4000, ToyRun(), border=2, patches=20_000)
    drawn = sampler.draw(noise(1, 1, 10, 10) * 0.2 + 0.4, 4, 4).flatten(2)[0]
    assert (drawn.mean(0) - 0.5).abs().max() < 0.02
    assert (drawn.std(0) - 0.1).abs().max() < 0.01
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1


def test_a_window_as_large_as_the_image_has_no_surroundings():
    train = noise(50, 1, 4, 4)
    drawn = Conditional(train, 4, 3, ToyRun(), border=2, patches=100).draw(train[:2], 0, 0)
    assert drawn.shape == (2, 3, 1, 4, 4)
    assert torch.equal(drawn[0], drawn[1])


def test_marginal_samples_are_training_pixels_of_the_same_place():
    train = noise(20, 3, 8, 8)
    drawn = Marginal(train, 3, 6, ToyRun()).draw(noise(2, 3, 8, 8, seed=9), 4, 1)
    assert drawn.shape == (2, 6, 3, 3, 3)
    windows = train[:, :, 4:7, 1:4]
    assert all(any(torch.equal(sample, window) for window in windows) for sample in drawn[0])
    assert torch.equal(drawn[0], drawn[1])


def test_an_images_samples_do_not_depend_on_its_neighbours():
    train, images = noise(20, 1, 8, 8), noise(3, 1, 8, 8, seed=2)
    sampler = Conditional(train, 2, 4, ToyRun(), border=1, patches=200)
    together, alone = sampler.draw(images, 3, 3), sampler.draw(images[1:2], 3, 3)
    assert torch.allclose(together[1], alone[0], atol=1e-6)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("sampling", ["conditional", "marginal"])
def test_memory_follows_the_batch_and_passes_are_counted(images, sampling):
    classifier, seen = ToyClassifier(), []
    targets = toy_targets(classifier, images)
    handle = classifier.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    params = PdaParams(window=8, stride=8, samples=5, batch=4, sampling=sampling, patches=50)
    result = PredictionDifference(params, classifier=classifier, data=ToyData(), run=ToyRun()).explain(images, targets)
    handle.remove()
    assert max(seen) == 4
    assert result.passes.sum() == sum(seen)


def test_windows_and_steps_must_fit(images):
    classifier = ToyClassifier()
    for params, name in [(PdaParams(window=33), "window"), (PdaParams(window=2, stride=3), "stride")]:
        with pytest.raises(UserError, match=f"{name}: "):
            PredictionDifference(params, classifier=classifier, data=ToyData(), run=ToyRun()).explain(
                images, toy_targets(classifier, images)
            )


def test_the_training_images_must_be_there_and_fit(images):
    classifier = ToyClassifier()
    for data, why in [
        (Images(np.zeros((4, 1, 16, 16), dtype=np.float32)), r"shape \(1, 16, 16\)"),
        (Images(np.zeros((4, 1, 32, 32), dtype=np.float32), "test"), "no split train"),
    ]:
        with pytest.raises(UserError, match=why):
            PredictionDifference(PdaParams(), classifier=classifier, data=data, run=ToyRun()).explain(
                images, toy_targets(classifier, images)
            )
