from hashlib import blake2b

import numpy as np
import pytest
from sidelight_images.faces.data import Faces
from sidelight_images.faces.factors import BY_NAME, NAMES
from sidelight_images.faces.labels import Plan, draw_faces
from sidelight_images.params import FacesParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import ToyRun

PLANTED = {"lip-colour": 0.9, "glasses": 0.3}
IDS = [f"face-{i}" for i in range(6000)]


def data(**options):
    return Faces(FacesParams(**{"size": 32, "train": 12, "test": 8, **options}), run=ToyRun())


def drawn(plan, decorrelated=False):
    return draw_faces(plan, 0, IDS, decorrelated)


def near(value, expected, count=6000):
    """Within 4.5 standard errors of a share."""
    return abs(value - expected) < 4.5 * np.sqrt(max(expected * (1 - expected), 0.01) / count)


def right(plan, factors, labels):
    return float(((plan.logits(factors)[:, 0] > 0) == labels).mean())


@pytest.mark.parametrize(("label", "slope"), [("smile", 4.0), ("lip-colour", 2.0), ("glasses", 3.0), ("beard", 1.5)])
def test_labels_follow_their_factor_with_noise(label, slope):
    plan = Plan((label,), slope, {})
    factors, labels = drawn(plan)
    z = BY_NAME[label].centred(factors[label])
    assert near(labels.mean(), 0.5)
    for low, high in ((-1, -0.5), (-0.5, 0), (0, 0.5), (0.5, 1.001)):
        inside = (z >= low) & (z < high)
        if inside.any():
            expected = (1 / (1 + np.exp(-slope * z[inside]))).mean()
            assert near(labels[inside].mean(), expected, inside.sum())


@pytest.mark.parametrize("decorrelated", [False, True])
def test_confounds_are_planted_as_strongly_as_asked(decorrelated):
    factors, labels = drawn(Plan(("smile",), 4.0, {**PLANTED, "beard": 0.8}), decorrelated)
    for name, share in {**PLANTED, "beard": 0.8}.items():
        high = BY_NAME[name].centred(factors[name]) > 0
        assert near(high[labels == 1].mean(), 0.5 if decorrelated else share, 2700)
        assert near(high[labels == 0].mean(), 0.5 if decorrelated else 1 - share, 2700)
    reds = factors["lip-colour"]
    assert ((reds <= 0.4) | (reds >= 0.6)).all()
    free = [name for name in NAMES if name not in ("smile", "lip-colour", "glasses", "beard")]
    related = [abs(np.corrcoef(factors[name], labels)[0, 1]) for name in free]
    assert max(related) < 4.5 / np.sqrt(len(IDS))


@pytest.mark.parametrize("confounds", [{}, {"lip-colour": 0.9}, PLANTED])
@pytest.mark.parametrize(("label", "slope"), [("smile", 4.0), ("smile", 40.0), ("beard", 1.5)])
def test_the_best_possible_accuracy_in_closed_form(label, slope, confounds):
    plan = Plan((label,), slope, confounds)
    factors, labels = drawn(plan)
    assert near(right(plan, factors, labels), plan.accuracy())
    assert near(right(Plan((label,), slope, {}), factors, labels), plan.accuracy_of_label_factors())
    assert near(right(plan, *drawn(plan, decorrelated=True)), plan.accuracy(decorrelated=True))


def test_no_other_rule_on_the_factors_does_better():
    plan = Plan(("smile",), 4.0, PLANTED)
    factors, labels = drawn(plan)
    for weight in (0.5, 0.8, 1.25, 2.0):
        other = Plan(("smile",), 4.0 * weight, PLANTED)
        assert right(other, factors, labels) < plan.accuracy() + 0.01


def test_splits_carry_all_that_is_known():
    faces = data(confounds=PLANTED)
    assert faces.splits == ("train", "test", "test-decorrelated")
    test, other = faces.split("test"), faces.split("test-decorrelated")
    assert test.class_names == ("not smiling", "smiling")
    assert test.images.shape == (8, 3, 32, 32)
    assert sorted(test.factors) == sorted(NAMES)
    np.testing.assert_array_equal(np.sum(list(test.masks.values()), axis=0), 1)
    np.testing.assert_array_equal(test.labels, other.labels)
    changed = [name for name in NAMES if (test.factors[name] != other.factors[name]).any()]
    assert set(changed) <= set(PLANTED)
    assert changed
    assert not faces.split("train").masks
    assert data().splits == ("train", "test")


def test_one_factor_changed_exactly():
    faces = data()
    split = faces.split("test")
    np.testing.assert_array_equal(faces.render(split.factors), split.images)
    low, high = faces.factor_ranges["lip-colour"]
    pale, red = (faces.render({**split.factors, "lip-colour": np.full(8, end)}) for end in (low, high))
    changed = (pale != red).any(axis=1)
    assert changed.any(axis=(1, 2)).all()
    assert changed.mean() < 0.06
    with pytest.raises(SidelightError, match="smile"):
        faces.render({name: values for name, values in split.factors.items() if name != "smile"})


def test_more_faces_move_none_that_were_there():
    few, many = data(train=6).split("train"), data(train=9, test=3).split("train")
    np.testing.assert_array_equal(few.images, many.images[:6])
    np.testing.assert_array_equal(few.labels, many.labels[:6])
    assert (data(seed=1).split("train").images != data().split("train").images).any()


def test_the_best_possible_accuracy_is_emitted():
    faces = data(confounds={"lip-colour": 0.9})
    faces.split("test")
    told = {item.name: item.value for item in faces._run.emitted["accuracy"].items}
    plan = Plan(("smile",), 4.0, {"lip-colour": 0.9})
    assert told["possible"] == pytest.approx(plan.accuracy())
    assert told["possible by smile alone"] == pytest.approx(plan.accuracy_of_label_factors())


