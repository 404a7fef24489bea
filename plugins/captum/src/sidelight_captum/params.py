"""The options of the explainers."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params

Target = Literal["predicted", "probe", "contrast"]
Baseline = Literal["black", "grey", "white", "mean", "blur"]
Channels = Literal["sum", "max"]
LayoutName = Literal["auto", "nchw", "nhwc", "tokens"]
Noise = Literal["none", "smoothgrad", "smoothgrad_sq", "vargrad"]


def _target() -> Any:
    return param(
        "predicted",
        "Whose logit is explained: the predicted class's, the probe's, or `contrast`, the first minus the second.",
    )


def _batch(what: str, default: int = 4) -> Any:
    return param(default, f"{what} in one pass; bounds the memory.", unit="images", minimum=1, maximum=4096)


def _channels(default: Channels) -> Any:
    return param(
        default,
        "How the colour channels become one value: `sum`, signed, or `max`, the largest magnitude, unsigned.",
    )


def _layer() -> Any:
    return param(None, "Dotted name of the layer; by default the last feature maps that decide the score.")


def _layout() -> Any:
    return param("auto", "Layout of its output: (N, C, h, w), (N, h, w, C) or tokens (N, T, C); traced by default.")


def _prefix_tokens() -> Any:
    return param(None, "Class and register tokens before the image's; traced by default.", minimum=0, maximum=4096)


def _grid() -> Any:
    return param(
        None, "Height and width of the token grid; traced by default.", unit="tokens", minimum=1, maximum=65536
    )


def _baseline(default: Baseline, what: str) -> Any:
    return param(default, f"{what}: a constant, each image's mean colour, or the image blurred beyond recognition.")


@params
class IntegratedGradientsParams:
    """Options of `integrated-gradients`."""

    target: Target = _target()
    steps: int = param(50, "Gradients taken along the way from the baseline.", unit="steps", minimum=2, maximum=2000)
    baseline: Baseline = _baseline("black", "Where the way starts")
    method: Literal["gausslegendre", "riemann_middle", "riemann_trapezoid"] = param(
        "gausslegendre", "The quadrature rule, by captum's name."
    )
    channels: Channels = _channels("sum")
    smooth: float = param(
        0.0,
        "Width of the Gaussian that smooths the heatmap; 0 for none (sigma).",
        unit="pixels",
        minimum=0.0,
        maximum=512.0,
    )
    batch: int = _batch("Points on one image's way")


@params
class SaliencyParams:
    """Options of `saliency`."""

    target: Target = _target()
    noise: Noise = param(
        "none",
        "What is made of the gradients of noisy copies: nothing, their mean (SmoothGrad), the mean of their squares, "
        "or their variance (VarGrad).",
    )
    samples: int = param(
        25, "Noisy copies of each image, where there is noise.", unit="copies", minimum=2, maximum=2000
    )
    stdev: float = param(
        0.15, "Standard deviation of the Gaussian noise, the image's range being 1.", minimum=0.0, maximum=1.0
    )
    channels: Channels = _channels("max")
    batch: int = _batch("Images")


@params
class GuidedBackpropParams:
    """Options of `guided-backprop`."""

    target: Target = _target()
    channels: Channels = _channels("max")
    batch: int = _batch("Images")


@params
class GradCamParams:
    """Options of `grad-cam`."""

    target: Target = _target()
    layer: str | None = _layer()
    layout: LayoutName = _layout()
    prefix_tokens: int | None = _prefix_tokens()
    grid: tuple[int, ...] | None = _grid()
    relu: bool = param(True, "Keep only what speaks for the class, as the paper does; otherwise the map is signed.")
    batch: int = _batch("Images")


@params
class GuidedGradCamParams:
    """Options of `guided-grad-cam`."""

    target: Target = _target()
    layer: str | None = _layer()
    layout: LayoutName = _layout()
    prefix_tokens: int | None = _prefix_tokens()
    grid: tuple[int, ...] | None = _grid()
    channels: Channels = _channels("max")
    batch: int = _batch("Images")


@params
class OcclusionParams:
    """Options of `occlusion`."""

    target: Target = _target()
    window: int | None = param(
        None,
        "Side of the square that is covered; by default an eighth of the image's shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    stride: int | None = param(
        None, "From one square to the next; by default half the window.", unit="pixels", minimum=1, maximum=4096
    )
    baseline: Baseline = _baseline("grey", "What covers it")
    batch: int = _batch("Covered copies of one image")


@params
class LimeParams:
    """Options of `lime`."""

    target: Target = _target()
    cell: int | None = param(
        None,
        "Side of the squares that are shown or hidden; by default an eighth of the image's shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    samples: int = param(
        1000,
        "Copies of each image with half of the cells hidden; several for each cell are needed.",
        unit="copies",
        minimum=2,
        maximum=1_000_000,
    )
    width: float = param(
        0.25,
        "Width of the kernel that gives copies more weight the more they show; in cosine distance.",
        minimum=0.01,
        maximum=100.0,
    )
    alpha: float = param(1.0, "Strength of the ridge regression's penalty.", minimum=1e-6, maximum=1e6)
    baseline: Baseline = _baseline("mean", "What hides a cell")
    batch: int = _batch("Copies of one image")


@params
class LrpParams:
    """Options of `lrp`."""

    target: Target = _target()
    rule: Literal["epsilon", "z-plus", "alpha-beta"] = param(
        "epsilon", "Rule of convolutions and linear layers; everything else keeps to `epsilon`."
    )
    epsilon: float = param(
        0.01,
        "Stabiliser in units of a layer's output; larger drops weak contributions (epsilon).",
        minimum=1e-9,
        maximum=1000.0,
    )
    alpha: float = param(
        2.0,
        "Weight of what speaks for the score under `alpha-beta`, against alpha - 1 (alpha).",
        minimum=1.0,
        maximum=10.0,
    )
    channels: Channels = _channels("sum")
    batch: int = _batch("Images")
