import numpy as np
import pytest
import torch
from sidelight_cdeepex.inversion import OptimisedInversion
from sidelight_cdeepex.params import OptimiseParams
from sidelight_specs import UserError
from sidelight_specs.roles import Generator
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun
from torch.nn import functional


class Linear(Generator):
    """G(z) = 0.5 + A z, whose best z is a ridge regression."""

    image_shape, latent_shape = (1, 32, 32), (4,)

    def __init__(self):
        self.matrix = torch.randn(1024, 4, generator=torch.Generator().manual_seed(0)) / 20

    def sample(self, n, rng):
        return torch.from_numpy(rng.standard_normal((n, 4), dtype=np.float32))

    def synthesize(self, latents):
        return (0.5 + latents @ self.matrix.T).reshape(-1, 1, 32, 32)


class Waves(Linear):
    """Only from where |z| is small does a descent find the image at z = 0."""

    def synthesize(self, latents):
        level = 0.5 - 0.5 * torch.cos(3 * latents).mean(1) + latents.square().mean(1) / 20
        return level[:, None, None, None].expand(-1, 1, 32, 32)


def images(count=3):
    return torch.from_numpy(ToyData().split("test").images[:count])


def inverter(generator=None, run=None, **options):
    generator = generator or ToyGenerator()
    return OptimisedInversion(
        OptimiseParams(**options), classifier=ToyClassifier(), generator=generator, run=run or ToyRun()
    )


def test_with_a_linear_generator_the_answer_is_a_ridge_regression():
    generator, prior = Linear(), 0.5
    result = inverter(generator, misclassification=0.0, prior=prior, steps=400).invert(images())
    matrix, pixels = generator.matrix.double(), images().flatten(1).double() - 0.5
    expected = torch.linalg.solve(matrix.T @ matrix + prior * torch.eye(4), matrix.T @ pixels.T).T
    np.testing.assert_allclose(result.latents, expected.numpy(), atol=2e-3)


def test_the_prior_shortens_latents():
    short, long = (inverter(prior=prior, starts=1, steps=80).invert(images()).latents for prior in (1.0, 0.0))
    assert (np.linalg.norm(short, axis=1) < np.linalg.norm(long, axis=1)).all()


@pytest.mark.training
def test_images_are_reproduced():
    result = inverter(starts=2, steps=200).invert(images())
    assert result.error.max() < 1e-4


def test_the_misclassification_cost_holds_the_class():
    """The image is half one class and half another: its reconstruction is pulled into its own class."""
    pair = images(2)
    mixed = (0.52 * pair[:1] + 0.48 * pair[1:]).clamp(0, 1)
    label = ToyClassifier().class_logits(mixed).argmax(1)
    costs = []
    for weight in (0.0, 30.0):
        result = inverter(misclassification=weight, starts=1, steps=100).invert(mixed)
        logits = ToyClassifier().class_logits(torch.from_numpy(result.reconstructions))
        costs.append(functional.cross_entropy(logits, label).item())
    assert costs[1] < 0.8 * costs[0]


def test_every_start_is_reported_and_the_best_is_kept():
    flat = torch.zeros(1, 1, 32, 32)
    result = inverter(Waves(), misclassification=0.0, prior=0.0, rate=0.02, starts=12).invert(flat)
    assert result.starts.shape == (1, 12)
    assert result.starts.max() > 3 * result.starts.min()
    np.testing.assert_array_equal(result.error, result.starts.min(1))


@pytest.mark.parametrize("start", [0, 2])
def test_one_start_is_that_one_among_several(start):
    many = inverter(starts=3, steps=40).invert(images())
    alone = inverter(start=start, steps=40).invert(images())
    np.testing.assert_allclose(alone.starts[:, 0], many.starts[:, start], rtol=1e-3)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.training
def test_the_batch_size_changes_nothing(batch):
    whole, parts = (inverter(steps=40, batch=size).invert(images()) for size in (64, batch))
    np.testing.assert_allclose(parts.latents, whole.latents, atol=1e-3)
    np.testing.assert_allclose(parts.starts, whole.starts, rtol=1e-3)


def test_the_answer_is_kept_for_the_same_images():
    run = ToyRun()
    component = inverter(run=run, steps=5)
    first = component.invert(images())
    assert component.invert(images()).digest() == first.digest()
    assert run.steps == {"inverting": 6}
    component.invert(images(2))  # two of the same
    assert run.steps == {"inverting": 6}


def test_a_generator_of_another_shape_is_named():
    with pytest.raises(UserError, match=r"images have the shape \(1, 16, 16\)"):
        inverter().invert(torch.zeros(1, 1, 16, 16))
