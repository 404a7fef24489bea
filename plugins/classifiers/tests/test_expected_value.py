"""Brackets as one value: against the sum over classes, written out."""

import pytest
import torch
from sidelight_classifiers.expected_value import ExpectedValue
from sidelight_classifiers.params import ExpectedValueParams
from sidelight_specs import UserError
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData

IMAGES = torch.from_numpy(ToyData().split("test").images[:6])


def test_the_value_is_the_mean_over_the_brackets():
    classifier = ToyClassifier()
    age = ExpectedValue(ExpectedValueParams(values=(1, 6, 15), name="age"), classifier=classifier, run=ToyRun())
    assert (age.task, age.class_names, age.input_shape) == ("regression", ("age",), classifier.input_shape)
    p = classifier.scores(IMAGES).softmax(1)
    torch.testing.assert_close(age.scores(IMAGES)[:, 0], p[:, 0] + 6 * p[:, 1] + 15 * p[:, 2])
    assert (age.class_logits(IMAGES) == age.scores(IMAGES)).all()


def test_a_binary_logit_is_of_the_second_class():
    classifier = ToyClassifier(task="binary")
    value = ExpectedValue(ExpectedValueParams(values=(-2, 4)), classifier=classifier, run=ToyRun())
    p = classifier.class_logits(IMAGES).softmax(1)
    torch.testing.assert_close(value.scores(IMAGES)[:, 0], p @ torch.tensor([-2.0, 4.0]))


def test_gradients_and_layers_are_the_classifiers():
    age = ExpectedValue(ExpectedValueParams(values=(1, 6, 15)), classifier=ToyClassifier(), run=ToyRun())
    images = IMAGES.clone().requires_grad_()
    with age.watch(["0.conv1"]) as seen:
        (gradient,) = torch.autograd.grad(age.scores(images).sum(), images)
    assert gradient.abs().max() > 0
    assert seen["0.conv1"].shape[0] == len(images)


@pytest.mark.parametrize(
    ("values", "fix"), [((1, 2), "give one value for each class"), ((1, 2, 3, 4), "in their order")]
)
def test_check_counts_the_values(values, fix):
    from sidelight_classifiers import sidelight_classifiers
    from sidelight_specs.facts import ClassifierFacts, Given

    descriptor = next(one for one in sidelight_classifiers() if one.name == "expected-value")
    given = Given(needs={"classifier": ClassifierFacts(classes=("0-2", "3-9", "10-19"))})
    (mistake,) = descriptor.misfits(ExpectedValueParams(values=values), given)
    assert "for 3 classes: 0-2, 3-9, 10-19" in mistake.message
    assert fix in mistake.fix
    assert not list(descriptor.misfits(ExpectedValueParams(values=(1, 2, 3)), given))


@pytest.mark.parametrize("values", [(), (5,), (1, 6), (1, 6, 15, 20)])
def test_a_run_counts_the_values_where_check_does_not_know_the_classes(values):
    with pytest.raises(UserError, match=f"{len(values)} values for 3 classes"):
        ExpectedValue(ExpectedValueParams(values=values), classifier=ToyClassifier(), run=ToyRun())
