"""CDeepEx and xGEMs on 100 real digits with the classifier of the paper: about three minutes on one core."""

import numpy as np
import pytest
import torch
from sidelight_cdeepex.cdeepex import CDeepEx, XGEMs
from sidelight_cdeepex.generators.vae import Vae
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import CdeepexParams, EncoderParams, VaeParams, XgemsParams
from sidelight_specs.testing import ToyRun, toy_targets

pytestmark = pytest.mark.slow
lenet = pytest.importorskip("sidelight_classifiers.trained.lenet")
digits = pytest.importorskip("sidelight_images.digits")


@pytest.fixture(scope="module")
def world():
    from sidelight_classifiers.params import LeNetParams
    from sidelight_images.params import DigitsParams

    run = ToyRun()
    data = digits.Digits(DigitsParams(), run=run)
    classifier, generator = lenet.LeNet(LeNetParams(), run=run), Vae(VaeParams(), run=run)
    classifier.fit(data)
    generator.fit(data)
    images = torch.from_numpy(data.split("test").images)
    return classifier, generator, EncoderInversion(EncoderParams(), generator=generator, run=run), images


def explain(kind, params, world):
    classifier, generator, inverter, images = world
    targets = toy_targets(classifier, images[:100])
    component = kind(params, classifier=classifier, generator=generator, inverter=inverter, run=ToyRun())
    result = component.explain(images[:100], targets)
    rows, logits = np.arange(100), result.logits_after
    pair = np.stack([logits[rows, targets.predicted], logits[rows, targets.probe]], 1)
    third = logits.copy()
    third[rows, targets.predicted] = third[rows, targets.probe] = -np.inf
    above = third.max(1) > pair.max(1)
    near = np.abs(pair[:, 0] - pair[:, 1]) <= 0.05
    distance = np.linalg.norm(result.latents - result.start_latents, axis=1).mean()
    print(f"{kind.__name__}: on the boundary {near.mean():.2f}, third class above {above.mean():.2f}, ", end="")
    print(f"distance {distance:.3f}, passes {result.passes.mean():.0f}, converged {result.converged.mean():.2f}")
    return near, above, result


def test_constraints_hold_where_xgems_lets_a_third_class_win(world):
    near, above, result = explain(CDeepEx, CdeepexParams(), world)
    assert (near & ~above).mean() >= 0.95
    np.testing.assert_array_equal(result.converged, near & ~above)
    free_near, free_above, _ = explain(XGEMs, XgemsParams(), world)
    assert free_near.mean() >= 0.95
    assert free_above.mean() > above.mean()


def test_unseen_digits_are_reproduced(world):
    _, _, inverter, images = world
    error = inverter.invert(images).error
    decibels = -10 * np.log10(error)
    print(f"PSNR {decibels.mean():.2f} dB")
    assert decibels.mean() >= 22
