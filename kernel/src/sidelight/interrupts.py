"""Telling the user's Ctrl-C from a KeyboardInterrupt that a plugin raises."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_main_thread() -> bool:
    """True in the one thread that Python delivers signals to."""
    return threading.current_thread() is threading.main_thread()


class Presses:
    """Ctrl-C within a context: whether it was pressed, as far as that can be known.

    Args:
        known: False where the signal is handled by C code, so that presses cannot be counted.
    """

    def __init__(self, known: bool) -> None:
        self.known, self.count = known, 0


@contextmanager
def watch_interrupts() -> Iterator[Presses]:
    """Count SIGINT within the context and do what was done about it before; afterwards the handler is as it was."""
    previous = signal.getsignal(signal.SIGINT) if in_main_thread() else None
    if not callable(previous):
        # known: ignored, or in a thread that no signal reaches
        yield Presses(known=previous is not None or not in_main_thread())
        return
    presses = Presses(known=True)

    def handle(number: int, frame: Any) -> None:
        presses.count += 1
        previous(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C within the context, while a message is being printed."""
    if not in_main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
