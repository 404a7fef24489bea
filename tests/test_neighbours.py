"""An image's answer on trained networks, explained with others and alone."""

import numpy as np
import pytest
import torch
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun

cdeepex = pytest.importorskip("sidelight_cdeepex.cdeepex")
zoo = pytest.importorskip("sidelight_zoo.components")
digits = pytest.importorskip("sidelight_images.digits")
ROWS = (0, 1, 2, 14, 40)
"""Digits of the test split."""


def component(name):
    from sidelight_zoo.card import cards
    from sidelight_zoo.origin import open_params

    return getattr(zoo, name.replace("-", "_"))(open_params(cards()[name])(), run=ToyRun())


@pytest.fixture(scope="module")
def trained():
    from sidelight_images import DigitsParams

    classifier, generator = component("digits-classifier"), component("digits-vae")
    images = torch.from_numpy(digits.Digits(DigitsParams(size=32), run=ToyRun()).split("test").images[list(ROWS)])
    with torch.no_grad():
        predicted, probe = classifier.class_logits(images).topk(2).indices.T.numpy()
    return classifier, generator, images, Targets(predicted=predicted, probe=probe)


@pytest.mark.parametrize("kind", ["CDeepEx", "XGEMs"])
@pytest.mark.training
def test_contrastive_answers_are_bit_equal_in_any_company(trained, kind):
    """Also the codes where the searches begin, which the encoder gives."""
    from sidelight_cdeepex import CdeepexParams, EncoderParams, XgemsParams
    from sidelight_cdeepex.inversion import EncoderInversion

    classifier, generator, images, targets = trained
    params = {"CDeepEx": CdeepexParams, "XGEMs": XgemsParams}[kind]

    def explained(rows, **options):
        inverter = EncoderInversion(EncoderParams(), generator=generator, run=ToyRun())
        needs = {"classifier": classifier, "generator": generator, "inverter": inverter}
        return getattr(cdeepex, kind)(params(**options), **needs, run=ToyRun()).explain(
            images[rows], targets.take(rows)
        )

    together = explained(np.arange(5))
    others = {
        "alone": (np.array([0]), {}),
        "turned": (np.arange(5)[::-1].copy(), {}),
        "batch 2": (np.arange(5), {"batch": 2}),
    }
    for company, (rows, options) in others.items():
        found = explained(rows, **options)
        for name in ("images", "latents", "path_images", "logits_after", "passes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(together, name)[rows], err_msg=company)
