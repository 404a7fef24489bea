"""Units of work as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.roles import Executor, WorkerLost

# Others rely on both: ray replaces the hook when it is imported, and `print` when it first tells of a lost node.
_EXCEPTHOOK = sys.excepthook
os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")

import ray  # noqa: E402
from ray.exceptions import RayError, RayTaskError  # noqa: E402

sys.excepthook = _EXCEPTHOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs import Run

    from sidelight_ray import RayParams

TICK = 0.5  # seconds between two chances to stop the run
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # else Ray sets them by a task's cores


class Ray(Executor):
    """A task for each unit, as many at a time as there are workers; Ray replaces workers and nodes that die."""

    def __init__(self, params: RayParams, *, run: Run) -> None:
        self._params, self._is_ours = params, False

    def map(
        self, work: Callable[[bytes], bytes], units: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """Submit units while there is room; the iterator's end cancels the tasks that are left."""
        self._connect()
        task = ray.remote(_call).options(
            num_cpus=self._params.cpus,
            num_gpus=self._params.gpus,
            max_retries=self._params.retries,
            scheduling_strategy="SPREAD",
        )
        timeout = math.inf if self._params.timeout is None else self._params.timeout
        cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        self.workers = self._params.workers or max(1, cores)
        numbered, running = enumerate(units), dict[Any, tuple[int, float]]()  # place, and when it was submitted
        try:
            while True:
                while len(running) < self.workers and (unit := next(numbered, None)):
                    running[task.remote(work, unit[1])] = unit[0], time.monotonic()
                if not running:
                    return
                ready, _ = ray.wait(list(running), timeout=TICK)
                for reference in ready:
                    yield running.pop(reference)[0], _answer(reference)
                late = [one for one, (_, begun) in running.items() if time.monotonic() - begun > timeout]
                if late:  # `ready` names one of those that have ended
                    _, late = ray.wait(late, num_returns=len(late), timeout=0)
                for reference in late:
                    ray.cancel(reference, force=True)
                    lost = WorkerLost(f"had not ended after {timeout:g} s, the executor's timeout")
                    yield running.pop(reference)[0], lost
                if not ready:
                    yield None
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster, which ends where it was started here."""
        if self._is_ours:
            ray.shutdown()
            self._is_ours = False

    def _connect(self) -> None:
        """Join the cluster, or start one; one that this process has joined already is used as it is.

        Raises:
            UserError: there is none at the address.
        """
        if ray.is_initialized():
            return
        passed = {name: os.environ[name] for name in _THREADS if name in os.environ}
        settings: dict[str, Any] = {"address": self._params.address}
        if self._params.address is None:
            cores = max(1, round((self._params.workers or os.cpu_count() or 1) * self._params.cpus))
            settings = {"address": "local", "num_cpus": cores, "include_dashboard": False}
        try:
            ray.init(
                **settings,
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env={"env_vars": {**passed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
            )
        except Exception as error:  # Ray raises bare ones, too
            if self._params.address is None:
                fix = "look into `session_latest/logs` in Ray's temporary folder; on a busy machine try again"
                raise UserError(f"Ray does not start here: {error}", fix) from error
            raise UserError(f"no Ray cluster at {self._params.address}: {error}", "start one: `ray start`") from error
        self._is_ours = True


def _call(work: Callable[[bytes], bytes], unit: bytes) -> bytes:
    return work(unit)


def _answer(reference: Any) -> bytes | WorkerLost:
    try:
        answer: bytes = ray.get(reference)
    except RayTaskError as error:
        cause = error.cause or error
        return WorkerLost(f"could not be computed: {type(cause).__name__}: {cause}")
    except RayError as error:  # its worker or node died, once more than it may
        first = str(error).strip().partition("\n")[0]
        return WorkerLost(f"lost its worker or node again and again ({type(error).__name__}: {first})")
    return answer
