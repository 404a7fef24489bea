"""Within-class distance, precision, recall, density and coverage against closed forms and direct definitions."""

import math

import numpy as np
import pytest
import torch
from sidelight_metrics import sidelight_metrics
from sidelight_metrics.fidelity_diversity import FidelityDiversity, mean_distance
from sidelight_metrics.params import FidelityDiversityParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.facts import DataFacts, Given
from sidelight_specs.results import Heatmap, Inversion, Split
from sidelight_specs.roles import Classifier, Data, Generator
from sidelight_specs.testing import ToyRun


class Brightness(Classifier):
    """Class 0 where the first pixel is under a half, sure of it."""

    task = "multiclass"
    class_names = ("dark", "bright")
    input_shape = (1, 2, 2)

    def scores(self, images):
        first = images[:, 0, 0, 0] - 0.5
        return torch.stack([-first, first], 1) * 100


class Fixed(Data):
    """A split with these images."""

    splits = ("test",)

    def __init__(self, images):
        self._images = images

    def split(self, name):
        return Split(images=self._images.numpy())


class Replay(Generator):
    """The images themselves, in order."""

    latent_shape = (4,)

    def __init__(self, images):
        self._images = images

    @property
    def image_shape(self):
        return tuple(self._images.shape[1:])

    def sample(self, n, rng):
        return self._images[:n].flatten(1)

    def synthesize(self, latents):
        return latents.reshape(len(latents), *self.image_shape)


def images(count=40, seed=0, spread=0.2):
    """Two classes, (count, 1, 2, 2): the first pixel says which."""
    random = torch.Generator().manual_seed(seed)
    values = 0.5 + spread * (torch.rand(count, 1, 2, 2, generator=random) - 0.5)
    values[:, 0, 0, 0] = (torch.arange(count) % 2).float()
    return values


def measured(real, samples, **options):
    run = ToyRun()
    params = FidelityDiversityParams(**{"features": "pixels", "nearest": 2, **options})
    metric = FidelityDiversity(params, classifier=Brightness(), generator=Replay(samples), data=Fixed(real), run=run)
    inversion = Inversion(
        latents=np.zeros((1, 4), np.float32), reconstructions=np.zeros((1, 1, 2, 2), np.float32), error=np.zeros(1)
    )
    result = metric.measure(inversion, torch.zeros(1, 1, 2, 2), None)
    result.validate()
    run.emitted["classes"].validate()
    return {item.name: item for item in result.items}, {item.name: item for item in run.emitted["classes"].items}


def test_the_data_themselves():
    items, classes = measured(images(), images())
    for name in ("within-class distance", "precision", "recall", "coverage"):
        assert items[name].value == pytest.approx(1, abs=1e-6), name
    # each image lies in its own ball, and in those of the images whose second neighbour it is at most
    assert items["density"].value == pytest.approx(3 / 2)
    assert items["sure"].value == 1
    assert classes["samples of dark"].value == classes["distance within dark"].value / 2 == pytest.approx(0.5)


def test_copies_of_one_image_of_each_class():
    real = images()
    items, _ = measured(real, real[:2].repeat(20, 1, 1, 1))
    assert items["within-class distance"].value == 0
    assert items["within-class distance"].limits == (0, 0)
    assert items["precision"].value == 1
    assert items["recall"].value == pytest.approx(2 / 40)  # the copied images alone: the copies' balls are points
    assert items["coverage"].value < 0.3


def test_samples_nearer_together_by_a_half():
    real = images()
    middle = real.clone()
    middle[:, :, :, 1] = middle[:, :, 1] = 0.5
    items, classes = measured(real, middle + (real - middle) / 2)
    assert items["within-class distance"].value == pytest.approx(0.5, abs=1e-5)
    assert classes["distance within bright"].value == pytest.approx(0.5, abs=1e-5)


def test_samples_far_from_all_images():
    items, _ = measured(images(), images() + 5)
    assert items["precision"].value == items["recall"].value == items["density"].value == items["coverage"].value == 0


