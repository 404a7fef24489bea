"""Sidelight plugin: discrete concepts in a layer of a classifier (Gat et al. 2022). This module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import AttributeFinderDescriptor, Need, hookimpl

from sidelight_intervention._params import DvaeParams

if TYPE_CHECKING:
    from collections.abc import Iterable

PAPER = "Gat, Lorberbom, Schwartz and Hazan 2022, Latent Space Explanation by Intervention"
_LAYER = ("activations", "module", "classes")


@hookimpl
def sidelight_attribute_finders() -> Iterable[AttributeFinderDescriptor]:
    """Boolean codes of a layer."""
    yield AttributeFinderDescriptor(
        name="dvae",
        summary="A discrete autoencoder of a layer: boolean concepts, ranked by what flipping each does to the class.",
        params=DvaeParams,
        factory="sidelight_intervention.dvae:Dvae",
        needs=(Need("classifier", capabilities=_LAYER),),
        provides=("trainable", "latents", "intervention.codes"),
        example={"layer": "pool2", "bits": 6, "widths": (16, 16, 16), "steps": 150, "batch": 16},
        paper=PAPER,
    )
