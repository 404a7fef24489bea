"""Announces `fossil-metric/metric`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import MetricDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class MetricParams:
    """Options of `metric`."""

    mass: float = param(0.9, "Share of a heatmap's total that counts as most of it.", minimum=0.01, maximum=1)


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """What this plugin offers."""
    yield MetricDescriptor(
        name="metric",
        summary="The share of pixels that hold most of a heatmap.",
        params=MetricParams,
        factory="fossil_metric.metric:Metric",
        accepts=("heatmap",),
    )
