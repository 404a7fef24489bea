"""GANalyze: where generator and score are linear, the learned direction changes the score by what is asked for."""

import numpy as np
import pytest
import torch
from sidelight_explorer._params import GanalyzeParams
from sidelight_explorer.ganalyze import Ganalyze
from sidelight_specs import UserError
from sidelight_specs.roles import Classifier, Generator
from sidelight_specs.testing.run import Killed, ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator

SLOPE = torch.tensor([2.0, 0.0, -1.0, 0.0])


class Plain(Generator):
    """w of two layers as an image of one row; samples have a deviation of 1."""

    image_shape, latent_shape = (1, 1, 4), (2, 4)

    def sample(self, n, rng):
        return torch.from_numpy(rng.normal(size=(n, 1, 4)).astype(np.float32)).expand(n, 2, 4)

    def synthesize(self, latents):
        return latents.mean(1)[:, None, None]


class Linear(Classifier):
    """Two classes, the second with a logit that is linear in the pixels."""

    task, class_names, input_shape = "multiclass", ("other", "shown"), (1, 1, 4)

    def scores(self, images):
        score = images.flatten(1) @ SLOPE
        return torch.stack([torch.zeros_like(score), score], 1)


def learned(**params):
    run = ToyRun()
    options = GanalyzeParams(**{"steps": 300, "rate": 0.05, "reach": 2.0, "batch": 32, **params})
    return Ganalyze(options, classifier=Linear(), generator=Plain(), run=run), run


def test_the_change_is_what_was_asked_for():
    finder, run = learned()
    latents = Plain().sample(5, np.random.default_rng(1))
    found = finder.find(latents, 1)
    assert [item.name for item in found.attributes] == ["shown +100%", "shown +50%", "shown -50%", "shown -100%"]
    np.testing.assert_allclose([item.effect for item in found.attributes], [2, 1, -1, -2], rtol=0.02)
    assert (np.ptp(found.effects, axis=1) < 1e-4).all()  # linear: alike on every image
    (report,) = run.emitted.values()
    slope, r2 = report.items
    assert slope.value == pytest.approx(1, abs=0.02)
    assert r2.value > 0.999


def test_the_direction_is_that_of_the_gradient():
    # among all theta with theta . slope = 1, gradient descent from 0 stays on the gradient's line; Adam need not
    finder, _ = learned()
    theta = finder.class_shifts(1).direction[0]
    np.testing.assert_allclose(theta[[1, 3]], 0, atol=1e-6)
    assert theta @ SLOPE.numpy() > 0


def test_it_is_learned_once_whatever_is_shown_of_it():
    finder, run = learned(steps=7)
    finder.class_shifts(1)
    again = Ganalyze(
        GanalyzeParams(steps=7, rate=0.05, reach=2.0, batch=32, examples=1),
        classifier=Linear(),
        generator=Plain(),
        run=run,
    )
    again.class_shifts(1)
    assert run.steps["learning a direction"] == 7


@pytest.mark.parametrize("killed_after", [1, 7, 11])
def test_a_direction_whose_learning_was_killed_is_the_same_in_the_end(killed_after):
    def direction(run):
        options = GanalyzeParams(steps=12, rate=0.05, reach=2.0, batch=8)
        return Ganalyze(options, classifier=Linear(), generator=Plain(), run=run)._theta(1)

    first = ToyRun(kill_after=killed_after, checkpoint_every=3)
    with pytest.raises(Killed):
        direction(first)
    second = ToyRun(states=first.states)
    assert np.array_equal(direction(second), direction(ToyRun()))
    assert second.steps == {"learning a direction": 12 - killed_after // 3 * 3}


def test_a_value_is_raised_and_lowered():
    generator, run = ToyGenerator((1, 32, 32), "w"), ToyRun()
    finder = Ganalyze(
        GanalyzeParams(steps=120, batch=8, rate=0.1, reach=0.5, validation=32),
        classifier=ToyClassifier((1, 32, 32), "regression"),
        generator=generator,
        run=run,
    )
    found = finder.find(generator.sample(6, np.random.default_rng(0)), 0)
    effects = [item.effect for item in found.attributes]
    assert effects == sorted(effects, reverse=True)
    assert effects[0] > 0.1
    assert effects[-1] < -0.1


def test_a_class_that_nothing_moves_is_named():
    finder, _ = learned(steps=3)
    with pytest.raises(UserError, match='no direction through the latents changes the score of "other"'):
        finder.find(Plain().sample(5, np.random.default_rng(1)), 0)  # its logit is 0 on every image


def test_a_batch_of_one_whose_deviation_is_no_number_is_refused():
    with pytest.raises(ValueError, match="batch"):
        GanalyzeParams(batch=1)
    assert np.isfinite(learned(steps=3, batch=2)[0].class_shifts(1).direction).all()
