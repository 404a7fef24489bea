"""Per-tab state: uploads, jobs and event stream; freed when the tab closes."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from sidelight_explorer.server.jobs import Job
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_CLIENTS = 64
MOST_EVENTS = 500  # of one tab, not yet read: progress beyond them is not told
MOST_RESULTS = 64  # of one tab, not yet read
MOST_STYLES = 1000  # of one tab: uploads and session files
MOST_JOBS = 32  # of one tab, under way
GRACE = 30.0  # seconds until a tab without an event stream is closed: a reload takes less


@attrs.define(eq=False)
class Client:
    """One tab.

    Args:
        id: unguessable; serves as the tab's credential.
        loop: event loop that delivers its events.
    """

    id: str
    loop: asyncio.AbstractEventLoop
    styles: dict[str, np.ndarray] = attrs.field(factory=dict)
    jobs: dict[str, Job] = attrs.field(factory=dict)
    exports: dict[str, bytes] = attrs.field(factory=dict)
    events: asyncio.Queue[dict[str, Any] | None] = attrs.field(factory=asyncio.Queue)
    streams: int = 0
    results: int = 0

    def notify(self, job: Job) -> None:
        """Queue an event about a job; thread-safe."""
        event = job.plain()
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: dict[str, Any]) -> None:
        """Queue an event for the stream; a tab that does not read its stream is told no further progress."""
        is_over = event["state"] not in ("waiting", "running")
        if is_over or self.events.qsize() < MOST_EVENTS:
            self.results += is_over
            self.events.put_nowait(event)

    async def event(self) -> dict[str, Any] | None:
        """The next event; None at the end."""
        event = await self.events.get()
        self.results -= event is not None and event["state"] not in ("waiting", "running")
        return event

    def keep(self, styles: dict[str, np.ndarray]) -> None:
        """Add styles.

        Raises:
            InvalidInput: too many.
        """
        if len(self.styles | styles) > MOST_STYLES:
            raise InvalidInput(f"a tab holds at most {MOST_STYLES} styles of its own", 413)
        self.styles |= styles

    def add(self, job: Job) -> None:
        """Register a job, to be cancelled with the tab; drop finished ones."""
        self.jobs = {key: one for key, one in self.jobs.items() if one.state in ("waiting", "running")}
        self.jobs[job.id] = job

    def check_room(self) -> None:
        """Raise `InvalidInput` if the tab has too many jobs under way."""
        if sum(job.state in ("waiting", "running") for job in self.jobs.values()) >= MOST_JOBS:
            raise InvalidInput("too much is under way in this tab; wait, or cancel something", 429)
        if self.results >= MOST_RESULTS:
            raise InvalidInput("this tab does not read its results; load the page again", 429)

    def close(self) -> None:
        """Cancel all jobs and end the stream."""
        for job in self.jobs.values():
            job.cancel()
        self.styles.clear()
        self.exports.clear()
        for _ in range(max(1, self.streams)):
            self.events.put_nowait(None)


class Clients:
    """All open tabs.

    Args:
        most: of them.
    """

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._open: dict[str, Client] = {}
        self._most = most

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._open.values()))

    def enter(self) -> Client:
        """A new tab; it is closed again unless its stream opens within `GRACE`.

        Raises:
            InvalidInput: too many open tabs.
        """
        if len(self._open) >= self._most:
            raise InvalidInput(f"{self._most} tabs have this page open, as many as it takes", 429)
        client = Client(secrets.token_urlsafe(18), asyncio.get_running_loop())
        self._open[client.id] = client
        self._leave_later(client)
        return client

    def find(self, name: str) -> Client:
        """The tab with an id.

        Raises:
            InvalidInput: closed or unknown.
        """
        if name not in self._open:
            raise InvalidInput("this tab's session has ended; load the page again", 410)
        return self._open[name]

    def leave(self, client: Client) -> None:
        """Close one tab."""
        if self._open.pop(client.id, None):
            client.close()

    def close(self) -> None:
        """Close every tab."""
        for client in self:
            self.leave(client)

    def opened_stream(self, client: Client) -> None:
        """Count an open event stream."""
        client.streams += 1

    def lost_stream(self, client: Client) -> None:
        """Count a closed event stream; without a new one within `GRACE` the tab is closed."""
        client.streams -= 1
        self._leave_later(client)

    def _leave_later(self, client: Client) -> None:
        def leave() -> None:
            if not client.streams:
                self.leave(client)

        client.loop.call_later(GRACE, leave)
