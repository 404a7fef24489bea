"""Sidelight plugin: discrete concepts in a layer of a classifier (Gat et al. 2022). This module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import (
    AttributeFinderDescriptor,
    ExplainerDescriptor,
    GeneratorDescriptor,
    MetricDescriptor,
    Need,
    hookimpl,
)
from sidelight_specs.facts import Mistake, unknown_names, unknown_split
from sidelight_toolkit.shared_limits import NAMELESS

from sidelight_intervention.params import (
    ConceptDecoderParams,
    ConceptFactorsParams,
    ConceptFlipParams,
    ConceptLatentsParams,
    DvaeParams,
    FlipFactorsParams,
    LayerFidelityParams,
    SharedInformationParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.facts import Given

PAPER = "Gat, Lorberbom, Schwartz and Hazan 2022, Latent Space Explanation by Intervention"
DVAE_EXAMPLE: dict[str, Any] = {"layer": "pool2", "bits": 6, "widths": (32, 32, 16), "steps": 300, "batch": 24}
DECODER_EXAMPLE: dict[str, Any] = {"width": 4, "steps": 20, "batch": 8, "rows": 8}
_LAYER = ("activations", "module", "classes")
_DVAE = Need("dvae", role="attribute_finder", capabilities=("intervention.codes",))
_DECODER = Need("generator", capabilities=("intervention.codes",))
_NETWORK = Need("generator", capabilities=("intervention.codes", "intervention.network"))


@frozen(kw_only=True)
class SplitMetricDescriptor(MetricDescriptor):
    """Describes a metric of a whole split, or of factors."""

    per_image: bool = False

    def misfits(self, params: Any, given: Given) -> Iterable[Mistake]:
        """A split or factors that the data does not have; labels or two classes, where the metric needs them."""
        data, classes = given.data(), given.classifier_of().classes
        if not isinstance(params, FlipFactorsParams):
            yield from unknown_split(data, params.split)
        if isinstance(params, (FlipFactorsParams, ConceptFactorsParams)):
            yield from unknown_names("the data has no factor", params.factors, data.factors, "factors")
        if isinstance(params, ConceptFactorsParams) and classes is not None and len(classes) != 2:
            yield Mistake(f"it compares two classes, the classifier has {len(classes)}", "take another metric")
        if isinstance(params, LayerFidelityParams) and data.classes == ():
            yield Mistake("the data has no labels, so that there is no accuracy", "use data with classes")


@frozen(kw_only=True)
class DvaeDescriptor(AttributeFinderDescriptor):
    """Describes the discrete autoencoder of a layer."""

    def misfits(self, params: Any, given: Given) -> Iterable[Mistake]:
        """A boundary between two classes, where there are more."""
        classes = given.classifier_of().classes
        if params.centre == "boundary" and classes is not None and len(classes) != 2:
            message = f"the boundary lies between two classes, the classifier has {len(classes)}"
            yield Mistake(message, "set centre to mean", "centre")


@hookimpl
def sidelight_attribute_finders() -> Iterable[AttributeFinderDescriptor]:
    """Boolean concepts of a layer."""
    yield DvaeDescriptor(
        name="dvae",
        summary="Discrete autoencoder of a layer: boolean concepts, ranked by their effect on the class.",
        params=DvaeParams,
        factory="sidelight_intervention.concepts.discrete_vae:DiscreteConcepts",
        needs=(Need("classifier", capabilities=_LAYER),),
        provides=("trainable", "latents", "intervention.codes"),
        example=DVAE_EXAMPLE,
        paper=PAPER,
        limits=(
            NAMELESS,
            "Concepts of one layer and one training: another gives other bits, and what the code loses is not "
            "explained.",
        ),
    )


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """Concept images."""
    yield GeneratorDescriptor(
        name="concept-decoder",
        summary="Images of a layer's boolean codes, trained with the information term of equation 6.",
        params=ConceptDecoderParams,
        factory="sidelight_intervention.decoder.concept_decoder:ConceptDecoder",
        needs=(_DVAE,),
        provides=("trainable", "differentiable", "latent.z", "encoder", "intervention.codes", "intervention.network"),
        follows_data=True,
        example=DECODER_EXAMPLE,
        paper=f"{PAPER}, equations 2 to 6",
    )
    yield GeneratorDescriptor(
        name="concept-latents",
        summary="Concept images drawn by another generator, whose latents follow the layer's codes.",
        params=ConceptLatentsParams,
        factory="sidelight_intervention.decoder.concept_latents:ConceptLatents",
        needs=(_DVAE, Need("generator", capabilities=("encoder",))),
        provides=("trainable", "latent.z", "encoder", "intervention.codes"),
        follows_data=True,
        example={"images": 24, "validation": 8, "synthesis_batch": 16},
        paper=f"{PAPER}, equation 2, by a generator in place of a decoder",
    )


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Flipping concepts."""
    yield ExplainerDescriptor(
        name="concept-flip",
        summary="Fewest concepts of a layer whose flip changes the class, as images before and after.",
        params=ConceptFlipParams,
        factory="sidelight_intervention.concept_flip:ConceptFlip",
        needs=(Need("classifier", capabilities=_LAYER), _DECODER),
        gives="intervention",
        paper=f"{PAPER}, figure 3",
        limits=(
            NAMELESS,
            "Pictures come from a network that learned from the data: they may show what goes with the class "
            "there whether the classifier uses it or not.",
            "The flip is of the layer's code, not of the picture, which the classifier may call otherwise: with all "
            "bits of a decoder's glasses flipped it agreed on .46 (.39 to .53; Sidelight's docs, intervention).",
        ),
    )


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """Tables 1 and 2, figures 4, 5 and 6."""
    yield SplitMetricDescriptor(
        name="layer-fidelity",
        summary="Smallest flips that change the class, flips of one and all bits, accuracy of the code.",
        params=LayerFidelityParams,
        factory="sidelight_intervention.metrics.layer_fidelity:LayerFidelity",
        needs=(Need("data"), _DVAE),
        accepts=("intervention",),
        paper=f"{PAPER}, table 1",
    )
    yield SplitMetricDescriptor(
        name="shared-information",
        summary="Cosine of the information that classifier and concept images take from a layer.",
        params=SharedInformationParams,
        factory="sidelight_intervention.metrics.shared_information:SharedInformation",
        needs=(Need("data"), _NETWORK),
        accepts=("intervention",),
        example={"images": 12, "points": 20},
        paper=f"{PAPER}, table 2",
    )
    yield SplitMetricDescriptor(
        name="concept-factors",
        summary="True factors that tell concept images of two classes apart, and their use by the classifier.",
        params=ConceptFactorsParams,
        factory="sidelight_intervention.metrics.concept_factors:ConceptFactors",
        needs=(
            Need("data", capabilities=("factors.render",)),
            Need("classifier", capabilities=_LAYER),
            _DECODER,
        ),
        accepts=("intervention",),
        example={"images": 6, "factors": ("rows", "columns"), "reader_images": 48, "reader_steps": 3},
        paper=f"{PAPER}, figures 4 and 5",
    )
    yield SplitMetricDescriptor(
        name="flip-factors",
        summary="Change of true factors in the concept images when a flip turns one class into the other.",
        params=FlipFactorsParams,
        factory="sidelight_intervention.metrics.flip_factors:FlipFactors",
        needs=(Need("data", capabilities=("factors.render",)),),
        accepts=("intervention",),
        example={"factors": ("rows", "columns"), "reader_images": 48, "reader_steps": 3},
        paper=f"{PAPER}, figure 6",
    )