@pytest.mark.parametrize(
    ("label", "confounds", "decorrelated", "digest"),
    [
        ("smile", PLANTED, False, "17d08a4cec229aaa"),
        ("smile", PLANTED, True, "78fed599036c9bb1"),
        ("beard", {}, False, "c624a17626bcd0d6"),
    ],
)
def test_faces_of_one_label_stay_what_they_were(label, confounds, decorrelated, digest):
    """Factors and labels as version 0.1 drew them, before labels could be crossed."""
    plan = Plan((label,), {"smile": 4.0, "beard": 1.5}[label], confounds)
    factors, labels = draw_faces(plan, 3, [f"train-{i}" for i in range(300)], decorrelated)
    drawn = blake2b(digest_size=8)
    for name in sorted(factors):
        drawn.update(name.encode() + factors[name].astype("<f4").tobytes())
    drawn.update(labels.astype("<i8").tobytes())
    assert drawn.hexdigest() == digest


CROSSED = ("hair-colour", "beard")


@pytest.mark.parametrize("decorrelated", [False, True])
def test_crossed_labels_follow_each_factor_and_confounds_the_first(decorrelated):
    plan = Plan(CROSSED, 2.0, {"eye-colour": 0.9})
    factors, labels = drawn(plan, decorrelated)
    light, beard = labels >= 2, labels % 2 == 1  # 0 dark, no beard; 1 dark, beard; 2 light, no beard; 3 light, beard
    for digit, name in zip((light, beard), CROSSED, strict=True):
        z = BY_NAME[name].centred(factors[name])
        expected = 1 / (1 + np.exp(-2.0 * z))
        for side in (z < 0, z > 0):
            assert near(digit[side].mean(), expected[side].mean(), side.sum())
    blue = factors["eye-colour"] > 0.5
    for bearded in (False, True):
        assert near(blue[light & (beard == bearded)].mean(), 0.5 if decorrelated else 0.9, 1400)
        assert near(blue[~light & (beard == bearded)].mean(), 0.5 if decorrelated else 0.1, 1400)
    assert abs(np.corrcoef(light, beard)[0, 1]) < 4.5 / np.sqrt(len(IDS))
    alone, light_alone = drawn(Plan(CROSSED[:1], 2.0, {"eye-colour": 0.9}), decorrelated)
    np.testing.assert_array_equal(light, light_alone)  # the first digit is what it is alone
    np.testing.assert_array_equal(factors["eye-colour"], alone["eye-colour"])


def test_the_best_possible_accuracy_of_a_crossed_label():
    plan = Plan((*CROSSED, "smile"), 3.0, {"eye-colour": 0.85, "glasses": 0.4})

    def exact(plan, factors, labels):
        return float((((plan.logits(factors) > 0) @ [4, 2, 1]) == labels).mean())

    factors, labels = drawn(plan)
    assert near(exact(plan, factors, labels), plan.accuracy())
    assert near(exact(Plan(plan.label, 3.0, {}), factors, labels), plan.accuracy_of_label_factors())
    assert near(exact(plan, *drawn(plan, decorrelated=True)), plan.accuracy(decorrelated=True))


def test_a_crossed_label_names_its_classes_and_faces_are_still_drawn_anew_exactly():
    faces = data(label=CROSSED, confounds={"eye-colour": 0.9}, test=12)
    split = faces.split("test-decorrelated")
    assert split.class_names == ("dark hair, no beard", "dark hair, beard", "light hair, no beard", "light hair, beard")
    assert set(split.labels) == {0, 1, 2, 3}
    np.testing.assert_array_equal(faces.render(split.factors), split.images)
    told = {item.name: item.value for item in faces._run.emitted["accuracy"].items}
    assert told["possible by hair-colour and beard alone"] == pytest.approx(faces.plan.accuracy_of_label_factors())


def test_left_out_classes_have_no_faces_and_move_no_others():
    plan = {"label": CROSSED, "confounds": {"eye-colour": 0.9}}
    without = data(**plan, leave_out=("light hair, beard",))
    every, some = data(**plan, test=40).split("test"), without.split("test")
    assert "accuracy" not in without._run.emitted  # the closed form is of independent digits
    assert some.class_names == ("dark hair, no beard", "dark hair, beard", "light hair, no beard")
    rows = np.flatnonzero(every.labels != 3)[: len(some)]
    assert some.ids == tuple(every.ids[row] for row in rows)
    np.testing.assert_array_equal(some.labels, every.labels[rows])
    np.testing.assert_array_equal(some.images, every.images[rows])
    first = data(**plan, leave_out=("dark hair, no beard",), test=30).split("test")
    assert set(first.labels) == {0, 1, 2}
    assert first.class_names == ("dark hair, beard", "light hair, no beard", "light hair, beard")
    rows = np.flatnonzero(every.labels != 0)[:30]
    np.testing.assert_array_equal(first.labels, every.labels[rows] - 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confounds": {"hat": 0.9}}, "hat"),
        ({"confounds": {"smile": 0.9}}, "label's own factor"),
        ({"label": CROSSED, "confounds": {"beard": 0.9}}, '"beard" is the label\'s own factor'),
        ({"label": ("beard", "beard")}, '"beard" is named twice'),
        ({"label": ()}, "0 factors are named"),
        ({"label": ("skin", "jaw", "nose", "beard", "smile")}, "5 factors are named"),
        ({"label": CROSSED, "leave_out": ("light hair",)}, 'no class "light hair"'),
        ({"leave_out": ("smiling",)}, "fewer than two classes"),
    ],
)
def test_labels_and_confounds_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        data(**options).split("train")
