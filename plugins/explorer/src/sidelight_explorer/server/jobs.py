"""Work that takes longer than an edit: inversions, heatmaps, exports. One at a time, with progress, until cancelled."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
from sidelight_specs import Cancelled, SidelightError

from sidelight_explorer.server.priority_lock import Rank

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sidelight_specs.stage import Watcher

    from sidelight_explorer.server.priority_lock import Turns

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Work: TypeAlias = "Callable[[Job], dict[str, Any]]"


@attrs.define(eq=False)
class Job:
    """One piece of work.

    Args:
        id: unique in this process.
        label: what the page calls it.
        tell: told of every change.
        state: how it stands.
        doing: the label of the loop under way.
        done, total: items of that loop.
        result: plain values, once it is done.
        message: why it failed.
    """

    id: str
    label: str
    tell: Callable[[Job], None]
    state: State = "waiting"
    doing: str = ""
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None
    message: str = ""
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False)

    def cancel(self) -> None:
        """Stop it at the next step."""
        self._stop.set()

    def check(self) -> None:
        """Raise `Cancelled` once it was cancelled."""
        if self._stop.is_set():
            raise Cancelled("stopped as asked")

    def change(self, state: State, **facts: Any) -> None:
        """Note how it stands, and tell."""
        self.state = state
        for name, value in facts.items():
            setattr(self, name, value)
        self.tell(self)

    def plain(self) -> dict[str, Any]:
        """As the page gets it."""
        names = ("id", "label", "state", "doing", "done", "total", "result", "message")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """A queue of jobs and the one thread that does them.

    Args:
        turns: who uses the models.
        watching: makes loops inside components tell a watcher (`Stage.watching`).
    """

    def __init__(
        self, turns: Turns, watching: Callable[[Watcher], AbstractContextManager[None]] = lambda _: nullcontext()
    ) -> None:
        self._turns, self._watching = turns, watching
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="explorer-job")
        self._numbers = itertools.count(1)

    def submit(self, label: str, work: Work, tell: Callable[[Job], None], *, models: bool = True) -> Job:
        """Queue work; it is told its job, for progress of its own.

        Args:
            label: what the page calls it.
            work: gives the result.
            tell: told of every change.
            models: whether the work holds the models all along, but for giving way; otherwise it takes turns itself.
        """
        job = Job(f"job-{next(self._numbers)}", label, tell)
        self._pool.submit(self._do, job, work, models)
        return job

    def close(self) -> None:
        """Wait for nothing; what is queued is not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, job: Job, work: Work, models: bool) -> None:
        try:
            job.check()
            job.change("running")
            job.change("done", result=self.with_models(job, work) if models else work(job))
        except Cancelled:
            job.change("cancelled")
        except SidelightError as error:
            job.change("failed", message=str(error))
        except Exception as error:  # a component may raise anything; the page says so and lives on
            job.change("failed", message=f"{type(error).__name__}: {error}")

    def with_models(self, job: Job, work: Work) -> dict[str, Any]:
        """Do work that holds the models, telling how far it is, but for giving way."""
        with self._turns.turn(Rank.BACKGROUND), self._watching(lambda *item: self._step(job, *item)):
            return work(job)

    def _step(self, job: Job, label: str, done: int, total: int | None) -> None:
        job.check()
        job.change("running", doing=label, done=done, total=total)
        self._turns.give_way(Rank.BACKGROUND)
