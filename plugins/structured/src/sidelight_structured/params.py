"""Options of the components. The docs page on structured explanations gives the reasons for the defaults."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize, batch_option

VERIFIED_ON_CPU = 8
"""Images in one pass on a CPU where explanations are scored again."""


@params
class BaselineParams:
    """Blurred baseline that hides parts of an image."""

    kernel: int = param(
        51,
        "Width of the blur for an image of side 224; scales with the image.",
        unit="pixels",
        minimum=3,
        maximum=501,
    )
    sigma: float = param(
        50.0,
        "Standard deviation of the blur for an image of side 224; scales with the image.",
        unit="pixels",
        minimum=0.5,
        maximum=500,
    )
    baseline_limit: float = param(
        0.2,
        "Ratio of the class probability that the baseline may keep before it is blurred more.",
        minimum=0.0,
        maximum=1.0,
    )
    batch: BatchSize = batch_option("Images")


@params
class MaskParams(BaselineParams):
    """Options shared by all methods that optimise a mask."""

    size: int = param(28, "Height and width of the mask; at most the image's.", unit="cells", minimum=2, maximum=1024)
    steps: int = param(20, "Steps of the optimisation.", unit="steps", minimum=1, maximum=1000)
    area: float = param(0.1, "Weight of the masked area; higher marks less (lambda_1).", minimum=0.0, maximum=1000)
    smoothness: float = param(0.5, "Weight of the total variation (lambda_2).", minimum=0.0, maximum=1000)
    exponent: float = param(2.0, "Exponent of the total variation (beta).", minimum=1.0, maximum=3.0)
    curve_step: float = param(
        0.05,
        "Ratio of the mask's cells between two points of the insertion and deletion curves.",
        minimum=0.001,
        maximum=1.0,
    )
    images_at_once: int = param(8, "Images optimised side by side.", unit="images", minimum=1, maximum=1024)


@params
class DirectMaskParams(MaskParams):
    """Options of `direct-mask`."""

    steps: int = param(300, "Steps of Adam.", unit="steps", minimum=1, maximum=10_000)
    learning_rate: float = param(0.1, "Learning rate of Adam.", minimum=1e-4, maximum=1.0)
    area: float = param(0.08, "Weight of the masked area; higher marks less (lambda_1).", minimum=0.0, maximum=1000)
    smoothness: float = param(7.6, "Weight of the total variation (lambda_2).", minimum=0.0, maximum=1000)
    exponent: float = param(3.0, "Exponent of the total variation (beta).", minimum=1.0, maximum=3.0)
    jitter: int = param(
        4, "Random shifts of the image under the mask, per step and axis.", unit="pixels", minimum=1, maximum=64
    )


@params
class IntegratedMaskParams(MaskParams):
    """Options shared by `igos` and `igos++`."""

    coarse: int | None = param(
        None,
        "Size of a coarser mask for the first half of the steps; null by `size`, `size` for none.",
        unit="cells",
        minimum=2,
        maximum=1024,
    )
    integration_steps: int = param(
        2,
        "Integration points per step, stratified random samples of (0, 1] (S).",
        unit="points",
        minimum=1,
        maximum=200,
    )
    rule: Literal["momentum", "line search"] = param(
        "momentum", "Step rule: steps of fixed length, or Armijo backtracking, which costs more passes."
    )
    length: float = param(
        0.1, "Root mean square of a `momentum` step over the mask's cells.", minimum=1e-4, maximum=1.0
    )
    momentum: float = param(0.5, "Decay of the running mean of the gradients.", minimum=0.0, maximum=0.999)
    averaged: float = param(
        0.5,
        "Ratio of the final size's steps, the last ones, whose masks are averaged; 0: last mask.",
        minimum=0.0,
        maximum=1.0,
    )
    deletion: float = param(
        1.0, "Weight of the class probability with the marked region hidden.", minimum=0.0, maximum=1000
    )
    variation: Literal["bilateral", "plain"] = param(
        "bilateral", "Total variation, weaker across edges of the image, or the same everywhere."
    )
    edge: float = param(
        0.025,
        "Difference of colour across which the mask may jump (sigma).",
        unit="image range",
        minimum=0.001,
        maximum=1,
    )
    noise: float = param(
        0.02,
        "Standard deviation of the noise on the image at every gradient.",
        unit="image range",
        minimum=0.0,
        maximum=1.0,
    )


@params
class IgosParams(IntegratedMaskParams):
    """Options of `igos`."""

    insertion: float = param(
        0.0,
        "Weight of the class probability with only the marked region shown; 1 for iGOS+.",
        minimum=0.0,
        maximum=1000,
    )


@params
class IgosPlusPlusParams(IntegratedMaskParams):
    """Options of `igos++`."""

    steps: int = param(40, "Steps of the optimisation.", unit="steps", minimum=1, maximum=1000)
    deletion: float = param(
        2.0, "Weight of the class probability with the marked region hidden.", minimum=0.0, maximum=1000
    )
    insertion: float = param(
        1.0, "Weight of the class probability with only the marked region shown.", minimum=0.0, maximum=1000
    )


@params
class SagParams(BaselineParams):
    """Options of `sag`."""

    grid: int = param(7, "Rows and columns of patches.", unit="patches", minimum=2, maximum=16)
    threshold: float = param(
        0.9, "Ratio of the full image's probability at which a set is sufficient.", minimum=0.05, maximum=1.0
    )
    width: int = param(5, "Distinct sets that the beam keeps per level.", unit="sets", minimum=1, maximum=100000)
    candidates: int = param(
        15, "Patches by which each set may grow, most promising first.", unit="patches", minimum=1, maximum=256
    )
    passes: int = param(
        360, "Sets of patches scored in the search for one image.", unit="passes", minimum=1, maximum=1_000_000
    )
    overlap: int = param(
        1,
        "Patches that two roots may share; the search restarts for such sets.",
        unit="patches",
        minimum=0,
        maximum=256,
    )
    roots: int = param(3, "Explanations shown.", unit="explanations", minimum=1, maximum=50)
    branches: int = param(3, "Children of a node: the most damaging losses.", unit="nodes", minimum=1, maximum=256)
    depth: int = param(2, "Patches that the graph removes from a root in all.", unit="patches", minimum=1, maximum=4)
    baseline: Literal["blur", "black", "grey"] = param(
        "blur", "Filling of hidden patches: blur (the paper's text), black (the authors' code) or mid-grey."
    )
    soft: bool = param(True, "Patches are overlapping bilinear tents, as in the authors' code; false for hard squares.")
    order_steps: int = param(
        10, "Points of the integrated gradient that orders the patches.", unit="points", minimum=1, maximum=200
    )


@params
class ExplanationsParams:
    """Options of the metric `explanations`."""

    threshold: float = param(
        0.9, "Ratio of the full image's probability at which a set is sufficient.", minimum=0.05, maximum=1.0
    )
    overlaps: tuple[int, ...] = param(
        (0, 1, 2),
        "Patches that two explanations may share and still count as two; one number for each.",
        unit="patches",
        minimum=0,
        maximum=256,
    )
    batch: BatchSize = batch_option("Images", VERIFIED_ON_CPU)


@params
class SimulatabilityParams(BaselineParams):
    """Options of the metric `simulatability`."""

    queries: int = param(
        8, "Pairs of occluded versions for each image, at most.", unit="questions", minimum=1, maximum=100
    )
    sets: int = param(
        24, "Random sets of patches scored for each of nine sizes; pairs come from these.", minimum=2, maximum=1000
    )
    margin: float = param(
        0.2,
        "Least difference of a pair in probability, as a ratio of the whole image's.",
        minimum=0.0,
        maximum=1.0,
    )
    grid: int = param(7, "Rows and columns of patches.", unit="patches", minimum=2, maximum=16)
    soft: bool = param(True, "Patches are overlapping bilinear tents, as in `sag`; false for hard squares.")
    baseline: Literal["blur", "black", "grey"] = param("blur", "Filling of hidden patches, as in `sag`.")


@params
class XnnParams:
    """Options of `xnn`."""

    layer: str = param(
        "", "Layer of the classifier that the network is attached to; empty for the last hidden one (Z)."
    )
    classes: tuple[str, ...] = param((), "Classes whose logits are explained; empty for all of them.")
    features: int | None = param(
        None,
        "Initial number of x-features; null for three per class, five to a hundred (n).",
        unit="x-features",
        minimum=1,
        maximum=1000,
    )
    widths: tuple[int, ...] = param(
        (),
        "Hidden layers of the encoder, mirrored by the decoder; empty to choose by the layer's size.",
        unit="units",
        minimum=1,
        maximum=16384,
    )
    reconstruction: float = param(
        0.3, "Weight of the sparse reconstruction; 0 leaves it out (beta).", minimum=0.0, maximum=1e6
    )
    orthogonality: float = param(
        0.3, "Weight of the squared cosine between x-features; 0 leaves it out (eta).", minimum=0.0, maximum=1e6
    )
    overlap: float = param(
        0.045,
        "Highest accepted mean squared cosine; above it training restarts with a larger eta.",
        minimum=0.0,
        maximum=1.0,
    )
    agreement: float = param(
        0.985,
        "Lowest accepted ratio of repeated predictions; below it training restarts, smaller eta.",
        minimum=0.0,
        maximum=1.0,
    )
    tries: int = param(4, "Trainings at most; the one with the smallest miss is kept.", minimum=1, maximum=20)
    q: float = param(
        100.0, "Sharpness of the sparse reconstruction's choice of dimensions (q).", minimum=1e-6, maximum=1e9
    )
    steps: int = param(6000, "Length of the training.", unit="steps", minimum=1, maximum=10_000_000)
    batch: int = param(
        512, "Images per step; x-features are compared over these (M).", unit="images", minimum=2, maximum=65536
    )
    learning_rate: float = param(
        2e-3, "Peak of the learning rate, which rises and falls linearly.", minimum=1e-7, maximum=10.0
    )
    weight_decay: float = param(1e-4, "Weight decay.", minimum=0.0, maximum=1.0)
    images: int = param(
        60_000,
        "Images of the training split at most; memory holds the layer for all of them (N).",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    exemplars: int = param(
        8,
        "Training images shown for each x-feature: those in which it fires most.",
        unit="images",
        minimum=0,
        maximum=1000,
    )
    heatmaps: int | None = param(
        None,
        "x-features of an image with a heatmap, the largest contributions; null for all that fire.",
        unit="x-features",
        minimum=1,
        maximum=1000,
    )
    gain: float = param(
        4.0,
        "Logit of an x-feature as strong as in the image, for the heatmap method; minus it if absent.",
        minimum=0.1,
        maximum=100.0,
    )
    classifier_batch: int = param(
        64, "Images in one forward pass of the classifier.", unit="images", minimum=1, maximum=4096
    )
