import numpy as np
import pytest
import torch
from sidelight_metrics.inversion import InversionError
from sidelight_metrics.params import BatchParams
from sidelight_specs import SidelightError
from sidelight_specs.results import Heatmap, Inversion
from sidelight_specs.testing import ToyRun


def inversion(reconstructions):
    """Its own claim about the error is wrong on purpose."""
    count = len(reconstructions)
    return Inversion(
        latents=np.zeros((count, 2), np.float32),
        reconstructions=np.asarray(reconstructions, np.float32),
        error=np.full(count, 7, np.float32),
    )


def measure(classifier, found, images, targets):
    metric = InversionError(BatchParams(), classifier=classifier, run=ToyRun())
    return {item.name: item for item in metric.measure(found, images, targets).items}


def test_error_ratio_and_agreement(identity, question):
    images = torch.tensor([[0.9, 0.2, 0.1], [0.2, 0.9, 0.1], [0.3, 0.4, 0.5]]).reshape(3, 3, 1, 1)
    copies = images.numpy().copy()
    copies[0] += 0.1
    copies[1, 1] = 0.0
    items = measure(identity, inversion(copies), images, question(3))
    assert items["MSE"].values == pytest.approx([0.01, 0.27, 0.0], abs=1e-7)
    assert items["PSNR"].values[:2] == pytest.approx([20, -10 * np.log10(0.27)], abs=1e-4)
    assert items["PSNR"].values[2] == np.inf
    assert items["PSNR"].value == pytest.approx((20 - 10 * np.log10(0.27)) / 2, abs=1e-4)
    assert items["agreement"].values.tolist() == [1, 0, 1]


def test_a_binary_classifier_agrees_on_a_side(linear, question):
    classifier = linear(np.full((1, 1, 1, 2), (2.0, -2.0)), "binary")
    images = torch.tensor([[0.8, 0.2], [0.2, 0.8]]).reshape(2, 1, 1, 2)
    items = measure(classifier, inversion(np.array([[0.6, 0.5], [0.9, 0.8]]).reshape(2, 1, 1, 2)), images, question(2))
    assert items["agreement"].values.tolist() == [1, 0]


def test_a_regression_has_a_difference(linear, question):
    classifier = linear(np.full((1, 1, 1, 1), 10.0), "regression")
    items = measure(classifier, inversion([[[[0.3]]]]), torch.full((1, 1, 1, 1), 0.5), question(1, 0, 0))
    assert items["value difference"].value == pytest.approx(2, abs=1e-5)
    assert items["value difference"].unit == "age"


def test_other_kinds_are_refused(identity, question):
    with pytest.raises(SidelightError, match="heatmap"):
        measure(identity, Heatmap(values=np.zeros((1, 1, 1), np.float32)), torch.zeros(1, 3, 1, 1), question(1))
