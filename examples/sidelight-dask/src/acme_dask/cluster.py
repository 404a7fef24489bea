from distributed import Client, LocalCluster, wait
from sidelight_specs.roles import Executor, WorkerLost


class Dask(Executor):
    def __init__(self, params, *, run):
        self._params, self._cluster, self._client = params, None, None

    def map(self, work, units):
        client, numbered, running = self._connected(), enumerate(units), {}
        try:
            while True:
                while len(running) < self._params.workers and (unit := next(numbered, None)):
                    running[client.submit(work, unit[1], pure=False)] = unit[0]
                if not running:
                    return
                try:
                    done = wait(list(running), timeout=0.5, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    yield None  # the run may be stopped here
                    continue
                for future in done:
                    error = future.exception()  # its own, or KilledWorker (distributed.scheduler.allowed-failures)
                    lost = error and WorkerLost(f"could not be computed: {type(error).__name__}: {error}")
                    yield running.pop(future), lost or future.result()
        finally:
            client.cancel(list(running))

    def close(self):
        for part in filter(None, (self._client, self._cluster)):
            part.close()
        self._client = self._cluster = None

    def _connected(self):
        if self._client is None:
            if self._params.address is None:
                options = {"threads_per_worker": 1, "dashboard_address": None}
                self._cluster = LocalCluster(n_workers=self._params.workers, **options)
            self._client = Client(self._cluster or self._params.address)
        return self._client
