"""Cost of every heatmap: passes and memory, and noise that ignores an image's neighbours.

The conformance kit checks the rest: batch = singles without noise, random streams, the model afterwards, cancelling.
"""

import numpy as np
import pytest
import torch
from sidelight_captum import sidelight_explainers
from sidelight_specs.testing import ToyRun


def build(descriptor, classifier, run=None, **params):
    module, name = descriptor.factory.split(":")
    factory = getattr(__import__(module, fromlist=[name]), name)
    chosen = descriptor.params(**{**descriptor.example, **params})
    return factory(chosen, classifier=classifier, run=run or ToyRun())


DESCRIPTORS = {descriptor.name: descriptor for descriptor in sidelight_explainers()}
CASES = [(name, {}) for name in DESCRIPTORS] + [("saliency", {"noise": "smoothgrad", "samples": 3})]


@pytest.fixture(params=CASES, ids=[f"{name}{'-noise' if more else ''}" for name, more in CASES])
def case(request):
    name, params = request.param
    return DESCRIPTORS[name], params


@pytest.mark.parametrize("noise", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_a_noisy_batch_is_its_singles(noise, network, classify, images, ask):
    params = {"noise": noise, "samples": 3}
    classifier = classify(network())
    targets = ask(classifier, images)
    whole = build(DESCRIPTORS["saliency"], classifier, **params, batch=2).explain(images, targets).values
    for row in range(len(images)):
        explainer = build(DESCRIPTORS["saliency"], classifier, **params, batch=5)
        alone = explainer.explain(images[row : row + 1], targets.take([row]))
        assert np.abs(alone.values[0] - whole[row]).max() <= 1e-5 * np.abs(whole).max()


def test_memory_follows_the_batch(case, network, classify, images, ask):
    """No forward pass sees more images than `batch` says."""
    descriptor, params = case
    classifier = classify(network())
    targets, seen = ask(classifier, images), []
    handle = classifier.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    build(descriptor, classifier, **params, batch=2).explain(images, targets)
    handle.remove()
    assert max(seen) == 2


def test_the_passes_are_those_made(case, network, classify, images, ask):
    """Counted in images; a backward pass counts two. The search for Grad-CAM's layer is no image's own."""
    descriptor, params = case
    classifier = classify(network())
    targets, seen = ask(classifier, images), []
    handle = classifier.module.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]) * (3 if torch.is_grad_enabled() else 1))
    )
    heatmap = build(descriptor, classifier, **params).explain(images, targets)
    handle.remove()
    search = 3 * ("cam" in descriptor.name)
    assert heatmap.passes.sum() == sum(seen) - search


@pytest.mark.parametrize("batch", [5, 120])
def test_a_large_batch_takes_several_images_and_changes_rounding_alone(batch, case, network, classify, images, ask):
    descriptor, params = case
    classifier = classify(network())
    targets, seen = ask(classifier, images), []
    expected = build(descriptor, classifier, **params, batch=1).explain(images, targets)
    handle = classifier.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    heatmap = build(descriptor, classifier, **params, batch=batch).explain(images, targets)
    handle.remove()
    assert max(seen) <= batch
    assert np.array_equal(heatmap.passes, expected.passes)
    assert np.abs(heatmap.values - expected.values).max() <= 1e-5 * np.abs(expected.values).max()


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_passes_that_run_out_of_memory_are_halved(name, network, classify, images, ask):
    classifier = classify(network())
    targets = ask(classifier, images)
    expected = build(DESCRIPTORS[name], classifier, batch=1).explain(images, targets)

    def scarce(_module, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("more than two images")

    handle, run = classifier.module.register_forward_pre_hook(scarce), ToyRun()
    heatmap = build(DESCRIPTORS[name], classifier, run, batch=8).explain(images, targets)
    handle.remove()
    assert np.array_equal(heatmap.passes, expected.passes)
    assert np.abs(heatmap.values - expected.values).max() <= 1e-5 * np.abs(expected.values).max()
    assert any("8 rows at once do not fit into the memory of cpu; halved" in text for text in run.warnings)
