"""Worker processes on this machine, and the loop that serves in each of them.

A worker is a fresh interpreter with one socket to the run's process. It gets a unit, answers, and gets the next; it
ends when the socket is closed or the run's process is gone, and takes no notice of Ctrl-C. One that ends by itself is
replaced alone, and its unit is tried again.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

import attrs
from sidelight_specs.roles import Executor, WorkerLost
from sidelight_specs.surroundings import in_main_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs import Run

    from sidelight.executors import ProcessesParams

    Work = Callable[[bytes], bytes]

TICK = 0.2  # seconds between two chances to stop the run
_GRACE = 2.0  # seconds in which a worker that closed its socket may end by itself
_SERVE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from sidelight.executors.processes import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)


@attrs.define(eq=False)
class _Worker:
    """One process, and the unit that it has."""

    process: subprocess.Popen[bytes]
    connection: Connection
    task: _Task | None = None

    @classmethod
    def start(cls) -> _Worker:
        ours, theirs = socket.socketpair()
        # a process group of its own, so that Ctrl-C in the terminal reaches the run alone
        command = [sys.executable, "-P", "-c", _SERVE, json.dumps(sys.path), str(theirs.fileno()), str(os.getpid())]
        with theirs:
            # and nothing to read: out of the foreground, reading from a terminal would stop it for good
            process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], process_group=0
            )
        return cls(process, Connection(ours.detach()))

    def end(self) -> None:
        """Kill the process; it has nothing to put in order that a later run would not."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


@attrs.define(eq=False)
class _Task:
    """One unit under way."""

    place: int
    unit: bytes
    attempts: int = 0
    begun: float = 0.0  # when its worker got it


class Processes(Executor):
    """A pool of worker processes, started when there is work for them."""

    def __init__(self, params: ProcessesParams, *, run: Run) -> None:
        self._most, self._retries = params.workers or _cores(), params.retries
        self.workers = self._most
        self._timeout = math.inf if params.timeout is None else params.timeout
        self._workers: list[_Worker] = []

    def map(
        self, work: Callable[[bytes], bytes], units: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """Give each worker a unit, and the next when it has answered."""
        tasks, again = (_Task(place, unit) for place, unit in enumerate(units)), deque[_Task]()
        pickled = pickle.dumps(work)
        try:
            while True:
                while (idle := self._idle()) and (task := again.popleft() if again else next(tasks, None)):
                    _give(idle, task, pickled)
                busy = [(worker, worker.task) for worker in self._workers if worker.task is not None]
                if not busy:
                    return
                ready = wait([worker.connection for worker, _ in busy], TICK)
                for worker, task in busy:
                    has_ended = worker.connection in ready or worker.process.poll() is not None
                    if has_ended or time.monotonic() - task.begun > self._timeout:
                        answer = self._answer_of(worker, task)
                        if answer is None:
                            again.append(task)
                        else:
                            yield task.place, answer
                if not ready:
                    yield None
        finally:
            for worker in [worker for worker in self._workers if worker.task is not None]:
                self._remove(worker)

    def close(self) -> None:
        """Kill the workers."""
        while self._workers:
            self._remove(self._workers[-1])

    def _idle(self) -> _Worker | None:
        """A worker without a unit, started where there are too few."""
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) < self._most:
            self._workers.append(_Worker.start())
            return self._workers[-1]
        return None

    def _answer_of(self, worker: _Worker, task: _Task) -> bytes | WorkerLost | None:
        """The answer of a worker; one that has ended, or takes too long, is removed. None to try again."""
        is_late = False
        try:
            if worker.connection.poll():
                answer: bytes | WorkerLost = pickle.loads(worker.connection.recv_bytes())  # noqa: S301 (our own child)
                worker.task = None
                return answer
            is_late = worker.process.poll() is None
        except (EOFError, OSError):
            with suppress(subprocess.TimeoutExpired):  # its socket is closed some moments before it has ended
                worker.process.wait(_GRACE)
        status = worker.process.poll()
        self._remove(worker)
        if is_late:
            return WorkerLost(f"had not ended after {self._timeout:g} s, the executor's timeout")
        if task.attempts <= self._retries:
            return None
        return WorkerLost(_end_of(status, task.attempts))

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


def _give(worker: _Worker, task: _Task, work: bytes) -> None:
    worker.task, task.attempts, task.begun = task, task.attempts + 1, time.monotonic()
    with suppress(OSError):  # it has ended, as will be seen
        worker.connection.send_bytes(work)
        worker.connection.send_bytes(task.unit)


def _end_of(status: int | None, attempts: int) -> str:
    """`ended 3 worker processes, the last by SIGSEGV`; without a status it has not ended, and closed its socket."""
    if status is None:
        return "closed the connection of its worker process"
    how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
    how += ", perhaps because memory ran out" if status == -signal.SIGKILL else ""
    return f"ended {attempts} worker processes, the last {how}" if attempts > 1 else f"ended its worker process {how}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(descriptor: int, parent: int) -> None:
    """Answer units until the socket is closed; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    connection = Connection(descriptor)
    known: dict[bytes, Work] = {}  # so that what the work remembers is not read again for each unit
    with suppress(EOFError, OSError):
        while True:
            pickled, unit = connection.recv_bytes(), connection.recv_bytes()
            answer: bytes | WorkerLost
            try:
                if pickled not in known:
                    known[pickled] = pickle.loads(pickled)  # noqa: S301 (from our own parent)
                answer = known[pickled](unit)
            except Exception as error:
                answer = WorkerLost(f"could not be computed: {type(error).__name__}: {error}")
            connection.send_bytes(pickle.dumps(answer))
    os._exit(0)  # threads and exit handlers of components are not waited for


def _end_with(parent: int) -> None:
    """Have this process end when its parent does."""
    if sys.platform.startswith("linux") and in_main_thread():
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
