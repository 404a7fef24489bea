import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts, GeneratorFacts, Given
from sidelight_specs.results import Split
from sidelight_specs.testing import ToyData, ToyGenerator, ToyRun
from sidelight_stylegan2 import sidelight_inverters
from sidelight_stylegan2.descent import LARGEST, Descent
from sidelight_stylegan2.encoder import Encoder, LatentEncoder, working_side
from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.params import EncoderParams, PretrainedParams, ProjectParams
from sidelight_stylegan2.pretrained import Pretrained
from sidelight_stylegan2.project import Project
from sidelight_toolkit.perceptual import Distance, no_distance

QUICK = EncoderParams(steps=150, widths=(16, 32, 32), images=0, samples=64, perceptual="none", rate=5e-3)


class Samples(ToyData):
    """The generator's samples as data."""

    def __init__(self, images):
        super().__init__()
        self._images = images.numpy()

    def split(self, name):
        return Split(images=self._images, ids=tuple(map(str, range(len(self._images)))))


def pretrained(path, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Network(Architecture(image_channels=1, widths=(8, 8, 8), z=6, w=6, mapping=2))
    save_network(network, path)
    return Pretrained(PretrainedParams(path=str(path), truncation=1.0, **options), run=ToyRun())


def drawn(generator, count, seed=5):
    with torch.no_grad():
        return generator.synthesize(generator.sample(count, np.random.default_rng(seed)))


def fitted(generator, params=QUICK, data=None, run=None):
    encoder = Encoder(params, generator=generator, run=run or ToyRun())
    encoder.fit(data or ToyData())
    return encoder


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(scope="module")
def encoder(generator):
    return fitted(generator)


@pytest.mark.training
def test_new_samples_are_found_again_in_one_pass(generator, encoder):
    images = drawn(generator, 32)
    with torch.no_grad():
        average = generator.synthesize(encoder.network.mean.expand(len(images), -1, -1))
    from_average = (average - images).square().mean((1, 2, 3)).numpy()
    assert encoder.invert(images).error.mean() < 0.25 * from_average.mean()


@pytest.mark.training
def test_refinement_goes_on_from_the_encoder(generator, encoder):
    images = drawn(generator, 4)
    refined = Encoder(attrs.evolve(QUICK, refine=30), generator=generator, run=ToyRun())
    refined.load_state(encoder.state())
    run = ToyRun()
    projected = Project(ProjectParams(steps=30, latents="w", perceptual="none"), generator=generator, run=run)
    error = refined.invert(images).error
    assert (error <= encoder.invert(images).error).all()
    assert error.mean() < projected.invert(images).error.mean()


@pytest.mark.training
def test_a_refined_image_is_kept_and_does_not_depend_on_its_neighbours(generator, encoder):
    run, images = ToyRun(), drawn(generator, 3)
    refined = Encoder(attrs.evolve(QUICK, refine=10), generator=generator, run=run)
    refined.load_state(encoder.state())
    alone = refined.invert(images[1:2])
    steps = dict(run.steps)
    together = refined.invert(images[:2])
    np.testing.assert_array_equal(together.latents[1], alone.latents[0])
    assert run.steps["projecting"] == 2 * steps["projecting"]
    fresh = Encoder(attrs.evolve(QUICK, refine=10), generator=generator, run=ToyRun())
    fresh.load_state(encoder.state())
    np.testing.assert_allclose(fresh.invert(images).latents[:2], together.latents, atol=2e-3)


@pytest.mark.training
def test_one_w_is_shared_unless_each_layer_has_its_own(generator, encoder):
    images = drawn(generator, 2)
    assert np.ptp(encoder.invert(images).latents, axis=1).max() < 1e-5
    free = fitted(generator, attrs.evolve(QUICK, latents="w+", steps=4))
    assert np.ptp(free.invert(images).latents, axis=1).max() > 0


@pytest.mark.training
def test_latents_of_another_kind(tmp_path):
    generator = pretrained(tmp_path / "network.safetensors", latents="z")
    found = fitted(generator, attrs.evolve(QUICK, steps=3)).invert(drawn(generator, 2))
    assert found.latents.shape == (2, 6)


@pytest.mark.training
def test_training_images_are_learned_from_beside_samples(generator, encoder):
    images = drawn(generator, 16, seed=11).flip(3)  # what the generator does not draw
    learned = fitted(generator, attrs.evolve(QUICK, images=16), Samples(images))
    assert learned.invert(images).error.mean() < encoder.invert(images).error.mean()


def test_statistics_are_those_of_samples(generator):
    network = LatentEncoder(generator.image_shape, generator.latent_shape, QUICK)
    w = torch.randn(500, *generator.latent_shape) * 3 + 2
    network.describe(w)
    units = network.to_units(w)
    torch.testing.assert_close(units.mean(0), torch.zeros(generator.latent_shape), atol=1e-5, rtol=0)
    torch.testing.assert_close(units.std(0), torch.ones(generator.latent_shape))
    torch.testing.assert_close(network.to_latents(units), w)


def test_units_are_distances_of_two_samples_whatever_the_batch(generator):
    """Of 64 samples in parts of 63 one is left over, which has no other to be compared with."""
    encoder = Encoder(attrs.evolve(QUICK, batch=63), generator=generator, run=ToyRun())
    samples = generator.synthesize(encoder._samples(64, "units"))[:63]
    expected = (samples - samples.roll(1, 0)).square().mean()
    assert encoder._units(no_distance())[0] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("shape", "side"), [((1, 28, 28), 28), ((3, 30, 30), 32), ((3, 256, 256), 64), ((1, 4, 4), 4)])
def test_the_encoder_sees_whole_halvings(shape, side):
    params = EncoderParams(widths=(4, 4, 4))
    assert working_side(shape, params) == side
    network = LatentEncoder(shape, (5,), params)
    assert network.units(torch.rand(2, *shape)).shape == (2, 5)


def test_images_of_another_shape_are_refused(generator):
    data = Samples(torch.zeros(4, 1, 8, 8))
    with pytest.raises(UserError, match=r"\(1, 8, 8\), the generator makes \(1, 16, 16\)"):
        fitted(generator, attrs.evolve(QUICK, images=4), data)
    (descriptor,) = (one for one in sidelight_inverters() if one.name == "encoder")
    given = Given(needs={"generator": GeneratorFacts(shape=(1, 16, 16))}, trained_on=DataFacts(shape=(1, 8, 8)))
    (mistake,) = descriptor.misfits(EncoderParams(), given)
    assert "the training images are (1, 8, 8)" in mistake.message
    assert not list(descriptor.misfits(EncoderParams(images=0), given))


def test_perceptual_distances_see_at_most_256_pixels():
    sides = []

    def features(images):
        sides.append(tuple(images.shape[2:]))
        return [images]

    distance = Distance("", features, lambda ours, theirs: (ours[0] - theirs[0]).square().mean((1, 2, 3)))
    large = torch.rand(1, 1, 2 * LARGEST, LARGEST)
    Descent(lambda w: w, distance, 1.0, 1.0, 0.1, ToyRun())(large, torch.zeros_like(large), 1)
    assert set(sides) == {(LARGEST, LARGEST // 2)}
    small = torch.rand(1, 1, 8, 8)
    Descent(lambda w: w, no_distance(), 1.0, 1.0, 0.1, ToyRun())(small, torch.zeros_like(small), 1)


def test_a_generator_of_other_make_is_inverted_too():
    found = fitted(ToyGenerator(), attrs.evolve(QUICK, steps=2)).invert(drawn(ToyGenerator(), 2))
    assert found.latents.shape[1:] == ToyGenerator().latent_shape
