"""Latent directions: they point where the answer changes, and their accuracy is measured on held-out samples."""

import numpy as np
import pytest
import torch
from sidelight_explorer._params import DirectionParams
from sidelight_explorer.directions import LabelledSamples, LatentDirections, fit_direction, fit_value
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator

SHAPE = (1, 32, 32)


def planted(slope, count=3000, noise=0.0, seed=0):
    """Samples whose class 1 is decided by one direction."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(count, 5)).astype(np.float32)
    score = w @ slope + noise * rng.normal(size=count)
    return LabelledSamples(w, np.stack([-score, score], 1).astype(np.float32))


def test_the_planted_direction_is_found_and_its_accuracy_is_that_of_held_out_samples():
    slope = np.array([3, 0, -4, 0, 0], np.float32) / 5
    found = fit_direction(planted(slope), 1, DirectionParams(train=2000, validation=1000))
    assert found.vector @ slope > 0.99
    assert np.linalg.norm(found.vector) == pytest.approx(1)
    assert found.accuracy > 0.97
    assert found.majority == pytest.approx(0.5, abs=0.05)
    noisy = fit_direction(planted(slope, noise=3.0), 1, DirectionParams(train=2000, validation=1000))
    assert 0.55 < noisy.accuracy < 0.75


def test_samples_of_one_class_alone_give_the_direction_of_the_logit():
    slope = np.array([0, 1, 0, 0, 0], np.float32)
    samples = planted(slope)
    samples.logits[:, 0] -= 100
    found = fit_direction(samples, 1, DirectionParams(train=2000, validation=1000))
    assert found.vector @ slope > 0.99
    assert found.accuracy == found.majority == 1


@pytest.fixture(scope="module")
def finding():
    torch.set_num_threads(1)
    run = ToyRun()
    params = DirectionParams(train=400, validation=200, batch=50, lambdas=(-0.3, 0.3, 0.1), examples=2)
    generator = ToyGenerator(SHAPE, "w")
    finder = LatentDirections(params, classifier=ToyClassifier(SHAPE), generator=generator, run=run)
    latents = generator.sample(5, np.random.default_rng(1))
    return finder.find(latents, 0), latents, run


def test_every_layer_moves_alike_and_further_shifts_do_more(finding):
    found, _, run = finding
    assert [item.name.split()[-1] for item in found.attributes] == ["+100%", "+33%", "-100%"]
    assert found.attributes[0].effect > found.attributes[1].effect > 0 > found.attributes[2].effect
    np.testing.assert_array_equal(found.directions[0][0], found.directions[0][1])
    assert np.linalg.norm(found.directions[0]) == pytest.approx(1)
    assert found.after.shape == (3, 2, *SHAPE)
    assert run.steps["labelling samples"] == 12


def test_the_accuracy_is_reported_beside_that_of_the_majority(finding):
    _, _, run = finding
    (report,) = run.emitted.values()
    accuracy, majority = report.items
    assert (accuracy.name, majority.name) == ("accuracy", "majority")
    assert accuracy.value > majority.value >= 0.5


def test_samples_are_drawn_once_for_all_classes(finding):
    _, latents, run = finding
    before = run.steps["labelling samples"]
    params = DirectionParams(train=400, validation=200, batch=50, lambdas=(0.3,))
    finder = LatentDirections(params, classifier=ToyClassifier(SHAPE), generator=ToyGenerator(SHAPE, "w"), run=run)
    finder.find(latents, 1)
    finder.find(latents, 2)
    assert run.steps["labelling samples"] == before


def test_the_direction_of_a_value_is_that_of_its_least_squares_fit():
    slope = np.array([3, 0, -4, 0, 0], np.float32) / 5
    samples = planted(slope, noise=1.0)
    found = fit_value(LabelledSamples(samples.w, samples.logits[:, 1:]), DirectionParams(train=2000, validation=1000))
    assert found.vector @ slope > 0.99
    assert found.accuracy == pytest.approx(0.5, abs=0.06)  # half of the variance is noise


def test_shifts_of_a_value_raise_it_and_lower_it():
    run, generator = ToyRun(), ToyGenerator(SHAPE, "w")
    params = DirectionParams(train=400, validation=200, batch=50, lambdas=(-0.3, 0.3), examples=2)
    finder = LatentDirections(params, classifier=ToyClassifier(SHAPE, "regression"), generator=generator, run=run)
    found = finder.find(generator.sample(5, np.random.default_rng(1)), 0)
    assert [item.effect > 0 for item in found.attributes] == [True, False]
    changes = found.probabilities[..., 1] - found.probabilities[..., 0]  # values, here
    np.testing.assert_allclose(changes, found.effects[:, :2], atol=1e-4)
    (report,) = run.emitted.values()
    assert [item.name for item in report.items] == ["R2"]
