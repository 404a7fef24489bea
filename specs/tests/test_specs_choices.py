"""Images chosen by what the classifier says of the whole split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sidelight_specs import UserError
from sidelight_specs.choices import choose_by_answers
from sidelight_specs.facts import ClassifierFacts, DataFacts, wrong_choice
from sidelight_specs.recipe import Explain
from sidelight_specs.results import Split, SplitPredictions

NAMES = ("cat", "dog", "eel")
PREDICTED = np.array([0, 1, 2, 1, 0, 2, 1, 0])
LABELS = np.array([0, 0, 2, 2, 1, 0, 0, 0])  # errors in rows 1, 3, 4, 5, 6
CONFIDENCE = np.array([0.9, 0.6, 0.5, 0.99, 0.7, 0.8, 0.95, 0.45])


def answers(labels=LABELS, label_names=NAMES, class_names=NAMES, predicted=PREDICTED, confidence=CONFIDENCE):
    rest = (1 - confidence)[:, None] / 3 * np.array([2, 1])  # the second class gets two thirds of what is left
    logits = np.empty((len(predicted), 3))
    for row, best in enumerate(predicted):
        logits[row, best] = np.log(confidence[row])
        logits[row, np.delete(np.arange(3), best)] = np.log(rest[row])
    images = np.zeros((len(predicted), 1, 2, 2), np.float32)
    split = Split(images=images, labels=None if labels is None else np.array(labels), class_names=label_names)
    return SplitPredictions.of(logits, split, np.arange(len(predicted)), class_names)


def chosen(choose, warnings=None, given=None, **explain):
    said = [] if warnings is None else warnings
    choice = choose_by_answers(
        given or answers(), Explain(choose=choose, **{"split": "test", "count": 2, **explain}), said.append
    )
    return choice.rows.tolist(), choice.reason


def test_errors_in_the_order_of_the_split():
    assert chosen("errors") == ([1, 3], "the first 2 of 5 errors among 8 images of the split test")


def test_confident_errors():
    reason = "the 3 most confident of 5 errors among 8 images of the split test"
    assert chosen("confident-errors", count=3) == ([3, 6, 5], reason)


def test_lowest_margin_needs_no_labels():
    reason = "the 2 least certain of 8 images of the split test, whose two likeliest classes are closest"
    assert chosen("lowest-margin") == ([7, 2], reason)
    assert chosen("lowest-margin", given=answers(None, ())) == ([7, 2], reason)


def test_confused_takes_errors_of_a_pair_in_both_directions():
    reason = 'all 3 errors between "cat" and "dog" among 8 images of the split test'
    assert chosen({"confused": ("cat", "dog")}, count=3) == ([1, 4, 6], reason)
    assert chosen({"confused": ("dog", "cat")}, count=3)[0] == [1, 4, 6]
    assert chosen({"confused": (1, 0)}, count=3)[0] == [1, 4, 6]
    assert chosen({"confused": ("eel", "dog")}, count=1) == (
        [3], 'the only one of the errors between "eel" and "dog" among 8 images of the split test'
    )  # fmt: skip


def test_labels_narrow_the_choice():
    among = "4 images of the split test with these labels"
    narrow = {"labels": ("cat",), "given": answers([0, 0, 2, 2, 1, 0, 0, 2])}
    assert chosen({"confused": ("cat", "dog")}, **narrow) == (
        [1, 6], f'all 2 errors between "cat" and "dog" among {among}'
    )  # fmt: skip
    with pytest.raises(UserError, match='the data has no class "ct"'):
        chosen("errors", labels=("ct",))


def test_all_errors_when_count_is_null():
    rows, reason = chosen("confident-errors", count=None)
    assert rows == [3, 6, 5, 4, 1]
    assert reason == "all 5 errors, the most confident first, among 8 images of the split test"


def test_fewer_than_asked_for_and_labels_of_no_class_are_said(warnings):
    given = answers([0, 0, 3, 3, 3, 3, 3, 3], (*NAMES, "yak"))
    assert chosen("errors", warnings, given, count=4)[0] == [1]
    assert warnings == [
        "explain.choose: 6 of 8 images of the split test have no label of the classifier and are passed over",
        "explain.count: 4 images were asked for, and only 1 is explained, the only one of the errors among 8 images "
        "of the split test",
    ]


def test_labels_are_matched_by_name():
    given = answers(np.array([2, 2, 0, 0, 1, 2, 2, 2]), ("eel", "dog", "cat"))
    assert chosen("errors", given=given, count=None)[0] == [1, 3, 4, 5, 6]
    assert chosen({"confused": (2, 1)}, given=given, count=None)[0] == [1, 4, 6]


def test_labels_without_names_are_indices():
    assert chosen("errors", given=answers(label_names=()), count=None)[0] == [1, 3, 4, 5, 6]
    assert chosen({"confused": (0, 1)}, given=answers(label_names=()), count=None)[0] == [1, 4, 6]


@pytest.mark.parametrize(
    ("choose", "given", "message", "fix"),
    [
        (
            "errors", answers(PREDICTED),
            "explain.choose: there are no errors among 8 images of the split test",
            "set choose: lowest-margin, which shows where it is least certain, or choose another split",
        ),
        (
            {"confused": ("dog", "eel")}, answers([0, 0, 2, 1, 1, 0, 0, 0]),
            'explain.choose: there are no errors between "dog" and "eel" among 8 images of the split test',
            'choose a pair that is confused, such as ["cat", "dog"] (3 images), ["cat", "eel"] (1 image)',
        ),
        (
            "confident-errors", answers(None, ()),
            "explain.choose: the data has no class labels", "use labelled data, or set choose: lowest-margin",
        ),
        (
            "errors", answers(label_names=("a", "b", "c")),
            "explain.choose: no class of the data (a, b, c) is one of the classifier (cat, dog, eel)",
            "give both the same class names",
        ),
        (
            {"confused": ("dog", "ell")}, answers(),
            'explain.choose: the data has no class "ell"', 'did you mean "eel"? known are cat, dog, eel',
        ),
        (
            {"confused": ("dog", "yak")}, answers(label_names=(*NAMES, "yak")),
            'explain.choose: the classifier has no class "yak"', "known are cat, dog, eel",
        ),
        (
            {"confused": ("x", "dog")}, answers(label_names=()),
            'explain.choose: the classifier has no class "x"', "known are cat, dog, eel",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen(choose, given, message, fix):
    with pytest.raises(UserError) as caught:
        chosen(choose, given=given)
    assert (caught.value.message, caught.value.fix) == (message, fix)


@pytest.mark.parametrize(
    "choose",
    [{"confused": ("a",)}, {"confused": ("a", "a")}, {"confused": ("a", "b", "c")}, {"confusd": ("a", "b")}, {},
     {"confused": ("a", "b"), "labels": ()}],
)  # fmt: skip
def test_a_pair_is_two_classes(choose):
    (mistake,) = wrong_choice(DataFacts(), ClassifierFacts(), choose)
    assert (mistake.option, mistake.fix) == ("choose", "write {confused: [A, B]}")


def test_facts_that_are_not_known_are_passed_over():
    for choose in ("first", "errors", "lowest-margin", {"confused": ("a", "b")}, {"confused": (1, 0)}):
        assert not list(wrong_choice(DataFacts(), ClassifierFacts(), choose))
    unlabelled = DataFacts(classes=())
    assert not list(wrong_choice(unlabelled, ClassifierFacts(), "lowest-margin"))
    assert [one.message for one in wrong_choice(DataFacts(), ClassifierFacts(task="regression"), "lowest-margin")] == [
        "images are chosen by the classes that are predicted, and the classifier is a regression"
    ]


LOGITS = arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(2, 6)), elements=st.floats(-50, 50, width=32))


@given(
    LOGITS, st.integers(0, 10**6), st.integers(1, 12), st.sampled_from(["errors", "confident-errors", "lowest-margin"])
)
def test_properties_of_a_choice(logits, seed, count, choose):
    size, classes = logits.shape
    labels = np.random.default_rng(seed).integers(0, classes, size)
    names = tuple("abcdef"[:classes])
    split = Split(images=np.zeros((size, 1, 1, 1), np.float32), labels=labels, class_names=names)
    given = SplitPredictions.of(logits, split, np.arange(size), names)
    given.validate()
    wrong = logits.argmax(1) != labels
    if choose != "lowest-margin" and not wrong.any():
        with pytest.raises(UserError, match="there are no errors"):
            chosen(choose, given=given)
        return
    some, _ = chosen(choose, given=given, count=count)
    every, _ = chosen(choose, given=given, count=None)
    assert some == every[:count], "a smaller count is the beginning of a larger one"
    assert len(set(every)) == len(every) == (size if choose == "lowest-margin" else wrong.sum())
    p = np.exp(logits - logits.max(1, keepdims=True).astype(np.float64))
    p = np.sort(p / p.sum(1, keepdims=True), axis=1)[:, ::-1]
    by = {"errors": np.arange(size), "confident-errors": -p[:, 0], "lowest-margin": p[:, 0] - p[:, 1]}[choose]
    assert (np.diff(by[every]) > -1e-6).all()


def test_nearly_certain_errors_keep_their_order():
    logits = np.array([[40, 0], [60, 0], [50, 0]], np.float32)  # in float32 the probability is 1 for each
    split = Split(images=np.zeros((3, 1, 1, 1), np.float32), labels=np.ones(3, np.int64), class_names=("a", "b"))
    given = SplitPredictions.of(logits, split, np.arange(3), ("a", "b"))
    assert chosen("confident-errors", given=given, count=None)[0] == [1, 2, 0]


def test_probabilities_in_closed_form():
    given = answers()
    np.testing.assert_allclose(given.confidence, CONFIDENCE, rtol=1e-6)
    np.testing.assert_allclose(given.margin, CONFIDENCE - (1 - CONFIDENCE) * 2 / 3, rtol=1e-5)
    np.testing.assert_allclose(given.surprisal, -np.log(CONFIDENCE), rtol=1e-6)


def test_the_model_as_a_whole():
    text, errors, recall = answers().view(0)
    assert text.text == (
        "37.5% of 8 images are classified as they are labelled, mean confidence 61.7% where that is so, "
        "80.8% of the 5 errors"
    )
    assert errors.rows == (
        ("{class 0}", "{class 1}", "2"), ("{class 0}", "{class 2}", "1"),
        ("{class 1}", "{class 0}", "1"), ("{class 2}", "{class 1}", "1"),
    )  # fmt: skip
    assert recall.rows == (
        ("{class 1}", "1", "0.0%", "70.0%"), ("{class 0}", "5", "40.0%", "74.0%"), ("{class 2}", "2", "50.0%", "74.5%"),
    )  # fmt: skip
    assert [len(answers(labels, names).view(0)) for labels, names in ((PREDICTED, NAMES), (None, ()))] == [1, 1]


@pytest.fixture
def warnings():
    return []


def test_log_loss_and_brier_score_are_those_of_the_probabilities():
    rng = np.random.default_rng(0)
    logits = (rng.normal(size=(50, 4)) * 8).astype(np.float32)
    labels = rng.integers(0, 4, 50)
    split = Split(images=np.zeros((50, 1, 1, 1), np.float32), labels=labels, class_names=("a", "b", "c", "unknown"))
    answers = SplitPredictions.of(logits, split, np.arange(50), ("a", "b", "c", "d"), 80)
    shares = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    known = labels < 3
    assert np.isnan(answers.label_surprisal[~known]).all()
    assert np.isnan(answers.brier[~known]).all()
    rows = np.flatnonzero(known)
    np.testing.assert_allclose(answers.label_surprisal[rows], -np.log(shares[rows, labels[rows]]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        answers.brier[rows], ((shares - np.eye(4)[labels]) ** 2).sum(1)[rows], rtol=1e-5, atol=1e-6
    )
    assert answers.split_size == 80
    answers.validate()
    errors = answers.worst(5)
    assert answers.is_error[errors].all()
    assert (np.diff(answers.confidence[errors]) <= 0).all()
