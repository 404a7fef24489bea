"""Which images are explained, and against which class."""

import attrs
import numpy as np
import pytest
from sidelight_specs import UserError
from sidelight_specs.questions import check_split, choose_images, pose_questions
from sidelight_specs.results import Split, expected_classes

NAMES = ("cat", "dog", "7")
LOGITS = np.array([[3, 2, 1], [0, 5, 4], [1, 2, 9], [2, 8, 1]], np.float32)  # predicted 0, 1, 2, 1


@pytest.fixture
def warnings():
    return []


def a_split(labels=(0, 1, 2, 0, 1)):
    labels = None if labels is None else np.array(labels)
    return Split(images=np.zeros((5, 1, 2, 2), np.float32), labels=labels, class_names=NAMES)


def chosen(split=None, **explain):
    return choose_images(split or a_split(), **{"split": "test", "indices": (), "labels": (), **explain}).tolist()


def asked(warnings=None, task="multiclass", logits=LOGITS, names=NAMES, labels=None, **explain):
    said = [] if warnings is None else warnings
    explain = {"target": "second", "targets": {}, **explain}
    expected = np.full(len(logits), -1) if labels is None else np.array(labels)
    rows, targets = pose_questions(logits, task, **explain, class_names=names, expected=expected, warn=said.append)
    return rows.tolist(), targets.predicted.tolist(), targets.probe.tolist()


def test_images_are_taken_from_the_start():
    assert chosen() == [0, 1, 2, 3, 4]


def test_indices_keep_their_order():
    assert chosen(indices=(4, 0, 4)) == [4, 0, 4]


def test_images_by_name_keep_their_order():
    split = attrs.evolve(a_split(), ids=("a/1", "a/2", "b/1", "b/2", "b/3"))
    assert chosen(split, names=("b/1", "a/2", "3")) == [2, 1, 4]
    with pytest.raises(UserError, match=r'explain\.images: there is no image "b/4"') as caught:
        chosen(split, names=("b/4",))
    assert "did you mean" in caught.value.fix
    with pytest.raises(UserError, match="`images` and `labels` exclude each other"):
        chosen(split, names=("3",), labels=("cat",))


def test_labels_by_name_and_by_index():
    assert chosen(labels=("dog", 0)) == [0, 1, 3, 4]
    assert chosen(labels=("7",)) == [2]


@pytest.mark.parametrize(
    ("explain", "said", "fix"),
    [
        ({"indices": (0, 9, 12)}, "9, 12 out of range", "0 to 4"),
        ({"labels": ("dgo",)}, 'has no class "dgo"', 'did you mean "dog"'),
        ({"labels": (7,)}, "no class with index 7", '"7" in quotes'),
        ({"labels": (9,)}, 'has no class "9"', "known are cat, dog, 7"),
        ({"labels": ("cat",), "indices": (1,)}, "exclude each other", "remove"),
    ],
)
def test_mistakes_name_the_key_and_what_would_be_right(explain, said, fix):
    with pytest.raises(UserError) as caught:
        chosen(**explain)
    assert said in caught.value.message
    assert "explain" in caught.value.message
    assert fix in caught.value.fix


def test_labels_that_no_image_has():
    with pytest.raises(UserError, match="no image"):
        chosen(split=a_split((0, 0, 0, 1, 1)), labels=("7",))


@pytest.mark.parametrize("labels", [None, (0.5, 1, 2, 0, 1)])
def test_labels_of_data_without_classes(labels):
    with pytest.raises(UserError, match="no class labels"):
        chosen(split=a_split(labels), labels=(0,))


def test_a_split_that_is_not_there():
    check_split("test", ("train", "test"))
    with pytest.raises(UserError, match='"tset"') as caught:
        check_split("tset", ("train", "test"))
    assert 'did you mean "test"' in caught.value.fix


def test_second():
    assert asked(target="second") == ([0, 1, 2, 3], [0, 1, 2, 1], [1, 2, 1, 0])


def test_second_of_equal_logits_is_another_class_than_the_predicted():
    _, predicted, probe = asked(target="second", logits=np.zeros((2, 3), np.float32))
    assert (predicted, probe) == ([0, 0], [1, 1])


def test_auto_asks_about_the_true_class_of_what_is_misclassified_and_else_about_the_second(warnings):
    assert asked(warnings, target="auto", labels=(0, 0, 0, -1)) == ([0, 1, 2, 3], [0, 1, 2, 1], [1, 0, 0, 0])
    assert asked(target="auto") == asked(target="second")
    assert not warnings


