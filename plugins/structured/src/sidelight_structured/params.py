"""The parameters of the plugin's components."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params


@params
class BaselineParams:
    """How what is hidden looks."""

    kernel: int = param(
        51,
        "Width of the blur that hides, for an image of 224 pixels; it follows the image's size.",
        unit="pixels",
        minimum=3,
        maximum=501,
    )
    sigma: float = param(
        50.0, "Standard deviation of that blur, for an image of 224 pixels.", unit="pixels", minimum=0.5, maximum=500
    )
    baseline_limit: float = param(
        0.2,
        "The blurred image may keep this share of the class's probability, else it is blurred more; 1 accepts any.",
        minimum=0.0,
        maximum=1.0,
    )
    batch: int = param(
        4, "Images in one forward pass of the classifier; memory follows it.", unit="images", minimum=1, maximum=4096
    )


@params
class MaskParams(BaselineParams):
    """What I-GOS and iGOS++ share."""

    size: int = param(
        28, "Height and width of the mask; from 7 to the image's own size.", unit="cells", minimum=2, maximum=1024
    )
    coarse: int | None = param(
        14,
        "Size of a coarser mask that is optimised for the first half of the steps and then refined, which keeps fine "
        "masks from scattering: 28 for a mask of 224; null, or one that is not coarser, for none.",
        unit="cells",
        minimum=2,
        maximum=1024,
    )
    steps: int = param(20, "Steps of the optimisation.", unit="steps", minimum=1, maximum=1000)
    integration_steps: int = param(
        2,
        "Points of the integrated gradient at every step, each at random in its equal part of the way.",
        unit="points",
        minimum=1,
        maximum=200,
    )
    rule: Literal["momentum", "line search"] = param(
        "momentum",
        "How far a step goes: a length of its own along a running mean of the gradients, or as far as lowers the "
        "objective, which costs more forward passes.",
    )
    length: float = param(
        0.1, "Root mean square of a step over the mask's cells, with momentum.", minimum=1e-4, maximum=1.0
    )
    momentum: float = param(0.5, "Share of the running mean of the gradients that is kept.", minimum=0.0, maximum=0.999)
    averaged: float = param(
        0.5,
        "Share of the steps at the mask's final size, the last ones, whose masks are averaged to the answer; 0 takes "
        "the last mask alone.",
        minimum=0.0,
        maximum=1.0,
    )
    deletion: float = param(
        1.0, "Weight of the class's probability when what the mask marks is hidden.", minimum=0.0, maximum=1000
    )
    area: float = param(0.1, "Weight of the mask's mean, lambda 1: higher marks less.", minimum=0.0, maximum=1000)
    smoothness: float = param(
        0.5, "Weight of the bilateral total variation, lambda 2: higher is smoother.", minimum=0.0, maximum=1000
    )
    edge: float = param(
        0.025,
        "Difference of colour across which the mask may jump, sigma of the bilateral weight.",
        unit="image range",
        minimum=0.001,
        maximum=1,
    )
    exponent: float = param(2.0, "Exponent of the total variation, beta.", minimum=1.0, maximum=3.0)
    noise: float = param(
        0.02,
        "Standard deviation of the noise on the image at every gradient.",
        unit="image range",
        minimum=0.0,
        maximum=1.0,
    )
    curve_step: float = param(
        0.05,
        "Share of the mask's cells between two points of the insertion and deletion curves that go with a mask.",
        minimum=0.001,
        maximum=1.0,
    )
    images_at_once: int = param(8, "Images that are optimised side by side.", unit="images", minimum=1, maximum=1024)


@params
class IgosParams(MaskParams):
    """Options of `igos`."""


@params
class IgosPlusPlusParams(MaskParams):
    """Options of `igos++`."""

    coarse: int | None = param(
        None,
        "Size of a coarser mask that is optimised for the first half of the steps and then refined, which keeps masks "
        "of the image's own size from scattering: 28 for a mask of 224; null, or one that is not coarser, for none.",
        unit="cells",
        minimum=2,
        maximum=1024,
    )
    steps: int = param(40, "Steps of the optimisation.", unit="steps", minimum=1, maximum=1000)
    deletion: float = param(
        2.0, "Weight of the class's probability when what the mask marks is hidden.", minimum=0.0, maximum=1000
    )
    insertion: float = param(
        1.0, "Weight of the class's probability when only what the mask marks is shown.", minimum=0.0, maximum=1000
    )


@params
class SagParams(BaselineParams):
    """Options of `sag`."""

    grid: int = param(7, "Rows and columns of patches.", unit="patches", minimum=2, maximum=16)
    threshold: float = param(
        0.9, "A set of patches is sufficient at this share of the full image's probability.", minimum=0.05, maximum=1.0
    )
    width: int = param(5, "Distinct sets that the beam keeps on every level.", unit="sets", minimum=1, maximum=100000)
    candidates: int = param(
        15, "Patches by which each set may grow, the most promising first.", unit="patches", minimum=1, maximum=256
    )
    most: int = param(
        10,
        "The search ends when so many explanations are known.",
        unit="explanations",
        minimum=1,
        maximum=100000,
    )
    overlap: int = param(1, "Patches that two explanations shown may share.", unit="patches", minimum=0, maximum=256)
    roots: int = param(3, "Explanations shown.", unit="explanations", minimum=1, maximum=50)
    branches: int = param(3, "Children of a node: the losses that cost most.", unit="nodes", minimum=1, maximum=256)
    depth: int = param(2, "Patches that the graph takes away in all.", unit="patches", minimum=1, maximum=4)
    baseline: Literal["blur", "black", "grey"] = param(
        "blur",
        "What hides a patch: the blurred image (the paper's text), black (the authors' code) or mid-grey.",
    )
    soft: bool = param(
        True,
        "Patches are bilinear tents that overlap, as in the authors' code, or hard squares; tents light about three "
        "times the area of as many squares, so fewer are enough.",
    )
    order_steps: int = param(
        10, "Points of the integrated gradient that puts the patches in order.", unit="points", minimum=1, maximum=200
    )


@params
class ExplanationsParams:
    """Options of the metric `explanations`."""

    threshold: float = param(
        0.9, "A set of patches is sufficient at this share of the full image's probability.", minimum=0.05, maximum=1.0
    )
    overlaps: tuple[int, ...] = param(
        (0, 1, 2),
        "Patches that two explanations may share to count as two; one number of the table for each.",
        unit="patches",
        minimum=0,
        maximum=256,
    )
    batch: int = param(8, "Images in one forward pass of the classifier.", unit="images", minimum=1, maximum=4096)


@params
class XnnParams:
    """Options of `xnn`."""

    layer: str = param(
        "",
        "The classifier's layer that the explanation network is attached to; where empty, the last hidden one. "
        "Later layers are mimicked more easily and give concepts of a higher level.",
    )
    classes: tuple[str, ...] = param((), "The classes whose logits are explained; all of them where empty.")
    features: int | None = param(
        None,
        "Number of x-features to start with; those that never fire are dropped. Where null, three for each explained "
        "class, at least five.",
        unit="x-features",
        minimum=1,
        maximum=1000,
    )
    widths: tuple[int, ...] = param(
        (),
        "Hidden layers of the encoder, mirrored by the decoder; where empty, chosen by the size of the layer.",
        unit="units",
        minimum=1,
        maximum=16384,
    )
    reconstruction: float = param(
        0.003, "Weight beta of the sparse reconstruction; 0 leaves it out.", minimum=0.0, maximum=1e6
    )
    orthogonality: float = param(
        0.3, "Weight eta of the squared cosine between x-features; 0 leaves it out.", minimum=0.0, maximum=1e6
    )
    overlap: float = param(
        0.045,
        "Mean squared cosine between x-features, over the training images, up to which a training is accepted; above "
        "it there is another one, from a new start and with more pull-away.",
        minimum=0.0,
        maximum=1.0,
    )
    agreement: float = param(
        0.985,
        "Share of the training images whose prediction the x-features alone must repeat for a training to be accepted; "
        "below it there is another one, from a new start and with less pull-away.",
        minimum=0.0,
        maximum=1.0,
    )
    tries: int = param(
        4, "Trainings at most; the one that misses `overlap` and `agreement` least is kept.", minimum=1, maximum=20
    )
    q: float = param(
        100.0,
        "How sharply the reconstruction tells dimensions apart that it keeps and gives up.",
        minimum=1e-6,
        maximum=1e9,
    )
    steps: int = param(6000, "Length of the training.", unit="steps", minimum=1, maximum=10_000_000)
    batch: int = param(
        512, "Images in each step; x-features are compared over these.", unit="images", minimum=2, maximum=65536
    )
    learning_rate: float = param(
        2e-3, "Highest learning rate; it rises and falls linearly.", minimum=1e-7, maximum=10.0
    )
    weight_decay: float = param(1e-4, "Weight decay.", minimum=0.0, maximum=1.0)
    images: int = param(
        60_000,
        "The training split's first images, so many at most, are used; memory holds the layer for all of them.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    exemplars: int = param(
        8,
        "Training images kept for each x-feature: those in which it fires most.",
        unit="images",
        minimum=0,
        maximum=1000,
    )
    classifier_batch: int = param(
        64, "Images in one forward pass of the classifier.", unit="images", minimum=1, maximum=4096
    )
