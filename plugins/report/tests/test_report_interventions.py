"""Picture pairs of interventions."""

import attrs
import numpy as np
import torch
from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.report import document
from sidelight_specs.testing.explanations import toy_explanation, toy_results
from sidelight_specs.testing.toys import ToyClassifier


def test_an_intervention_is_shown_as_two_pictures_with_what_the_rest_of_the_classifier_says():
    results = toy_results()
    images = torch.from_numpy(results.split.images)
    found = toy_explanation("intervention", ToyClassifier(), images, results.targets)
    context = Context(attrs.evolve(results, explanations={"flip": found}), HtmlParams())
    entry = document(context)["images"][0]["explanations"][0]
    assert entry["kind"] == "intervention"
    assert entry["bits"] == 6
    assert entry["flipped"] == np.flatnonzero(found.flipped[0]).tolist()
    assert [picture["width"] for picture in entry["pictures"]] == [32, 32]
    assert entry["said"] == results.class_names[found.logits_before[0].argmax()]
    assert entry["became"] == results.class_names[found.logits_after[0].argmax()]
    probabilities = np.exp(found.logits_after[0]) / np.exp(found.logits_after[0]).sum()
    shown = context.shown_classes(0)
    np.testing.assert_allclose(entry["after"], probabilities[shown], atol=1e-3)
