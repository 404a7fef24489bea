"""The command `user-study`: answers of several participants pooled by condition, with intervals.

Wilson's interval takes all answers as independent; the interval over people (Student's t over their shares of right
answers) does not. The difference to the condition without an explanation has Newcombe's interval (1998, method 10).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Measurement

from sidelight_report.user_study.predictions import NONE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sidelight_specs.host import Host

MOST_BYTES = 2_000_000  # of a file of answers; a real one has some kilobytes
MARK = 'id="document">'  # where the page's document begins


@attrs.frozen
class Session:
    """Answers of one participant: number of the question to (choice, seconds)."""

    id: str
    label: str
    condition: str
    predict: dict[int, tuple[int, float]]
    identify: dict[int, tuple[int, float]]


@attrs.frozen
class Pooled:
    """Right answers of all participants of one condition to the questions of one part.

    Args:
        part: `predict`, or `identify`, whose conditions are the finders of attributes.
        condition: the explanation that they saw, `none` without one.
        people: participants with an answer.
        right, of: answers.
        interval: Wilson's 95 % interval of right / of; None for fewer than three answers.
        over_people: 95 % interval of the mean share of a participant; None for fewer than three.
        difference: of the share to the condition `none`, with its 95 % interval; None where there is none.
        seconds: mean time of an answer.
    """

    part: str
    condition: str
    people: int
    right: int
    of: int
    interval: tuple[float, float] | None
    over_people: tuple[float, float] | None
    difference: tuple[float, float, float] | None
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight user-study`."""
    parser.add_argument("page", type=Path, metavar="PAGE", help="the page that asked: study.html")
    parser.add_argument("answers", type=Path, nargs="+", metavar="FILE", help="answers downloaded from it (JSON)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Score the files together."""
    study = read_study(arguments.page)
    pooled = pool(study, read_sessions(arguments.answers, study))
    if arguments.json:
        host.write_json([attrs.asdict(one) for one in pooled])
        return 0
    headings = ("part", "condition", "people", "right", "share", "95 %", "95 % over people", "against none", "seconds")
    host.write_table(headings, [_row(one) for one in pooled])
    return 0


def read_study(page: Path) -> dict[str, Any]:
    """The questions in a page of `report/user-study`, with the right answers.

    Raises:
        UserError: it is no such page.
    """
    fix = "name the file study.html that the renderer report/user-study wrote"
    try:
        text = page.read_text(encoding="utf-8")
        study = json.loads(text.split(MARK, 1)[1].split("</script>", 1)[0])
        correct = {part: [int(one["correct"]) for one in study[part]] for part in ("predict", "identify")}
        finders = [str(study["finders"][one["finder"]]["name"]) for one in study["identify"]]
        conditions = [str(one["name"]) for one in study["conditions"]]
        return {"study": str(study["study"]), "correct": correct, "finders": finders, "conditions": conditions}
    except OSError as error:
        raise UserError(f"{page} cannot be read: {error.strerror}", fix) from error
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{page} is no page of a user study", fix) from error


def read_sessions(files: Sequence[Path], study: dict[str, Any]) -> list[Session]:
    """The participants, one for each file.

    Raises:
        UserError: a file holds no answers to this study, or a participant stands in two of them.
    """
    sessions: dict[str, tuple[Session, Path]] = {}
    for file in files:
        session = _read_session(file, study)
        if session.id in sessions:
            first = sessions[session.id][1]
            raise UserError(f"{first} and {file} hold answers of the same participant", "name each participant once")
        sessions[session.id] = session, file
    return [session for session, _ in sessions.values()]


def _read_session(file: Path, study: dict[str, Any]) -> Session:
    fix = "name files that the page handed over by its button Download my answers (JSON)"
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserError(f"{file} is too large for a file of answers", fix)
        content = json.loads(file.read_text(encoding="utf-8"))
        told, session = content["study"], content["session"]
        if told != study["study"]:
            raise UserError(f"{file} holds answers to another study", "name the page that these answers come from")
        condition = str(session.get("condition", "")) or NONE
        if condition not in (NONE, *study["conditions"]):
            raise UserError(f'{file} names the condition "{condition}", which the study does not have', fix)
        answers = {part: _choices(session.get(part, {}), len(study["correct"][part])) for part in study["correct"]}
        return Session(str(session["id"]), str(session["label"]), condition, **answers)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", fix) from error
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{file} holds no answers in the form that the page writes", fix) from error


def _choices(answers: dict[str, Any], count: int) -> dict[int, tuple[int, float]]:
    """Number of the question to (choice, seconds). Raises a ValueError where an answer is none."""
    result = {}
    for name, answer in answers.items():
        number, choice, seconds = int(name), answer["choice"], float(answer["seconds"])
        if number not in range(count) or choice not in (0, 1) or not 0 <= seconds < math.inf:
            raise ValueError(f"question {name}")
        result[number] = int(choice), seconds
    return result


def pool(study: dict[str, Any], sessions: Sequence[Session]) -> list[Pooled]:
    """Right answers by condition: predictions, `none` first, then attributes by their finder.

    Args:
        study: as `read_study` gives it.
        sessions: the participants.
    """
    rows = []
    none: tuple[int, int] | None = None
    for condition in (NONE, *study["conditions"]):
        each = [_graded(one.predict, study["correct"]["predict"]) for one in sessions if one.condition == condition]
        row = _pooled("predict", condition, each, none)
        if condition == NONE and row.of:
            none = row.right, row.of
        rows.append(row)
    for finder in dict.fromkeys(study["finders"]):
        asked = {number for number, name in enumerate(study["finders"]) if name == finder}
        each = [
            _graded({n: a for n, a in one.identify.items() if n in asked}, study["correct"]["identify"])
            for one in sessions
        ]
        rows.append(_pooled("identify", finder, each, None))
    return [row for row in rows if row.of]


def _graded(answers: dict[int, tuple[int, float]], correct: Sequence[int]) -> list[tuple[bool, float]]:
    return [(choice == correct[number], seconds) for number, (choice, seconds) in answers.items()]


def _pooled(
    part: str, condition: str, each: Sequence[list[tuple[bool, float]]], none: tuple[int, int] | None
) -> Pooled:
    """One row from the graded answers of each participant."""
    given = [answers for answers in each if answers]
    grades = [right for answers in given for right, _ in answers]
    shares = [float(np.mean([right for right, _ in answers])) for answers in given]
    seconds = [time for answers in given for _, time in answers]
    right, of = sum(grades), len(grades)
    return Pooled(
        part=part,
        condition=condition,
        people=len(given),
        right=right,
        of=of,
        interval=_interval(list(map(float, grades))),
        over_people=_interval(shares),
        difference=difference((right, of), none) if none and of else None,
        seconds=float(np.mean(seconds)) if seconds else math.nan,
    )


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 %: Wilson's for answers that are right or wrong, Student's t over the shares of people."""
    return Measurement(name="right", values=np.array(values, dtype=np.float32), unit="share of answers").interval


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float, float] | None:
    """p1 - p2 of two independent shares (right, of), with 95 % limits; None for fewer than three answers.

    Newcombe 1998, method 10: the distances of p1 and p2 to their Wilson limits, added as squares.
    """
    first, second = (_interval([1.0] * right + [0.0] * (of - right)) for right, of in (one, other))
    if first is None or second is None:
        return None
    (low, high), (least, most) = first, second
    p, q = one[0] / one[1], other[0] / other[1]
    return p - q, p - q - math.hypot(p - low, most - q), p - q + math.hypot(high - p, q - least)


def _row(one: Pooled) -> tuple[str, ...]:
    gap = "" if one.difference is None else f"{one.difference[0]:+.2f} ({_range(one.difference[1:])})"
    return (
        one.part,
        one.condition,
        str(one.people),
        f"{one.right} of {one.of}",
        f"{one.right / one.of:.2f}",
        _range(one.interval),
        _range(one.over_people),
        gap,
        f"{one.seconds:.1f}",
    )


def _range(limits: tuple[float, ...] | None) -> str:
    return (
        "" if limits is None else " to ".join(f"{round(limit, 2) + 0.0:.2f}" for limit in limits)
    )  # + 0.0: no "-0.00"
