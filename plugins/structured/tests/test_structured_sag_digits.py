"""Structured attention graphs of real digits and a trained network: every explanation holds when scored again."""

import numpy as np
import pytest
import torch
from sidelight_classifiers import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images import DigitsParams
from sidelight_images.digits import Digits
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import ExplanationsParams, SagParams
from sidelight_structured.sag.sag import Sag
from sidelight_structured.sag.verification import Explanations

IMAGES = 24


@pytest.fixture(scope="module")
def trained():
    run, data = ToyRun(), Digits(DigitsParams(), run=ToyRun())
    classifier = LeNet(LeNetParams(steps=150), run=run)
    classifier.fit(data)
    images = torch.from_numpy(data.split("test").images[:IMAGES])
    with torch.no_grad():
        predicted = classifier.class_logits(images).argmax(1).numpy()
    return classifier, images, Targets(predicted=predicted, probe=predicted)


@pytest.mark.slow
@pytest.mark.parametrize(("baseline", "soft"), [("black", True), ("grey", True), ("black", False)])
def test_every_explanation_of_two_dozen_digits_is_sufficient_and_minimal(trained, baseline, soft, record_property):
    classifier, images, targets = trained
    params = SagParams(width=3, baseline=baseline, soft=soft, batch=64)
    graphs = Sag(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    metric = Explanations(ExplanationsParams(batch=64), classifier=classifier, run=ToyRun())
    result = {item.name: item for item in metric.measure(graphs, images, targets).items}
    count = int(result["explanations found"].values.sum())
    record_property("explanations", count)
    print(f"{baseline}, soft {soft}: {count} explanations of {IMAGES} digits")
    assert (result["explanations found"].values > 0).sum() >= 20
    assert np.nanmin(result["sufficient"].values) == 1
    assert np.nanmin(result["minimal"].values) == 1
