"""Announces `fossil-inverter/inverter`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import InverterDescriptor, Need, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class InverterParams:
    """Options of `inverter`."""

    steps: int = param(200, "Steps of Adam for each image.", unit="steps", minimum=1, maximum=100000)
    rate: float = param(0.05, "Learning rate.", minimum=1e-6, maximum=10)


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """What this plugin offers."""
    yield InverterDescriptor(
        name="inverter",
        summary="Latents that reproduce an image, by gradient descent.",
        params=InverterParams,
        factory="fossil_inverter.inverter:Inverter",
        needs=(Need("generator", capabilities=("differentiable",)),),
        example={"steps": 10},
    )
