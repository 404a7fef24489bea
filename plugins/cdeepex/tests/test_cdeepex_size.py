"""Generators that work at a smaller size than the images."""

import numpy as np
import pytest
import torch
from sidelight_cdeepex.cdeepex import CDeepEx
from sidelight_cdeepex.generators.autoencoder import Ae
from sidelight_cdeepex.generators.base import working_size
from sidelight_cdeepex.generators.vae import Vae
from sidelight_cdeepex.generators.wgan import WassersteinGan
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import AeParams, CdeepexParams, EncoderParams, GanParams, VaeParams
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun, toy_targets
from torch.nn import functional

SMALL = {"latent": 4, "width": 4, "steps": 20, "batch": 8, "size": 16}  # the toys' images are 32x32
KINDS = [(Vae, VaeParams(**SMALL)), (Ae, AeParams(**SMALL)), (WassersteinGan, GanParams(**SMALL, critic_width=4))]

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("shape", "longest", "size"),
    [
        ((3, 224, 224), 64, (64, 64)),
        ((3, 224, 112), 64, (64, 32)),
        ((1, 28, 28), 64, (28, 28)),
        ((1, 300, 100), 8, (8, 3)),
        ((1, 9, 9), None, (9, 9)),
    ],
)
def test_images_are_reduced_to_the_longer_side_and_never_enlarged(shape, longest, size):
    assert working_size(shape, longest) == size


@pytest.mark.parametrize(("kind", "params"), KINDS, ids=lambda value: getattr(value, "name", ""))
def test_the_networks_are_small_and_the_images_are_not(kind, params):
    run = ToyRun()
    generator = kind(params, run=run)
    generator.fit(ToyData())
    latents = generator.sample(3, np.random.default_rng(0))
    assert generator.image_shape == (1, 32, 32)
    assert generator.decode(latents).shape == (3, 1, 16, 16)
    drawn = functional.interpolate(generator.decode(latents), size=(32, 32), mode="bilinear")
    torch.testing.assert_close(generator.synthesize(latents), drawn)
    assert run.emitted["samples"].images.shape[2:] == run.emitted["training images"].images.shape[2:] == (16, 16)
    again = kind(params, run=ToyRun())
    again.load_state(generator.state())
    assert again.image_shape == (1, 32, 32)
    assert torch.equal(again.synthesize(latents), generator.synthesize(latents))


def test_the_answer_is_the_image_and_the_enlarged_change():
    run, data, classifier = ToyRun(), ToyData(), ToyClassifier()
    generator = Vae(VaeParams(latent=6, width=8, steps=100, batch=24, rate=0.01, variance=0.002, size=16), run=run)
    generator.fit(data)
    images = torch.from_numpy(data.split("test").images[:4])
    inverter = EncoderInversion(EncoderParams(), generator=generator, run=run)
    explainer = CDeepEx(
        CdeepexParams(steps=60, path=4), classifier=classifier, generator=generator, inverter=inverter, run=run
    )
    found = explainer.explain(images, toy_targets(classifier, images))
    start, end = (torch.from_numpy(z) for z in (found.start_latents, found.latents))
    change = functional.interpolate(generator.decode(end) - generator.decode(start), size=(32, 32), mode="bilinear")
    np.testing.assert_allclose(found.images, (images + change).clamp(0, 1), atol=1e-5)
    np.testing.assert_allclose(found.generated[:, 1] - found.generated[:, 0], change, atol=1e-5)
    np.testing.assert_array_equal(found.path_images[:, 0], images)  # every detail is there at the start
    assert np.abs(found.generated[:, 0] - images.numpy()).max() > 0.1  # and the generator does not draw them
    judged = classifier.class_logits(torch.from_numpy(found.images))
    np.testing.assert_allclose(found.logits_after, judged, atol=1e-4)
