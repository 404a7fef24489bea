import numpy as np
import pytest
import torch
from sidelight_metrics.consistency import Consistency, correlations
from sidelight_specs import SidelightError
from sidelight_specs.params import NoParams
from sidelight_specs.results import Counterfactual, Heatmap, Inversion, Targets
from sidelight_specs.roles import Explainer
from sidelight_specs.testing import ToyRun

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.3, 0.7, (4, 2, 5, 6)).astype(np.float32)
CHANGE = RNG.uniform(-0.2, 0.2, IMAGES.shape).astype(np.float32)
TARGETS = Targets(predicted=np.zeros(4, np.int64), probe=np.ones(4, np.int64))


def moved(change, converged=(True,) * 4):
    logits = np.zeros((4, 2), np.float32)
    return Counterfactual(
        images=IMAGES + change, logits_before=logits, logits_after=logits, converged=np.array(converged)
    )


class Fixed(Explainer):
    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def explain(self, images, targets):
        self.calls += 1
        return self.answer


def measured(explanation, other, run=None):
    metric = Consistency(NoParams(), explainer=Fixed(other), run=run or ToyRun())
    return metric.measure(explanation, torch.from_numpy(IMAGES), TARGETS).items[0].values


def test_correlations_are_numpys():
    maps, others = RNG.normal(size=(2, 3, 4, 5))
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, others, strict=True)]
    np.testing.assert_allclose(correlations(maps, others), expected)


def test_a_constant_map_has_no_correlation():
    assert np.isnan(correlations(np.ones((1, 2, 2)), RNG.normal(size=(1, 2, 2)))).all()


def test_the_same_change_weaker_is_consistent_and_its_opposite_is_not():
    np.testing.assert_allclose(measured(moved(CHANGE), moved(0.5 * CHANGE)), 1, atol=1e-5)
    np.testing.assert_allclose(measured(moved(CHANGE), moved(-CHANGE)), -1, atol=1e-5)


def test_what_speaks_for_the_predicted_class_is_what_has_to_go():
    heatmap = Heatmap(values=-CHANGE.sum(1), answers="contrast")
    np.testing.assert_allclose(measured(heatmap, moved(CHANGE)), 1, atol=1e-5)


def test_failed_searches_of_either_are_left_out():
    values = measured(moved(CHANGE, (True, False, True, True)), moved(CHANGE, (True, True, False, True)))
    assert np.isnan(values).tolist() == [False, True, True, False]


def test_the_other_explainer_is_asked_once():
    run, other = ToyRun(), Fixed(moved(CHANGE))
    metric = Consistency(NoParams(), explainer=other, run=run)
    for _ in range(2):
        metric.measure(moved(CHANGE), torch.from_numpy(IMAGES), TARGETS)
    assert other.calls == 1


def test_what_has_no_map_is_refused():
    latents = np.zeros((4, 1), np.float32)
    with pytest.raises(SidelightError, match="inversion"):
        measured(Inversion(latents=latents, reconstructions=IMAGES, error=latents[:, 0]), moved(CHANGE))
