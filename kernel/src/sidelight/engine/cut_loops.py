"""Long loops of a trial, cut short, and the time that the items left out would have taken.

Components pass their long loops through `run.progress`, which knows how many items there are. A trial takes a few items
of a loop, ends it, and adds the time of those left out: training steps, search steps, samples.

A loop that its component leaves before the last item is a search with a stopping rule. Where the first trial sees it
end, later ones that are cut go as far as it did; all its items give the most that it may take. Where its end is not
seen in `PATIENCE` seconds, it costs at least what was seen, and at most all of its items. Loops that cannot be left
early, because nothing in them breaks or returns, are cut sooner and are expected to take all items.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections import defaultdict
from contextlib import contextmanager
from functools import cache
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

T = TypeVar("T")

SHORT, LEAST = 4, 3
"""Loops of at most so many items are not cut; others after so many items and the seconds below, whichever is later."""
TRAINING, SEARCH = 0.5, 5.0
"""CPU seconds in a loop of a training, and in any other."""
PATIENCE = 20.0
"""CPU seconds in which the first trial waits for a search to stop by itself."""


class _Loop(NamedTuple):
    """A loop in source code: the lines of what it runs over, and whether it may be left before its last item."""

    first: int
    last: int
    may_stop: bool


@cache
def _loops_in(path: str) -> tuple[_Loop, ...]:
    """The loops of a file of Python; none where it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return ()
    loops = []
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            loops.append(_Loop(node.iter.lineno, node.iter.end_lineno or 0, _leaves(node.body)))
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            lazy = isinstance(node, ast.GeneratorExp)  # whoever takes its items may stop
            loops += [_Loop(part.iter.lineno, part.iter.end_lineno or 0, lazy) for part in node.generators]
        elif isinstance(node, ast.YieldFrom):
            loops.append(_Loop(node.value.lineno, node.value.end_lineno or 0, True))
    return tuple(loops)


def _leaves(body: list[ast.stmt], outermost: bool = True) -> bool:
    """True if a loop's body has a `break` of this loop, a `return`, or a `yield` after which nothing may follow."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Return) or (outermost and isinstance(node, ast.Break)):
            return True
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.iter_child_nodes(node)):
            return True
        inner = outermost and not isinstance(node, (ast.For, ast.While))
        blocks = [value for _, value in ast.iter_fields(node) if isinstance(value, list)]
        statements = [[part for part in block if isinstance(part, ast.AST)] for block in blocks]
        if any(_leaves(block, inner) for block in statements):  # type: ignore[arg-type]
            return True
    return False


def _loop_over(caller: FrameType | None) -> tuple[bool, bool]:
    """Two flags: the code that takes an iterator's next item is a loop over it, and it may leave it early.

    Where there is no source it is taken for one that may. An iterator that is fed to a function (`islice`, `next`) only
    counts the work, which does not end with it.
    """
    if caller is None or not (loops := _loops_in(caller.f_code.co_filename)):
        return True, True
    over = [loop for loop in loops if loop.first <= caller.f_lineno <= loop.last]
    return bool(over), any(loop.may_stop for loop in over)


@attrs.define
class _Endings:
    """Items that searches took before they stopped by themselves, by component and label."""

    _seen: defaultdict[tuple[str, str], list[tuple[int, int]]] = attrs.field(factory=lambda: defaultdict(list))
    _given_up: set[tuple[str, str]] = attrs.field(factory=set)

    def add(self, loop: tuple[str, str], done: int, total: int) -> None:
        """A search that stopped after `done` of its items, or took all."""
        self._seen[loop].append((done, total))

    def ratio(self, loop: tuple[str, str]) -> float | None:
        """The ratio of items that such searches take, on the mean; None where none was seen to end."""
        done, total = np.sum(self._seen[loop], axis=0) if self._seen[loop] else (0, 0)
        return float(done / total) if total else None

    def is_worth_waiting(self, loop: tuple[str, str]) -> bool:
        """True until a search was seen to end, or was not waited for any longer."""
        return not self._seen[loop] and loop not in self._given_up

    def give_up(self, loop: tuple[str, str]) -> None:
        """Wait for no more ends."""
        self._given_up.add(loop)


@attrs.define
class Clock:
    """Time as if loops that were cut had gone on: as far as is expected, and to their last items, (2,) seconds."""

    endings: _Endings = attrs.field(factory=_Endings)
    skipped: np.ndarray = attrs.field(factory=lambda: np.zeros(2))
    cut: int = 0  # loops that were cut
    unknown: int = 0  # of these, loops of unknown length, and searches that nobody saw end
    is_training: bool = False
    component: str = ""  # at work
    apart: np.ndarray = attrs.field(factory=lambda: np.zeros(2))  # of the same seconds, those in `counted_apart`
    stretches: int = 0  # of these
    is_apart: bool = False

    def now(self) -> np.ndarray:
        """Seconds, (2,)."""
        return perf_counter() + self.skipped

    @contextmanager
    def counted_apart(self) -> Iterator[Callable[[], None]]:
        """A stretch of work that does not follow the number of images; one within another is part of it.

        The function given says that there was work indeed; otherwise nothing is counted.
        """
        if self.is_apart:
            yield lambda: None
            return
        done = list[bool]()
        self.is_apart, begun = True, self.now()
        try:
            yield lambda: done.append(True)
        finally:
            self.is_apart = False
            if done:
                self.apart = self.apart + self.now() - begun
                self.stretches += 1

    def loop(self, items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
        """A few of the items; the time of the others, by the mean of all but the first, is added to the clock."""
        name, begun, now = (self.component, label), process_time(), self.now()
        first_done, done, can_cut, may_stop = now, 0, True, False
        try:
            for item in items:
                yield item
                if not done:
                    is_loop, may_stop = _loop_over(sys._getframe(1))
                    can_cut = is_loop or self.is_training  # a training is never tried in full
                    first_done = self.now()
                done += 1
                left = None if total is None else total - done
                if not can_cut or left == 0 or (total is not None and total <= SHORT):
                    continue
                if done >= LEAST and self._is_enough(process_time() - begun, name, may_stop):
                    self._skip(name, done, total, (self.now() - first_done) / (done - 1), may_stop)
                    return
        except GeneratorExit:  # its component leaves the loop
            done += 1
            if total is not None and done < total:
                self.endings.add(name, done, total)
                each = (self.now() - first_done) / (done - 1) if done > 1 else self.now() - now
                self.skipped = self.skipped + (total - done) * each * (0, 1)
            raise
        if may_stop and total:
            self.endings.add(name, done, total)

    def _is_enough(self, spent: float, name: tuple[str, str], may_stop: bool) -> bool:
        if self.is_training:
            return spent >= TRAINING
        return spent >= (PATIENCE if may_stop and self.endings.is_worth_waiting(name) else SEARCH)

    def _skip(self, name: tuple[str, str], done: int, total: int | None, each: np.ndarray, may_stop: bool) -> None:
        """Cut a loop: count the time of the items left out, each (2,) seconds."""
        expected, most = total, total
        if may_stop and not self.is_training and total is not None:
            self.endings.give_up(name)
            ratio = self.endings.ratio(name)
            expected = done if ratio is None else round(ratio * total)
            self.unknown += ratio is None
        self.cut += 1
        self.unknown += total is None
        self.skipped = self.skipped + [max(0, end - done) if end else 0 for end in (expected, most)] * each
