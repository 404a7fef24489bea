"""Announces `ray/ray`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ExecutorDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterator


@params
class RayParams:
    """Options of `ray`."""

    address: str | None = param(None, "Cluster, such as auto or ray://host:10001; one is started here when null.")
    workers: int | None = param(
        None, "How many units at a time; as many as the cluster has cores when null.", minimum=1, maximum=100_000
    )
    cpus: float = param(1.0, "Cores that a unit asks of a node.", minimum=0.0, maximum=1024.0)
    gpus: float = param(0.0, "GPUs that a unit asks of a node.", minimum=0.0, maximum=64.0)
    retries: int = param(
        2, "How often a unit is tried again whose worker or node died.", unit="times", minimum=0, maximum=100
    )
    timeout: float | None = param(
        None, "Time from its submission after which a unit fails; no limit when null.", unit="s", minimum=1.0
    )


@hookimpl
def sidelight_executors() -> Iterator[ExecutorDescriptor]:
    """Announce the executor."""
    yield ExecutorDescriptor(
        name="ray",
        summary="Units of work on a Ray cluster.",
        params=RayParams,
        connects={"address": "RAY_ADDRESS"},
        factory="sidelight_ray.cluster:Ray",
        provides=("isolated",),
        example={"workers": 2, "retries": 1},
    )
