import math

import pytest
import torch
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.discriminator import Discriminator
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.training.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    mode_seeking_loss,
    path_lengths,
    path_penalty,
    relativistic_loss,
)
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional

SMALL = Architecture(image_channels=2, widths=(4, 4), z=3, w=3, mapping=1)


@pytest.fixture(autouse=True)
def fixed_stream():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_the_logistic_loss_is_binary_cross_entropy():
    real, fake = torch.randn(5, 1), torch.randn(5, 1)
    entropy = functional.binary_cross_entropy_with_logits
    expected = entropy(real, torch.ones(5, 1)) + entropy(fake, torch.zeros(5, 1))
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), entropy(fake, torch.ones(5, 1)))


def test_the_relativistic_loss_is_binary_cross_entropy_of_differences():
    real, fake = torch.randn(5, 1, requires_grad=True), torch.randn(5, 1, requires_grad=True)
    expected = functional.binary_cross_entropy_with_logits(real - fake, torch.ones(5, 1))
    loss = relativistic_loss(real, fake)
    torch.testing.assert_close(loss, expected)
    gradients = torch.autograd.grad(loss, [real, fake])
    torch.testing.assert_close(gradients[0], -torch.sigmoid(fake - real).detach() / 5)
    torch.testing.assert_close(gradients[1], -gradients[0])
    # only differences within pairs count
    torch.testing.assert_close(relativistic_loss(real + 3, fake + 3), loss)


def test_r1_of_a_linear_and_of_a_quadratic_function():
    images, slope = torch.randn(4, 1, 3, 3, requires_grad=True), torch.randn(1, 3, 3)
    linear = (images * slope).sum((1, 2, 3))[:, None]
    torch.testing.assert_close(gradient_penalty(linear, images), slope.square().sum() / 2)
    quadratic = images.square().sum((1, 2, 3))[:, None]
    torch.testing.assert_close(gradient_penalty(quadratic, images), 2 * images.detach().square().sum((1, 2, 3)).mean())


def test_r1_and_its_gradient_agree_with_functional_differentiation():
    network = Discriminator(SMALL, compare=False)
    images = torch.randn(3, *SMALL.image_shape)
    weights = {name: value.detach() for name, value in network.named_parameters()}

    def penalty(values):
        def logit(image):
            return functional_call(network, values, (image[None],))[0, 0]

        return vmap(jacrev(logit))(images).square().sum((1, 2, 3)).mean() / 2

    inputs = images.clone().requires_grad_()
    ours = gradient_penalty(network(inputs), inputs)
    torch.testing.assert_close(ours, penalty(weights))
    expected = torch.func.grad(penalty)(weights)
    ours.backward()
    for name, value in network.named_parameters():
        found = torch.zeros_like(value) if value.grad is None else value.grad
        torch.testing.assert_close(found, expected[name], atol=1e-5, rtol=1e-3)


def test_mode_seeking_of_pairs_at_known_distances():
    z = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 3.0]])  # pairs 0-2 and 1-3, both 1 apart on average
    images = torch.zeros(4, 1, 2, 2)
    images[2], images[3] = 0.5, -0.25
    expected = (1 / 0.5 + 1 / 0.25) / 2
    torch.testing.assert_close(mode_seeking_loss(images, z), torch.tensor(expected), atol=1e-3, rtol=0)


def test_mode_seeking_pushes_the_images_of_a_pair_apart():
    images = torch.tensor([0.1, 0.2]).reshape(2, 1, 1, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(mode_seeking_loss(images, torch.tensor([[0.0], [1.0]])), images)
    assert gradient[0] > 0 > gradient[1]  # descent darkens the darker image
    same = mode_seeking_loss(torch.zeros(2, 1, 1, 1), torch.tensor([[0.0], [1.0]]))
    assert torch.isfinite(same)
    assert same > 1000


def test_path_lengths_of_a_linear_generator():
    matrix = torch.randn(2 * 3 * 5, 2 * 4 * 4)  # two inputs of w, each of length 15
    w, direction = torch.randn(6, 2, 15, requires_grad=True), torch.randn(6, 2, 4, 4)
    images = (w.flatten(1) @ matrix).reshape(6, 2, 4, 4)
    moved = (direction.flatten(1) @ matrix.T / math.sqrt(16)).reshape(6, 2, 15)
    expected = moved.norm(dim=2).square().mean(1).sqrt()
    torch.testing.assert_close(path_lengths(images, w, direction), expected)


def test_path_lengths_of_a_network_agree_with_its_jacobian():
    network = Network(SMALL)
    w, direction = torch.randn(2, SMALL.inputs, 3), torch.randn(2, *SMALL.image_shape)
    jacobian = vmap(jacrev(lambda one: network(one[None], "none")[0]))(w)
    product = (jacobian * direction[..., None, None]).sum((1, 2, 3)) / SMALL.size
    expected = product.square().sum(2).mean(1).sqrt()
    w.requires_grad_()
    torch.testing.assert_close(path_lengths(network(w, "none"), w, direction), expected, atol=1e-5, rtol=1e-3)


def test_the_path_penalty_reaches_the_weights():
    network = Network(SMALL)
    w = torch.randn(2, SMALL.inputs, 3, requires_grad=True)
    images = network(w, "none")
    lengths = path_lengths(images, w, torch.randn(images.shape))
    torch.testing.assert_close(path_penalty(lengths, torch.tensor(1.0)), (lengths - 1).square().mean())
    path_penalty(lengths, torch.tensor(1.0)).backward()
    assert network.synthesis.stack[0].weight.grad.abs().sum() > 0
