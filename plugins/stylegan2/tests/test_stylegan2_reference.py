"""The networks compute what the official generator computes (random weights, float32, CPU)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sidelight_stylegan2.files import nvidia
from sidelight_stylegan2.files.weights import build
from sidelight_stylegan2.networks.mapping import truncate

FILE = Path(__file__).parent / "data" / "stylegan2_32_uncond.npz"
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference():
    with np.load(FILE, allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope="module", params=["features", "weights"])
def network(reference, request):
    weights = {name.removeprefix("sd/"): value for name, value in reference.items() if name.startswith("sd/")}
    network = build(nvidia.architecture_of(weights, FILE), nvidia.translated(weights, FILE), FILE)
    network.synthesis.modulated_by(request.param)
    return network


def same(found, expected):
    return found.shape == expected.shape and float((found - expected).abs().max()) < TOLERANCE


def test_the_mapping_network_gives_the_same_w(network, reference):
    assert same(network.map(reference["z"]), reference["ws"])


def test_truncation_pulls_the_first_layers(network, reference):
    assert same(truncate(reference["ws"], network.mapping.center, 0.6, 4), reference["ws_trunc"])


@pytest.mark.parametrize(
    ("image", "latents", "noise"),
    [("img_const", "ws", "constant"), ("img_none", "ws", "none"), ("img_trunc", "ws_trunc", "constant")],
)
def test_images_are_the_same(network, reference, image, latents, noise):
    assert same(network(reference[latents], noise), reference[image])


def test_mixed_styles_give_the_same_image(network, reference):
    mixed = reference["ws"][:1].clone()
    mixed[:, 4:] = reference["ws"][1:2, 4:]
    assert same(network(mixed), reference["img_mix"])


def test_every_style_vector_is_the_same(network, reference):
    names = [name for name in reference if name.startswith("style/")]
    found = network.synthesis.styles(reference["ws"])
    assert len(names) == len(found) == 11
    for name, style in zip(names, found, strict=True):
        assert same(style, reference[name])
