"""Promises of executors."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from sidelight_specs.roles import WorkerLost
from sidelight_specs.testing import work
from sidelight_specs.testing.checks.registry import check, providing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs.testing.case import Case

LONG = 60.0  # seconds of a unit that nobody waits for


def answers(
    case: Case, function: Callable[[bytes], bytes], units: Sequence[bytes], executor: Any = None
) -> list[bytes | WorkerLost]:
    """The answers in the order of the units, after checking that each came once."""
    own = executor or case.build()
    try:
        pairs = [pair for pair in own.map(function, iter(units)) if pair is not None]
    finally:
        if executor is None:
            own.close()
    places = sorted(place for place, _ in pairs)
    assert places == list(range(len(units))), f"of {len(units)} units those at {places} were answered"
    return [answer for _, answer in sorted(pairs, key=lambda pair: pair[0])]


@check("executor")
def units_are_answered_once(case: Case) -> None:
    """Every unit gets its own answer, once; none for no units."""
    units = [bytes(index % 251 for index in range(size)) for size in work.SIZES * 3]
    assert answers(case, work.reverse, units) == [unit[::-1] for unit in units], "an answer is not the work's"
    assert answers(case, work.reverse, []) == [], "there are answers without a unit"


@check("executor")
def workers_serve_again(case: Case) -> None:
    """One executor maps several times, other work too; closing twice does no harm."""
    executor = case.build()
    try:
        for function in (work.reverse, work.crash, work.reverse):
            assert answers(case, function, [b"ab", b"cd"], executor) == [b"ba", b"dc"], "later answers differ"
    finally:
        executor.close()
        executor.close()


@check("executor")
def errors_are_told(case: Case) -> None:
    """Work that raises is lost, with the error in its reason; the other units are answered."""
    first, lost, last = answers(case, work.fail_on_x, [b"ab", b"x", b"cd"])
    assert isinstance(lost, WorkerLost), f"a unit that raised an error is answered with {lost!r}"
    assert "acme is missing" in lost.reason, f"the reason does not hold the error: {lost.reason}"
    assert (first, last) == (b"ba", b"dc"), "other units suffer"


@check("executor", when=providing("isolated"))
def lost_workers_are_replaced(case: Case) -> None:
    """A unit whose worker is killed is tried again; one that always kills is lost, once, and costs no other."""
    once = os.fsencode(case.folder / "killed")
    units = [b"ab", once, b"always", b"cd", b"ef"]
    first, again, lost, *others = answers(case, work.crash, units)
    assert again == once[::-1], f"a unit whose worker was killed once is answered with {again!r}"
    assert isinstance(lost, WorkerLost), f"a unit that always kills its worker is answered with {lost!r}"
    assert [first, *others] == [b"ba", b"dc", b"fe"], "other units suffer"


@check("executor", when=providing("isolated"))
def interrupting_ends_units(case: Case) -> None:
    """It can be stopped while a unit is under way, and gives that up at once."""
    executor, start = case.build(), time.monotonic()
    try:
        pairs = executor.map(work.sleep, iter([str(LONG).encode()] * 3))
        assert next(pairs) is None, "it does not come back while units are under way"
        pairs.close()
    finally:
        executor.close()
    assert time.monotonic() - start < LONG, "closing waits for units under way"
