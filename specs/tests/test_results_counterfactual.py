"""Counterfactuals that keep details which the generator does not draw."""

import attrs
import numpy as np
import pytest
from sidelight_specs.results import Counterfactual
from sidelight_specs.results.counterfactual import _log_probabilities

BEFORE, BOUNDARY = [4.0, 0.0], [0.0, 0.0]


def answers(own, converged=True):
    """Counterfactuals on the boundary, whose generator's own images have these logits before and after."""
    count = len(own)
    return Counterfactual(
        images=np.zeros((count, 1, 2, 2), np.float32),
        logits_before=np.float32([BEFORE] * count),
        logits_after=np.float32([BOUNDARY] * count),
        converged=np.full(count, converged),
        generated=np.zeros((count, 2, 1, 2, 2), np.float32),
        generated_logits=np.float32(own),
    )


MOVED, UNMOVED, BACK = [BEFORE, BOUNDARY], [[4.0, 0.0], [3.8, 0.0]], [[1.0, 0.0], [4.0, 0.0]]


@pytest.mark.parametrize(
    ("own", "weak"), [([MOVED] * 3, 0), ([UNMOVED] * 3, 3), ([BACK, UNMOVED, MOVED], 2), ([UNMOVED, MOVED], 0)]
)
def test_answers_that_need_what_the_generator_does_not_draw_are_doubted(own, weak):
    doubts = answers(own).doubts()
    assert len(doubts) == bool(weak)
    assert all(f"in {weak} of {len(own)} counterfactuals" in doubt for doubt in doubts)


@pytest.mark.parametrize(("others", "doubted"), [(0, False), (1, False), (2, True)])
def test_reconstructions_of_another_class_are_doubted(others, doubted):
    own = [[[0.0, 4.0], [-4.0, 4.0]]] * others + [MOVED] * (3 - others)
    doubts = answers(own).doubts()
    assert doubted == any("in 2 of 3 images what the generator draws" in doubt for doubt in doubts)
    assert len(doubts) == doubted


def test_failed_searches_and_the_generators_own_images_are_not_doubted():
    assert not answers([UNMOVED] * 3, converged=False).doubts()
    assert not attrs.evolve(answers([UNMOVED] * 3), generated=None, generated_logits=None).doubts()


def test_log_probabilities_do_not_overflow():
    logits = np.float32([[1000.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(np.exp(_log_probabilities(logits)).sum(1), 1)
    np.testing.assert_allclose(_log_probabilities(logits)[1], [-np.log1p(np.e), 1 - np.log1p(np.e)], rtol=1e-6)


def test_the_generators_own_images_are_shown():
    strips = [block for block in answers([MOVED]).view(0) if "drawn by the generator" in block.caption]
    assert strips[0].images.shape == (2, 1, 2, 2)