def test_expected_asks_about_misclassified_images_alone(warnings):
    assert asked(warnings, target="expected", labels=(0, 0, 1, -1)) == ([1, 2], [1, 2], [0, 1])
    assert warnings == [
        "explain.target: chosen images 0 are classified as they are labelled and are left out; target: auto keeps them",
        "explain.target: chosen images 3 have no label of the classifier and are left out; target: auto keeps them",
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "explain.target: no chosen image has a label that is a class of the classifier"),
        ((0, 1, 2, 1), "explain.target: every chosen image is classified as it is labelled"),
        ((0, -1, 2, -1), "explain.target: every chosen image is classified as it is labelled"),
    ],
)
def test_expected_without_a_misclassified_image(labels, message):
    with pytest.raises(UserError) as caught:
        asked(target="expected", labels=labels)
    assert caught.value.message == message
    assert caught.value.fix.endswith("set target: second")


def test_true_classes_are_matched_by_name():
    split = a_split()  # labels 0, 1, 2, 0, 1 of cat, dog, 7
    assert expected_classes(split, ("dog", "cow", "cat")).tolist() == [2, 0, -1, 2, 0]
    assert expected_classes(split, ("x", "y")).tolist() == [-1] * 5
    assert expected_classes(split, ("dog", "cat", "dog")).tolist() == [1, 0, -1, 1, 0]
    assert expected_classes(a_split(None), NAMES).tolist() == [-1] * 5
    assert expected_classes(a_split((0.5, 1, 2, 0, 1)), NAMES).tolist() == [-1] * 5
    unnamed = Split(images=split.images, labels=split.labels)
    assert expected_classes(unnamed, ("a", "b")).tolist() == [0, 1, -1, 0, 1]


def test_predicted():
    assert asked(target="predicted") == ([0, 1, 2, 3], [0, 1, 2, 1], [0, 1, 2, 1])


def test_all_asks_about_each_other_class():
    rows, predicted, probe = asked(target="all")
    assert rows == [0, 0, 1, 1, 2, 2, 3, 3]
    assert predicted == [0, 0, 1, 1, 2, 2, 1, 1]
    assert probe == [1, 2, 0, 2, 0, 1, 0, 2]


def test_a_class_leaves_out_the_images_that_are_of_it_already(warnings):
    assert asked(warnings, target="dog") == ([0, 2], [0, 2], [1, 1])
    said = "explain.target: chosen images 1, 3 are predicted 'dog' already and are left out"
    assert warnings == [f"{said}; if_predicted: ask keeps them"]
    assert asked(target=1) == asked(target="dog")


def test_a_class_may_be_asked_about_where_it_is_predicted(warnings):
    rows, predicted, probe = asked(warnings, target="dog", if_predicted="ask")
    assert (rows, probe) == ([0, 1, 2, 3], [1, 1, 1, 1])
    assert predicted == [0, 1, 2, 1]
    assert warnings == []


def test_each_predicted_class_has_a_question_of_its_own(warnings):
    targets = {"dog": "7", "cat": "dog"}
    assert asked(warnings, targets=targets) == ([0, 1, 3], [0, 1, 1], [1, 2, 2])
    assert warnings == ["explain.targets: chosen images 2 are predicted to be of other classes and are left out"]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"dgo": "cat"}, r'explain\.targets: the classifier has no class "dgo"'),
        ({"dog": "dog"}, "why 'dog' and not 'dog'"),
        ({"7": "cat"}, "no chosen image is predicted '7'"),
    ],
)
def test_mistakes_in_the_questions_of_classes(targets, said):
    with pytest.raises(UserError, match=said):
        asked(targets=targets, logits=LOGITS[[0, 1, 3]])


def test_a_class_that_every_image_is_of():
    with pytest.raises(UserError, match="every chosen image is predicted 'dog'"):
        asked(target="dog", logits=LOGITS[[1, 3]])


@pytest.mark.parametrize(("target", "fix"), [("dgo", '"dog"'), (7, "quotes"), (3, "known")])
def test_a_class_that_is_not_there(target, fix):
    with pytest.raises(UserError, match=r"explain\.target") as caught:
        asked(target=target)
    assert fix in caught.value.fix


def test_a_class_named_like_a_keyword_is_reached_by_its_index():
    names = ("all", "other")
    assert asked(target=0, names=names, logits=LOGITS[:, :2])[2] == [0, 0, 0]


def test_binary():
    logits = np.array([[-1, 1], [2, -2]], np.float32)
    assert asked(target="second", task="binary", logits=logits) == ([0, 1], [1, 0], [0, 1])
    assert asked(target="all", task="binary", logits=logits) == ([0, 1], [1, 0], [0, 1])


@pytest.mark.parametrize("target", ["auto", "expected", "second", "predicted", "all"])
def test_a_regression_gets_zeros(target):
    logits = np.array([[0.3], [-7]], np.float32)
    assert asked(target=target, task="regression", logits=logits) == ([0, 1], [0, 0], [0, 0])
