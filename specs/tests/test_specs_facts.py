"""Statements about facts: what is wrong for certain, and silence about what is not known."""

import pytest
from sidelight_specs.facts import (
    QUESTIONS,
    ClassifierFacts,
    DataFacts,
    default_split,
    explains_all,
    named_rows,
    no_common_class,
    shape_text,
    unasked_number,
    unlearnable,
    wrong_images,
    wrong_question,
)

DATA = DataFacts(shape=(3, 8, 8), splits={"train": 9, "test": 4, "extra": None}, classes=("cat", "dog", "3"))
CLASSIFIER = ClassifierFacts(shape=(3, 8, 8), classes=("cat", "dog"), task="multiclass")


def words(mistakes):
    return [(mistake.option, mistake.message, mistake.fix) for mistake in mistakes]


@pytest.mark.parametrize(
    ("chosen", "option", "message", "fix"),
    [
        ({"split": "tset"}, "split", 'the data has no split "tset"',
         'did you mean "test"? known are train, test, extra'),
        ({"split": "test", "indices": (1, 4)}, "indices", 'there is no image 4 in the split "test"',
         "count from 0 to 3"),
        ({"split": "test", "labels": ("cow",)}, "labels", 'the data has no class "cow"', "known are cat, dog, 3"),
        ({"split": "test", "labels": (3,)}, "labels", "there is no class with index 3",
         'write "3" in quotes for its name; known are cat, dog, 3'),
    ],
)  # fmt: skip
def test_images_that_do_not_exist(chosen, option, message, fix):
    assert words(wrong_images(DATA, **chosen)) == [(option, message, fix)]


def test_images_that_exist_or_may_exist():
    assert not words(wrong_images(DATA, "test", (0, 3), ("cat", 2)))
    assert not words(wrong_images(DATA, "extra", (10**6,)))
    assert not words(wrong_images(DataFacts(), "any", (10**6,), ("cow",)))


def test_images_without_labels_are_not_chosen_by_label():
    assert words(wrong_images(DataFacts(classes=()), "test", (), ("cat",))) == [
        ("labels", "the data has no class labels", "give indices instead")
    ]


def test_questions():
    (mistake,) = wrong_question(CLASSIFIER, "cow", {}, DATA)
    assert mistake.message == 'the classifier has no class "cow"'
    assert mistake.fix == "known are cat, dog; or one of auto, expected, second, predicted, all"
    assert [one.message for one in wrong_question(CLASSIFIER, "cow", {"cat": "cat", "dog": "cow"}, DATA)] == [
        'it asks why "cat" and not "cat"',
        'the classifier has no class "cow"',
    ]
    for target in (*QUESTIONS, "dog", 1):
        assert not words(wrong_question(CLASSIFIER, target, {}, DATA))
    for unknown in (ClassifierFacts(), ClassifierFacts(classes=("age",), task="regression")):
        assert not words(wrong_question(unknown, "cow", {}, DATA))


def test_a_question_about_true_classes_needs_labels():
    assert words(wrong_question(CLASSIFIER, "expected", {}, DataFacts(classes=()))) == [
        ("target", "the data has no class labels", "use labelled data, or set target: second")
    ]
    (mistake,) = wrong_question(CLASSIFIER, "expected", {}, DataFacts(classes=("x", "y")))
    assert mistake.message == "no class of the data (x, y) is one of the classifier (cat, dog)"
    for data in (DATA, DataFacts(), DataFacts(classes=("x", "dog"))):
        assert not words(wrong_question(CLASSIFIER, "expected", {}, data))
    assert not words(wrong_question(CLASSIFIER, "auto", {}, DataFacts(classes=())))
    assert not words(wrong_question(CLASSIFIER, "expected", {"cat": "dog"}, DataFacts(classes=())))


@pytest.mark.parametrize(
    ("resizes", "images", "misfit"),
    [
        (True, (3, 8, 8), ""),
        (True, (1, 8, 8), "channels"),
        (True, (3, 4, 8), "enlarged"),
        (True, (3, 16, 8), ""),
        (False, (3, 16, 8), "size"),
        (False, None, ""),
    ],
)
def test_images_and_a_classifier(resizes, images, misfit):
    assert ClassifierFacts(shape=(3, 8, 8), resizes=resizes).misfit(images) == misfit
    assert ClassifierFacts().misfit(images) == ""


