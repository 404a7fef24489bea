"""A StylEx whose networks work at a smaller size than the images."""

import numpy as np
import pytest
import torch
from sidelight_specs.facts import DataFacts, Given
from sidelight_specs.results import Attribute
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun
from sidelight_stylex import StylExDescriptor
from sidelight_stylex.attfind.examples import SHOWN, examples, opposite_examples
from sidelight_stylex.attfind.incremental_synthesis import CachedSynthesis, FullSynthesis, synthesis_of
from sidelight_stylex.attfind.plausibility import discriminator_filter, implausible
from sidelight_stylex.attfind.style_effects import Models
from sidelight_stylex.generator import StylEx
from sidelight_stylex.params import AttFindParams, GeneratorParams
from torch.nn import functional

TINY = {"base": 64, "widest": 4, "encoder_widths": (4, 4, 4), "latent": 4, "batch": 4, "perceptual": "none"}


class Watched(ToyClassifier):
    """Remembers the sizes of the images that it is asked about."""

    def __init__(self):
        super().__init__()
        self.sizes = set()

    def scores(self, images):
        self.sizes.add(tuple(images.shape[2:]))
        return super().scores(images)


@pytest.fixture(scope="module")
def trained():
    classifier = Watched()  # of images of 32x32
    params = GeneratorParams(**TINY, steps=8, autoencoder=0.5, size=16)
    generator = StylEx(params, classifier=classifier, run=ToyRun())
    generator.fit(ToyData())
    return generator, classifier


@pytest.mark.training
def test_the_networks_are_small_and_the_classifier_sees_full_images(trained):
    generator, classifier = trained
    images = torch.from_numpy(ToyData().split("test").images[:3])
    assert generator.network.architecture.size == 16
    assert generator.image_shape == (1, 32, 32)
    drawn = generator.synthesize(generator.encode(images))
    assert drawn.shape == images.shape
    assert classifier.sizes == {(32, 32)}
    small = generator.network.synthesis(generator.network.synthesis.styles(generator.encode(images)))
    enlarged = functional.interpolate((small / 2 + 0.5).clamp(0, 1), size=(32, 32), mode="bilinear")
    torch.testing.assert_close(drawn, enlarged)


@pytest.mark.training
def test_it_is_the_same_when_loaded_and_in_old_checkpoints_as_large_as_its_networks(trained):
    generator, classifier = trained
    latents, state = generator.sample(2, np.random.default_rng(0)), generator.state()
    again = StylEx(GeneratorParams(**TINY, size=16), classifier=classifier, run=ToyRun())
    again.load_state(state)
    assert torch.equal(again.synthesize(latents), generator.synthesize(latents))
    for side in ("image height", "image width"):
        del state.settings[side]
    again.load_state(state)
    assert again.image_shape == (1, 16, 16)


@pytest.mark.training
def test_changes_are_drawn_enlarged_and_the_discriminator_sees_its_own_size(trained):
    generator, classifier = trained
    fast, slow = synthesis_of(generator), FullSynthesis(generator)
    assert isinstance(fast, CachedSynthesis)
    styles = generator.styles(generator.sample(1, np.random.default_rng(2)))[0]
    fast.begin(styles)
    slow.begin(styles)
    for place, layer in enumerate(generator.style_layers):
        channels = torch.arange(layer.channels)
        values = torch.linspace(-3, 4, len(channels))
        one, other = (kind.changed(place, channels, values) for kind in (fast, slow))
        assert one.shape[2:] == (32, 32)
        assert torch.allclose(one, other, atol=2e-5), layer.name
    images = torch.from_numpy(ToyData().split("test").images[:4])
    realness = discriminator_filter(Models(classifier, generator, 4, ToyRun()), images)
    assert realness(images).shape == (4,)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [((3, 224, 224), 64, ""), ((3, 224, 224), 60, "60"), ((3, 224, 224), None, "224"), ((3, 224, 200), 64, "224")],
)
def test_check_judges_the_size_of_the_networks(shape, size, message):
    params, data = GeneratorParams(size=size), DataFacts(shape=shape)
    descriptor = StylExDescriptor(name="generator", summary="As ours.", params=GeneratorParams, factory="module:Class")
    mistakes = list(descriptor.misfits(params, Given(trained_on=data)))
    assert bool(mistakes) == bool(message)
    assert all(message in mistake.message for mistake in mistakes[:1])


class WatchedGenerator(ToyGenerator):
    """Remembers how many images were drawn at a time."""

    def __init__(self, shape):
        super().__init__(shape)
        self.batches = []

    def synthesize_styles(self, styles):
        self.batches.append(len(styles))
        return super().synthesize_styles(styles)


def test_large_images_are_drawn_few_at_a_time_and_kept_as_pages_show_them():
    shape = (1, 512, 512)
    generator, classifier = WatchedGenerator(shape), ToyClassifier(shape)
    models = Models(classifier, generator, 32, ToyRun())
    styles = generator.styles(generator.sample(6, np.random.default_rng(0)))
    attribute = Attribute(name="one", coordinate=0, direction=1, shift=1.0, value=4.0)
    effects, ranges = np.arange(6, dtype=np.float32)[None], np.tile(np.float32([-4, 4]), (6, 1))
    shown = examples(models, styles, [attribute], effects, 2, 1.0, 3)
    assert shown["before"].shape == shown["after"].shape == (1, 2, 1, SHOWN, SHOWN)
    assert shown["paths"].shape == (1, 2, 3, 1, SHOWN, SHOWN)
    opposite = opposite_examples(models, styles, [attribute], ranges, 2, 1.0)
    assert opposite["opposite_after"].shape == (1, 2, 1, SHOWN, SHOWN)
    drawn = generator.synthesize_styles(styles[-1:])  # the largest effect comes first
    assert abs(float(drawn.mean()) - shown["before"][0, 0].mean()) < 1e-3
    assert len(implausible(models, styles, styles[:4], [attribute], AttFindParams())) == 1
    assert max(generator.batches) == 2
