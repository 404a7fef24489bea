"""Compiled forward passes of classifiers: where they are used, and that whoever looks into the network sees it."""

import pytest
import torch
from sidelight_specs.passes import PassCounter
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.host_reads import HostReads
from torch import nn


class Network(TorchClassifier):
    task, class_names, input_shape = "multiclass", ("a", "b"), (1, 8, 8)

    def __init__(self, run):
        self._run = run
        generator = torch.Generator().manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
        for weights in self.net.parameters():
            weights.data = 0.1 * torch.randn(weights.shape, generator=generator)
        self.net.requires_grad_(False)

    @property
    def module(self):
        return self.net


class CompilingRun(ToyRun):
    compile = True


IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def passes(monkeypatch):
    """Sizes of the passes of compiled networks; what they compute is the network's own."""
    seen = []

    def fake_compile(module, *, dynamic):
        assert dynamic
        return lambda images: seen.append(len(images)) or module(images)

    monkeypatch.setattr(torch, "compile", fake_compile)
    return seen


@torch.no_grad()
def test_a_run_has_to_ask(passes):
    Network(ToyRun()).scores(IMAGES)
    assert passes == []
    Network(CompilingRun()).scores(IMAGES)
    assert passes == [3]


def test_passes_with_gradients_and_those_that_are_watched_are_eager(passes):
    classifier = Network(CompilingRun())
    pixels = IMAGES.clone().requires_grad_()
    assert torch.autograd.grad(classifier.scores(pixels).sum(), pixels)[0].any()
    with torch.no_grad():
        with classifier.watch(["1"]) as layers:
            classifier.scores(IMAGES)
        assert layers["1"].shape == (3, 4, 6, 6)
        with HostReads():  # modes
            classifier.scores(IMAGES)
        assert passes == []
        classifier.scores(IMAGES[:2])
    assert passes == [2]


class Counter(PassCounter):
    def __init__(self):
        self.rows = []

    def __call__(self, module, inputs, output):
        self.rows.append(len(output))


@torch.no_grad()
def test_a_counter_of_passes_does_not_watch_and_counts_each_pass_once(passes):
    """The kernel counts the passes of every step by such a hook."""
    classifier, counter = Network(CompilingRun()), Counter()
    handle = classifier.module.register_forward_hook(counter)
    classifier.scores(IMAGES)
    with torch.enable_grad():
        classifier.scores(IMAGES[:1])
    assert passes == [3]
    assert counter.rows == [3, 1]
    handle.remove()
    classifier.module[0].register_forward_hook(counter)  # of a part, which the program would leave out
    classifier.scores(IMAGES)
    assert passes == [3]


@torch.no_grad()
def test_a_network_that_cannot_be_compiled_computes_anyway(monkeypatch):
    def fake_compile(module, *, dynamic):
        def fail(images):
            raise torch._dynamo.exc.TorchDynamoException("no compiler\nlong story")

        return fail

    monkeypatch.setattr(torch, "compile", fake_compile)
    run = CompilingRun()
    classifier, plain = Network(run), Network(ToyRun())
    for _ in range(2):
        assert torch.equal(classifier.scores(IMAGES), plain.scores(IMAGES))
    assert run.warnings == ["torch.compile cannot compile the network, which computes without: no compiler"]


@pytest.mark.slow
@torch.no_grad()
def test_compiled_scores_are_the_network_s_to_rounding(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    classifier, plain = Network(CompilingRun()), Network(ToyRun())
    counter = Counter()
    classifier.module.register_forward_hook(counter)
    for count in (3, 1, 2):
        torch.testing.assert_close(classifier.scores(IMAGES[:count]), plain.scores(IMAGES[:count]))
    assert counter.rows == [3, 1, 2]
    assert classifier._run.warnings == []
