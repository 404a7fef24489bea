"""LeNet, and what all classifiers share that learn from the recipe's data."""

import tracemalloc

import attrs
import numpy as np
import pytest
import torch
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.accuracy import accuracy
from sidelight_classifiers.trained.base import DataSummary
from sidelight_classifiers.trained.lenet import LeNet, LeNetModule
from sidelight_specs import Cancelled, NotFittedError, UserError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyRun
from torch import nn


def bars(count, classes=3, side=16, channels=1, seed=0):
    """Noise with a bright bar whose place is the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = rng.uniform(0, 0.3, (count, channels, side, side)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[:, :, 1 + 4 * label : 4 + 4 * label] += 0.6
    names = tuple(f"bar {label}" for label in range(classes))
    return Split(images=images, labels=labels, class_names=names, ids=tuple(map(str, range(count))))


DIGITS = DataSummary(shape=(1, 32, 32), classes=tuple("0123456789"), mean=0.1, std=0.3)


class Bars(Data):
    splits = ("train", "test")

    def __init__(self, **options):
        self.options = options

    def split(self, name):
        return bars(60 if name == "train" else 30, seed=self.splits.index(name), **self.options)


class Given(Data):
    splits = ("train",)

    def __init__(self, split):
        self.given = split

    def split(self, name):
        return self.given


def lenet(run=None, **options):
    return LeNet(LeNetParams(**{"steps": 40, "batch": 16, "learning_rate": 5e-3, **options}), run=run or ToyRun())


@pytest.fixture(scope="module")
def trained():
    run = ToyRun()
    classifier = lenet(run, dropout=0.0)
    classifier.fit(Bars())
    return classifier, run


def test_the_network_is_the_papers():
    network = LeNetModule(DIGITS, 0.3)
    assert network.fc1.weight.shape == (50, 3380)
    assert network.fc2.weight.shape == (10, 50)
    assert network.conv1.kernel_size == network.conv2.kernel_size == (5, 5)
    kinds = [type(module) for module in network.children()]
    assert kinds[:6] == [nn.Conv2d, nn.MaxPool2d, nn.ReLU] * 2


def test_no_activation_is_shared_or_works_in_place():
    network = LeNetModule(DIGITS, 0.3)
    calls = []
    for module in network.children():
        module.register_forward_hook(lambda module, *_: calls.append(module))
    network(torch.rand(1, 1, 32, 32))
    assert len(calls) == len(set(calls)) == len(list(network.children()))
    assert calls == list(network.children())
    assert not any(getattr(module, "inplace", False) for module in calls)


def test_it_learns_and_reports_its_accuracy(trained):
    classifier, run = trained
    items = {item.name: item for item in run.emitted["accuracy"].items}
    assert items["accuracy"].value > 0.9
    of_classes = {
        f"{what} {label}" for what in ("accuracy on", "false positives of") for label in classifier.class_names
    }
    assert set(items) == {"accuracy", *of_classes}
    losses = classifier.state().curves["loss"]
    assert losses[-5:].mean() < losses[:5].mean() / 3
    assert run.steps["training"] == 40


def test_facts_come_from_the_data(trained):
    classifier, _ = trained
    assert classifier.class_names == ("bar 0", "bar 1", "bar 2")
    assert classifier.input_shape == (1, 16, 16)
    assert classifier.task == "multiclass"


@pytest.mark.parametrize(("channels", "side", "classes"), [(3, 32, 2), (1, 64, 4), (2, 20, 3)])
def test_any_channels_sides_and_classes(channels, side, classes):
    classifier = lenet(steps=1)
    classifier.fit(Bars(channels=channels, side=side, classes=classes))
    assert classifier.scores(torch.rand(2, channels, side, side)).shape == (2, classes)
    assert classifier.scores(torch.rand(2, channels, 50, 40)).shape == (2, classes)


def test_a_saved_state_gives_the_same_scores(trained, tmp_path):
    classifier, _ = trained
    classifier.state().save(tmp_path)
    other = lenet()
    other.load_state(State.load(tmp_path))
    images = torch.rand(3, 1, 16, 16)
    assert torch.equal(other.scores(images), classifier.scores(images))
    assert other.class_names == classifier.class_names
    np.testing.assert_array_equal(other.state().curves["loss"], classifier.state().curves["loss"])


def test_same_seed_same_weights_and_another_seed_others():
    states = []
    for seed in (0, 0, 1):
        classifier = lenet(ToyRun(seed=seed), steps=3, shift=2, flip=True)
        torch.rand(seed + 3)  # the global stream does not matter
        classifier.fit(Bars())
        states.append(classifier.state())
    assert states[0].digest() == states[1].digest() != states[2].digest()


@pytest.mark.parametrize(
    "use",
    [
        lambda classifier: classifier.scores(torch.rand(1, 1, 16, 16)),
        lambda classifier: classifier.state(),
        lambda classifier: classifier.class_names,
        lambda classifier: classifier.input_shape,
        lambda classifier: classifier.layers,
    ],
)
def test_an_untrained_one_says_so(use):
    with pytest.raises(NotFittedError):
        use(lenet())


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(images=np.zeros((4, 1, 8, 8), np.float32)), "no labels"),
        (Split(images=np.zeros((4, 1, 8, 8), np.float32), labels=np.zeros(4, np.float32)), "values, not classes"),
        (bars(4, classes=1), "needs two classes, the data has bar 0"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_named(split, message):
    with pytest.raises(UserError, match=message) as caught:
        lenet().fit(Given(split))
    assert caught.value.fix


def test_without_a_test_split_no_accuracy_is_claimed():
    run = ToyRun()
    lenet(run, steps=1).fit(Given(bars(10)))
    assert run.emitted == {}


def test_cancelling_leaves_an_untrained_classifier():
    classifier = lenet(ToyRun(cancel_after=2))
    with pytest.raises(Cancelled):
        classifier.fit(Bars())
    with pytest.raises(NotFittedError):
        _ = classifier.module


def test_accuracy_counts_what_is_right(trained):
    classifier, _ = trained
    split = bars(30, seed=5)
    with torch.no_grad():
        predicted = classifier.scores(torch.from_numpy(split.images)).argmax(1).numpy()
    wrong = Split(images=split.images, labels=(predicted + np.arange(30) % 2) % 3, class_names=split.class_names)
    items = accuracy(classifier, wrong, ToyRun()).items
    assert items[0].value == pytest.approx(0.5)
    for index, (hits, false) in enumerate(zip(items[1:4], items[4:], strict=True)):
        of_class = wrong.labels == index
        assert hits.value == pytest.approx((predicted[of_class] == index).mean())
        assert np.isnan(hits.values[~of_class]).all()
        assert false.value == pytest.approx((predicted[~of_class] == index).mean())
        assert np.isnan(false.values[of_class]).all()


def test_accuracy_holds_a_batch_of_images_in_memory(trained):
    classifier, _ = trained
    split = bars(2000, side=64)
    lazy = attrs.evolve(split, images=LazyImages(split.images.shape, split.images.__getitem__))
    accuracy(classifier, bars(2), ToyRun())  # imports
    tracemalloc.start()
    try:
        items = accuracy(classifier, lazy, ToyRun()).items
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(items[0].values) == 2000
    assert peak < split.images.nbytes / 8


def test_a_split_without_labels_is_not_measured():
    class Unlabelled(Bars):
        def split(self, name):
            return super().split(name) if name == "train" else attrs.evolve(super().split(name), labels=None)

    run = ToyRun()
    lenet(run, steps=1).fit(Unlabelled())
    assert run.emitted == {}


def test_every_split_but_the_training_split_is_measured():
    class Marked(Bars):
        splits = ("train", "test", "test-square")

        def split(self, name):
            return super().split("train" if name == "train" else "test")

    run = ToyRun()
    lenet(run, steps=1).fit(Marked())
    assert list(run.emitted) == ["accuracy", "accuracy on test-square"]
    assert "of the test-square split" in run.emitted["accuracy on test-square"].items[0].help


def test_images_are_standardised_by_the_training_images(trained):
    classifier, _ = trained
    train = Bars().split("train").images
    seen = []
    handle = classifier.module.conv1.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    classifier.scores(torch.from_numpy(train))
    handle.remove()
    assert seen[0].shape == (60, 1, 64, 64)
    assert abs(seen[0].mean().item()) < 0.05
    assert seen[0].std().item() == pytest.approx(1, abs=0.15)


def test_constant_images_do_not_divide_by_zero():
    classifier = lenet(steps=1)
    split = Split(images=np.zeros((4, 1, 8, 8), np.float32), labels=np.arange(4) % 2, class_names=("a", "b"))
    classifier.fit(Given(split))
    assert classifier.scores(torch.zeros(1, 1, 8, 8)).isfinite().all()
