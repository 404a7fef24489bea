"""Announces `fossil-explainer/explainer`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class ExplainerParams:
    """Options of `explainer`."""

    noise: float = param(0.05, "Standard deviation of the noise added to the image.", minimum=0, maximum=1)
    samples: int = param(16, "How many noisy copies to average over.", unit="samples", minimum=1, maximum=1000)


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """What this plugin offers."""
    yield ExplainerDescriptor(
        name="explainer",
        summary="Where the predicted class's logit is most sensitive, averaged over noise.",
        params=ExplainerParams,
        factory="fossil_explainer.explainer:Explainer",
        needs=(Need("classifier", capabilities=("differentiable",)),),
        gives="heatmap",
        answers="predicted",
        example={"samples": 4},
        paper="Smilkov et al. 2017",
        limits=("A gradient says what a very small change of a pixel does, not what the class rests on.",),
    )
