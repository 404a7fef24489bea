"""Announces `fossil-renderer/renderer`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import RendererDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class RendererParams:
    """Options of `renderer`."""

    digits: int = param(3, "Significant digits of the numbers.", unit="digits", minimum=1, maximum=12)


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """What this plugin offers."""
    yield RendererDescriptor(
        name="renderer",
        summary="The measurements as one HTML table.",
        params=RendererParams,
        factory="fossil_renderer.renderer:Renderer",
    )
