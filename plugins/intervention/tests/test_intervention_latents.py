"""Concept images by a generator's latents: the linear map in closed form, and what stays as it was."""

import numpy as np
import pytest
import torch
from sidelight_intervention.conformance import trained_dvae
from sidelight_intervention.decoder.concept_latents import ConceptLatents, fit_linear_map
from sidelight_intervention.params import ConceptLatentsParams
from sidelight_specs import NotFittedError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Split
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import SHAPE, ToyData, ToyGenerator


@pytest.mark.parametrize("size", [3, 400], ids=["few values", "more values than images"])
def test_the_map_is_that_of_ridge_regression(size):
    rng = torch.Generator().manual_seed(0)
    layer = torch.randn(60, size, generator=rng) * 3 + 1
    latents = layer[:, :3] @ torch.randn(3, 5, generator=rng) + 0.1 * torch.randn(60, 5, generator=rng) - 2
    found = fit_linear_map(layer, latents, 0.05)
    u = ((layer - layer.mean(0)) / (layer - layer.mean(0)).square().mean().sqrt()).double()
    w = (latents - latents.mean(0)).double()
    expected = torch.linalg.inv(u.T @ u + 0.05 * 60 * torch.eye(size).double()) @ u.T @ w
    torch.testing.assert_close(found.weights, expected.float(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found.offsets(layer), (u @ expected).float(), atol=1e-4, rtol=1e-3)
    assert found.offsets(layer.mean(0)[None]).abs().max() < 1e-4


def test_a_linear_relation_is_found_again():
    layer = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    true = torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, 0]])
    found = fit_linear_map(layer, layer @ true + 7, 0.0)
    torch.testing.assert_close(found.mean + found.offsets(layer), layer @ true + 7, atol=1e-3, rtol=1e-3)


def fitted(data=None, **params):
    options = ConceptLatentsParams(**{"images": 28, "validation": 20, "synthesis_batch": 8, **params})
    run = ToyRun()
    made = ConceptLatents(options, dvae=trained_dvae(SHAPE, "multiclass"), generator=ToyGenerator(), run=run)
    made.fit(data or ToyData())
    return made, run


def test_before_is_the_reconstruction_and_the_same_code_changes_nothing():
    made, _ = fitted()
    images = torch.from_numpy(ToyData().split("test").images[:10])
    codes = made.encode(images)
    before, after = made.pair(images, codes, codes)
    generator = ToyGenerator()
    torch.testing.assert_close(before, generator.synthesize(generator.encode(images)))
    torch.testing.assert_close(before, after)


def test_what_the_layer_does_not_know_differs_between_images_only_where_it_is_kept():
    images = torch.from_numpy(ToyData().split("test").images[:10])
    made, _ = fitted(keep_image=False)
    code = made.encode(images[:1]).expand(10, -1)
    before, after = made.pair(images, code, 1 - code)
    torch.testing.assert_close(before, before[:1].expand_as(before))
    assert (before - after).abs().max() > 1e-3
    kept, _ = fitted()
    before, after = kept.pair(images, code, 1 - code)
    assert (before - before[:1]).abs().max() > 1e-2
    # in latents, the flip of one code moves every image alike
    generator, dvae = ToyGenerator(), kept.dvae
    move = kept._map.offsets(dvae.decode(1 - code[:1])) - kept._map.offsets(dvae.decode(code[:1]))
    torch.testing.assert_close(after, generator.synthesize(generator.encode(images) + move), atol=1e-5, rtol=1e-4)


def test_quality_is_measured_on_images_that_the_map_was_not_fitted_to():
    _, run = fitted()
    (item,) = run.emitted["concept latents"].items
    assert item.settings["images"] == "20"
    assert 0 < item.value < 1
    _, without = fitted(validation=0)
    assert "concept latents" not in without.emitted


@pytest.mark.parametrize(
    ("options", "fitted_to", "held_out"),
    [
        ({"images": 40, "validation": 500}, 36, 12),  # of 48 images; a quarter is held out, not all but two
        ({"images": 6000, "validation": 8}, 40, 8),
        ({"images": 20, "validation": 20}, 20, 20),
    ],
)
def test_a_small_split_is_fitted_to_before_it_is_held_out(options, fitted_to, held_out):
    made, run = fitted(**options)
    (item,) = run.emitted["concept latents"].items
    assert item.settings["images"] == f"{held_out}"
    images = torch.from_numpy(ToyData().split("train").images[:fitted_to])
    layer, latents = made.dvae.decode(made.encode(images)), ToyGenerator().encode(images).flatten(1)
    torch.testing.assert_close(made._map.weights, fit_linear_map(layer, latents, 0.01).weights, atol=1e-4, rtol=1e-3)


def test_images_are_read_a_batch_at_a_time_and_no_more_than_asked_for():
    whole, _ = fitted(images=20, validation=6, synthesis_batch=5)
    read = []

    class Counting(ToyData):
        def split(self, name):
            images = super().split(name).images
            unread = LazyImages(images.shape, lambda row: read.append(row) or images[row])
            return Split(images=unread)

    made, _ = fitted(Counting(), images=20, validation=6, synthesis_batch=5)
    torch.testing.assert_close(made._map.weights, whole._map.weights)
    assert set(read) == set(range(26))


def test_it_says_that_it_was_not_fitted():
    made = ConceptLatents(
        ConceptLatentsParams(), dvae=trained_dvae(SHAPE, "multiclass"), generator=ToyGenerator(), run=ToyRun()
    )
    with pytest.raises(NotFittedError, match="call fit or load_state"):
        made.synthesize(torch.zeros(1, 6))
    again, _ = fitted()
    made.load_state(again.state())
    codes = again.sample(3, np.random.default_rng(0))
    torch.testing.assert_close(made.synthesize(codes), again.synthesize(codes))
