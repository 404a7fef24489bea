"""What every heatmap promises: the model as it was, no global randomness, one image's answer without its neighbours."""

import numpy as np
import pytest
import torch
from sidelight_captum import sidelight_explainers
from sidelight_specs import Cancelled
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


@pytest.fixture
def victim(residual):
    """A network, and the layer in it that runs last."""
    return residual, residual.fc


def test_a_batch_is_its_singles(case, network, classify, images, ask):
    descriptor, params = case
    classifier = classify(network())
    targets = ask(classifier, images)
    whole = build(descriptor, classifier, **params, batch=2).explain(images, targets).values
    for row in range(len(images)):
        alone = build(descriptor, classifier, **params, batch=5).explain(images[row : row + 1], targets.take([row]))
        assert np.abs(alone.values[0] - whole[row]).max() <= 1e-5 * np.abs(whole).max()


def test_the_global_generators_are_left_alone(case, network, classify, images, ask):
    descriptor, params = case
    classifier = classify(network())
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    build(descriptor, classifier, **params).explain(images, ask(classifier, images))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def state_of(module):
    return [
        [(part.training, dict(part._forward_hooks), dict(part._forward_pre_hooks)) for part in module.modules()],
        [(p.requires_grad, p.grad) for p in module.parameters()],
        [p.clone() for p in [*module.parameters(), *module.buffers()]],
    ]


def assert_unchanged(module, before):
    after = state_of(module)
    assert after[:2] == before[:2]
    assert all(torch.equal(a, b) for a, b in zip(after[2], before[2], strict=True))
    assert torch.is_grad_enabled()


def test_the_model_is_as_before(case, victim, classify, images, ask):
    descriptor, params = case
    module, _ = victim
    classifier = classify(module)
    before, pixels = state_of(module), images.clone()
    build(descriptor, classifier, **params).explain(images, ask(classifier, images))
    assert_unchanged(module, before)
    assert torch.equal(images, pixels)
    assert not images.requires_grad


def test_the_model_is_as_before_after_an_error(case, victim, classify, images, ask, monkeypatch):
    descriptor, params = case
    module, last = victim
    classifier = classify(module)
    targets, before = ask(classifier, images), state_of(module)
    calls = iter(range(100))
    healthy = last.forward

    def fails_later(inputs):
        if next(calls) >= 1:
            raise FloatingPointError("half way")
        return healthy(inputs)

    monkeypatch.setattr(last, "forward", fails_later)
    with pytest.raises(FloatingPointError):
        build(descriptor, classifier, **params, batch=1).explain(images, targets)
    assert_unchanged(module, before)


def test_cancelling_stops(case, network, classify, images, ask):
    descriptor, params = case
    classifier = classify(network())
    run = ToyRun(cancel_after=1)
    with pytest.raises(Cancelled):
        build(descriptor, classifier, run, **params, batch=1).explain(images, ask(classifier, images))


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
