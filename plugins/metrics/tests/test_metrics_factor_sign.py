"""Sign of a factor's change against exact edits, on classifiers whose edits have closed forms."""

import numpy as np
import pytest
import torch
from sidelight_metrics.factors.factor_sign import FactorSign
from sidelight_metrics.params import FactorSignParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Counterfactual, Heatmap, Targets
from sidelight_specs.testing import ToyData, ToyRun, patterns

pytestmark = pytest.mark.training

DATA = ToyData(task="binary")
SPLIT = DATA.split("test")
LOW, HIGH = DATA.factor_ranges["rows"]
ROWS = patterns.basis(32)[0]
RUN = ToyRun()  # keeps the regressor of all tests: 512 images, 60 steps


def redrawn(value):
    return DATA.render({**SPLIT.factors, "rows": np.broadcast_to(np.float32(value), 12)})


def answers(images, converged=None, generated=None):
    logits = np.zeros((12, 3), np.float32)
    converged = np.ones(12, bool) if converged is None else converged
    return Counterfactual(
        images=images,
        logits_before=logits,
        logits_after=logits,
        converged=converged,
        generated=None if generated is None else np.stack([generated, images], 1),
        generated_logits=None if generated is None else np.zeros((12, 2, 3), np.float32),
    )


def signs(linear, found, predicted=0, probe=1, weight=1.0, images=SPLIT.images, **options):
    """Logits 0, weight * rows and 0.3 * weight * rows: only the factor `rows` has an effect."""
    weights = np.stack([0 * ROWS[None], weight * ROWS[None], 0.3 * weight * ROWS[None]])
    params = FactorSignParams(**{"factors": ("rows",), "images": 512, "steps": 60, "reader_batch": 32, **options})
    targets = Targets(predicted=np.full(12, predicted), probe=np.full(12, probe))
    metric = FactorSign(params, classifier=linear(weights), data=DATA, run=RUN)
    return {item.name: item for item in metric.measure(found, torch.from_numpy(images), targets).items}


@pytest.mark.parametrize(("predicted", "probe", "size"), [(0, 1, 1), (1, 0, 1), (0, 2, 0.3), (1, 2, 0.7)])
def test_the_effect_is_that_of_exact_edits_on_the_two_logits(linear, predicted, probe, size):
    found = signs(linear, answers(SPLIT.images), predicted, probe)
    expected = size * (HIGH - LOW) * float((ROWS**2).sum())
    np.testing.assert_allclose(found["effect of rows"].values, expected, rtol=1e-4)


@pytest.mark.parametrize("reading", ["network", "edit"])
@pytest.mark.parametrize(("probe", "value", "right"), [(1, HIGH, 1), (1, LOW, 0), (0, HIGH, 0), (0, LOW, 1)])
def test_a_change_towards_the_probe_is_right_and_away_from_it_wrong(linear, probe, value, right, reading):
    found = signs(linear, answers(redrawn(value)), 1 - probe, probe, reading=reading)
    moved = np.abs(SPLIT.factors["rows"] - value) > 0.5 * (HIGH - LOW) / 2  # where the edit is large
    assert moved.any()
    assert (found["right sign of rows"].values[moved] == right).all()
    assert (found["wrong sign of rows"].values[moved] == 1 - right).all()
    shares = [found[f"{label} rows"].values for label in ("right sign of", "wrong sign of", "no change of")]
    np.testing.assert_array_equal(np.sum(shares, axis=0), 1)


def test_the_projection_on_the_edit_is_the_change_of_the_factor(linear):
    """Images are linear in `rows`, so that the projection is exact: 0.3 of a half-range passes a threshold of 0.29."""
    half = (HIGH - LOW) / 2
    split, room = SPLIT.factors["rows"], HIGH - 0.3 * half
    moved = DATA.render({**SPLIT.factors, "rows": np.where(split < room, split + 0.3 * half, split).astype(np.float32)})
    for least, share in ((0.29, np.mean(split < room)), (0.31, 0.0)):
        found = signs(linear, answers(moved), reading="edit", least_change=least)
        assert found["right sign of rows"].value == pytest.approx(share)
        assert found["wrong sign of rows"].value == 0
    noise = np.where(patterns.region(0, 32), 0, 0.2) * np.ones_like(moved)  # where the factor changes nothing
    found = signs(linear, answers(np.clip(SPLIT.images + noise, 0, 1).astype(np.float32)), reading="edit")
    assert found["no change of rows"].value == 1


def test_an_answer_that_leaves_the_factor_does_not_move(linear):
    found = signs(linear, answers(SPLIT.images))
    assert found["no change of rows"].value == 1
    assert found["right sign of rows"].value == found["wrong sign of rows"].value == 0


def test_without_an_effect_or_an_answer_nothing_is_judged(linear):
    found = signs(linear, answers(redrawn(HIGH)), weight=1e-3)
    assert np.isnan(found["right sign of rows"].values).all()
    assert found["effect of rows"].settings["share with a sign"] == "0.00"
    found = signs(linear, answers(redrawn(HIGH), np.arange(12) > 3))
    for label in ("right sign of", "wrong sign of", "no change of"):
        np.testing.assert_array_equal(np.isnan(found[f"{label} rows"].values), np.arange(12) <= 3)


def test_the_edit_at_its_better_end_turns_the_class_or_does_not(linear):
    """Class 1 wins over 0 and 2 wherever rows > 0, and never loses to both for a negative weight."""
    assert (LOW > 0) or (HIGH > 0)
    assert signs(linear, answers(SPLIT.images), 0, 1)["turned by rows"].value == 1
    assert signs(linear, answers(SPLIT.images), 0, 2)["turned by rows"].value == 0  # class 1 is always above it


def test_the_exact_edits_are_emitted_with_what_the_classifier_says(linear):
    signs(linear, answers(SPLIT.images), 0, 1)
    edits = RUN.emitted["edits of rows"]
    edits.validate()
    np.testing.assert_array_equal(edits.images[1::2], redrawn(HIGH)[:4])
    odds = np.exp(np.array([0, 1, 0.3]) * LOW * float((ROWS**2).sum()))  # of the three classes
    assert edits.ids[0] == f"1. rows {LOW:g}: b {odds[1] / odds.sum():.0%}"
    assert len(edits.ids) == 8


def test_the_reliability_of_the_reading_stands_beside_it(linear):
    found = signs(linear, answers(redrawn(HIGH), generated=SPLIT.images))["right sign of rows"].settings
    assert float(found["R2 of the reading"]) > 0.8
    assert float(found["R2 on reconstructions"]) > 0.5
    lost = signs(linear, answers(redrawn(HIGH), generated=redrawn(LOW)))["right sign of rows"].settings
    assert float(lost["R2 on reconstructions"]) < 0.2
    assert "R2 on reconstructions" not in signs(linear, answers(redrawn(HIGH)))["right sign of rows"].settings


def test_strange_images_and_other_kinds_are_refused(linear):
    with pytest.raises(UserError, match='the split "test" lacks image 0'):
        signs(linear, answers(SPLIT.images), images=1 - SPLIT.images)
    with pytest.raises(SidelightError, match="heatmap"):
        signs(linear, Heatmap(values=np.zeros((12, 2, 2), np.float32)))
