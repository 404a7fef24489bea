"""Two job queues, of tests and of all other long work: one job at a time, with progress and cancellation."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
from sidelight_specs import Cancelled, SidelightError

from sidelight_explorer.priority_lock import Priority

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sidelight_specs.stage import Watcher

    from sidelight_explorer.priority_lock import PriorityLock

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Work: TypeAlias = "Callable[[Job], dict[str, Any]]"


@attrs.define(eq=False)
class Job:
    """One unit of work.

    Args:
        id: unique in this process.
        label: its name on the page.
        notify: called after every change.
        state: waiting, running, done, failed or cancelled.
        doing: label of the current loop.
        done, total: items of that loop.
        result: JSON values, once it is done.
        message: reason of a failure.
    """

    id: str
    label: str
    notify: Callable[[Job], None]
    state: State = "waiting"
    doing: str = ""
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None
    message: str = ""
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False)
    _queued: Future[None] | None = attrs.field(default=None, init=False)

    def queue(self, queued: Future[None]) -> None:
        """Remember the place in a queue, which `cancel` takes the job out of."""
        self._queued = queued

    def cancel(self) -> None:
        """Stop at the next step; one that has not begun, at once."""
        self._stop.set()
        if self._queued is not None and self._queued.cancel() and self.state == "waiting":
            self.change("cancelled")

    def check(self) -> None:
        """Raise `Cancelled` after `cancel`."""
        if self._stop.is_set():
            raise Cancelled("stopped as asked")

    def change(self, state: State, **facts: Any) -> None:
        """Set the state and fields, and notify."""
        self.state = state
        for name, value in facts.items():
            setattr(self, name, value)
        self.notify(self)

    def plain(self) -> dict[str, Any]:
        """JSON values for the page."""
        names = ("id", "label", "state", "doing", "done", "total", "result", "message")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """Two queues of jobs, each with one thread: tests take minutes, and an inversion does not wait for them.

    Args:
        lock: around the models.
        watching: context in which loops inside components report to a watcher (`Stage.watching`).
    """

    def __init__(
        self, lock: PriorityLock, watching: Callable[[Watcher], AbstractContextManager[None]] = lambda _: nullcontext()
    ) -> None:
        self._lock, self._watching = lock, watching
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="explorer-job")
        self._tests = ThreadPoolExecutor(1, thread_name_prefix="explorer-test")
        self._numbers = itertools.count(1)

    def submit(
        self, label: str, work: Work, notify: Callable[[Job], None], *, models: bool = True, test: bool = False
    ) -> Job:
        """Queue work.

        Args:
            label: its name on the page.
            work: called with the job, returns the result.
            notify: called after every change.
            models: True to hold the lock around the models throughout, yielding between steps.
            test: True to queue it among the tests.
        """
        job = Job(f"job-{next(self._numbers)}", label, notify)
        job.queue((self._tests if test else self._pool).submit(self._run, job, work, models))
        return job

    def close(self) -> None:
        """Drop queued jobs, without waiting for the running one."""
        for pool in (self._pool, self._tests):
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job, work: Work, models: bool) -> None:
        try:
            job.check()
            job.change("running")
            job.change("done", result=self.with_models(job, work) if models else work(job))
        except Cancelled:
            job.change("cancelled")
        except SidelightError as error:
            job.change("failed", message=str(error))
        except Exception as error:  # a component may raise anything; the page shows it and goes on
            job.change("failed", message=f"{type(error).__name__}: {error}")

    def with_models(self, job: Job, work: Work) -> dict[str, Any]:
        """Run work that holds the models, with progress; yields to edits between steps."""
        with self._lock.hold(Priority.BACKGROUND), self._watching(lambda *item: self._step(job, *item)):
            return work(job)

    def _step(self, job: Job, label: str, done: int, total: int | None) -> None:
        job.check()
        job.change("running", doing=label, done=done, total=total)
        self._lock.yield_to_waiters(Priority.BACKGROUND)
