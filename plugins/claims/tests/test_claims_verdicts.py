"""Verdicts on toys whose causes are known: three squares, of which the darkest and brightest names the class."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_claims import DecidesParams, MeasuredParams, TopAttributesParams
from sidelight_claims.decides import Decides
from sidelight_claims.decides import Measured as Effects
from sidelight_claims.measured import Measured
from sidelight_claims.regions import controls
from sidelight_claims.statistics import Mean, student_p
from sidelight_claims.top_attributes import TopAttributes
from sidelight_specs import UserError
from sidelight_specs.blocks import Table
from sidelight_specs.results import Attribute, Attributes, Measurement, Measurements
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun, toy_results

CLASSES = ToyClassifier().class_names


def results_of(count=12, label=None):
    """Toy results over test images, on demand those of one class alone."""
    results = toy_results(count=count)
    if label is None:
        return results
    rows = np.flatnonzero(results.split.labels == label).tolist()
    return attrs.evolve(
        results,
        split=results.split.take(rows),
        predictions=results.predictions.take(rows),
        targets=results.targets.take(rows),
        explanations={name: one.take(rows) for name, one in results.explanations.items()},
    )


def decides(results, winner=0, loser=1, **options):
    params = DecidesParams(winner=winner, loser=loser, controls=39, **options)
    return Decides(params, classifier=ToyClassifier(), run=ToyRun()).judge(results)


# decides


def test_the_cause_decides_its_class():
    answer = decides(results_of(label=0), mask="cause", replacements=("mean", "blur", "grey"))
    assert answer.verdict == "supported", answer.reason
    assert set(answer.effects) == {"mean", "blur", "grey"}
    assert all(len(effect.controls) == 39 for effect in answer.effects.values())
    assert answer.n == 4
    assert answer.before.shape == answer.after.shape == (3, 1, 32, 32)
    assert answer.p <= 0.05


def test_the_cause_does_not_decide_the_other_class():
    answer = decides(results_of(label=0), 1, 0, mask="cause", replacements=("mean",))
    assert answer.verdict == "contradicted"
    assert "other way" in answer.reason


def test_the_background_decides_nothing():
    answer = decides(results_of(label=0), box=(14, 14, 2, 2), replacements=("mean", "blur"))
    assert answer.verdict == "contradicted"
    assert "negligible" in answer.reason


def test_replacements_that_disagree_establish_nothing():
    """The pixels of the image itself change nothing, grey ones do."""
    results = results_of(label=0)
    same = attrs.evolve(results.explanations["counterfactual"], images=results.split.images)
    results = attrs.evolve(results, explanations={"same": same})
    answer = decides(results, mask="cause", replacements=("grey", "counterfactual/same"))
    assert answer.verdict == "not established"
    assert "grey for it; counterfactual/same against it" in answer.reason


def test_the_pixels_of_a_heatmap_are_a_region():
    answer = decides(results_of(label=0), explainer="heatmap", share=6.25, replacements=("mean",))
    assert answer.evidence == ("explanations/heatmap",)
    assert answer.verdict == "supported", answer.reason


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"mask": "lips"}, "no mask lips"),
        ({"explainer": "gone"}, "gone gave no heatmap"),
        ({"mask": "cause", "replacements": ("counterfactual/gone",)}, "gone gave no counterfactuals"),
    ],
)
def test_what_cannot_be_measured_is_not_established(options, part):
    answer = decides(results_of(label=0), **options)
    assert answer.verdict == "not established"
    assert part in answer.reason
    assert not answer.effects


def test_an_unknown_class_is_the_users_mistake():
    with pytest.raises(UserError, match="no class ninth"):
        decides(results_of(), winner="ninth", mask="cause")


def test_controls_have_the_size_and_shape_of_the_region():
    masks = np.zeros((2, 16, 16), bool)
    masks[:, 1:4, 2:5] = True
    moves, what = controls(masks, 19, np.random.default_rng(0))
    moved = [move(masks) for move in moves]
    assert len(moved) == 19
    assert "inside the image" in what
    assert all((one.sum(axis=(1, 2)) == 9).all() for one in moved)
    assert all(np.ptp(np.argwhere(one[0]), axis=0).tolist() == [2, 2] for one in moved)  # never torn by an edge
    assert all((one & masks).sum() <= masks.sum() * (1 + masks.mean()) / 2 for one in moved)
    assert len({one.tobytes() for one in moved}) == 19


def test_a_region_as_wide_as_the_image_goes_round_the_edges():
    masks = np.zeros((1, 16, 16), bool)
    masks[:, :, ::2] = True
    moves, what = controls(masks, 19, np.random.default_rng(0))
    assert "round the edges" in what
    assert all(move(masks).sum() == masks.sum() for move in moves)


def test_images_without_an_answer_have_no_region_and_no_counterfactual():
    results = results_of(label=0)
    is_answered = np.arange(len(results.split)) > 0
    partial = {
        name: attrs.evolve(results.explanations[name], answered=is_answered, no_answer="it gave up")
        for name in ("heatmap", "counterfactual")
    }
    results = attrs.evolve(results, explanations=partial)
    answer = decides(results, explainer="heatmap", replacements=("mean",))
    assert answer.n == len(results.split) - 1
    answer = decides(results, mask="cause", replacements=("counterfactual/counterfactual",))
    assert "no counterfactual of 1 of 4 images" in answer.reason


def test_the_whole_image_is_no_region():
    answer = decides(results_of(), box=(0, 0, 32, 32))
    assert answer.verdict == "not established"
    assert "the whole image" in answer.reason


def test_what_speaks_for_a_claim_does_not_speak_against_it():
    """An effect above the bound that random regions do not reach, though its excess over their mean is small."""
    effect, excess = Mean.of(np.array([1.2, 1.25, 1.3])), Mean.of(np.array([0.4, 0.45, 0.5]))
    images = torch.zeros(1, 1, 1, 1)
    clear = Effects(effect, excess, np.full(39, 0.8), np.zeros(3), images)
    assert clear.is_for(1.0)
    assert not clear.is_against(1.0)
    reached = clear._replace(controls=np.full(39, 1.4))
    assert reached.is_against(1.0)
    assert not reached.is_for(1.0)


def test_log_odds_that_are_not_finite_establish_nothing():
    class Overflowing(ToyClassifier):
        def class_logits(self, images):
            return super().class_logits(images) * float("nan")

    params = DecidesParams(winner=0, loser=1, mask="cause", controls=19)
    answer = Decides(params, classifier=Overflowing(), run=ToyRun()).judge(results_of(label=0))
    assert answer.verdict == "not established"
    assert "not finite" in answer.reason


# measured


def measured(values, comparison=">=", threshold=0.5, **item):
    number = Measurement(name="share", values=np.array(values, np.float32), **item)
    results = attrs.evolve(toy_results(), measurements={"m": {"a": Measurements(items=(number,))}})
    return Measured(MeasuredParams(metric="m", comparison=comparison, threshold=threshold), run=ToyRun()).judge(results)


@pytest.mark.parametrize(
    ("values", "comparison", "verdict"),
    [
        ([1] * 8, ">=", "supported"),  # 68 to 100 %
        ([1] * 3, ">=", "not established"),  # 44 to 100 %
        ([0] * 8, ">=", "contradicted"),
        ([0] * 8, "<", "supported"),
        ([0.6, 0.7, 0.8, 0.7], ">", "supported"),
        ([0.4, 0.7, 0.8, 0.3], ">", "not established"),
        ([0.6, 0.7, 0.8, 0.7], "<=", "contradicted"),
        ([1, 1], ">=", "not established"),
        ([np.nan, np.nan, 1, 1], ">=", "not established"),
    ],
)
def test_a_number_is_decided_by_its_whole_interval(values, comparison, verdict):
    assert measured(values, comparison).verdict == verdict


@pytest.mark.parametrize("comparison", [">=", ">", "<=", "<"])
def test_the_answer_keeps_the_comparison(comparison):
    answer = measured([0.6, 0.7, 0.8, 0.7], comparison)
    assert answer.operator == comparison
    (table,) = [block for block in answer.view(0) if isinstance(block, Table)]
    assert table.rows[0][-1] == f"{comparison} 0.5"


def test_eight_of_eight_do_not_establish_ninety_per_cent():
    assert measured([1] * 8, threshold=0.9).verdict == "not established"


def test_a_number_of_the_whole_set_needs_limits():
    assert measured([0.8], whole=True).verdict == "not established"
    assert measured([0.8], limits=(0.6, 0.9)).verdict == "supported"


def test_equal_values_are_told():
    answer = measured([0.7, 0.7, 0.7])
    assert answer.verdict == "supported"
    assert "has no width" in answer.warnings[0]


def test_questions_about_one_image_count_once():
    """Nine answers that agree are three images, of which Wilson's interval begins at 44 %."""
    results = toy_results(count=3)
    rows = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    number = Measurement(name="share", values=np.ones(9, np.float32))
    results = attrs.evolve(
        results, split=results.split.take(rows), measurements={"m": {"a": Measurements(items=(number,))}}
    )
    answer = Measured(MeasuredParams(metric="m", comparison=">=", threshold=0.5), run=ToyRun()).judge(results)
    assert (answer.verdict, answer.n) == ("not established", 3)


