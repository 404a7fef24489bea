"""A layer of a classifier, and the rest of the classifier as a function of it."""

import pytest
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import snapshots
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.layers import Head, collect, find_layer, layer_and_logits
from sidelight_toolkit.modules import replaced
from torch import nn


class Skip(nn.Module):
    """A block with a skip connection round `inner`, then `after`."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(1, 1, 3, padding=1)
        self.after = nn.ReLU(inplace=True)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))

    def forward(self, images):
        return self.head(self.after(images + self.inner(images)))


class SkipClassifier(TorchClassifier):
    task, class_names, input_shape = "multiclass", ("a", "b"), (1, 8, 8)

    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._module = Skip().eval().requires_grad_(False)

    @property
    def module(self):
        return self._module


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(ToyData().split("test").images)


@pytest.mark.parametrize("layer", ["pool1", "relu2", "pool2"])
def test_the_rest_gives_the_logits_of_the_layer_s_own_output(images, layer):
    classifier = ToyClassifier()
    outputs, logits = collect(classifier, layer, images, 5, ToyRun())
    torch.testing.assert_close(Head(classifier, layer, images[:3])(outputs), logits)


def test_the_rest_of_a_binary_classifier_gives_two_logits(images):
    classifier = ToyClassifier(task="binary")
    rest = Head(classifier, "pool2", images[:3])
    outputs, logits = layer_and_logits(classifier, "pool2", images)
    assert logits.shape == (12, 2)
    torch.testing.assert_close(rest(outputs.flatten(1)), logits)


def test_gradients_flow_through_the_rest(images):
    classifier = ToyClassifier()
    rows = torch.zeros(5, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(Head(classifier, "pool2", images[:2])(rows)[:, 1].sum(), rows)
    torch.testing.assert_close(gradient, classifier.module.head.weight[1].expand(5, 3))


def test_a_layer_with_a_way_past_it_is_refused():
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    classifier = SkipClassifier()
    with pytest.raises(UserError, match="does not decide alone"):
        Head(classifier, "inner", images)
    outputs, logits = layer_and_logits(classifier, "after", images)
    torch.testing.assert_close(Head(classifier, "after", images)(outputs.flatten(1)), logits)


def test_the_rows_given_are_not_changed_by_layers_that_work_in_place():
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    rest = Head(SkipClassifier(), "after", images)
    rows = torch.full((2, 64), -1.0)
    rest(rows)
    assert (rows == -1).all()


def test_replacing_leaves_no_hook_behind_also_after_an_error():
    module = ToyClassifier().module
    before = snapshots.module_state(module)
    with pytest.raises(KeyError), replaced(module, "pool2", torch.zeros(1, 3, 1, 1)):
        raise KeyError
    assert not snapshots.changed(before, snapshots.module_state(module))


def test_replacing_names_the_layers_there_are():
    with pytest.raises(SidelightError, match="pool2"), replaced(ToyClassifier().module, "pool3", torch.zeros(1)):
        pass


def test_the_last_hidden_layer_is_found_and_unknown_names_are_refused(images):
    classifier = ToyClassifier()
    assert find_layer(classifier, "", images[:1]) == "pool2"
    assert find_layer(classifier, "relu1", images[:1]) == "relu1"
    with pytest.raises(UserError, match='no layer "relu3"'):
        find_layer(classifier, "relu3", images[:1])