def test_shapes_in_words():
    assert [shape_text(shape) for shape in ((1, 4, 5), (3, 8, 8))] == ["1 channel, 4x5", "3 channels, 8x8"]


def test_class_names_without_one_in_common():
    (warning,) = no_common_class(DataFacts(classes=("a", "b")), CLASSIFIER)
    assert not warning.refused
    assert warning.message.startswith("no class of the data (a, b) is one of the classifier (cat, dog)")
    for data in (DATA, DataFacts(), DataFacts(classes=())):
        assert not words(no_common_class(data, CLASSIFIER))
    assert not words(no_common_class(DATA, ClassifierFacts(classes=("age",), task="regression")))


def test_data_that_nothing_can_learn_from():
    (mistake,) = unlearnable(DataFacts(splits={"all": 9}), "shop/photos")
    assert mistake.message == 'it is trained on the split "train", and shop/photos has none: it has all'
    assert not words(unlearnable(DATA, "shop/photos"))
    assert not words(unlearnable(DataFacts(), "shop/photos"))


@pytest.mark.parametrize(
    ("facts", "count", "warned"),
    [
        ({"splits": {"test": 4, "all": 9}, "classes": ()}, 8, True),
        ({"splits": {"test": 4, "all": 9}, "classes": ()}, 9, False),
        ({"splits": {"test": 4, "all": 9}, "classes": ()}, None, False),
        ({"splits": {"test": 4, "all": 9}, "classes": ("a",)}, 8, False),
        ({"splits": {"test": 4, "all": None}, "classes": ()}, 8, False),
        ({}, 8, False),
        ({"splits": {"all": 200}}, None, False),
        ({"splits": {"all": 201}}, None, True),
    ],
)
def test_a_number_that_nobody_asked_for(facts, count, warned):
    assert bool(words(unasked_number(DataFacts(**facts), "all", count))) == warned


@pytest.mark.parametrize(
    ("facts", "is_learned", "split"),
    [
        ({}, False, "test"),
        ({"splits": {"train": 4, "test": 2}}, False, "test"),
        ({"splits": {"all": 9}}, False, "all"),
        ({"splits": {"photos": 9}}, False, "photos"),
        ({"splits": {"train": 9, "all": 9}, "classes": ("a",)}, False, "all"),
        ({"splits": {"train": 5, "test": 4, "all": 9}, "classes": ("a",)}, False, "test"),
        ({"splits": {"train": 5, "test": 4, "all": 9}, "classes": ()}, False, "all"),
        ({"splits": {"train": 5, "test": 4, "all": 9}, "classes": ()}, True, "test"),
        ({"splits": {"train": 5, "test": 4, "all": 9}}, False, "test"),
    ],
)
def test_the_split_that_is_explained_unasked(facts, is_learned, split):
    assert default_split(DataFacts(**facts), is_learned=is_learned) == split


@pytest.mark.parametrize(
    ("facts", "split", "is_learned", "is_all"),
    [
        ({"classes": ()}, "all", False, True),
        ({"classes": ()}, "all", True, False),
        ({"classes": ()}, "test", False, False),
        ({"classes": ("a",)}, "all", False, False),
        ({}, "all", False, False),
        ({"classes": ("a",), "is_named": True}, "all", False, True),
    ],
)
def test_images_that_are_all_explained_unasked(facts, split, is_learned, is_all):
    assert explains_all(DataFacts(**facts), split, is_learned=is_learned) == is_all


def test_images_are_named_by_as_much_as_tells_them_apart():
    ids = ("cat/1.png", "dog/1.png", "dog/tom/2.png", "2.png")
    assert named_rows(["2.png", "cat/1.png", "tom/2.png"], ids) == ([3, 0, 2], [])
    rows, mistakes = named_rows(["1.png", "dgo/1.png"], ids)
    assert rows == []
    assert [one.message for one in mistakes] == [
        '"1.png" could be any of cat/1.png, dog/1.png',
        'there is no image "dgo/1.png"',
    ]
    assert mistakes[1].fix == 'did you mean "dog/1.png"?'
    assert named_rows(["a"], ())[1][0].message == "the images have no names"
    assert words(wrong_images(DataFacts(splits={"all": 1}, ids={"all": ("a",)}), "all", images=["b"]))
    assert not words(wrong_images(DataFacts(splits={"all": 1}, ids={"all": ("a",)}), "all", images=["a"]))
    assert not words(wrong_images(DataFacts(splits={"all": 1}), "all", images=["b"]))
