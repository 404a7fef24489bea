"""Heatmaps of a run, as the page from disk holds them."""

import attrs
import numpy as np
from sidelight_explorer.heatmaps import heatmaps_of_run
from sidelight_specs.testing import toy_results


def test_a_misclassified_image_has_a_heatmap_of_either_class():
    results = toy_results()
    heatmap = results.explanations["heatmap"]
    other = attrs.evolve(heatmap.take([1]), values=-heatmap.values[[1]], answers="probe")
    results = attrs.evolve(results, contested=(1,), counterparts={"heatmap": other})
    *own, added = heatmaps_of_run(results, 1, "main")
    assert [one["target"] for one in own] == results.targets.predicted.tolist()
    assert added["target"] == results.targets.probe[1]
    assert (added["spec"], added["explainer"]) == (own[1]["spec"], "heatmap")
    assert added["values"] != own[1]["values"]
    assert np.abs(heatmap.values[1]).max() > 0


def test_an_image_without_an_answer_has_no_heatmap():
    results = toy_results()
    heatmap = results.explanations["heatmap"]
    answered = np.arange(len(heatmap.values)) != 1
    none = attrs.evolve(
        heatmap, values=heatmap.values * answered[:, None, None], answered=answered, no_answer="hiding shows nothing"
    )
    shown = list(heatmaps_of_run(attrs.evolve(results, explanations={"heatmap": none}), 1, "main"))
    before = list(heatmaps_of_run(results, 1, "main"))
    assert [one["spec"] for one in shown] == [one["spec"] for row, one in enumerate(before) if row != 1]