def test_a_class_that_no_sample_has_counts_as_no_distance():
    real = images()
    bright = real[real[:, 0, 0, 0] > 0.5].repeat(2, 1, 1, 1)
    items, classes = measured(real, bright)
    assert classes["distance within dark"].value == 0
    assert classes["samples of dark"].value == 0
    expected = classes["distance within bright"].value / 2
    assert items["within-class distance"].value == pytest.approx(expected)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_neighbours_are_those_of_the_definition(batch):
    """Each equation written out, one pair of points at a time; the batch makes no difference."""
    real, samples, k = images(30, seed=1), images(30, seed=2, spread=0.3), 3
    items, _ = measured(real, samples, nearest=k, batch=batch)
    x, g = (part.flatten(1).double().numpy() for part in (real, samples))

    def radius(points, index):
        return sorted(np.linalg.norm(points - points[index], axis=1))[k]

    in_ball = np.array([[np.linalg.norm(x[i] - g[j]) <= radius(x, i) for i in range(30)] for j in range(30)])
    in_sample = np.array([[np.linalg.norm(x[i] - g[j]) <= radius(g, j) for j in range(30)] for i in range(30)])
    expected = {
        "precision": in_ball.any(1).mean(),
        "recall": in_sample.any(1).mean(),
        "density": in_ball.sum() / (k * 30),
        "coverage": in_ball.any(0).mean(),
    }
    for name, value in expected.items():
        assert items[name].value == pytest.approx(value, abs=1e-6), name
        low, high = items[name].limits
        assert low <= items[name].value <= high


def test_the_mean_distance_of_a_triangle():
    value, variance = mean_distance(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))
    assert value == pytest.approx(4)
    # leaving out one point leaves the opposite side: 5, 4, 3
    assert variance == pytest.approx(2 / 3 * 2)
    assert math.isnan(mean_distance(torch.zeros(2, 2))[0])


def test_the_jackknife_agrees_with_the_spread_over_many_sets():
    """E|x - y| = 2 sigma / sqrt(pi) for normal numbers; the interval holds it in about 95 % of the sets."""
    random = torch.Generator().manual_seed(0)
    results = [mean_distance(torch.randn(50, 1, generator=random)) for _ in range(400)]
    means, variances = np.array(results).T
    assert means.mean() == pytest.approx(2 / math.sqrt(math.pi), abs=0.02)
    assert variances.mean() == pytest.approx(means.var(ddof=1), rel=0.2)
    inside = np.abs(means - 2 / math.sqrt(math.pi)) < 1.96 * np.sqrt(variances)
    assert 0.9 < inside.mean() < 0.98


def test_another_space_is_that_of_the_network(monkeypatch):
    """Features that drop all but the first pixel: all images of a class are the same there."""
    monkeypatch.setattr("sidelight_metrics.fidelity_diversity._pooled_lite0", lambda _: lambda x: x[:, :, 0, 0])
    monkeypatch.setattr("sidelight_metrics.fidelity_diversity.resize", lambda x, _: x)
    items, _ = measured(images(), images(seed=3), features="efficientnet-lite")
    assert items["precision"].value == items["coverage"].value == 1
    assert math.isnan(items["within-class distance, features"].value)  # the data's distance is 0 there
    assert items["within-class distance"].value == pytest.approx(1, abs=0.2)


def test_too_few_images_and_other_shapes_are_refused():
    with pytest.raises(UserError, match="gives 3 images"):
        measured(images(3), images(3))
    with pytest.raises(UserError, match=r"makes \(1, 3, 3\)"):
        measured(images(), torch.zeros(40, 1, 3, 3))


@pytest.mark.parametrize(
    ("splits", "options", "expected"),
    [
        ({"test": 4}, {}, ['split "test" gives 4 images, 5 nearest neighbours take more']),
        ({"test": 900}, {"count": 6}, ['split "test" gives 6 images, 5 nearest neighbours take more']),
        ({"train": 900}, {}, ['the data has no split "test"']),
        ({"test": 7}, {}, []),
        (None, {}, []),
    ],
)
def test_a_check_tells_of_too_few_images(splits, options, expected):
    (descriptor,) = (one for one in sidelight_metrics() if one.name == "fidelity-diversity")
    given = Given(needs={"data": DataFacts(splits=splits)})
    mistakes = descriptor.misfits(FidelityDiversityParams(**options), given)
    assert [mistake.message for mistake in mistakes] == expected


def test_other_kinds_are_refused():
    metric = FidelityDiversity(FidelityDiversityParams(), classifier=None, generator=None, data=None, run=ToyRun())
    with pytest.raises(SidelightError, match="heatmap"):
        metric.measure(Heatmap(values=np.zeros((1, 1, 1), np.float32)), torch.zeros(1, 1, 1, 1), None)
