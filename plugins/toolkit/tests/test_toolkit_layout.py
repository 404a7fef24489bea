"""Layouts traced through small networks."""

import pytest
import torch
from sidelight_toolkit.layout import CoordinateTracker, Layout
from torch.nn import functional


def traced(function, size=(16, 24)):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    tracker = CoordinateTracker(image)
    with torch.no_grad(), tracker:
        output = function(image)
    coordinates = tracker.of(output)
    return coordinates and coordinates.layout


def patches(image):
    return functional.conv2d(image, torch.ones(5, 3, 4, 4), stride=4)


def tokens(image):
    return patches(image).flatten(2).transpose(1, 2)


def with_class_token(image):
    return torch.cat([torch.zeros(1, 2, 5), tokens(image)], 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (patches, Layout(1, (4, 6))),
        (lambda image: functional.relu_(patches(image)), Layout(1, (4, 6))),
        (lambda image: functional.max_pool2d(patches(image), 2), Layout(1, (2, 3))),
        (lambda image: patches(image).permute(0, 2, 3, 1), Layout(3, (4, 6))),
        (tokens, Layout(2, (4, 6))),
        (with_class_token, Layout(2, (4, 6), prefix=2)),
        (lambda image: functional.layer_norm(with_class_token(image), (5,)), Layout(2, (4, 6), prefix=2)),
    ],
)
def test_the_layout_follows_the_operators(function, expected):
    assert traced(function) == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda image: torch.sort(patches(image), -1).values,  # no operator whose effect on positions is known
        lambda image: tokens(image).flip(1),  # tokens from bottom to top are no grid
        lambda image: functional.linear(tokens(image).transpose(1, 2), torch.ones(7, 24)),  # mixes all positions
    ],
)
def test_unknown_and_mixed_positions_give_no_layout(function):
    assert traced(function) is None


def test_feature_maps_without_class_tokens():
    layout = Layout(2, (2, 3), prefix=1)
    output = torch.arange(7 * 2.0).view(1, 7, 2)
    assert layout.to_nchw(output).shape == (1, 2, 2, 3)
    assert layout.to_nchw(output)[0, :, 0, 0].tolist() == [2, 3]


def test_a_view_that_expanded_coordinates_do_not_allow():
    """As CoAtNet makes heads of a 1x1 convolution's output: rows and columns become one axis."""
    assert traced(lambda image: patches(image).view(1, 5, -1)) == Layout(1, (4, 6))
