"""Measures of explanations. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import MetricDescriptor, Need, hookimpl
from sidelight_toolkit.shared_limits import UNSEEN_IMAGES

from sidelight_metrics.descriptors import (
    DataMetricDescriptor,
    FactorMetricDescriptor,
    FidelityDiversityDescriptor,
    InsertionDeletionDescriptor,
    JudgedDescriptor,
    LpipsDescriptor,
)
from sidelight_metrics.params import (
    AttributeFactorsParams,
    BatchParams,
    CausalProfileParams,
    DistanceParams,
    FactorChangeParams,
    FactorRecoveryParams,
    FactorSignParams,
    FactorUseParams,
    FidelityDiversityParams,
    FlipRateParams,
    InsertionDeletionParams,
    LocalityParams,
    LpipsParams,
    MinimalAreaParams,
    PointingGameParams,
    RegionCoverParams,
    SufficiencyParams,
    TintParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_CDEEPEX = "Feghahati et al. 2020, CDeepEx, section 4.1"
_STRUCTURED = "Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section"
_STYLEX = "Lang et al. 2021, Explaining in Style, section 4.2"

_CLASSIFIER = (Need("classifier"),)
_CLASSES = (Need("classifier", capabilities=("classes",)),)
_DRAWN = Need("data", capabilities=("factors.render",))
_STYLED = (*_CLASSES, Need("generator", capabilities=("latent.style",)), Need("inverter"))


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """Metrics of counterfactuals, heatmaps, attention graphs, concepts, inversions and attributes."""
    yield from _of_counterfactuals()
    yield from _of_heatmaps()
    yield from _of_inversions_and_concepts()
    yield from _by_true_factors()
    yield from _of_attributes()


def _of_counterfactuals() -> Iterable[MetricDescriptor]:
    yield MetricDescriptor(
        name="flip-rate",
        summary="Share of counterfactuals that reach the probe class, or the boundary before it.",
        params=FlipRateParams,
        factory="sidelight_metrics.counterfactuals.flip_rate:FlipRate",
        needs=_CLASSES,
        accepts=("counterfactual",),
        paper=f"{_CDEEPEX}.2",
        limits=(
            "That an image flips does not say that the change is one that people would call the other class: a "
            "judge in the recipe tells (Sidelight's docs, cdeepex).",
        ),
    )
    yield MetricDescriptor(
        name="third-class-rate",
        summary="Share of counterfactuals that end in a class on neither side of the question.",
        params=BatchParams,
        factory="sidelight_metrics.counterfactuals.third_class_rate:ThirdClassRate",
        needs=_CLASSES,
        accepts=("counterfactual",),
        paper=f"{_CDEEPEX}.2",
    )
    yield MetricDescriptor(
        name="kept-details",
        summary="Share of the generator in counterfactuals that keep details of the image.",
        params=BatchParams,
        factory="sidelight_metrics.counterfactuals.kept_details:KeptDetails",
        needs=_CLASSES,
        accepts=("counterfactual",),
    )
    yield JudgedDescriptor(
        name="confidence-change",
        summary="Probabilities of the predicted class and the probe before and after, also of a judge.",
        params=BatchParams,
        factory="sidelight_metrics.counterfactuals.confidence_change:ConfidenceChange",
        needs=_CLASSIFIER,
        accepts=("counterfactual",),
    )
    yield MetricDescriptor(
        name="distance",
        summary="Size of a counterfactual's change: L1, L2, L-infinity, and the share of unchanged pixels.",
        params=DistanceParams,
        factory="sidelight_metrics.counterfactuals.distance:Distance",
        accepts=("counterfactual",),
    )
    yield MetricDescriptor(
        name="tint",
        summary="Change of the mean colour by a counterfactual: lightness, hue, and its share of the change.",
        params=TintParams,
        factory="sidelight_metrics.counterfactuals.tint:Tint",
        accepts=("counterfactual",),
        paper="CIE 1976, L*a*b* colour space",
    )
    yield MetricDescriptor(
        name="consistency",
        summary="Correlation with the explainer named in `needs`: another start, another generator.",
        factory="sidelight_metrics.consistency:Consistency",
        needs=(Need("explainer"),),
        accepts=("counterfactual", "heatmap"),
        paper=f"{_CDEEPEX}.3",
    )


def _of_heatmaps() -> Iterable[MetricDescriptor]:
    yield InsertionDeletionDescriptor(
        name="insertion-deletion",
        summary="Area under the class's score while pixels come or go in the heatmap's order.",
        params=InsertionDeletionParams,
        factory="sidelight_metrics.heatmaps.insertion_deletion:InsertionDeletion",
        needs=_CLASSIFIER,
        accepts=("heatmap",),
        example={"step": 0.1},
        paper="Petsiuk, Das and Saenko 2018, RISE, section 4.3; Qi et al. 2020, I-GOS",
        limits=(
            UNSEEN_IMAGES,
            "The order of methods depends on the baseline: seven photographs ranked them otherwise over a blur "
            "and over black (Sidelight's docs, structured explanations).",
        ),
    )
    yield MetricDescriptor(
        name="minimal-area",
        summary="Smallest share of the image that keeps the prediction, in a heatmap's order or a graph's sets.",
        params=MinimalAreaParams,
        factory="sidelight_metrics.heatmaps.minimal_area:MinimalArea",
        needs=_CLASSES,
        accepts=("heatmap", "attention-graph"),
        example={"step": 0.1},
        paper=f"{_STRUCTURED} 4.1",
        limits=(UNSEEN_IMAGES,),
    )
    yield DataMetricDescriptor(
        name="pointing-game",
        summary="Share of explanations that point at a region known to decide, such as a planted square.",
        params=PointingGameParams,
        factory="sidelight_metrics.heatmaps.pointing_game:PointingGame",
        needs=(Need("data"),),
        accepts=("counterfactual", "heatmap"),
        example={"region": "cause"},
        paper="Zhang et al. 2016, Excitation Backprop, section 4.1; planted as in CDeepEx, section 4.3",
        limits=(
            "Right by construction only where the region alone decides: that a map misses it is no error where "
            "the model uses something else.",
        ),
    )
    yield DataMetricDescriptor(
        name="region-cover",
        summary="Precision with which a heatmap or an attention graph marks a region known to decide.",
        params=RegionCoverParams,
        factory="sidelight_metrics.heatmaps.relevance_rank:RelevanceRank",
        needs=(Need("data"),),
        accepts=("heatmap", "attention-graph"),
        example={"region": "cause"},
        paper="Arras, Osman and Samek 2022, CLEVR-XAI (relevance rank accuracy)",
        limits=(
            "Right by construction only where the region alone decides: that a map misses it is no error where "
            "the model uses something else.",
        ),
    )


def _of_inversions_and_concepts() -> Iterable[MetricDescriptor]:
    yield MetricDescriptor(
        name="inversion",
        summary="Error of a generator's reconstructions, and whether the classifier agrees on them.",
        params=BatchParams,
        factory="sidelight_metrics.inversion:InversionError",
        needs=_CLASSIFIER,
        accepts=("inversion",),
        limits=(
            "A small error does not show that the classifier's cause survives: `metrics/factor-recovery` measures"
            " it where factors are known.",
        ),
    )
    yield FidelityDiversityDescriptor(
        name="fidelity-diversity",
        summary="Samples of the generator beside the data: within-class distance, precision, recall, coverage.",
        params=FidelityDiversityParams,
        factory="sidelight_metrics.fidelity_diversity:FidelityDiversity",
        needs=(*_CLASSES, Need("generator"), Need("data")),
        accepts=("inversion",),
        per_image=False,
        example={"features": "pixels", "count": 12, "nearest": 2},
        paper="Kynkaanniemi et al. 2019, Improved Precision and Recall; Naeem et al. 2020, Density and Coverage",
    )
    yield LpipsDescriptor(
        name="lpips",
        summary="LPIPS between the image and its counterfactual or reconstruction; refuses without its network.",
        params=LpipsParams,
        factory="sidelight_metrics.lpips:Lpips",
        accepts=("counterfactual", "inversion"),
        example={"network": "efficientnet-lite"},
        paper="Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
        limits=(
            "A distance learned from people's judgements of distorted photographs (Zhang et al. 2018): of other "
            "pictures it is a guess.",
        ),
    )
    yield MetricDescriptor(
        name="faithfulness",
        summary="Agreement of the concepts' predictions and logits with the classifier's.",
        params=BatchParams,
        factory="sidelight_metrics.concepts.faithfulness:Faithfulness",
        needs=_CLASSIFIER,
        accepts=("concepts",),
        per_image=False,
        paper=f"{_STRUCTURED} 2.2",
        limits=("Agreement on images of the data: concepts may agree there for other reasons than the classifier's.",),
    )
    yield MetricDescriptor(
        name="orthogonality",
        summary="Squared cosine between concepts' activations over many images.",
        factory="sidelight_metrics.concepts.orthogonality:Orthogonality",
        accepts=("concepts",),
        per_image=False,
        paper=f"{_STRUCTURED} 2.2",
    )
    yield MetricDescriptor(
        name="locality",
        summary="Number of parts of an image over which a concept spreads: the entropy of its heatmap.",
        params=LocalityParams,
        factory="sidelight_metrics.concepts.locality:Locality",
        needs=(Need("data", optional=True),),
        accepts=("concepts",),
        per_image=False,
        paper=f"{_STRUCTURED} 2.2",
    )


def _by_true_factors() -> Iterable[MetricDescriptor]:
    yield DataMetricDescriptor(
        name="causal-profile",
        summary="Effect of each true factor on the classifier, and explanations compared with it.",
        params=CausalProfileParams,
        factory="sidelight_metrics.factors.causal_profile:CausalProfile",
        needs=(*_CLASSIFIER, _DRAWN),
        whole_count=True,
        accepts=("heatmap", "counterfactual", "attributes", "concepts", "inversion"),
        example={"count": 6},
    )
    yield DataMetricDescriptor(
        name="factor-use",
        summary="Use of each true factor by the model, as explanations of every family say it.",
        params=FactorUseParams,
        factory="sidelight_metrics.factors.use.factor_use:FactorUse",
        needs=(_DRAWN,),
        accepts=(
            "heatmap",
            "attention-graph",
            "concepts",
            "counterfactual",
            "image-attributes",
            "intervention",
            "attributes",
        ),
        example={"factors": ("rows", "shade-x"), "images": 32, "steps": 4, "batch": 16, "least_quality": 0.0},
        limits=(
            "Compares models by one method; the numbers of two families have different units and are not "
            "comparable (Sidelight's docs, metrics).",
        ),
    )
    yield FactorMetricDescriptor(
        name="factor-change",
        summary="Change of each true factor by a counterfactual or an inversion, read by a trained network.",
        params=FactorChangeParams,
        factory="sidelight_metrics.factors.factor_change:FactorChange",
        needs=(_DRAWN,),
        accepts=("counterfactual", "inversion"),
        example={"images": 32, "steps": 4, "batch": 16},
    )
    yield DataMetricDescriptor(
        name="factor-sign",
        summary="Sign of a counterfactual's change of a true factor, against the sign that exact edits prove.",
        params=FactorSignParams,
        factory="sidelight_metrics.factors.factor_sign:FactorSign",
        needs=(*_CLASSES, _DRAWN),
        accepts=("counterfactual",),
        per_image=False,
        example={"factors": ("rows",), "images": 32, "steps": 4, "reader_batch": 16},
        paper="Feghahati et al. 2020, CDeepEx, section 4.4 and figures 8 and 9",
    )
    yield DataMetricDescriptor(
        name="factor-recovery",
        summary="True factors that survive reconstruction of unseen images, read by a trained network.",
        params=FactorRecoveryParams,
        factory="sidelight_metrics.factors.factor_recovery:FactorRecovery",
        needs=(Need("inverter"), _DRAWN),
        accepts=("inversion",),
        per_image=False,
        example={"count": 8, "images": 32, "steps": 4, "batch": 16},
    )


def _of_attributes() -> Iterable[MetricDescriptor]:
    yield DataMetricDescriptor(
        name="sufficiency",
        summary="Share of images that flip when a class's top k attributes are changed together.",
        params=SufficiencyParams,
        factory="sidelight_metrics.attributes.sufficiency:Sufficiency",
        needs=(*_STYLED, Need("data")),
        accepts=("attributes",),
        example={"tops": (1, 2), "factors": (0.5, 1.0), "count": 6},
        paper=f"{_STYLEX}.3",
        limits=(
            "Rows that begin at the reconstruction favour generators that reconstruct near the boundary "
            "(measured: Sidelight's docs, stylex).",
        ),
    )
    yield DataMetricDescriptor(
        name="attribute-factors",
        summary="True factors that attributes change: one each, the same in every image, distinct?",
        params=AttributeFactorsParams,
        factory="sidelight_metrics.attributes.attribute_factors:AttributeFactors",
        needs=(Need("classifier"), *_STYLED[1:], _DRAWN),
        accepts=("attributes",),
        example={"factors": ("rows",), "count": 6, "images": 32, "steps": 4, "learning_batch": 16},
        paper=f"{_STYLEX}.2",
    )
