"""The newest state of long work under way, kept in the store until the work is done.

A checkpoint takes turns between two entries of the store: the next state is whole before the last one goes, whatever is
killed in between. What is read is verified as every entry is, and `sidelight cache` lists and clears it.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING

from sidelight_specs import SidelightError, UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import State

from sidelight.engine.store import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight.engine.store import Store

VERB = "checkpoint"
SECONDS_VARIABLE = "SIDELIGHT_CHECKPOINT_SECONDS"
SECONDS = 30.0  # between two states, unless the variable says otherwise; 0 saves after every step
LARGEST_SHARE = 0.01  # of the time that goes into saving: large states on slow disks are saved less often


class Checkpoint:
    """Implements `sidelight_specs.Checkpoint`.

    Args:
        store: that keeps it.
        key: of the work, as for an entry.
        component: `PLUGIN/COMPONENT` that does it.
        warn: told when a state cannot be written; the work goes on.
    """

    def __init__(self, store: Store, key: str, component: str, warn: Callable[[str], None]) -> None:
        self._store, self._component, self._warn = store, component, warn
        self._slots = tuple(digest_of({"key": key, "slot": slot}) for slot in range(2))
        self._last = 0  # index of the slot with the newest state
        self._seconds = _seconds()
        self._due = monotonic() + self._seconds

    def load(self) -> State | None:
        """The newest whole state; None where there is none, or a damaged one."""
        for index, slot in enumerate(self._slots):
            entry = self._store.get(slot, (self._component, VERB))
            if entry is not None and isinstance(entry.result, State):
                self._last = index
                return entry.result
        return None

    def is_due(self) -> bool:
        """True some time after the last state was saved."""
        return monotonic() >= self._due

    def save(self, state: State) -> None:
        """Keep a state in place of the one before.

        Raises:
            SidelightError: it is no state.
        """
        if not isinstance(state, State):
            raise SidelightError(f"a checkpoint keeps a state, not a {type(state).__name__}")
        begun, free = monotonic(), 1 - self._last
        try:
            self._store.remove(self._slots[free])
            self._store.put(self._slots[free], Entry(component=self._component, step=VERB, result=state))
        except UserError as error:  # a full disk: whoever makes room in time loses nothing
            self._warn(f"no checkpoint could be kept: {error.message}")
        else:
            self._store.remove(self._slots[self._last])
            self._last = free
        now = monotonic()
        self._due = now + max(self._seconds, (now - begun) / LARGEST_SHARE) if self._seconds else now

    def remove(self) -> None:
        """Remove the state: the work is done."""
        for slot in self._slots:
            self._store.remove(slot)


def _seconds() -> float:
    text = os.environ.get(SECONDS_VARIABLE) or f"{SECONDS}"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # also nan
        raise UserError(f'{SECONDS_VARIABLE} is "{text}"', "set it to a number of seconds, or unset it")
    return seconds