# top-attributes


def ranked(effects, names, towards=None, targets=(0, 0, 0), before=None, after=None, **options):
    """The rank by name, as of data without factors."""
    effects = np.array(effects, np.float32)
    attributes = tuple(
        Attribute(name=name, coordinate=at, effect=float(effects[at].mean()), target=targets[at])
        for at, name in enumerate(names)
    )
    found = Attributes(answers="probe", attributes=attributes, effects=effects, class_names=CLASSES)
    found = attrs.evolve(found, before=before, after=after)
    results = attrs.evolve(toy_results(), attributes={"finder": found})
    params = TopAttributesParams(factor="lips", towards=towards, **options)
    return TopAttributes(params, data=None, run=ToyRun()).judge(results)


@pytest.mark.parametrize(
    ("spread", "names", "verdict"),
    [
        (0.1, ("red lips", "hair", "eyes"), "supported"),
        (0.1, ("eyes", "hair", "red lips"), "contradicted"),
        (3.0, ("eyes", "red lips", "hair"), "not established"),  # second, but hardly weaker than the first
    ],
)
def test_a_rank_is_decided_by_bootstrap(spread, names, verdict):
    noise = np.random.default_rng(0).normal(size=(3, 20)) * spread
    answer = ranked(np.array([[2.0], [1.5], [1.0]]) + noise, names, top=1, draws=199)
    assert answer.verdict == verdict, answer.reason


