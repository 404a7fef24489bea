"""Answers of several participants, pooled by condition."""

import argparse
import json
import math

import pytest
from sidelight_report.user_study import answers
from sidelight_specs import UserError


@pytest.fixture(scope="module")
def study(quiz_results, write, tmp_path_factory):
    return write(quiz_results, tmp_path_factory.mktemp("study"))


@pytest.fixture
def answer(study, tmp_path):
    """Writes a participant's file who gives `right` right answers out of `of`."""
    _, content = study

    def make(name, shown, right, of, seconds=2.0, **changes):
        chosen = {
            str(n): {
                "choice": question["correct"] if n < right else 1 - question["correct"],
                "seconds": seconds,
            }
            for n, question in enumerate(content["predict"][:of])
        }
        session = {"id": name, "label": "", "condition": shown, "predict": chosen, "identify": {}, "describe": {}}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"study": content["study"], "session": session | changes}))
        return file

    return make


def pooled(study, files):
    read = answers.read_study(study[0])
    return answers.pool(read, answers.read_sessions(files, read))


def test_participants_are_pooled_by_condition(study, answer):
    files = [
        answer("a", "", 5, 10),
        answer("b", "", 6, 12, seconds=4),
        answer("c", "sag", 9, 10),
        answer("d", "sag", 10, 10),
        answer("e", "sag", 8, 10),
    ]
    none, sag = pooled(study, files)
    assert (none.condition, none.people, none.right, none.of) == ("none", 2, 11, 22)
    assert (sag.condition, sag.people, sag.right, sag.of) == ("sag", 3, 27, 30)
    assert none.seconds == pytest.approx((10 * 2 + 12 * 4) / 22)
    assert none.interval == pytest.approx((0.3072, 0.6928), abs=1e-4)  # Wilson 1927, z = 1.959964
    assert sag.interval == pytest.approx((0.7438, 0.9654), abs=1e-4)
    assert none.over_people is None
    half = 4.3027 * 0.1 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert sag.over_people == pytest.approx((0.9 - half, 1), abs=3e-3)


def test_the_difference_has_newcombe_s_interval(study, answer):
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 is 0.2, from 0.0524 to 0.3339."""
    assert answers.difference((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    _, sag = pooled(study, [answer("a", "", 5, 10), answer("b", "sag", 9, 10)])
    assert sag.difference is not None
    assert sag.difference[0] == pytest.approx(0.4)


def test_without_the_other_condition_there_is_no_difference(study, answer):
    (sag,) = pooled(study, [answer("a", "sag", 9, 10)])
    assert sag.difference is None


def test_mistakes_name_the_file(study, answer, tmp_path):
    good = answer("a", "sag", 9, 10)
    for content, message in [
        ("{", "no answers in the form"),
        ("[" * 100_000, "no answers in the form"),
        (json.dumps({"study": "another", "session": {}}), "answers to another study"),
        ("x" * 2_000_001, "too large"),
    ]:
        file = tmp_path / "bad.json"
        file.write_text(content)
        with pytest.raises(UserError, match=rf"bad\.json .*{message}"):
            pooled(study, [good, file])
    for changes, message in [
        ({"condition": "lime"}, 'the condition "lime", which the study does not have'),
        ({"predict": {"0": {"choice": 2, "seconds": 1}}}, "no answers in the form"),
        ({"predict": {"99": {"choice": 1, "seconds": 1}}}, "no answers in the form"),
        ({"predict": {"0": {"choice": 1, "seconds": math.inf}}}, "no answers in the form"),
        ({"predict": {"0": {"choice": 1, "seconds": 10**400}}}, "no answers in the form"),
        ({"predict": [1]}, "no answers in the form"),
    ]:
        with pytest.raises(UserError, match=message):
            pooled(study, [answer("b", "sag", 1, 1, **changes)])
    with pytest.raises(UserError, match="hold answers of the same participant"):
        pooled(study, [good, answer("c", "sag", 1, 2, id="a")])
    with pytest.raises(UserError, match="cannot be read"):
        pooled(study, [tmp_path / "missing.json"])
    for page in (good, tmp_path / "missing.html"):
        with pytest.raises(UserError, match=r"is no page of a user study|cannot be read"):
            answers.read_study(page)


def test_the_command_prints_a_table(study, answer):
    class Host:
        def __init__(self):
            self.written = []

        def write_table(self, headings, rows):
            self.written += [dict(zip(headings, row, strict=True)) for row in rows]

        def write_json(self, value):
            self.written += json.loads(json.dumps(value))

    parser = argparse.ArgumentParser()
    answers.add_arguments(parser)
    given = [str(study[0]), str(answer("a", "", 5, 10)), str(answer("b", "sag", 9, 10))]
    host = Host()
    assert answers.run(parser.parse_args(given), host) == 0
    none, sag = host.written
    assert (none["condition"], none["right"], none["against none"]) == ("none", "5 of 10", "")
    assert (sag["share"], sag["95 %"], sag["against none"]) == ("0.90", "0.60 to 0.98", "+0.40 (0.00 to 0.68)")
    assert answers.run(parser.parse_args([*given, "--json"]), host) == 0
    assert host.written[3]["right"] == 9
