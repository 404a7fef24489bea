"""One visitor is one tab: its uploads, its jobs, its stream of events. Closing the tab frees all of it."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from sidelight_explorer.server.jobs import Job
from sidelight_explorer.server.validation import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_VISITORS = 64
MOST_STYLES = 1000
MOST_JOBS = 32
GRACE = 30.0
"""Seconds for which a tab that lost its stream of events is kept."""


@attrs.define(eq=False)
class Visitor:
    """One tab.

    Args:
        id: unguessable; whoever knows it is the tab.
        loop: where its events are delivered.
    """

    id: str
    loop: asyncio.AbstractEventLoop
    styles: dict[str, np.ndarray] = attrs.field(factory=dict)
    jobs: dict[str, Job] = attrs.field(factory=dict)
    exports: dict[str, bytes] = attrs.field(factory=dict)
    events: asyncio.Queue[dict[str, Any] | None] = attrs.field(factory=asyncio.Queue)
    streams: int = 0

    def tell(self, job: Job) -> None:
        """Queue an event about a job; may be called from any thread."""
        event = job.plain()
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)

    def keep(self, styles: dict[str, np.ndarray]) -> None:
        """Add styles of its own.

        Raises:
            Bad: there are too many.
        """
        if len(self.styles | styles) > MOST_STYLES:
            raise Bad(f"a tab holds at most {MOST_STYLES} styles of its own", 413)
        self.styles |= styles

    def add(self, job: Job) -> None:
        """Remember a job, to cancel it with the tab; finished ones are forgotten."""
        self.jobs = {key: one for key, one in self.jobs.items() if one.state in ("waiting", "running")}
        self.jobs[job.id] = job

    def check_room(self) -> None:
        """Raise a `Bad` where the tab has too much under way."""
        if sum(job.state in ("waiting", "running") for job in self.jobs.values()) >= MOST_JOBS:
            raise Bad("too much is under way in this tab; wait, or cancel something", 429)

    def close(self) -> None:
        """Cancel what is under way and end the stream."""
        for job in self.jobs.values():
            job.cancel()
        self.styles.clear()
        self.exports.clear()
        for _ in range(max(1, self.streams)):
            self.events.put_nowait(None)


class Visitors:
    """All open tabs."""

    def __init__(self) -> None:
        self._open: dict[str, Visitor] = {}

    def __iter__(self) -> Iterator[Visitor]:
        return iter(list(self._open.values()))

    def enter(self) -> Visitor:
        """A new tab; it has to open its stream soon.

        Raises:
            Bad: too many are open.
        """
        if len(self._open) >= MOST_VISITORS:
            raise Bad("too many tabs are open", 429)
        visitor = Visitor(secrets.token_urlsafe(18), asyncio.get_running_loop())
        self._open[visitor.id] = visitor
        self._leave_later(visitor)
        return visitor

    def find(self, name: str) -> Visitor:
        """The tab of that id.

        Raises:
            Bad: it was closed, or never was.
        """
        if name not in self._open:
            raise Bad("this tab's session has ended; load the page again", 410)
        return self._open[name]

    def leave(self, visitor: Visitor) -> None:
        """The tab was closed."""
        if self._open.pop(visitor.id, None):
            visitor.close()

    def close(self) -> None:
        """Close every tab."""
        for visitor in self:
            self.leave(visitor)

    def opened_stream(self, visitor: Visitor) -> None:
        """A tab listens."""
        visitor.streams += 1

    def lost_stream(self, visitor: Visitor) -> None:
        """A tab stopped listening; unless it comes back soon, it was closed."""
        visitor.streams -= 1
        self._leave_later(visitor)

    def _leave_later(self, visitor: Visitor) -> None:
        def leave() -> None:
            if not visitor.streams:
                self.leave(visitor)

        visitor.loop.call_later(GRACE, leave)
