"""A run in a notebook cell: pictures and numbers in one piece of HTML."""

import re

import attrs
import numpy as np
import pytest
from sidelight_report.notebook import sidelight_run_html
from sidelight_specs.results import (
    Counterfactual,
    Heatmap,
    Measurement,
    Measurements,
    Predictions,
    Results,
    Split,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import toy_results
from sidelight_ui.overlay import PREDICTED, PROBE, VIRIDIS, overlaid

GREY = np.full((1, 1, 3), 0.5, np.float32)


def test_a_signed_map_is_teal_above_zero_grey_at_zero_and_amber_below():
    positive, zero, negative = np.moveaxis(overlaid(GREY, np.array([[2.0, 0.0, -2.0]]), 2, signed=True), 0, 2)[0]
    assert np.abs(positive.astype(int) - PREDICTED).max() < 30
    assert np.ptp(zero) == 0
    assert np.abs(negative.astype(int) - PROBE).max() < 30
    swapped = overlaid(GREY, np.array([[2.0, 0.0, -2.0]]), 2, signed=True, colours=(PROBE, PREDICTED))
    assert np.abs(swapped[:, 0, 0].astype(int) - PROBE).max() < 30


def test_a_map_that_only_ranks_runs_from_dark_to_bright_and_a_constant_one_is_still_a_picture():
    low, middle, high = np.moveaxis(overlaid(GREY, np.array([[0.0, 0.5, 1.0]]), 1, signed=False), 0, 2)[0].astype(int)
    assert low.sum() < middle.sum() < high.sum()
    assert np.abs(high - VIRIDIS[-1]).max() < 30
    assert overlaid(GREY, np.zeros((1, 3)), 0, signed=False).shape == (3, 1, 3)


@pytest.fixture
def results():
    images = np.linspace(0, 1, 10 * 9, dtype=np.float32).reshape(10, 1, 3, 3)
    logits = np.tile(np.array([[2, 1]], np.float32), (10, 1))
    measured = Measurement(
        name="total", values=np.array([1, 3, np.nan], np.float32), better="higher", unit="<x>", help="A & b."
    )
    none = Measurement(name="none", values=np.array([np.nan], np.float32))
    return Results(
        name="<b>me</b>",
        split=Split(images=images),
        predictions=Predictions(logits=logits),
        targets=Targets(predicted=np.zeros(10, np.int64), probe=np.ones(10, np.int64)),
        class_names=("cat", "dog"),
        explanations={
            "heat": Heatmap(values=images[:, 0]),
            "other": Counterfactual(
                images=1 - images, logits_before=logits, logits_after=logits, converged=np.arange(10) != 1
            ),
        },
        measurements={"m": {"heat": Measurements(items=(measured, none))}},
    )


def test_a_notebook_shows_pictures_and_numbers_without_any_network(results):
    shown = sidelight_run_html(results)
    assert shown.count("<img") == 8 * 4 - 2, "a counterfactual that did not converge is not shown as an answer"
    assert shown.count("no answer found") == 1
    assert "Why “cat” and not “dog”?" in shown
    assert "cat 73%" in shown
    assert "2 more questions" in shown
    assert "<b>me</b>" not in shown
    assert not re.search(r"(src|href)=\"(?!data:)", shown)


def test_a_misclassified_image_has_both_sides_and_a_chosen_one_its_reason(results):
    heat = Heatmap(values=results.split.images[[3], 0], answers="probe")
    shown = sidelight_run_html(
        attrs.evolve(results, contested=(3,), counterparts={"heat": heat}, choice="the only one of the errors <&>")
    )
    assert [shown.count(f">for {side}<") for side in ("cat, predicted", "dog, expected")] == [1, 1]
    assert "<p>Explained are the only one of the errors &lt;&amp;&gt;.</p>" in shown
    assert "predicted" not in sidelight_run_html(results)


def test_an_image_without_an_answer_has_the_reason_in_place_of_a_map(results):
    values, answered = results.split.images[:, 0].copy(), np.arange(10) != 1
    values[1] = 0
    heat = Heatmap(values=values, answered=answered, no_answer="hiding <shows> nothing")
    shown = sidelight_run_html(attrs.evolve(results, explanations={"heat": heat}))
    assert shown.count("<img") == 8 * 2 - 1
    assert shown.count("for cat: no answer") == 1
    assert shown.count("hiding &lt;shows&gt; nothing") == 1


def test_limits_are_folded_below_and_escaped():
    results = toy_results("multiclass")
    name = next(iter(results.explanations))
    record = ComponentRecord(id=name, role="explainer", use="a/b", limits=("Where, <not> what.",))
    text = sidelight_run_html(attrs.evolve(results, components=(record,)))
    assert f"<li>{name}: Where, &lt;not&gt; what.</li>" in text
    assert "What may not be claimed" not in sidelight_run_html(attrs.evolve(results, components=()))
