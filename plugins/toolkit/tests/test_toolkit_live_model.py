"""What descriptors see of a live network."""

import pytest
from sidelight_toolkit.live_model import has_attention
from torch import nn


class Attention(nn.Identity):
    """A layer that is called so."""


NETWORKS = {
    "ViT": (nn.Sequential(nn.Conv2d(3, 8, 4, 4), Attention(), nn.Linear(8, 8), Attention()), True),
    "convolutions of one place after attention": (nn.Sequential(Attention(), nn.Conv2d(8, 8, 1), Attention()), True),
    "convolutions between": (nn.Sequential(Attention(), nn.Conv2d(8, 8, 3, padding=1), Attention()), False),
    "pooling between": (nn.Sequential(Attention(), nn.MaxPool2d(2), Attention()), False),
    "none": (nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_attention_alone(name):
    """Hybrids are not called networks of attention: gradient-weighted attention would be refused on them."""
    network, expected = NETWORKS[name]
    assert has_attention(network) == expected
