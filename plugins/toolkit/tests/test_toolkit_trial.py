"""Trial of a model, its preprocessing, and the base of classifiers whose network a library builds."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import SidelightError, UserError, params
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.class_names import name_mistakes, score_mistakes
from sidelight_toolkit.images import resize
from sidelight_toolkit.model_source import Known, ModelSourceDescriptor, ModelSourceParams
from sidelight_toolkit.modules import frozen_copy
from sidelight_toolkit.preprocessing import Prepared, Preprocessing
from sidelight_toolkit.source_classifier import Source, SourceClassifier
from sidelight_toolkit.trial import as_logits, ending_of, try_out
from torch import nn

IMAGES = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Means(nn.Module):
    """Channel means as scores, through a function."""

    def __init__(self, function=lambda scores: scores):
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return self.function(images.mean((2, 3)) * self.scale)


def fails(_):
    raise RuntimeError("expected 3 channels")


def refuses(_):
    raise UserError("no", "do otherwise")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Means(fails), "the model fails on images of (3, 3, 8, 8): expected 3 channels"),
        (Means(lambda scores: [scores]), "gives a list, not one tensor of scores"),
        (Means(lambda scores: scores[..., None]), "gives (3, 3, 1) for 3 images, (N, K) was expected"),
        (Means(lambda scores: scores[:, :1]), "gives 1 score(s) for an image; a multiclass model gives two or more"),
        (Means(lambda scores: scores / 0), "gives scores that are not finite"),
        (Means(lambda scores: scores - scores.mean(0)), "it is in training mode"),
        (Means(lambda scores: scores + torch.rand(1)), "it is in training mode"),
        (nn.Sequential(nn.BatchNorm2d(3), Means()), "it is in training mode"),
        (nn.Sequential(nn.Dropout(0.5), Means()), "it is in training mode"),
        (Means(refuses), "no"),
    ],
)
def test_a_trial_names_what_is_wrong(module, message):
    with pytest.raises(UserError) as caught:
        try_out(module, IMAGES, "the model", "multiclass", "call eval()")
    assert message in caught.value.message
    assert caught.value.fix


class Drifting(Means):
    """Writes to its weight in every pass, too little to show in the scores."""

    def forward(self, images):
        with torch.no_grad():
            self.scale += 1e-7
        return super().forward(images)


def test_a_model_that_writes_to_its_weights_is_refused():
    with pytest.raises(UserError, match="or changes itself"):
        try_out(Drifting(), IMAGES, "the model", "multiclass", "call eval()")


def test_a_trial_leaves_the_random_stream_alone():
    state = torch.random.get_rng_state()
    with pytest.raises(SidelightError):
        try_out(Means(lambda scores: scores + torch.rand(1)), IMAGES, "the model", "multiclass", "call eval()")
    assert torch.equal(state, torch.random.get_rng_state())


def test_probabilities_are_found_and_turned_back():
    logits = IMAGES.mean((2, 3))
    with pytest.raises(UserError, match="ends with softmax") as caught:
        ending_of(logits.softmax(1), "multiclass", "", False, "the model", "drop it")
    assert caught.value.fix == "set `probabilities: true`, or drop it"
    assert ending_of(logits.softmax(1), "multiclass", "", True, "the model") == "softmax"
    assert ending_of(logits, "multiclass", "", False, "the model") == ""
    assert ending_of(logits[:, :1].sigmoid(), "binary", "", True, "the model") == "sigmoid"
    with pytest.raises(UserError, match="no probabilities"):
        ending_of(logits * 9, "multiclass", "", True, "the model")
    assert torch.allclose(as_logits(logits.softmax(1), "softmax").softmax(1), logits.softmax(1), atol=1e-6)
    assert torch.allclose(as_logits(logits.sigmoid(), "sigmoid"), logits, atol=1e-5)


def test_prepared_normalises_orders_and_resizes():
    class Same(nn.Module):
        def forward(self, images):
            return images

    plain = Preprocessing(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2,))
    expected = (IMAGES.numpy() - np.array([0.5, 0.4, 0.3])[:, None, None]) / 0.2
    assert np.allclose(Prepared(Same(), plain, 3)(IMAGES).numpy(), expected, atol=1e-5)
    turned = Prepared(Same(), attrs.evolve(plain, mean=(0.0,), std=(1.0,), reversed_channels=True), 3)
    assert torch.equal(turned(IMAGES), IMAGES[:, [2, 1, 0]])
    assert Prepared(Same(), attrs.evolve(plain, size=(4, 6), interpolation="nearest"), 3)(IMAGES).shape == (3, 3, 4, 6)
    with pytest.raises(UserError, match="mean has 2 numbers for 3"):
        Prepared(Same(), attrs.evolve(plain, mean=(0.0, 1.0)), 3)


def test_bicubic_resizing_stays_in_range():
    edges = torch.zeros(1, 1, 8, 8)
    edges[..., 4:] = 1
    bicubic = resize(edges, (16, 16), "bicubic")
    assert bicubic.min() == 0
    assert bicubic.max() == 1
    raw = nn.functional.interpolate(edges, size=(16, 16), mode="bicubic", align_corners=False, antialias=True)
    assert raw.max() > 1  # what is clamped
    assert torch.equal(bicubic, raw.clamp(0, 1))


def test_scores_of_an_object_with_logits():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    assert Prepared(Means(Output), Preprocessing(size=(8, 8)), 3)(IMAGES).shape == (3, 3)


class Net(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, columns)

    def forward(self, images):
        return self.head(self.norm(self.conv(images)).mean((2, 3)))


class Toy(SourceClassifier):
    columns, names = 3, ("a", "b", "c")
    subject = "the model toy"

    def _read_source(self):
        return Source(channels=3, preprocessing=Preprocessing(size=(8, 8), std=(0.5,)), classes=self.names)

    def _load_network(self):
        return frozen_copy(Net(self.columns))


def test_a_source_classifier_follows_its_source_and_the_options():
    toy = Toy(ModelSourceParams(), run=ToyRun())
    assert toy.input_shape == (3, 8, 8)
    assert toy.class_names == ("a", "b", "c")
    assert toy.scores(IMAGES).shape == (3, 3)
    assert toy.layers == ("model.conv", "model.norm", "model.head")
    own = Toy(ModelSourceParams(height=16, width=12, mean=(0.1,), classes=("x", "y", "z")), run=ToyRun())
    assert own.input_shape == (3, 16, 12)
    assert own.class_names == ("x", "y", "z")
    assert own.source.preprocessing.mean == (0.1,)
    assert own.source.preprocessing.std == (0.5,)


def test_names_of_a_source_that_has_others_than_the_head_are_not_used():
    class Fine(Toy):
        columns = 5

    assert Fine(ModelSourceParams(), run=ToyRun()).class_names[-1] == "class 4"
    with pytest.raises(UserError, match="2 class names are given, the multiclass model the model toy needs 5"):
        _ = Fine(ModelSourceParams(classes=("x", "y")), run=ToyRun()).class_names


def test_a_binary_source_classifier():
    class One(Toy):
        columns = 1

    assert One(ModelSourceParams(task="binary"), run=ToyRun()).class_names == ("class 0", "class 1")
    with pytest.raises(UserError, match=r"gives 1 score\(s\)"):
        One(ModelSourceParams(), run=ToyRun()).scores(IMAGES)


def test_a_frozen_copy_shares_weights_and_changes_nothing():
    net = Net(2).train()
    copy = frozen_copy(net)
    assert copy.head.weight.data_ptr() == net.head.weight.data_ptr()
    assert net.training
    assert net.head.weight.requires_grad
    assert not copy.training
    assert not copy.head.weight.requires_grad
    copy.head.register_forward_hook(lambda *_: None)
    assert not net.head._forward_hooks
    assert torch.allclose(copy(IMAGES), net.eval()(IMAGES))


@params
class ToyParams(ModelSourceParams):
    pass


class ToyDescriptor(ModelSourceDescriptor):
    def known(self, params):
        return Known(shape=(3, 8, 10), columns=3, classes=("a", "b", "c"))


DESCRIPTOR = ToyDescriptor(
    name="toy", summary="A toy.", params=ToyParams, factory="toy:Toy", provides=("differentiable", "classes")
)


def test_facts_of_a_source():
    facts = DESCRIPTOR.facts(ToyParams(height=12), DataFacts())
    assert facts.shape == (3, 12, 10)
    assert facts.classes == ("a", "b", "c")
    assert DESCRIPTOR.facts(ToyParams(task="binary"), DataFacts()).classes == ("class 0", "class 1")
    assert DESCRIPTOR.provided_by(ToyParams(task="regression")) == ("differentiable",)
    assert "no classes" in DESCRIPTOR.absence(ToyParams(task="regression"), "classes")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": (0.1, 0.2)}, "mean has 2 numbers for 3 channel(s)"),
        ({"classes": ("a", "b")}, "2 class names are given, the model the model has 3 scores"),
        ({"task": "binary"}, "gives 3 score(s) for an image; a binary model gives one"),
        ({"task": "regression", "classes": ("a", "b")}, "2 class name(s) for a regression model, which needs 1"),
    ],
)
def test_mistakes_of_a_source(options, message):
    assert message in " ".join(each.message for each in DESCRIPTOR.mistakes(ToyParams(**options)))


def test_names_given_twice(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("a\n\nb\n")
    assert [each.option for each in name_mistakes(ToyParams(classes=("a", "b"), classes_file=str(path)))] == [
        "classes_file"
    ]
    assert not list(score_mistakes(ToyParams(classes_file=str(path)), 2, "m"))
    before = DESCRIPTOR.fingerprint(ToyParams(classes_file=str(path)))
    path.write_text("a\nb\nc\n")
    assert DESCRIPTOR.fingerprint(ToyParams(classes_file=str(path))) != before