def test_no_attribute_that_changes_the_factor_is_never_in_the_top():
    """However many places are claimed: here more than there are attributes."""
    answer = ranked(np.ones((2, 9)), ("red lips", "hair"), top=9, targets=(1, 0), towards=0)
    assert answer.verdict == "contradicted"
    assert "by no attribute" in answer.reason
    assert answer.before is None


def test_the_pair_is_of_the_attribute_that_is_ranked():
    """The last of three has the largest effect, and the second one of the name is of another class."""
    effects = np.array([[1.0], [1.0], [3.0]]) * np.ones((3, 9))
    names, targets = ("red lips", "lips", "pale lips"), (0, 1, 0)
    images = np.linspace(0, 1, 3, dtype=np.float32)[:, None, None, None, None] * np.ones((3, 1, 1, 4, 4), np.float32)
    answer = ranked(effects, names, top=1, targets=targets, towards=0, before=images, after=images)
    assert answer.captions == ("pale lips",)
    assert answer.before.max() == 1


@pytest.mark.parametrize("towards", [2, 99])
def test_a_class_without_attributes_establishes_nothing(towards):
    answer = ranked(np.ones((2, 9)), ("red lips", "hair"), top=1, towards=towards)
    assert answer.verdict == "not established"
    assert f"no attributes towards {towards}" in answer.reason


def test_attributes_without_effects_or_names_establish_nothing():
    assert "fewer than 5 images" in ranked(np.ones((2, 3)), ("lips", "hair"), top=1).reason
    assert "no attribute is named lips" in ranked(np.ones((2, 9)), ("nose", "hair"), top=1).reason


@pytest.mark.training
def test_a_factor_is_read_off_the_examples():
    """Toy attributes raise the pattern of their class, a factor of the toy data."""
    results = toy_results(count=12)
    data, column = ToyData(), list(ToyData().factor_ranges)
    params = {"top": 1, "images": 600, "steps": 150, "draws": 99}
    verdicts = {}
    for factor in (column[int(results.targets.probe[0])], "shade-x"):
        claim = TopAttributes(TopAttributesParams(factor=factor, **params), data=data, run=ToyRun())
        verdicts[factor] = claim.judge(results).verdict
    assert list(verdicts.values()) == ["supported", "contradicted"]


# statistics


def test_p_of_student():
    # two-sided p of Student's t, R's 2 * pt(-t, df)
    for t, freedom, p in ((2.0, 5, 0.10194), (3.0, 10, 0.01334), (1.0, 30, 0.32531)):
        assert student_p(t, freedom) == pytest.approx(p, abs=1e-4)


def test_p_and_interval_agree():
    mean = Mean.of(np.random.default_rng(1).normal(1, 1, 30))
    assert mean.p_against(mean.low) == pytest.approx(0.05, rel=0.03)
    share = Mean.of_metric(np.array([1.0] * 15 + [0.0] * 5))
    assert share.p_against(share.low) == pytest.approx(0.05, rel=0.01)
