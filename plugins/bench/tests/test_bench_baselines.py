"""Baselines, and the oracle."""

from types import SimpleNamespace

import numpy as np
import torch
from sidelight_bench.baselines import CentreMap, ConfidenceMap, EdgeMap, RandomMap
from sidelight_bench.params import RandomParams
from sidelight_specs.testing import component_tests
from sidelight_specs.testing.run import ToyRun

test_conformance = component_tests("sidelight-bench")


def random_maps(images, seed=0):
    return RandomMap(RandomParams(seed=seed), run=ToyRun()).explain(images, None).values


def test_random_follows_image_and_seed_and_is_uniform_on_the_mean():
    images = torch.rand(400, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    maps = random_maps(images)
    assert np.array_equal(maps[3:4], random_maps(images[3:4]))
    assert not np.array_equal(maps[3:4], random_maps(images[3:4], 1))
    assert np.abs(maps.mean(0) - 0.5).max() < 0.08


def test_centre_is_highest_in_the_middle_and_symmetric():
    (values,) = CentreMap(None, run=ToyRun()).explain(torch.zeros(1, 3, 9, 9), None).values
    assert values.argmax() == 40
    assert np.array_equal(values, values[::-1, ::-1])


def confidence_maps(images, logits):
    model = SimpleNamespace(class_logits=lambda images: torch.tensor(logits))
    return ConfidenceMap(None, classifier=model, run=ToyRun()).explain(images, None).values


def test_confidence_is_wider_where_the_model_is_surer_and_follows_nothing_else():
    images = torch.rand(3, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    maps = confidence_maps(images, [[0.0, 0.0], [0.0, 2.0], [4.0, 0.0]])
    assert np.array_equal(maps[:1], CentreMap(None, run=ToyRun()).explain(images[:1], None).values)
    shares = maps[:, 3:6, 3:6].sum((1, 2)) / maps.sum((1, 2))
    assert shares[0] > shares[1] > shares[2]
    other = confidence_maps(1 - images, [[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])
    assert np.allclose(other, maps)


def test_edges_of_a_step_stand_at_the_step():
    image = torch.zeros(1, 1, 8, 8)
    image[..., 4:] = 1
    (values,) = EdgeMap(None, run=ToyRun()).explain(image, None).values
    assert (values[:, 3:5] == 4).all()
    assert (np.delete(values, (3, 4), axis=1) == 0).all()
