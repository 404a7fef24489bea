"""Announces `fossil-attribute-finder/attribute-finder`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import AttributeFinderDescriptor, Need, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class AttributeFinderParams:
    """Options of `attribute-finder`."""

    shift: float = param(1.0, "How far each coordinate is moved.", unit="latent units", minimum=0.01, maximum=10)
    count: int = param(5, "How many attributes to give.", unit="attributes", minimum=1, maximum=1000)


@hookimpl
def sidelight_attribute_finders() -> Iterable[AttributeFinderDescriptor]:
    """What this plugin offers."""
    yield AttributeFinderDescriptor(
        name="attribute-finder",
        summary="Tries every latent coordinate and ranks them by their effect.",
        params=AttributeFinderParams,
        factory="fossil_attribute_finder.attribute_finder:AttributeFinder",
        needs=(Need("classifier"), Need("generator")),
        example={"count": 3},
        limits=("Effects are the largest of many on the same images: other images show less.",),
    )
