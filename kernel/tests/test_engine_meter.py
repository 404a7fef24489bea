"""What results cost: passes of the classifier are counted, and kept with what was made of them."""

import copy
import pickle
import time

import pytest
import torch
from sidelight.engine.meter import BACKWARD, Meter, Reading

IMAGES = 6


def network_and_meter():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3)), Meter()


def passes(meter):
    return meter.reading.passes


def test_images_are_counted_and_backward_passes_count_twice():
    network, meter = network_and_meter()
    images = torch.rand(5, 1, 2, 2, requires_grad=True)
    with meter.attached(network):
        network(images)  # nobody is at work
        with meter.running(counted=True):
            with torch.no_grad():
                network(images)
            assert passes(meter) == 5
            scores = network(images)
            torch.autograd.grad(scores.sum(), images)
            assert passes(meter) == 5 + 5 + BACKWARD * 5
            copy.deepcopy(network)(images.detach())
            assert passes(meter) == 5 + 5 + BACKWARD * 5 + 5
    assert not network._forward_hooks
    assert meter.reading.since(Reading())[1] == 25


def test_a_network_with_the_hook_can_be_pickled_and_the_copy_counts_nothing():
    network, meter = network_and_meter()
    with meter.attached(network), meter.running(counted=True):
        other = pickle.loads(pickle.dumps(network))
        other(torch.rand(2, 1, 2, 2))
    assert passes(meter) == 0


def test_the_hook_changes_no_answer():
    network, meter = network_and_meter()
    images = torch.rand(5, 1, 2, 2)
    before = network(images)
    with meter.attached(network), meter.running(counted=True):
        assert torch.equal(network(images), before)
        jacobian = torch.func.jacrev(network)(images[:1])
    assert torch.equal(jacobian[0, :, 0].flatten(1), network[1].weight)


def test_passes_within_transforms_of_torch_func_are_not_known():
    """A tensor of `vmap` has one row of many, and one of `jacrev` takes one hook for many backward passes."""
    images = torch.rand(5, 1, 2, 2)
    for transform in (torch.func.jacrev, torch.func.vmap, lambda network: torch.func.vmap(torch.func.jacrev(network))):
        network, meter = network_and_meter()
        with meter.attached(network), meter.running(counted=True):
            transform(network)(images[:, None])
        assert meter.reading.since(Reading())[1] is None


def test_passes_of_a_network_that_gives_no_tensor_are_not_known():
    class Output(torch.nn.Module):
        def forward(self, images):
            return {"logits": images}

    network, meter = Output(), Meter()
    with meter.attached(network), meter.running(counted=True):
        network(torch.rand(2, 1, 2, 2))
    assert meter.reading.since(Reading())[1] is None


def test_a_network_that_takes_no_hooks_runs_and_is_not_counted(toys, recipe, monkeypatch):
    network, meter = network_and_meter()
    script = torch.jit.script(network)
    with meter.attached(network) as is_attached:
        assert is_attached
    with meter.attached(script) as is_attached:
        assert not is_attached

    def refuse(self, hook):
        raise RuntimeError("register_forward_hook is not supported on ScriptModules")

    monkeypatch.setattr(torch.nn.Module, "register_forward_hook", refuse)
    assert cost_of(toys.run(recipe), "predict classifier")[1] is None


def test_passes_of_a_network_that_is_wrapped_anew_at_each_use_are_not_known(toys, recipe, monkeypatch):
    from sidelight_toy.network import Net

    monkeypatch.setattr(Net, "module", property(lambda self: torch.nn.Sequential(self.module_of(3)).eval()))
    assert cost_of(toys.run(recipe), "predict classifier")[1] is None


def test_a_network_is_traced_as_if_there_were_no_hook():
    class Outer(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, images):
            return self.network(images)

    network, meter = network_and_meter()
    without = [node.op for node in torch.fx.symbolic_trace(Outer(network)).graph.nodes]
    with meter.attached(network), meter.running(counted=True):
        assert [node.op for node in torch.fx.symbolic_trace(Outer(network)).graph.nodes] == without
    assert passes(meter) == 0


def test_modes_that_follow_an_image_see_the_network_alone():
    """Grad-CAM finds its layer by such a mode, and LRP its rules."""

    class Names(torch.overrides.TorchFunctionMode):
        def __init__(self):
            super().__init__()
            self.names = []

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.names.append(getattr(function, "__name__", ""))
            return function(*args, **(kwargs or {}))

    network, meter = network_and_meter()
    images = torch.rand(2, 1, 2, 2, requires_grad=True)
    with Names() as without:
        network(images)
    with meter.attached(network), meter.running(counted=True), Names() as seen:
        network(images)
    assert seen.names == without.names
    assert passes(meter) == 2


def test_what_is_not_known_is_not_a_number():
    meter = Meter()
    meter.recall(2.0, 8.0)
    before = meter.reading
    assert before.since(Reading()) == (2.0, 8.0)
    meter.recall(None, 4.0)
    assert meter.reading.since(before) == (None, 4.0)
    with meter.running(counted=False):
        pass
    assert meter.reading.since(before) == (None, None)
    meter.forget(before)
    assert meter.reading == before


def test_seconds_run_while_a_component_is_at_work():
    meter = Meter()
    with meter.running(counted=True):
        first = meter.reading.seconds
        assert 0 < first < meter.reading.seconds
        meter.forget(Reading())
        assert meter.reading.seconds < first + 1
    assert 0 <= meter.reading.seconds < 1


def cost_of(finished, title):
    (step,) = (step for step in finished.manifest["steps"] if step["step"] == title)
    return step["spent"], step["passes"]


@pytest.fixture
def recipe(toys):
    return toys.small(
        classifier={"use": "toy/net"},
        generator={"use": "toy/painter"},
        explainers={"gradient": {"use": "toy/gradient"}},
    )


@pytest.mark.parametrize("shard", [2, 64])
def test_a_result_costs_what_it_cost_when_it_was_made(toys, recipe, shard):
    """Alone or in shards, made now or found in the store."""
    recipe["explain"]["shard"] = shard
    first, second = toys.run(recipe), toys.run(recipe)
    title = "explain explainers.gradient"
    spent, counted = cost_of(first, title)
    assert counted == (1 + BACKWARD) * IMAGES
    assert spent > 0
    assert cost_of(second, title) == (pytest.approx(spent), counted)
    assert cost_of(second, "predict classifier")[1] == IMAGES


def test_passes_of_a_classifier_that_is_no_module_are_not_counted(toys):
    finished = toys.run()
    assert cost_of(finished, "explain explainers.bright")[1] is None
    assert cost_of(finished, "read data")[1] == 0  # which does not need it


def test_a_training_counts_for_itself_alone(toys, monkeypatch):
    from sidelight_toy.behaviour import Mean

    fit = Mean.fit
    monkeypatch.setattr(Mean, "fit", lambda self, data: (time.sleep(0.5), fit(self, data)))
    finished = toys.run()
    assert cost_of(finished, "predict classifier")[0] < cost_of(finished, "fit classifier")[0]
