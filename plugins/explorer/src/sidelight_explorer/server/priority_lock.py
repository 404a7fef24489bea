"""Who uses the models: one at a time, edits before everything else, long work last and giving way between its steps."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Rank(IntEnum):
    """What goes first."""

    EDIT = 0
    CELLS = 1
    BACKGROUND = 2


class Turns:
    """A lock whose waiters are served by rank."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._busy = False
        self._waiting = dict.fromkeys(Rank, 0)

    @contextmanager
    def turn(self, rank: Rank) -> Iterator[None]:
        """Hold the models within the context."""
        self._take(rank)
        try:
            yield
        finally:
            self._give()

    def give_way(self, rank: Rank) -> None:
        """Whoever holds the models lets those of higher rank go first; called between two steps of long work."""
        with self._free:
            if not any(self._waiting[other] for other in Rank if other < rank):
                return
        self._give()
        self._take(rank)

    def _take(self, rank: Rank) -> None:
        with self._free:
            self._waiting[rank] += 1
            try:
                self._free.wait_for(lambda: not self._busy and not any(self._waiting[r] for r in Rank if r < rank))
            finally:
                self._waiting[rank] -= 1
            self._busy = True

    def _give(self) -> None:
        with self._free:
            self._busy = False
            self._free.notify_all()
