"""Insertion and deletion against a naive second implementation, closed forms, and properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import trapezoid
from sidelight_metrics.heatmaps.insertion_deletion import InsertionDeletion
from sidelight_metrics.params import InsertionDeletionParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.curves import area, counts, ranks
from torch import nn


def measure(classifier, values, images, targets, answers="predicted", **params):
    metric = InsertionDeletion(InsertionDeletionParams(**params), classifier=classifier, run=ToyRun())
    heatmap = Heatmap(values=np.asarray(values, np.float32), answers=answers)
    return metric.measure(heatmap, images, targets).items


class Network(Classifier):
    """A small convolutional network with random weights."""

    task, class_names, input_shape = "multiclass", tuple("abcd"), (3, 12, 10)

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)
        )
        for p in self.net.parameters():
            p.data = 0.6 * torch.randn(p.shape, generator=generator)
        self.net.requires_grad_(False)

    def scores(self, images):
        return self.net(images)


def reference(classifier, values, image, answers, predicted, probe, baseline, step, score):
    """One image, one pixel after the other, in numpy; the classifier sees one picture at a time."""
    channels, height, width = image.shape
    absent = {
        "black": np.zeros_like(image),
        "mean": np.broadcast_to(image.reshape(channels, -1).mean(1)[:, None, None], image.shape),
        "blur": blur_by_hand(image),
    }[baseline]
    pixels = sorted(((y, x) for y in range(height) for x in range(width)), key=lambda place: (-values[place], place))
    total = height * width
    points = [min(total, round(i * step * total)) for i in range(math.ceil(1 / step) + 1)]

    def says(picture):
        with torch.no_grad():
            logits = classifier.class_logits(torch.from_numpy(picture.astype(np.float32))[None])[0].double().numpy()
        if answers == "contrast":
            gap = logits[predicted] - logits[probe]
            return 1 / (1 + math.exp(-gap)) if score == "softmax" else gap
        chosen = probe if answers == "probe" else predicted
        return math.exp(logits[chosen]) / np.exp(logits).sum() if score == "softmax" else logits[chosen]

    results = []
    for start, end in ((absent, image), (image, absent)):
        curve, picture = [], start.copy()
        for done in range(total + 1):
            if done in points:
                curve.append(says(picture))
            if done < total:
                y, x = pixels[done]
                picture[:, y, x] = end[:, y, x]
        results.append((trapezoid(curve, np.array(points) / total), np.array(curve)))
    return results


def blur_by_hand(image):
    """Kernel 51, sigma 50 at 224 pixels, scaled to a side of 10: 3 wide, sigma 50 * 10 / 224, borders reflected."""
    sigma, width = 50 * 10 / 224, 3
    weights = np.array([math.exp(-((i - 1) ** 2) / (2 * sigma**2)) for i in range(width)])
    weights /= weights.sum()
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    blurred = np.zeros(image.shape)
    for dy in range(width):
        for dx in range(width):
            patch = padded[:, dy : dy + image.shape[1], dx : dx + image.shape[2]]
            blurred += weights[dy] * weights[dx] * patch
    return blurred.astype(np.float32)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((3, 3, 12, 10), dtype=np.float32))
    values = rng.normal(size=(3, 12, 10)).round(1).astype(np.float32)  # rounded, so that there are ties
    return Network(), values, images, Targets(predicted=np.array([0, 3, 2]), probe=np.array([1, 2, 0]))


@pytest.mark.parametrize("answers", ["predicted", "probe", "contrast"])
@pytest.mark.parametrize("score", ["softmax", "logit"])
@pytest.mark.parametrize(("baseline", "step"), [("blur", 0.1), ("black", 0.02), ("mean", 0.07)])
def test_a_second_implementation_agrees(case, answers, score, baseline, step):
    classifier, values, images, targets = case
    insertion, deletion = measure(
        classifier, values, images, targets, answers, baselines=(baseline,), step=step, score=score, batch=4
    )
    for row in range(3):
        expected = reference(
            classifier,
            values[row],
            images[row].numpy(),
            answers,
            targets.predicted[row],
            targets.probe[row],
            baseline,
            step,
            score,
        )
        for item, (auc, curve) in zip((insertion, deletion), expected, strict=True):
            assert abs(item.values[row] - auc) <= 1e-5
            assert np.abs(item.curve_y[row] - curve).max() <= 1e-5


def test_a_linear_logit_has_a_polygon_known_in_closed_form(linear):
    """f = sum of w x over black: after k deletions the k largest contributions are gone."""
    rng = np.random.default_rng(1)
    weights, image = rng.random((1, 1, 5, 4)), rng.random((1, 1, 5, 4)).astype(np.float32)
    contributions = (weights * image)[0, 0]
    classifier = linear(np.concatenate([weights, np.zeros((1, 1, 5, 4))]))
    targets = Targets(predicted=np.array([0]), probe=np.array([1]))
    insertion, deletion = measure(
        classifier,
        contributions[None],
        torch.from_numpy(image),
        targets,
        baselines=("black",),
        step=0.05,
        score="logit",
    )
    gone = np.concatenate([[0], np.cumsum(np.sort(contributions.ravel())[::-1])])
    assert np.allclose(insertion.curve_y[0], gone, atol=1e-5)
    assert np.allclose(deletion.curve_y[0], gone[-1] - gone, atol=1e-5)
    assert insertion.values[0] == pytest.approx(((gone[:-1] + gone[1:]) / 2).mean(), abs=1e-5)
    assert insertion.values[0] + deletion.values[0] == pytest.approx(gone[-1], abs=1e-5)


def test_equal_contributions_of_a_binary_classifier_give_the_integral_of_a_sigmoid(linear):
    """The logit rises linearly from 0 to 4, so the insertion area is near ln((1 + e^4) / 2) / 4, its integral."""
    classifier = linear(np.full((1, 1, 20, 20), 4 / 400), "binary")
    targets = Targets(predicted=np.array([1]), probe=np.array([0]))
    insertion, deletion = measure(
        classifier, np.zeros((1, 20, 20)), torch.ones(1, 1, 20, 20), targets, baselines=("black",), step=0.0025
    )
    exact = math.log((1 + math.exp(4)) / 2) / 4
    assert insertion.values[0] == pytest.approx(exact, abs=1e-5)
    assert deletion.values[0] == pytest.approx(exact, abs=1e-5)


def test_a_regression_is_measured_by_its_value(linear):
    classifier = linear(np.full((1, 1, 4, 4), 2.0), "regression")
    targets = Targets(predicted=np.array([0]), probe=np.array([0]))
    insertion, _ = measure(classifier, np.zeros((1, 4, 4)), torch.ones(1, 1, 4, 4), targets, baselines=("black",))
    assert insertion.values[0] == pytest.approx(16, abs=1e-4)
    assert (insertion.unit, insertion.settings["score"]) == ("age", "value")


def test_ties_go_in_reading_order():
    assert ranks(np.array([[1.0, 2.0], [2.0, 1.0]])).tolist() == [[2, 0], [1, 3]]
    assert ranks(np.zeros((2, 2))).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("pixels", "step", "expected"),
    [(100, 0.25, [0, 25, 50, 75, 100]), (10, 0.3, [0, 3, 6, 9, 10]), (3, 0.1, [0, 1, 2, 3]), (7, 1.0, [0, 7])],
)
def test_points_of_the_curve(pixels, step, expected):
    assert counts(pixels, step).tolist() == expected


def test_the_two_rules():
    x, y = np.array([0, 0.5, 0.75, 1.0]), np.array([1.0, 0.6, 0.4, 0.2])
    assert area(x, y, "trapezoid") == pytest.approx(trapezoid(y, x))
    assert area(x, y, "sum") == pytest.approx(0.5 * 1 + 0.25 * 0.6 + 0.25 * 0.4)


def test_settings_say_what_the_number_depends_on(case):
    insertion, deletion = measure(*case, answers="contrast", step=0.2, rule="sum", baselines=("blur", "black"))
    assert insertion.settings == deletion.settings
    assert insertion.settings == {
        "baseline": "blur, kernel 3, sigma 2.23 pixels; black",
        "step": "0.2 of the pixels",
        "score": "softmax",
        "rule": "sum",
        "class": "contrast",
    }
    assert (insertion.better, deletion.better) == ("higher", "lower")


def test_no_pass_is_larger_than_the_batch(linear):
    classifier = linear(np.ones((2, 1, 6, 6)))
    targets = Targets(predicted=np.zeros(4, int), probe=np.ones(4, int))
    measure(classifier, np.zeros((4, 6, 6)), torch.rand(4, 1, 6, 6), targets, batch=3)
    assert classifier.largest_batch == 3


def test_heatmaps_that_do_not_fit_are_refused(case):
    classifier, values, images, targets = case
    with pytest.raises(SidelightError, match=r"\(3, 12, 10\)"):
        measure(classifier, values[:, :-1], images, targets)
    with pytest.raises(SidelightError, match="not finite"):
        measure(classifier, np.full_like(values, np.nan), images, targets)


SIDE = 5
PICTURES = arrays(np.float32, (1, 1, SIDE, SIDE), elements=st.floats(0, 1, width=32))
MAPS = arrays(np.float32, (1, SIDE, SIDE), elements=st.floats(-2, 2, width=16))
ONE = Targets(predicted=np.array([0]), probe=np.array([1]))


class Fixed(Network):
    """The network on one channel."""

    input_shape = (1, SIDE, SIDE)

    def scores(self, images):
        return self.net(images.expand(-1, 3, -1, -1))


FIXED = Fixed()


@settings(max_examples=25, deadline=None)
@given(PICTURES, MAPS)
def test_probability_areas_lie_between_0_and_1(picture, values):
    for item in measure(FIXED, values, torch.from_numpy(picture), ONE, step=0.2):
        assert 0 <= item.values[0] <= 1
        assert item.curve_y.min() >= 0
        assert item.curve_y.max() <= 1


@settings(max_examples=25, deadline=None)
@given(PICTURES, MAPS)
def test_only_the_order_of_the_values_matters(picture, values):
    dense = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    first, second = [measure(FIXED, changed, torch.from_numpy(picture), ONE, step=0.2) for changed in (values, dense)]
    assert all(np.array_equal(a.curve_y, b.curve_y) for a, b in zip(first, second, strict=True))


@settings(max_examples=25, deadline=None)
@given(PICTURES, arrays(np.float32, (1, SIDE, SIDE), elements=st.floats(-2, 2, width=16), unique=True), st.randoms())
def test_moving_pixels_weights_and_values_together_changes_nothing(linear, picture, values, random):
    """Permutation equivariance, for a model without neighbourhoods."""
    order = list(range(SIDE * SIDE))
    random.shuffle(order)
    weights = np.random.default_rng(0).normal(size=(2, 1, SIDE, SIDE)).astype(np.float32)

    def moved(array):
        return array.reshape(*array.shape[:-2], -1)[..., order].reshape(array.shape)

    plain = measure(linear(weights), values, torch.from_numpy(picture), ONE, step=0.2, baselines=("mean",))
    shuffled = measure(
        linear(moved(weights)), moved(values), torch.from_numpy(moved(picture)), ONE, step=0.2, baselines=("mean",)
    )
    for a, b in zip(plain, shuffled, strict=True):
        assert np.abs(a.curve_y - b.curve_y).max() <= 1e-5


@settings(max_examples=25, deadline=None)
@given(PICTURES, arrays(np.float32, (SIDE, SIDE), elements=st.floats(0, 4, width=16)))
def test_the_perfect_ranking_beats_its_reverse_on_a_monotone_model(linear, picture, weights):
    """Every pixel raises the class by its own amount; more of the important ones first cannot be worse."""
    classifier = linear(np.stack([weights, np.zeros_like(weights)])[:, None])
    contributions = weights[None] * picture[:, 0]
    best, worst = [
        measure(classifier, sign * contributions, torch.from_numpy(picture), ONE, step=0.04, baselines=("black",))
        for sign in (1, -1)
    ]
    assert best[0].values[0] >= worst[0].values[0] - 1e-6
    assert best[1].values[0] <= worst[1].values[0] + 1e-6


def test_images_do_not_influence_each_other(case):
    classifier, values, images, targets = case
    whole = measure(classifier, values, images, targets, step=0.1)
    for row in range(3):
        alone = measure(classifier, values[row : row + 1], images[row : row + 1], targets.take([row]), step=0.1)
        for a, b in zip(whole, alone, strict=True):
            assert abs(a.values[row] - b.values[0]) <= 1e-6


@pytest.mark.parametrize("answers", ["predicted", "probe", "contrast"])
def test_a_large_batch_takes_several_images_and_changes_rounding_alone(case, answers):
    classifier, values, images, targets = case
    several = [measure(classifier, values, images, targets, answers, step=0.3, batch=batch) for batch in (2, 11, 400)]
    for one in several[1:]:
        for item, expected in zip(one, several[0], strict=True):
            np.testing.assert_allclose(item.curve_y, expected.curve_y, atol=1e-6)
            np.testing.assert_allclose(item.values, expected.values, atol=1e-6)


def test_the_number_is_the_mean_over_the_baselines(case):
    parts = {name: measure(*case, baselines=(name,), step=0.1) for name in ("blur", "black", "noisy-linear")}
    for at, item in enumerate(measure(*case, baselines=tuple(parts), step=0.1)):
        assert set(item.variants) == set(parts)
        for name, alone in parts.items():
            assert np.abs(item.variants[name] - alone[at].values).max() <= 1e-6
        assert np.abs(item.values - np.mean([alone[at].values for alone in parts.values()], axis=0)).max() <= 1e-6
        assert np.abs(item.curve_y - np.mean([alone[at].curve_y for alone in parts.values()], axis=0)).max() <= 1e-6


def test_a_flat_planted_square_survives_the_blur_and_the_order_is_said_to_depend_on_it():
    """The classifier sees a grey square and nothing else; blurred, the square is still there.

    Over black the true cause deletes better than everything around it; over the blur it is the other way round, because
    hiding the surroundings leaves the image as it was and blurring the square only softens its border.
    """
    image = torch.zeros(4, 1, 24, 24)
    image[:, :, 4:16, 4:16] = 0.5 + 0.05 * torch.arange(4.0)[:, None, None, None]

    class Square(Classifier):
        task, class_names, input_shape = "binary", ("none", "square"), (1, 24, 24)

        def scores(self, images):
            middle = images[:, :, 8:12, 8:12].mean((1, 2, 3))
            return (8 * (middle - 0.25))[:, None]

    cause, border = np.zeros((2, 4, 24, 24), np.float32)
    cause[:, 4:16, 4:16] = 1
    border[:, 3:17, 3:17], border[:, 6:14, 6:14] = 1, 0
    targets = Targets(predicted=np.ones(4, int), probe=np.zeros(4, int))
    of = {
        name: measure(Square(), values, image, targets, baselines=("blur", "black"), step=0.25)[1]
        for name, values in (("cause", cause), ("border", border))
    }
    assert of["cause"].variant_means["black"] < of["border"].variant_means["black"] - 0.1
    assert of["cause"].variant_means["blur"] > 0.4
    assert of["cause"].variant_means["blur"] > 2 * of["cause"].variant_means["black"]


def test_baselines_are_named_once(case):
    for baselines in ((), ("black", "black")):
        with pytest.raises(UserError, match="each baseline once"):
            measure(*case, baselines=baselines)
