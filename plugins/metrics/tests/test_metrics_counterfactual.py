"""Metrics of counterfactuals on logits that are known."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_metrics import sidelight_metrics
from sidelight_metrics.counterfactuals.confidence_change import ConfidenceChange
from sidelight_metrics.counterfactuals.distance import Distance
from sidelight_metrics.counterfactuals.flip_rate import FlipRate
from sidelight_metrics.counterfactuals.kept_details import KeptDetails
from sidelight_metrics.counterfactuals.third_class_rate import ThirdClassRate
from sidelight_metrics.counterfactuals.tint import Tint, lab
from sidelight_metrics.params import BatchParams, DistanceParams, FlipRateParams, TintParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.facts import ClassifierFacts, Given
from sidelight_specs.results import Counterfactual, Heatmap
from sidelight_specs.testing import ToyRun

BEFORE = [3.0, 1.0, 0.0]
#            logits after          flipped  boundary  third class
CASES = [
    ([1.0, 2.0, 0.0], 1, 0, 0),  # clearly the probe
    ([1.0, 1.03, 0.0], 1, 1, 0),  # just over the boundary
    ([1.03, 1.0, 0.0], 0, 1, 0),  # just before it
    ([1.0, 1.0, 1.5], 0, 0, 1),  # on it, but a third class is above both
    ([2.0, 1.0, 1.5], 0, 0, 0),  # the third class is above one of them only
    ([2.0, 0.0, 1.0], 0, 0, 0),  # not moved far enough
    ([0.0, 2.0, 2.5], 0, 0, 1),  # past the probe into a third class
]


def by_name(measurements):
    return {item.name: item for item in measurements.items}


def test_flips_boundaries_and_third_classes(counterfactual, identity, question):
    found, images = counterfactual([BEFORE] * len(CASES), [case[0] for case in CASES])
    targets, run = question(len(CASES)), ToyRun()
    rates = by_name(FlipRate(FlipRateParams(), classifier=identity, run=run).measure(found, images, targets))
    third = ThirdClassRate(BatchParams(), classifier=identity, run=run).measure(found, images, targets)
    assert rates["flipped"].values.tolist() == [case[1] for case in CASES]
    assert rates["boundary"].values.tolist() == [case[2] for case in CASES]
    assert third.items[0].values.tolist() == [case[3] for case in CASES]
    assert rates["flipped"].value == pytest.approx(2 / 7)
    assert rates["converged"].value == 1


@pytest.mark.parametrize(("tolerance", "on"), [(0.4, 0), (0.6, 1)])
def test_the_tolerance_is_the_distance_of_the_log_likelihoods(tolerance, on, counterfactual, identity, question):
    found, images = counterfactual([BEFORE], [[1.0, 1.5, 0.3]])
    log_p = torch.tensor([1.0, 1.5, 0.3]).log_softmax(0)
    assert float(log_p[1] - log_p[0]) == pytest.approx(0.5)
    metric = FlipRate(FlipRateParams(tolerance=tolerance), classifier=identity, run=ToyRun())
    boundary = by_name(metric.measure(found, images, question(1)))["boundary"]
    assert boundary.values.tolist() == [on]
    assert boundary.settings == {"tolerance": f"{tolerance} nats"}


def test_a_failed_search_is_a_failure_to_the_rates_and_no_answer_to_the_rest(counterfactual, identity, question):
    found, images = counterfactual([BEFORE] * 2, [[1.0, 1.0, 0.0]] * 2, converged=[True, False])
    targets, run = question(2), ToyRun()
    rates = by_name(FlipRate(FlipRateParams(), classifier=identity, run=run).measure(found, images, targets))
    assert rates["boundary"].values.tolist() == [1, 0]
    assert rates["converged"].values.tolist() == [1, 0]
    others = [
        ThirdClassRate(BatchParams(), classifier=identity, run=run),
        ConfidenceChange(BatchParams(), classifier=identity, run=run),
        Distance(DistanceParams(), run=run),
    ]
    for metric in others:
        for item in metric.measure(found, images, targets).items:
            assert np.isnan(item.values).tolist() == [False, True], item.name
            assert np.isfinite(item.value)


def test_confidences_are_softmax_probabilities(counterfactual, identity, question):
    after = [0.5, 2.0, 1.0]
    found, images = counterfactual([BEFORE], [after])
    metric = ConfidenceChange(BatchParams(), classifier=identity, run=ToyRun())
    measured = metric.measure(found, images, question(1))
    items = by_name(measured)
    p = [torch.tensor(logits).double().softmax(0).numpy() for logits in (BEFORE, after)]
    for name, side in [("predicted", 0), ("probe", 1)]:
        assert items[f"{name} before"].value == pytest.approx(p[0][side], rel=1e-6)
        assert items[f"{name} after"].value == pytest.approx(p[1][side], rel=1e-6)
        assert items[f"{name} change"].value == pytest.approx(p[1][side] - p[0][side], rel=1e-6)
    assert (items["predicted after"].better, items["probe after"].better) == ("lower", "higher")
    np.testing.assert_allclose(measured.answers[0], p, rtol=1e-5)


def test_what_a_classifier_decides_is_counted_and_its_answers_are_kept(counterfactual, identity, question):
    afters = [[0.0, 1.0, -1.0], [1.0, 0.0, -1.0], [0.0, 1.0, 2.0], [0.0, 1.0, -1.0]]
    found, images = counterfactual([BEFORE] * 4, afters, converged=[True, True, True, False])
    measured = ConfidenceChange(BatchParams(), classifier=identity, run=ToyRun()).measure(found, images, question(4))
    items = by_name(measured)
    assert items["turned"].values[:3].tolist() == [1, 0, 1]
    assert items["third likeliest"].values[:3].tolist() == [0, 0, 1]
    assert np.isnan(measured.answers[3]).all()
    assert np.isfinite(measured.answers[:3]).all()


def test_a_judge_with_other_classes_is_refused():
    (descriptor,) = [one for one in sidelight_metrics() if one.name == "confidence-change"]
    judge = ClassifierFacts(classes=("4", "9"))
    given = Given(classifier=ClassifierFacts(classes=("9", "4")), needs={"classifier": judge})
    (mistake,) = descriptor.misfits(BatchParams(), given)
    assert "the judge knows the classes 4, 9" in mistake.message
    assert not list(descriptor.misfits(BatchParams(), Given(classifier=judge, needs={"classifier": judge})))


def test_a_binary_confidence_is_the_sigmoid_of_its_logit(linear, question):
    classifier = linear(torch.ones(1, 1, 1, 1), "binary")
    images = torch.full((1, 1, 1, 1), 0.8)
    found = Counterfactual(
        images=np.full((1, 1, 1, 1), 0.2, np.float32),
        logits_before=np.zeros((1, 2)),
        logits_after=np.zeros((1, 2)),
        converged=np.array([True]),
    )
    metric = ConfidenceChange(BatchParams(), classifier=classifier, run=ToyRun())
    items = by_name(metric.measure(found, images, question(1, predicted=1, probe=0)))
    assert items["predicted before"].value == pytest.approx(1 / (1 + np.exp(-0.8)), rel=1e-6)
    assert items["probe after"].value == pytest.approx(1 / (1 + np.exp(0.2)), rel=1e-6)


def test_a_regression_shows_its_value(linear, question):
    classifier = linear(torch.full((1, 1, 2, 2), 10.0), "regression")
    images = torch.full((1, 1, 2, 2), 0.5)
    found = Counterfactual(
        images=np.full((1, 1, 2, 2), 0.75, np.float32),
        logits_before=np.zeros((1, 1)),
        logits_after=np.zeros((1, 1)),
        converged=np.array([True]),
    )
    metric = ConfidenceChange(BatchParams(), classifier=classifier, run=ToyRun())
    items = by_name(metric.measure(found, images, question(1, 0, 0)))
    assert {name: item.value for name, item in items.items()} == {
        "value before": 20,
        "value after": 30,
        "value change": 10,
    }
    assert {item.unit for item in items.values()} == {"age"}


def test_distances_by_hand(question):
    images = torch.zeros(1, 2, 2, 2)
    changed = np.zeros((1, 2, 2, 2), np.float32)
    changed[0, :, 0, 0] = 0.3, 0.4
    changed[0, 1, 1, 1] = 0.019
    found = Counterfactual(
        images=changed, logits_before=np.zeros((1, 2)), logits_after=np.zeros((1, 2)), converged=np.array([True])
    )
    items = by_name(Distance(DistanceParams(threshold=0.02), run=ToyRun()).measure(found, images, question(1)))
    assert items["L1"].value == pytest.approx(0.719)
    assert items["L2"].value == pytest.approx((0.25 + 0.019**2) ** 0.5)
    assert items["L-infinity"].value == pytest.approx(0.4)
    assert items["sparsity"].value == 0.75


def test_the_batch_bounds_the_passes_and_changes_nothing(counterfactual, linear, question):
    found, images = counterfactual([BEFORE] * len(CASES), [case[0] for case in CASES])
    values = []
    for batch in (2, 100):
        classifier = linear(torch.eye(3).reshape(3, 3, 1, 1))
        metric = FlipRate(FlipRateParams(batch=batch), classifier=classifier, run=ToyRun())
        values.append([item.values.tolist() for item in metric.measure(found, images, question(len(CASES))).items])
        assert classifier.largest_batch == min(batch, len(CASES))
    assert values[0] == values[1]


def test_other_kinds_are_refused(identity, question):
    heatmap = Heatmap(values=np.zeros((1, 2, 2), np.float32))
    with pytest.raises(SidelightError, match="heatmap"):
        Distance(DistanceParams(), run=ToyRun()).measure(heatmap, torch.zeros(1, 1, 2, 2), question(1))


def test_the_share_of_the_generator_is_that_of_the_formulas(linear, question):
    weights = torch.zeros(2, 1, 2, 2)
    weights[0, 0, 0, 0], weights[1, 0, 1, 1] = 4.0, 4.0  # s_0 = 4 x_00, s_1 = 4 x_11
    x = np.float32([[0.9, 0.5], [0.5, 0.2]])
    g, after = np.float32([[0.8, 0.4], [0.4, 0.2]]), np.float32([[0.3, 0.4], [0.4, 1.0]])
    answer = (x + (after - g)).clip(0, 1)  # 0.4, 0.5, 0.5 and 1.0 all fit
    cut = (np.float32([[0.9, 0.5], [0.5, 0.6]]) + (after - g)).clip(0, 1)  # 1.4 is cut to 1
    images = torch.from_numpy(np.stack([x, np.float32([[0.9, 0.5], [0.5, 0.6]])])[:, None])
    found = Counterfactual(
        images=np.stack([answer, cut])[:, None],
        logits_before=np.zeros((2, 2), np.float32),
        logits_after=np.zeros((2, 2), np.float32),
        converged=np.array([True, True]),
        generated=np.stack([np.stack([g, after])] * 2)[:, :, None],
    )
    metric = KeptDetails(BatchParams(), classifier=linear(weights), run=ToyRun())
    result = by_name(metric.measure(found, images, question(2)))
    rms = np.sqrt(((answer - after) ** 2).mean())
    assert result["details kept"].values[0] == pytest.approx(rms, abs=1e-6)
    assert result["change shown"].values == pytest.approx([1.0, np.sqrt((0.25 + 0.16) / (0.25 + 0.64))], abs=1e-6)
    # d(g) - d(g') = 4 (0.8 - 0.2) - 4 (0.3 - 1.0) = 5.2, the same on the image; cut: 4 (0.9 - 0.6) - 4 (0.4 - 1) = 3.6
    assert result["effect alone"].values == pytest.approx([1.0, 5.2 / 3.6], abs=1e-5)
    failed = metric.measure(attrs.evolve(found, converged=np.array([False, True])), images, question(2))
    assert all(np.isnan(item.values[0]) for item in failed.items)


def test_counterfactuals_that_keep_nothing_have_no_kept_details(counterfactual, identity, question):
    found, images = counterfactual([BEFORE], [[1.0, 2.0, 0.0]])
    with pytest.raises(UserError, match="keep no details"):
        KeptDetails(BatchParams(), classifier=identity, run=ToyRun()).measure(found, images, question(1))


def test_colours_in_cielab_are_those_of_scikit_image():
    from skimage.color import rgb2lab

    colours = np.random.default_rng(0).random((50, 3))
    colours[0] = 0.01  # below the linear part of the curve
    np.testing.assert_allclose(lab(colours), rgb2lab(colours[None])[0], atol=0.02)
    np.testing.assert_allclose(lab(np.array([[1.0], [0.0]])), [[100, 0, 0], [0, 0, 0]], atol=1e-6)


def test_a_tint_is_told_from_a_change_of_something(question):
    images = torch.full((3, 3, 20, 20), 0.5)
    after = images.numpy().copy()
    after[0] += np.array([0.1, 0, -0.1])[:, None, None]  # one colour over all
    after[1, :, ::2] += 0.2  # stripes, whose mean changes as well
    after[1, :, 1::2] -= 0.1
    after[2, :, :5] = 0  # outside of the region
    result = Counterfactual(
        answers="contrast",
        images=after.astype("f4"),
        logits_before=np.zeros((3, 3), "f4"),
        logits_after=np.zeros((3, 3), "f4"),
        converged=np.ones(3, bool),
    )
    run = ToyRun()
    measured = Tint(TintParams(region=0.5), run=run).measure(result, images, question(3))
    values = by_name(measured)
    shares = values["tint share"].values
    np.testing.assert_allclose(shares, [1, 0.05**2 / (0.5 * 0.2**2 + 0.5 * 0.1**2), 0], atol=1e-5)
    before, changed = lab(np.array([[0.5, 0.5, 0.5], [0.6, 0.5, 0.4]]))
    np.testing.assert_allclose(values["lightness"].values[0], changed[0] - before[0], atol=1e-4)
    np.testing.assert_allclose(values["hue and chroma"].values[0], np.hypot(*(changed - before)[1:]), atol=1e-4)
    assert values["lightness"].values[1] > 4
    assert values["hue and chroma"].values[1] == pytest.approx(0, abs=1e-4)
    (doubt,) = measured.doubts()
    assert doubt.startswith("tint share is above 0.5 for 1 of 3 images: more than half of the change is one colour")


def test_the_tint_of_other_channels_is_refused(counterfactual, question):
    found, images = counterfactual([BEFORE], [[1.0, 2.0, 0.0]])
    with pytest.raises(UserError, match="2 channels"):
        Tint(TintParams(), run=ToyRun()).measure(found, images[:, :2], question(1))
