"""A renderer that writes a run for TensorBoard. This light module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import RendererDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class EventsParams:
    """Options of `events`."""

    images: int = param(8, "Images in the picture of each explanation.", unit="images", minimum=1, maximum=100)


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The run as an event file."""
    yield RendererDescriptor(
        name="events",
        summary="The run for TensorBoard: measurements, training curves, hyperparameters, pictures of explanations.",
        params=EventsParams,
        factory="sidelight_tensorboard.events:Events",
        example={"images": 2},
    )
