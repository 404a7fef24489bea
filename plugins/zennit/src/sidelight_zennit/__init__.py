"""Layer-wise relevance propagation by the package zennit. This light module imports nothing heavy."""

from __future__ import annotations

from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params
from sidelight_toolkit.options import BatchSize, HeatmapDescriptor, Target, batch_option, target_option
from sidelight_toolkit.shared_limits import PLACE, POSITIVE_RELEVANCE

COMPOSITES = {  # component: factory, summary, paper
    "epsilon-plus": (
        "EpsilonPlus",
        "LRP: z-plus in convolutions, epsilon in linear layers.",
        "Bach et al. 2015; Montavon et al. 2017",
    ),
    "epsilon-plus-flat": (
        "EpsilonPlusFlat",
        "LRP: z-plus in convolutions, flat in the first layer, epsilon in linear layers.",
        "Montavon et al. 2019, LRP: An Overview; Lapuschkin et al. 2019",
    ),
    "epsilon-alpha2-beta1": (
        "EpsilonAlpha2Beta1",
        "LRP: alpha-beta (2, 1) in convolutions, epsilon in linear layers.",
        "Bach et al. 2015",
    ),
    "epsilon-alpha2-beta1-flat": (
        "EpsilonAlpha2Beta1Flat",
        "LRP: alpha-beta (2, 1) in convolutions, flat in the first layer, epsilon in linear layers.",
        "Bach et al. 2015; Montavon et al. 2019",
    ),
    "epsilon-gamma-box": (
        "EpsilonGammaBox",
        "LRP: gamma in convolutions, z-box in the first layer, epsilon in linear layers.",
        "Montavon et al. 2019, LRP: An Overview",
    ),
    "excitation-backprop": (
        "ExcitationBackprop",
        "Excitation backprop: positive contributions alone, in every layer.",
        "Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop",
    ),
}

_CONSERVED = "Relevance adds up by construction: that the sum equals the score does not show that the map is right."
_FLAT = "The flat rule spreads what reaches the first layer evenly over each window: finer detail is not shown."
LIMITS = {
    "epsilon-plus": (
        PLACE,
        POSITIVE_RELEVANCE,
        "Did not tell models that use red lips from models that do not, where both look at the mouth: AUROC .42, luck "
        "is .50 (Sidelight's benchmark).",
    ),
    "epsilon-plus-flat": (PLACE, POSITIVE_RELEVANCE, _FLAT),
    "epsilon-alpha2-beta1": (PLACE, POSITIVE_RELEVANCE, _CONSERVED),
    "epsilon-alpha2-beta1-flat": (PLACE, POSITIVE_RELEVANCE, _FLAT),
    "epsilon-gamma-box": (
        PLACE,
        _CONSERVED,
        "Did not tell models that use red lips from models that do not, where both look at the mouth: AUROC .44, luck "
        "is .50 (Sidelight's benchmark).",
    ),
    "excitation-backprop": (
        PLACE,
        POSITIVE_RELEVANCE,
        "Marks the mouth less in models that use red lips than in models that do not: AUROC .19, luck is .50 "
        "(Sidelight's benchmark).",
    ),
}


@params
class ExcitationParams:
    """Options of `excitation-backprop`."""

    target: Target = target_option()
    stabilizer: float = param(1e-6, "Least magnitude added to denominators.", minimum=1e-12, maximum=1.0)
    zero_bias: bool = param(False, "Biases absorb no relevance, so that the map sums to the logit.")
    batch: BatchSize = batch_option("Images")


@params
class LrpParams(ExcitationParams):
    """Options of the LRP composites."""

    epsilon: float = param(
        1e-6, "Stabiliser of linear layers; larger drops weak contributions (epsilon).", minimum=1e-12, maximum=1000.0
    )


@params
class GammaParams(LrpParams):
    """Options of `epsilon-gamma-box`."""

    gamma: float = param(
        0.25, "Weight added to contributions of the output's sign in convolutions (gamma).", minimum=0.0, maximum=1000.0
    )


@hookimpl
def sidelight_explainers() -> list[ExplainerDescriptor]:
    """One component for each composite of the package."""
    options = {"epsilon-gamma-box": GammaParams, "excitation-backprop": ExcitationParams}
    return [
        HeatmapDescriptor(
            name=name,
            summary=summary,
            params=options.get(name, LrpParams),
            factory=f"sidelight_zennit.lrp:{factory}",
            needs=(Need("classifier", capabilities=("differentiable", "activations", "module")),),
            paper=paper,
            limits=LIMITS[name],
        )
        for name, (factory, summary, paper) in COMPOSITES.items()
    ]
