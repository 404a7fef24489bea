"""I-GOS and iGOS++ on photographs, against the authors' code and other heatmaps; `pytest -m slow -s` prints it."""

import numpy as np
import pytest
import torch
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured.igos.igos import Igos, IgosPlusPlus
from sidelight_structured.params import IgosParams, IgosPlusPlusParams

pytestmark = pytest.mark.slow

AUTHORS = {"chelsea": (0.644, 0.266, 9045), "coffee": (0.687, 0.047, 10416)}
"""Insertion, deletion and cost in forward passes of the authors' code at 28x28, on whole pictures at 224 pixels."""
COARSE = {28: {"I-GOS": 14, "iGOS++": None}, 224: {"I-GOS": 28, "iGOS++": 28}}
GROUPS = (("camera", "coffee", "chelsea"), ("motorcycle", "rocket", "flower", "china"))
"""The photographs whose class the network knows."""


@pytest.fixture(scope="module")
def classifier():
    lite = pytest.importorskip("sidelight_classifiers.efficientnet_lite")
    from sidelight_classifiers import EfficientNetLiteParams

    return lite.EfficientNetLite(EfficientNetLiteParams(), run=ToyRun())


def photographs(names, crop):
    photos = pytest.importorskip("sidelight_images.photos")
    from sidelight_images import PhotosParams

    run = ToyRun()
    return torch.from_numpy(photos.Photos(PhotosParams(names=names, crop=crop), run=run).split("test").images)


def question(classifier, images):
    predicted = classifier.class_logits(images).argmax(1).numpy()
    return Targets(predicted=predicted, probe=predicted)


def measured(heatmap, images, targets, classifier, **params):
    """(2, N): insertion, deletion."""
    metric = pytest.importorskip("sidelight_metrics.heatmaps.insertion_deletion")
    from sidelight_metrics import InsertionDeletionParams

    settings = InsertionDeletionParams(batch=8, **params)
    result = metric.InsertionDeletion(settings, classifier=classifier, run=ToyRun()).measure(heatmap, images, targets)
    return np.stack([item.values for item in result.items])


@pytest.mark.parametrize("name", AUTHORS)
def test_a_third_of_the_authors_cost_with_scores_that_are_not_worse(classifier, name):
    images = photographs((name,), "whole")
    targets = question(classifier, images)
    heatmap = IgosPlusPlus(IgosPlusPlusParams(batch=8), classifier=classifier, run=ToyRun()).explain(images, targets)
    scores = measured(heatmap, images, targets, classifier, convention="igos", cells=28)[:, 0]
    print(f"\n28x28 {name}: {heatmap.passes[0]:.0f} passes, insertion {scores[0]:.3f}, deletion {scores[1]:.3f}")
    insertion, deletion, cost = AUTHORS[name]
    assert heatmap.passes[0] <= cost / 3
    assert scores[0] >= insertion
    assert scores[1] <= deletion


@pytest.mark.parametrize("size", [28, 224])
@pytest.mark.parametrize("names", GROUPS, ids=("first", "second"))
def test_insertion_of_igos_plus_plus_is_above_that_of_the_others(classifier, names, size):
    captum = pytest.importorskip("sidelight_captum.grad_cam")
    gradients = pytest.importorskip("sidelight_captum.integrated_gradients")
    from sidelight_captum import GradCamParams, IntegratedGradientsParams

    images = photographs(names, "center")
    targets, run = question(classifier, images), ToyRun()
    masks = {name: {"size": size, "coarse": coarse, "batch": 8} for name, coarse in COARSE[size].items()}
    explainers = {
        "iGOS++": IgosPlusPlus(IgosPlusPlusParams(**masks["iGOS++"]), classifier=classifier, run=run),
        "I-GOS": Igos(IgosParams(**masks["I-GOS"]), classifier=classifier, run=run),
        "Grad-CAM": captum.GradCam(GradCamParams(), classifier=classifier, run=run),
        "gradients": gradients.IntegratedGradients(
            IntegratedGradientsParams(steps=20, baseline="blur"), classifier=classifier, run=run
        ),
    }
    grid = {"cells": size if size < images.shape[-1] else None, "step": 0.05}
    result = {
        name: measured(explainer.explain(images, targets), images, targets, classifier, **grid)
        for name, explainer in explainers.items()
    }
    for name, scores in result.items():
        means = scores.mean(1)
        print(f"\n{size} {name}: insertion {means[0]:.3f}, deletion {means[1]:.3f}; insertion {scores[0].round(3)}")
    best = result.pop("iGOS++")[0].mean()
    assert all(best > scores[0].mean() for scores in result.values())
