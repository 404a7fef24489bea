import numpy as np
import pytest
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode, watchable, watched
from torch import nn


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(72, 3)
        )


@pytest.fixture
def frozen(network):
    return network.eval().requires_grad_(False)


IMAGES = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def hooks(module):
    return sum(len(each._forward_hooks) for each in module.modules())


def assert_frozen(network):
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_training_ends_in_evaluation_mode_and_frozen(network):
    with training_mode(network):
        assert network.training
        assert all(parameter.requires_grad for parameter in network.parameters())
        network(IMAGES).sum().backward()
    assert_frozen(network)


def test_training_that_fails_ends_frozen_too(network):
    network(IMAGES).sum().backward()
    with pytest.raises(RuntimeError), training_mode(network):
        network(torch.rand(1, 7, 8, 8))
    assert_frozen(network)


def test_what_is_watched_is_what_the_layer_gave(frozen):
    with watched(frozen, ["0", "4"]) as outputs:
        scores = frozen(IMAGES)
    torch.testing.assert_close(outputs["0"], frozen[0](IMAGES))
    assert torch.equal(outputs["4"], scores)


def test_a_layer_before_an_in_place_one_keeps_its_own_values_and_gradients(frozen):
    with watched(frozen, ["1"]) as outputs:
        scores = frozen(IMAGES.clone().requires_grad_())
    before = frozen[1](frozen[0](IMAGES))
    assert before.min() < 0
    torch.testing.assert_close(outputs["1"], before)
    (found,) = torch.autograd.grad(scores[:, 0].sum(), outputs["1"])
    expected = frozen[4].weight[0].reshape(2, 6, 6) * (before > 0)
    torch.testing.assert_close(found, expected)


def test_the_latest_call_counts(frozen):
    with watched(frozen, ["0"]) as outputs:
        frozen(IMAGES)
        frozen(IMAGES[:1])
    assert len(outputs["0"]) == 1


def test_hooks_are_gone_afterwards_also_after_an_error(frozen):
    with watched(frozen, ["0", "1"]):
        assert hooks(frozen) == 2
    assert hooks(frozen) == 0
    with pytest.raises(RuntimeError), watched(frozen, ["0"]):
        frozen(torch.rand(1, 7, 8, 8))
    assert hooks(frozen) == 0


def test_watching_changes_no_score(frozen):
    alone = frozen(IMAGES)
    with watched(frozen, ["0", "1", "2", "3", "4"]):
        assert torch.equal(frozen(IMAGES), alone)


def test_unknown_layers_are_named_beside_the_known_ones(frozen):
    with (
        pytest.raises(SidelightError, match="no layer conv9; layers are: 0, 1, 2, 3, 4"),
        watched(frozen, ["0", "conv9"]),
    ):
        pass
    assert hooks(frozen) == 0


def test_a_layer_that_gives_no_tensor_is_refused():
    network = nn.Sequential(nn.GRU(8, 4))
    with pytest.raises(SidelightError, match="gives a tuple"), watched(network, ["0"]):
        network(torch.rand(1, 2, 8))
    assert hooks(network) == 0


class Branching(nn.Module):
    """A convolution and an in-place ReLU, a GRU that gives a tuple, and parts that no score depends on."""

    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True)])
        self.recurrent = nn.GRU(36, 4, batch_first=True)
        self.head = nn.Linear(4, 3)
        self.aside = nn.Linear(36, 2)
        self.unused = nn.Linear(1, 1)

    def forward(self, images):
        x = self.steps[1](self.steps[0](images)).flatten(2)
        self.aside(x)
        return self.head(self.recurrent(x)[0][:, -1])


def test_watchable_are_layers_that_give_a_tensor_which_the_scores_follow_from():
    network = Branching().eval().requires_grad_(False)
    images = torch.rand(2, 1, 8, 8)
    names = watchable(network, images)
    assert names == ("steps.0", "steps.1", "head")
    assert hooks(network) == 0
    assert not images.requires_grad
    with watched(network, names) as seen:
        network(images)
    assert set(seen) == set(names)


def test_a_state_dict_survives_as_arrays(network):
    with training_mode(network):
        network(IMAGES)  # moves the running statistics
    arrays = state_arrays(network)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    other = nn.Sequential(
        *[type(part)(*sizes) for part, sizes in zip(network, [(1, 2, 3), (2,), (), (), (72, 3)], strict=True)]
    )
    load_state_arrays(other, arrays)
    assert torch.equal(other(IMAGES), network(IMAGES))
    assert not other.training
    assert not any(parameter.requires_grad for parameter in other.parameters())
    arrays["0.weight"][:] = 9
    assert other[0].weight.max() < 9


def test_arrays_of_another_network_are_refused(network):
    with pytest.raises(RuntimeError, match="Missing key"):
        load_state_arrays(network, {})


class Three(TorchClassifier):
    task = "multiclass"
    class_names = ("a", "b", "c")
    input_shape = (1, 8, 8)
    module = None

    def __init__(self, module):
        self.module = module


def test_a_torch_classifier_scores_lists_and_watches(frozen):
    classifier = Three(frozen)
    assert torch.equal(classifier.scores(IMAGES), frozen(IMAGES))
    assert classifier.layers == ("0", "1", "2", "3", "4")
    with classifier.watch(["0"]) as activations:
        classifier.scores(IMAGES)
    assert activations["0"].shape == (2, 2, 6, 6)


def test_a_torch_classifier_gives_float32(frozen):
    assert Three(frozen.bfloat16()).scores(IMAGES.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 8, 8)])
def test_images_that_do_not_fit_are_named(frozen, shape):
    with pytest.raises(UserError, match=r"1 channel\(s\), it was given \(") as caught:
        Three(frozen).scores(torch.rand(shape))
    assert caught.value.fix
