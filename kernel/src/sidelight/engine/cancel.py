"""Ctrl-C: stop at the next item of a loop; a second one stops at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sidelight_specs import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cancellation:
    """Whether the user has asked to stop."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.listening = False
        """True if Ctrl-C is turned into `ask`, so that without `asked` nobody has pressed it."""

    def ask(self) -> None:
        """Ask the run to stop at the next item or step."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether `ask` was called."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise `Cancelled` once `ask` was called."""
        if self.asked:
            raise Cancelled("stopped as asked; what was finished is kept, and running again continues from there")


@contextmanager
def on_interrupt(cancellation: Cancellation, tell: Callable[[str], None]) -> Iterator[None]:
    """Within the context the first Ctrl-C asks politely and the second raises KeyboardInterrupt.

    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if cancellation.asked:
            if callable(previous):
                previous(number, frame)
            raise KeyboardInterrupt
        cancellation.ask()
        tell("stopping at the next item; press Ctrl-C again to stop at once")

    previous = signal.signal(signal.SIGINT, handle)
    cancellation.listening = True
    try:
        yield
    finally:
        cancellation.listening = False
        signal.signal(signal.SIGINT, previous)
