"""Layer-wise relevance propagation by the package zennit. This light module imports nothing heavy."""

from __future__ import annotations

from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params
from sidelight_toolkit.options import BatchSize, HeatmapDescriptor, Target, batch_option, target_option

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
        )
        for name, (factory, summary, paper) in COMPOSITES.items()
    ]
