"""Priority lock around the models: edits first, background jobs last and pre-emptible between their steps.

Of equal priority who came first is served first: a test, which takes the lock thousands of times, does not keep an
inversion waiting.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Priority(IntEnum):
    """Order of service, the lowest number first."""

    EDIT = 0
    CELLS = 1
    BACKGROUND = 2


class PriorityLock:
    """Mutual exclusion whose waiters are served by priority."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._busy = False
        self._waiting = dict.fromkeys(Priority, 0)
        self._turns: dict[Priority, deque[object]] = {priority: deque() for priority in Priority}

    @contextmanager
    def hold(self, priority: Priority) -> Iterator[None]:
        """Hold the lock within the context."""
        self._acquire(priority)
        try:
            yield
        finally:
            self._release()

    def yield_to_waiters(self, priority: Priority) -> None:
        """Release the lock to waiters of higher priority, then take it again; for use between steps of long work."""
        with self._free:
            if not any(self._waiting[other] for other in Priority if other < priority):
                return
        self._release()
        self._acquire(priority)

    def _acquire(self, priority: Priority) -> None:
        with self._free:
            turn, turns = object(), self._turns[priority]
            turns.append(turn)
            self._waiting[priority] += 1
            try:
                self._free.wait_for(
                    lambda: (
                        not self._busy
                        and turns[0] is turn
                        and not any(self._waiting[other] for other in Priority if other < priority)
                    )
                )
            finally:
                self._waiting[priority] -= 1
                turns.remove(turn)
            self._busy = True

    def _release(self) -> None:
        with self._free:
            self._busy = False
            self._free.notify_all()
