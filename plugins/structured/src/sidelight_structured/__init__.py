"""Structured explanations of image classifiers: masks, sets of patches and x-features (Li Fuxin et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import ExplainerDescriptor, MetricDescriptor, Need, hookimpl
from sidelight_specs.facts import Mistake, unknown_names
from sidelight_toolkit.shared_limits import NAMELESS, PLACE, UNSEEN_IMAGES

from sidelight_structured.params import (
    DirectMaskParams,
    ExplanationsParams,
    IgosParams,
    IgosPlusPlusParams,
    MaskParams,
    SagParams,
    SimulatabilityParams,
    XnnParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.facts import Given

__all__ = [
    "DirectMaskParams",
    "ExplanationsParams",
    "IgosParams",
    "IgosPlusPlusParams",
    "MaskParams",
    "SagParams",
    "SimulatabilityParams",
    "XnnParams",
]

PAPER = "Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers"
MOST_CLASSES = 33
"""Classes explained by one network of a size that follows from their number: a hundred x-features on a page."""
SMALL_MASK = {"size": 8, "steps": 8, "integration_steps": 4, "noise": 0.0, "baseline_limit": 1.0}


@frozen(kw_only=True)
class XnnDescriptor(ExplainerDescriptor):
    """Describes an explanation network, of all classes or of some."""

    def misfits(self, params: Any, given: Given) -> Iterable[Mistake]:
        """Classes that the classifier does not have, or so many that their x-features could not be read."""
        known = given.classifier_of().classes
        yield from unknown_names("the classifier has no class", params.classes, known, "classes")
        count = len(params.classes or known or ())
        if params.features is None and count > MOST_CLASSES:
            message = f"{count:,} classes at once, with three x-features for each, are more than a reader can look at"
            yield Mistake(message, "name a few classes with `classes`, or set `features`", "classes")


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Direct masks, I-GOS, iGOS++, structured attention graphs and explanation networks."""
    needs = (Need("classifier", capabilities=("differentiable", "classes")),)
    yield ExplainerDescriptor(
        name="direct-mask",
        summary="Direct mask: gradient descent on the mask that removes the class; the baseline of I-GOS.",
        params=DirectMaskParams,
        factory="sidelight_structured.igos.direct_mask:DirectMask",
        needs=needs,
        gives="heatmap",
        example={"size": 8, "steps": 8, "baseline_limit": 1.0},
        paper="Fong and Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation",
        limits=(
            PLACE,
            UNSEEN_IMAGES,
            "One mask of many: descent may find pixels that fool the classifier, which the smoothness only makes "
            "rarer (Fong and Vedaldi 2017).",
            "Has no answer where the baseline keeps the class; of two classes one stays likely on any baseline "
            "(Sidelight's benchmark).",
        ),
    )
    yield ExplainerDescriptor(
        name="igos",
        summary="I-GOS: smallest smooth mask that removes the class when the marked region is blurred.",
        params=IgosParams,
        factory="sidelight_structured.igos.igos:Igos",
        needs=needs,
        gives="heatmap",
        example=SMALL_MASK,
        paper=f"{PAPER}, section 3",
        limits=(
            PLACE,
            UNSEEN_IMAGES,
            "One mask of many, made for the blur that hides the rest: over another baseline it would be another mask.",
            "Has no answer where the baseline keeps the class; of two classes one stays likely on any baseline "
            "(Sidelight's benchmark).",
        ),
    )
    yield ExplainerDescriptor(
        name="igos++",
        summary="iGOS++: mask whose region removes the class when blurred and keeps it when alone sharp.",
        params=IgosPlusPlusParams,
        factory="sidelight_structured.igos.igos:IgosPlusPlus",
        needs=needs,
        gives="heatmap",
        example=SMALL_MASK,
        paper=f"{PAPER}, section 3",
        limits=(
            PLACE,
            UNSEEN_IMAGES,
            "Best over the blur that it is optimised for: over black four simpler methods have the higher "
            "insertion (Sidelight's docs, structured explanations).",
            "One mask of many: what it leaves out may be enough for the class as well, which `structured/sag` shows.",
        ),
    )
    yield ExplainerDescriptor(
        name="sag",
        summary="Structured attention graph: smallest sufficient sets of patches, and their losses.",
        params=SagParams,
        factory="sidelight_structured.sag.sag:Sag",
        needs=needs,
        gives="attention-graph",
        provides=("maps",),
        example={"grid": 4, "baseline_limit": 1.0, "order_steps": 2},
        paper=f"{PAPER}, section 4",
        limits=(
            UNSEEN_IMAGES,
            "Sets that a beam search has found: others may be enough as well, and a missing set proves nothing.",
            "Patches of a fixed grid: what counts inside a patch, and causes without a place, are not shown.",
            "Did not tell models with a planted cause from models without beyond luck: AUROC .67 (.46 to .84; "
            "Sidelight's benchmark).",
        ),
    )
    yield XnnDescriptor(
        name="xnn",
        summary="Explanation network: a prediction as a sum of a few learned x-features with heatmaps.",
        params=XnnParams,
        factory="sidelight_structured.xnn.xnn:Xnn",
        needs=(
            Need("classifier", capabilities=("activations",)),
            Need("heatmap", role="explainer", capabilities=("heatmap",), optional=True, factory=True),
        ),
        provides=("trainable",),
        gives="concepts",
        example={"features": 3, "widths": (8,), "steps": 20, "batch": 16, "exemplars": 2},
        paper=f"{PAPER}, section 2",
        limits=(
            NAMELESS,
            "Imitates the class's logit: what the classifier does beyond the reported agreement is not explained.",
            "X-features may hold what the layer holds and the class does not need: with `reconstruction: 1` "
            "several stood for a brick wall (Sidelight's docs, structured explanations).",
        ),
    )


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """Verification of attention graphs, and prediction of the classifier from any explanation."""
    yield MetricDescriptor(
        name="explanations",
        summary="Number, sufficiency and minimality of explanations, scored by independent code.",
        params=ExplanationsParams,
        factory="sidelight_structured.sag.verification:Explanations",
        needs=(Need("classifier", capabilities=("classes",)),),
        accepts=("attention-graph",),
        per_image=False,
        paper=f"{PAPER}, section 4.1",
    )
    yield MetricDescriptor(
        name="simulatability",
        summary="Questions about occluded images, answered from an explanation by a rule; for `report/user-study`.",
        params=SimulatabilityParams,
        factory="sidelight_structured.simulatability.simulatability:Simulatability",
        needs=(Need("classifier", capabilities=("classes",)),),
        accepts=("attention-graph", "heatmap", "counterfactual"),
        per_image=False,
        example={"grid": 2, "soft": False, "sets": 8, "margin": 0.0, "baseline_limit": 1.0},
        paper=f"{PAPER}, section 4.2; Hase and Bansal 2020",
        limits=(
            "Answers come from a rule: how well people predict the classifier from an explanation, only people "
            "can show (Hase and Bansal 2020).",
        ),
    )
