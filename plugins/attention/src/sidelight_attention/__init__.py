"""Heatmaps made of a vision transformer's attention. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import Need, Suggestion, hookimpl
from sidelight_toolkit.options import HeatmapDescriptor
from sidelight_toolkit.shared_limits import PLACE

from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import ExplainerDescriptor

_GRADIENTS = (Need("classifier", capabilities=("differentiable",)),)


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Three heatmaps; rollout is the same for every class."""
    yield HeatmapDescriptor(
        name="rollout",
        summary="Attention multiplied through the layers; the same for every class.",
        params=RolloutParams,
        factory="sidelight_attention.rollout:Rollout",
        needs=_GRADIENTS,
        gives="heatmap",
        answers="any",
        paper="Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers",
        limits=(
            PLACE,
            "The same for every class: it says nothing of why this class and not another.",
            "Attention is not attribution: in classifiers of text other weights gave the same answer (Jain and Wallace "
            "2019, Attention is not Explanation).",
            "Multiplies attention weights alone: what the values add to them is left out (Kobayashi et al. 2020, "
            "Attention is Not Only a Weight), and so are the MLPs.",
        ),
    )
    yield HeatmapDescriptor(
        name="gradient-attention",
        summary="Attention weighted by the gradient of the class, propagated through the layers.",
        params=GradientAttentionParams,
        factory="sidelight_attention.gradient_attention:GradientAttention",
        needs=_GRADIENTS,
        gives="heatmap",
        suggested=Suggestion(1, having=("attention",)),
        paper="Chefer, Gur and Wolf 2021, Generic Attention-model Explainability for Interpreting Bi-Modal and "
        "Encoder-Decoder Transformers",
        limits=(
            PLACE,
            "Positive gradients alone: evidence against the class is not shown (Chefer, Gur and Wolf 2021).",
            "Carries relevance from layer to layer by attention alone: values and MLPs count through the gradients, "
            "and what an MLP does to a token on the way is not followed.",
        ),
    )
    yield HeatmapDescriptor(
        name="legrad",
        summary="Positive gradient of every layer's own class score with respect to its attention.",
        params=LeGradParams,
        factory="sidelight_attention.legrad:LeGrad",
        needs=_GRADIENTS,
        gives="heatmap",
        suggested=Suggestion(2, having=("attention",)),
        paper="Bousselham et al. 2025, LeGrad: An Explainability Method for Vision Transformers via Feature "
        "Formation Sensitivity",
        limits=(
            PLACE,
            "Positive gradients alone: evidence against the class is not shown (Bousselham et al. 2025).",
            "Found a planted square in .62 of the images (.60 to .63, three seeds), attention rollout in .93: "
            "marks elsewhere are common (Sidelight's docs, attention).",
        ),
    )
