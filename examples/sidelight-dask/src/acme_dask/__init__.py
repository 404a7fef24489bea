from sidelight_specs import ExecutorDescriptor, hookimpl, param, params


@params
class DaskParams:
    """Options of `dask`."""

    address: str | None = param(None, "Scheduler, such as tcp://host:8786; a cluster on this machine when null.")
    workers: int = param(2, "Units at a time; of a cluster on this machine its processes.", minimum=1, maximum=4096)


@hookimpl
def sidelight_executors():
    yield ExecutorDescriptor(
        name="dask",
        summary="Units of work on a Dask cluster whose workers see the cache's folder.",
        params=DaskParams,
        connects={"address": "DASK_SCHEDULER_ADDRESS"},
        factory="acme_dask.cluster:Dask",
        provides=("isolated",),
    )
