"""Worker processes that take the cells of one model after another.

A worker is a fork of this process, before anything heavy is imported. Cells of one model share classifier, data and
generator, so that a worker takes a whole model; what models share is trained once, under the locks of the store. A
worker that ends leaves the record of a crash in the cell that it was at (`cells.run_cell`); another takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, NamedTuple

from sidelight_specs import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from sidelight_bench.cells import Record

LOOK = 1.0  # seconds between two looks at whether the parent lives
GRACE = 10.0  # seconds that a worker has to stop in
_STOP = (signal.SIGINT,)


class Event(NamedTuple):
    """A cell was begun (`record` is None and `crash` empty), is done, or ended its worker.

    Args:
        cell: its index.
        record: of a cell that is done.
        crash: how the worker ended: `worker 2 ended by SIGKILL`.
    """

    cell: int
    record: Record | None = None
    crash: str = ""


def can_fork() -> bool:
    """True where a fork of this process can compute: not on Windows, nor with Apple's frameworks."""
    return hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1


class _Worker:
    """One process, its pipe, and the cell that it is at."""

    def __init__(self, number: int, compute: Callable[[int], Record]) -> None:
        context = multiprocessing.get_context("fork")
        self.number, self.at, self.has_ended = number, -1, False
        self.left: deque[int] = deque()  # cells of its model, the one that it is at first
        self.pipe, other = context.Pipe()
        self.process: ForkProcess = context.Process(target=_work, args=(other, compute, os.getpid()), daemon=True)
        # Held back until the worker is ready for it: between the fork and `_work` it would unwind the caller's frames,
        # and a second process would go on with the caller's work.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        other.close()

    def give(self, group: Sequence[int]) -> None:
        self.left = deque(group)
        with suppress(OSError):  # it has ended: `wait` says so
            self.pipe.send(list(group))

    def receive(self) -> Event | None:
        """The worker's next message, or how it ended; None where it ended as it should.

        Raises:
            Exception: what `compute` raised.
        """
        try:
            index, result = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.has_ended = True
            return Event(self.left.popleft(), crash=self._end()) if self.left else None
        if isinstance(result, BaseException):
            raise result
        if result is None:
            self.at = index
        else:
            self.at = -1
            self.left.popleft()
        return Event(index, result)

    def _end(self) -> str:
        code = self.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"worker {self.number} ended {how}"


def run_in_workers(
    groups: Sequence[Sequence[int]], compute: Callable[[int], Record], count: int, interrupted: Callable[[int], None]
) -> Iterator[Event]:
    """Compute cells in up to `count` processes, each taking one group after another.

    Args:
        groups: indexes of the cells of each model, in order.
        compute: the record of a cell, by its index; runs in a worker.
        count: workers.
        interrupted: told the index of a cell whose worker had to be killed when the user stopped.

    Raises:
        KeyboardInterrupt, Cancelled: the user stopped it; all workers have ended.
        Exception: what `compute` raised.
    """
    queue = deque(map(tuple, groups))
    numbers = iter(range(1, sys.maxsize))
    workers: list[_Worker] = []
    try:
        while queue or workers:
            while queue and len(workers) < count:
                worker = _Worker(next(numbers), compute)
                worker.give(queue.popleft())
                workers.append(worker)
            ready = wait([worker.pipe for worker in workers])
            for worker in [worker for worker in workers if worker.pipe in ready]:
                event = worker.receive()
                if event is not None:
                    yield event
                if worker.has_ended:
                    workers.remove(worker)
                    if worker.left:
                        queue.appendleft(tuple(worker.left))
                elif not worker.left:
                    worker.give(queue.popleft() if queue else ())
    finally:
        _stop(workers, interrupted)


def _stop(workers: Sequence[_Worker], interrupted: Callable[[int], None]) -> None:
    """Have all workers stop; those that do not are killed."""
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid or 0, signal.SIGINT)
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
            if worker.at >= 0:
                interrupted(worker.at)


def _work(pipe: Connection, compute: Callable[[int], Record], parent: int) -> None:
    """A worker: cells in groups, until an empty one comes or the parent is gone."""
    with suppress(KeyboardInterrupt, OSError):  # OSError: nobody listens any more
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        while group := _next(pipe, parent):
            for index in group:
                if os.getppid() != parent:
                    return
                pipe.send((index, None))
                try:
                    answer: Record | BaseException = compute(index)
                except (KeyboardInterrupt, Cancelled) as stopped:
                    answer = type(stopped)(*stopped.args)
                except Exception as error:  # raised again in the parent
                    answer = error
                pipe.send((index, answer))
                if isinstance(answer, BaseException):
                    return


def _next(pipe: Connection, parent: int) -> Sequence[int]:
    while not pipe.poll(LOOK):
        if os.getppid() != parent:
            return ()
    group: Sequence[int] = pipe.recv()
    return group
