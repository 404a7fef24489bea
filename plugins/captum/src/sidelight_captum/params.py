"""Options of the explainers."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize, LayerParams, Target, batch_option, target_option

Baseline = Literal["black", "grey", "white", "mean", "blur"]
Channels = Literal["sum", "max"]
Noise = Literal["none", "smoothgrad", "smoothgrad_sq", "vargrad"]


def _channels(default: Channels) -> Any:
    return param(
        default,
        "Reduction of the colour channels: `sum`, signed, or `max`, largest magnitude, unsigned.",
    )


def _baseline(default: Baseline, what: str) -> Any:
    return param(default, f"{what}: a constant colour, each image's mean colour, or a strong blur.")


@params
class IntegratedGradientsParams:
    """Options of `integrated-gradients`."""

    target: Target = target_option()
    steps: int = param(50, "Gradients along the path from the baseline.", unit="steps", minimum=2, maximum=2000)
    baseline: Baseline = _baseline("black", "Start of the integration path (x')")
    method: Literal["gausslegendre", "riemann_middle", "riemann_trapezoid"] = param(
        "gausslegendre", "Quadrature rule, by captum's name."
    )
    channels: Channels = _channels("sum")
    smooth: float = param(
        0.0,
        "Width of the Gaussian that smooths the heatmap; 0 for none (sigma).",
        unit="pixels",
        minimum=0.0,
        maximum=512.0,
    )
    batch: BatchSize = batch_option("Points on the images' paths")


@params
class SaliencyParams:
    """Options of `saliency`."""

    target: Target = target_option()
    noise: Noise = param(
        "none",
        "Statistic over noisy copies: none, mean (SmoothGrad), mean square, or variance (VarGrad).",
    )
    samples: int = param(
        25, "Noisy copies of each image, unless noise is none (S).", unit="copies", minimum=2, maximum=2000
    )
    stdev: float = param(
        0.15, "Standard deviation of the Gaussian noise, the image's range being 1.", minimum=0.0, maximum=1.0
    )
    channels: Channels = _channels("max")
    batch: BatchSize = batch_option("Images")


@params
class GuidedBackpropParams:
    """Options of `guided-backprop`."""

    target: Target = target_option()
    channels: Channels = _channels("max")
    batch: BatchSize = batch_option("Images")


@params
class GradCamParams(LayerParams):
    """Options of `grad-cam`."""

    relu: bool = param(True, "Keep only evidence for the class, as the paper does; false for a signed map.")
    batch: BatchSize = batch_option("Images")


@params
class GuidedGradCamParams(LayerParams):
    """Options of `guided-grad-cam`."""

    channels: Channels = _channels("max")
    batch: BatchSize = batch_option("Images")


@params
class OcclusionParams:
    """Options of `occlusion`."""

    target: Target = target_option()
    window: int | None = param(
        None,
        "Side of the covered square; default: an eighth of the image's shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    stride: int | None = param(
        None, "Distance from one square to the next; default: half the window.", unit="pixels", minimum=1, maximum=4096
    )
    baseline: Baseline = _baseline("grey", "Cover of the square")
    batch: BatchSize = batch_option("Covered copies of the images")


@params
class LimeParams:
    """Options of `lime`."""

    target: Target = target_option()
    cell: int | None = param(
        None,
        "Side of a cell that is shown or hidden; default: an eighth of the shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    samples: int = param(
        1000,
        "Copies of each image with half of the cells hidden; needs several per cell (S).",
        unit="copies",
        minimum=2,
        maximum=1_000_000,
    )
    width: float = param(
        0.25,
        "Kernel width, in cosine distance: weight of copies by the cells they show.",
        minimum=0.01,
        maximum=100.0,
    )
    alpha: float = param(1.0, "Penalty of the ridge regression (alpha).", minimum=1e-6, maximum=1e6)
    baseline: Baseline = _baseline("mean", "Cover of a hidden cell")
    batch: BatchSize = batch_option("Copies of one image")


@params
class LrpParams:
    """Options of `lrp`."""

    target: Target = target_option()
    rule: Literal["epsilon", "z-plus", "alpha-beta"] = param(
        "epsilon", "Rule for convolutions and linear layers; everything else follows `epsilon`."
    )
    epsilon: float = param(
        0.01,
        "Stabiliser in units of a layer's output; larger drops weak contributions (epsilon).",
        minimum=1e-9,
        maximum=1000.0,
    )
    alpha: float = param(
        2.0,
        "Weight of positive contributions under `alpha-beta`; negative: alpha - 1 (alpha).",
        minimum=1.0,
        maximum=10.0,
    )
    channels: Channels = _channels("sum")
    batch: BatchSize = batch_option("Images")
