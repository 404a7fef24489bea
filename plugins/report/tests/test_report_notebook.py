"""A run in a notebook cell: pictures and numbers in one piece of HTML."""

import re

import numpy as np
import pytest
from sidelight_report.notebook import colours, sidelight_run_html
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


def test_a_heatmap_is_red_above_zero_white_at_zero_and_blue_below():
    positive, zero, negative = np.moveaxis(colours(np.array([[2.0, 0.0, -2.0]])), 0, 2)[0]
    assert positive[0] > positive[2] + 0.4
    assert zero.tolist() == [1] * 3
    assert negative[2] > negative[0] + 0.4


def test_a_heatmap_that_only_ranks_has_no_blue_and_a_constant_or_broken_one_is_still_a_picture():
    low, high = np.moveaxis(colours(np.array([[-5.0, 3.0]]), signed=False), 0, 2)[0]
    assert low.tolist() == [1] * 3
    assert high[0] > high[2]
    assert colours(np.zeros((2, 2))).shape == (3, 2, 2)
    assert colours(np.array([[np.nan, 1.0]]))[:, 0, 0].tolist() == [1] * 3


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
    assert shown.count("<img") == 8 * 3 - 1, "a counterfactual that did not converge is not shown as an answer"
    assert shown.count("no answer found") == 1
    assert "why cat, and not dog?" in shown
    assert "2 more questions" in shown
    assert "<b>me</b>" not in shown
    assert not re.search(r"(src|href)=\"(?!data:)", shown)
