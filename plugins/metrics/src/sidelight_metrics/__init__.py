"""Measures of explanations. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import MetricDescriptor, Need, hookimpl

from sidelight_metrics.descriptors import (
    DataMetricDescriptor,
    FactorMetricDescriptor,
    InsertionDeletionDescriptor,
    LpipsDescriptor,
)
from sidelight_metrics.params import (
    AttributeFactorsParams,
    CausalProfileParams,
    ConfidenceChangeParams,
    DistanceParams,
    FactorChangeParams,
    FactorRecoveryParams,
    FaithfulnessParams,
    FlipRateParams,
    InsertionDeletionParams,
    InversionParams,
    LocalityParams,
    LpipsParams,
    MinimalAreaParams,
    PointingGameParams,
    RegionCoverParams,
    SufficiencyParams,
    ThirdClassRateParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASSIFIER = (Need("classifier"),)
_STRUCTURED_PAPER = "Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers"
_STRUCTURED = f"{_STRUCTURED_PAPER}, section 2.2"
_STYLEX = "Lang et al. 2021, Explaining in Style"
_CLASSES = (Need("classifier", capabilities=("classes",)),)


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """Metrics of counterfactuals, pairs of explanations, heatmaps, regions, inversions and concepts."""
    yield from _of_counterfactuals()
    yield from _of_heatmaps()
    yield from _of_inversions_and_concepts()
    yield from _by_true_factors()
    yield from _of_attributes()


def _of_counterfactuals() -> Iterable[MetricDescriptor]:
    """Metrics of counterfactuals, and of pairs of explanations."""
    yield MetricDescriptor(
        name="flip-rate",
        summary="How many counterfactuals reach the probe class, or the boundary before it.",
        params=FlipRateParams,
        factory="sidelight_metrics.counterfactuals.flip_rate:FlipRate",
        needs=_CLASSES,
        accepts=("counterfactual",),
        paper="Feghahati et al. 2020, CDeepEx, section 4.1.2",
    )
    yield MetricDescriptor(
        name="third-class-rate",
        summary="How many counterfactuals end in a class that nobody asked about.",
        params=ThirdClassRateParams,
        factory="sidelight_metrics.counterfactuals.third_class_rate:ThirdClassRate",
        needs=_CLASSES,
        accepts=("counterfactual",),
        paper="Feghahati et al. 2020, CDeepEx, section 4.1.2",
    )
    yield MetricDescriptor(
        name="confidence-change",
        summary="The probabilities of the predicted class and the probe before and after.",
        params=ConfidenceChangeParams,
        factory="sidelight_metrics.counterfactuals.confidence_change:ConfidenceChange",
        needs=_CLASSIFIER,
        accepts=("counterfactual",),
    )
    yield MetricDescriptor(
        name="distance",
        summary="How much of the image a counterfactual changes: L1, L2, L-infinity, and the share of pixels kept.",
        params=DistanceParams,
        factory="sidelight_metrics.counterfactuals.distance:Distance",
        accepts=("counterfactual",),
    )
    yield MetricDescriptor(
        name="consistency",
        summary="How alike explanations are to those of the explainer named in `needs`: another start or generator.",
        factory="sidelight_metrics.consistency:Consistency",
        needs=(Need("explainer"),),
        accepts=("counterfactual", "heatmap"),
        paper="Feghahati et al. 2020, CDeepEx, section 4.1.3",
    )


def _of_heatmaps() -> Iterable[MetricDescriptor]:
    """Metrics of heatmaps and attention graphs, with and without a region that is known to decide."""
    yield InsertionDeletionDescriptor(
        name="insertion-deletion",
        summary="How fast the class appears or vanishes when pixels come or go in the heatmap's order.",
        params=InsertionDeletionParams,
        factory="sidelight_metrics.heatmaps.insertion_deletion:InsertionDeletion",
        needs=_CLASSIFIER,
        accepts=("heatmap",),
        example={"step": 0.1},
        paper="Petsiuk, Das and Saenko 2018, RISE, section 4.3; Qi et al. 2020, I-GOS",
    )
    yield MetricDescriptor(
        name="minimal-area",
        summary="How little of the image keeps the prediction, in a heatmap's order or as a search found it.",
        params=MinimalAreaParams,
        factory="sidelight_metrics.heatmaps.minimal_area:MinimalArea",
        needs=_CLASSES,
        accepts=("heatmap", "attention-graph"),
        example={"step": 0.1},
        paper=f"{_STRUCTURED_PAPER}, section 4.1",
    )
    yield DataMetricDescriptor(
        name="pointing-game",
        summary="How often an explanation points at a region that is known to decide, such as a planted square.",
        params=PointingGameParams,
        factory="sidelight_metrics.heatmaps.pointing_game:PointingGame",
        needs=(Need("data"),),
        accepts=("counterfactual", "heatmap"),
        example={"region": "cause"},
        paper="Zhang et al. 2016, Excitation Backprop, section 4.1; planted as in CDeepEx, section 4.3",
    )
    yield DataMetricDescriptor(
        name="region-cover",
        summary="How precisely a heatmap or an attention graph marks a region that is known to decide.",
        params=RegionCoverParams,
        factory="sidelight_metrics.heatmaps.relevance_rank:RegionCover",
        needs=(Need("data"),),
        accepts=("heatmap", "attention-graph"),
        example={"region": "cause"},
    )


def _of_inversions_and_concepts() -> Iterable[MetricDescriptor]:
    """Metrics of inversions and of concepts."""
    yield MetricDescriptor(
        name="inversion",
        summary="How well a generator reproduces the images, and whether the classifier agrees.",
        params=InversionParams,
        factory="sidelight_metrics.inversion:InversionError",
        needs=_CLASSIFIER,
        accepts=("inversion",),
    )
    yield LpipsDescriptor(
        name="lpips",
        summary="LPIPS between the image and its counterfactual or reconstruction; refuses without its network.",
        params=LpipsParams,
        factory="sidelight_metrics.lpips:Lpips",
        accepts=("counterfactual", "inversion"),
        example={"network": "efficientnet-lite"},
        paper="Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    )
    yield MetricDescriptor(
        name="faithfulness",
        summary="How well concepts alone give what the classifier says.",
        params=FaithfulnessParams,
        factory="sidelight_metrics.concepts.faithfulness:Faithfulness",
        needs=_CLASSIFIER,
        accepts=("concepts",),
        paper=_STRUCTURED,
    )
    yield MetricDescriptor(
        name="orthogonality",
        summary="How much concepts fire together: the squared cosine between them over many images.",
        factory="sidelight_metrics.concepts.orthogonality:Orthogonality",
        accepts=("concepts",),
        paper=_STRUCTURED,
    )
    yield MetricDescriptor(
        name="locality",
        summary="Over how many parts of an image a concept spreads: the entropy of its heatmap.",
        params=LocalityParams,
        factory="sidelight_metrics.concepts.locality:Locality",
        needs=(Need("data", optional=True),),
        accepts=("concepts",),
        paper=_STRUCTURED,
    )


def _by_true_factors() -> Iterable[MetricDescriptor]:
    """Metrics for data that know what their images were made from."""
    yield DataMetricDescriptor(
        name="causal-profile",
        summary="What the classifier really uses: each true factor changed alone, and explanations held against that.",
        params=CausalProfileParams,
        factory="sidelight_metrics.factors.causal_profile:CausalProfile",
        needs=(Need("classifier"), Need("data", capabilities=("factors.render",))),
        whole_count=True,
        accepts=("heatmap", "counterfactual", "attributes", "concepts", "inversion"),
        example={"count": 6},
    )
    yield FactorMetricDescriptor(
        name="factor-change",
        summary="Which true factors a counterfactual or an inversion changes, read by a network trained on them.",
        params=FactorChangeParams,
        factory="sidelight_metrics.factors.factor_change:FactorChange",
        needs=(Need("data", capabilities=("factors.render",)),),
        accepts=("counterfactual", "inversion"),
        example={"images": 32, "steps": 4, "batch": 16},
    )
    yield DataMetricDescriptor(
        name="factor-recovery",
        summary="Which true factors survive in reconstructions of unseen images, read by a network trained on them.",
        params=FactorRecoveryParams,
        factory="sidelight_metrics.factors.factor_recovery:FactorRecovery",
        needs=(Need("inverter"), Need("data", capabilities=("factors.render",))),
        accepts=("inversion",),
        example={"count": 8, "images": 32, "steps": 4, "batch": 16},
    )


_STYLED = (Need("generator", capabilities=("latent.style",)), Need("inverter"))


def _of_attributes() -> Iterable[MetricDescriptor]:
    """Metrics of attributes of a style space."""
    yield DataMetricDescriptor(
        name="sufficiency",
        summary="How many images flip when a class's top k attributes are changed together, and how far they must be.",
        params=SufficiencyParams,
        factory="sidelight_metrics.attributes.sufficiency:Sufficiency",
        needs=(*_CLASSES, *_STYLED, Need("data")),
        accepts=("attributes",),
        example={"tops": (1, 2), "factors": (0.5, 1.0), "count": 6},
        paper=f"{_STYLEX}, section 4.2.3",
    )
    yield DataMetricDescriptor(
        name="attribute-factors",
        summary="Which true factors attributes change: one each, the same in every image, in the classifier's order?",
        params=AttributeFactorsParams,
        factory="sidelight_metrics.attributes.attribute_factors:AttributeFactors",
        needs=(*_CLASSES, *_STYLED, Need("data", capabilities=("factors.render",))),
        accepts=("attributes",),
        example={"factors": ("rows",), "count": 6, "images": 32, "steps": 4, "learning_batch": 16},
        paper=f"{_STYLEX}, section 4.2.2",
    )
