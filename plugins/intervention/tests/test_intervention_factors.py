"""Figures 4 and 5: factors read off concept images, and edited in the images themselves."""

import numpy as np
import pytest
import torch
from sidelight_intervention.concept_flip import ConceptFlip
from sidelight_intervention.conformance import trained_decoder
from sidelight_intervention.metrics import flip_factors
from sidelight_intervention.metrics.concept_factors import PAIRS, ConceptFactors, edit_factor, pair_sheet
from sidelight_intervention.metrics.flip_factors import FlipFactors
from sidelight_intervention.params import ConceptFactorsParams, ConceptFlipParams, FlipFactorsParams
from sidelight_specs import UserError
from sidelight_specs.results import Intervention, Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import SHAPE, ToyClassifier, ToyData

FACTORS = tuple(ToyData().factor_ranges)


@pytest.fixture(scope="module")
def edit():
    split = ToyData(task="binary").split("test")
    return split, edit_factor(ToyData(task="binary"), ToyClassifier(task="binary"), split, FACTORS[0], ToyRun())


def test_only_the_factor_is_edited(edit):
    split, result = edit
    data = ToyData(task="binary")
    for images, end in zip(result.images, data.factor_ranges[FACTORS[0]], strict=True):
        factors = dict(split.factors) | {FACTORS[0]: np.full(len(split), end, np.float32)}
        np.testing.assert_array_equal(images, data.render({name: factors[name] for name in data.factor_ranges}))


def test_probabilities_are_the_classifier_s(edit):
    _, result = edit
    for images, probabilities in zip(result.images, result.probabilities, strict=True):
        says = ToyClassifier(task="binary").class_logits(torch.from_numpy(images)).softmax(1)[:, 1]
        np.testing.assert_allclose(probabilities, says.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(result.change, result.probabilities[1] - result.probabilities[0])


def test_the_sheet_has_pairs_with_their_probabilities(edit):
    _, result = edit
    shown = pair_sheet(result, "rows", "yes")
    assert len(shown) == 2 * min(PAIRS, len(result.change))
    np.testing.assert_array_equal(shown.images[2], result.images[0][1])
    np.testing.assert_array_equal(shown.images[3], result.images[1][1])
    assert shown.ids[3] == f"rows at its highest: yes {result.probabilities[1][1]:.2f}"


def metric(run, task="binary", **params):
    small = {"images": 8, "reader_images": 48, "reader_steps": 3} | params
    return ConceptFactors(
        ConceptFactorsParams(**small),
        data=ToyData(task=task),
        classifier=ToyClassifier(task=task),
        generator=trained_decoder(SHAPE, task),
        run=run,
    )


@pytest.mark.training
def test_factors_are_shown_and_used_and_pictured_once():
    run = ToyRun()
    measure = metric(run, factors=FACTORS[:2])
    names = [item.name for item in measure.measure(None, None, None).items]
    assert {name.split(": ")[1] for name in names} == set(FACTORS[:2])
    assert {name.split(": ")[0] for name in names} == {"shown", "used"}
    for item in measure.measure(None, None, None).items:
        assert item.interval[0] <= item.value <= item.interval[1]
    assert {f"edited: {name}" for name in FACTORS[:2]} < set(run.emitted)
    assert run.emitted["mean concept images"].images.shape == (2, *SHAPE)
    steps = dict(run.steps)
    again = [item.name for item in measure.measure(None, None, None).items]
    assert again == names
    assert run.steps == steps


def test_unknown_factors_and_more_classes_are_a_user_s_error():
    with pytest.raises(UserError, match="no factor hue"):
        metric(ToyRun(), factors=("hue",)).measure(None, None, None)
    with pytest.raises(UserError, match="compares two classes"):
        metric(ToyRun(), "multiclass").measure(None, None, None)


class Reads:
    """Mean brightness as the only factor, between 0 and 2: half a range is 1."""

    names, r_squared = ("brightness",), np.array([0.9])

    def half_ranges(self, images, others):
        return others.mean((1, 2, 3))[:, None] - images.mean((1, 2, 3))[:, None]


def test_flips_of_both_ways_are_measured_towards_the_second_class(monkeypatch):
    monkeypatch.setattr(flip_factors, "factor_regressor", lambda *_: Reads())
    says = {0: (1.0, 0.0), 1: (0.0, 1.0)}
    before, after = np.array([0.2, 0.8, 0.3]), np.array([0.6, 0.1, 0.9])
    pictures = [
        np.broadcast_to(level[:, None, None, None], (3, 1, 2, 2)).astype(np.float32) for level in (before, after)
    ]
    rows = [np.array([says[k] for k in classes], np.float32) for classes in ((0, 1, 0), (1, 0, 0))]
    bits = np.zeros((3, 2), bool)
    flips = Intervention(
        codes=bits, flipped=bits, before=pictures[0], after=pictures[1], logits=rows[0], logits_before=rows[0],
        logits_after=rows[1], changed=np.array([True, True, False]), singles=np.zeros((3, 2), np.float32),
        answers="predicted",
    )  # fmt: skip
    (item,) = FlipFactors(FlipFactorsParams(), data=None, run=ToyRun()).measure(flips, None, None).items
    np.testing.assert_allclose(item.values, [0.4, 0.7, np.nan], atol=1e-6)
    assert item.settings["flips that change the class"] == "2 of 3"
    assert item.settings["between the classes before"] == "+0.55"


def test_flip_factors_names_what_it_cannot_measure():
    data, run = ToyData(task="binary"), ToyRun()
    generator = trained_decoder(SHAPE, "binary")
    images = torch.from_numpy(data.split("test").images[:4])
    targets = Targets(predicted=np.zeros(4, np.int64), probe=np.ones(4, np.int64))
    flip = ConceptFlip(ConceptFlipParams(), classifier=ToyClassifier(task="binary"), generator=generator, run=run)
    small = {"reader_images": 48, "reader_steps": 3}
    with pytest.raises(UserError, match="no factor hue"):
        FlipFactors(FlipFactorsParams(factors=("hue",), **small), data=data, run=run).measure(
            flip.explain(images, targets), images, targets
        )


def test_pictures_of_one_class_are_said_to_be(monkeypatch):
    run = ToyRun()
    measure = metric(run, factors=FACTORS[:1])
    monkeypatch.setattr(measure._generator.dvae, "logits_of", lambda codes: torch.eye(2)[[1] * len(codes)])
    shown = next(item for item in measure.measure(None, None, None).items if item.name.startswith("shown"))
    assert np.isnan(shown.value)
    assert shown.limits is None
    assert any("are of one class" in text for text in run.warnings)
