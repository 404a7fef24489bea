"""Announces `fossil-data/data`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import DataDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class DataParams:
    """Options of `data`."""

    size: int = param(32, "Height and width of the images.", unit="pixels", minimum=8, maximum=256)
    count: int = param(200, "How many images each split holds.", unit="images", minimum=2, maximum=100000)


@hookimpl
def sidelight_data() -> Iterable[DataDescriptor]:
    """What this plugin offers."""
    yield DataDescriptor(
        name="data",
        summary="Drawn bars, lying or standing.",
        params=DataParams,
        factory="fossil_data.data:Data",
        example={"size": 16, "count": 6},
    )
