"""Options of the metrics."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import IMAGES_ON_CPU, BatchSize, batch_option

BaselineName = Literal["blur", "black", "grey", "white", "mean", "noisy-linear"]

SMALL_ON_CPU = 64
"""Images in one pass on a CPU of metrics that see hundreds of small ones."""
COMPARED_ON_CPU = 32
"""Images compared at a time on a CPU."""


def _batch(on_cpu: int = IMAGES_ON_CPU) -> Any:
    return batch_option("Images", on_cpu)


def _cells() -> Any:
    return param(
        None,
        "Rows and columns of a grid of soft-bordered cells to rank, as in I-GOS; null: pixels.",
        unit="cells",
        minimum=2,
        maximum=1024,
    )


def _held_out_split() -> Any:
    return param("test", "Split of the data that images come from; explained ones are left out.")


def _drawn() -> Any:
    return param(6000, "Images drawn to train the factor regressor.", unit="images", minimum=2, maximum=1_000_000)


def _steps() -> Any:
    return param(800, "Training steps of the factor regressor.", unit="steps", minimum=1, maximum=1_000_000)


def _training_batch() -> Any:
    return param(64, "Images in each training step of the regressor.", unit="images", minimum=2, maximum=4096)


@params
class BatchParams:
    """Options of metrics that only run the classifier again."""

    batch: BatchSize = _batch()


@params
class FlipRateParams:
    """Options of `flip-rate`."""

    tolerance: float = param(
        0.05,
        "Largest distance of the two classes' log-likelihoods at the boundary.",
        unit="nats",
        minimum=0.0,
        maximum=10.0,
    )
    batch: BatchSize = _batch()


@params
class DistanceParams:
    """Options of `distance`."""

    threshold: float = param(
        0.02, "Smallest change of a channel that counts, in images in [0, 1].", minimum=0.0, maximum=1.0
    )


@params
class TintParams:
    """Options of `tint`."""

    region: float = param(
        1.0, "Sides of the central part that is looked at, in those of the image.", minimum=0.01, maximum=1.0
    )


@params
class InsertionDeletionParams:
    """Options of `insertion-deletion`."""

    baselines: tuple[BaselineName, ...] = param(
        ("blur", "black", "noisy-linear"),
        "Values of hidden pixels, each in turn; `noisy-linear` interpolates them (ROAD).",
    )
    step: float = param(0.04, "Share of the pixels taken between two points of the curve.", minimum=0.0001, maximum=1.0)
    score: Literal["softmax", "logit"] = param(
        "softmax", "Score of the class that the curve shows; a regression shows its value."
    )
    rule: Literal["trapezoid", "sum"] = param(
        "trapezoid", "Rule of the area: exact trapezoid, or left Riemann sum as in some published code."
    )
    cells: int | None = _cells()
    convention: Literal["exact", "rise", "igos"] = param(
        "exact", "Preset; `rise` and `igos` follow published code and ignore baselines, step and rule."
    )
    batch: BatchSize = _batch()


@params
class MinimalAreaParams:
    """Options of `minimal-area`."""

    threshold: float = param(
        0.9, "Share of the full image's probability that is to be reached.", minimum=0.01, maximum=1.0
    )
    share: float = param(
        0.2, "Share of the image for which the images explained by it are counted.", minimum=0.001, maximum=1.0
    )
    step: float = param(
        0.02, "Share of the pixels between two points of the search, before refining.", minimum=0.001, maximum=1.0
    )
    baseline: Literal["blur", "black", "grey", "white", "mean"] = param(
        "blur", "Values of hidden pixels; the area depends on them."
    )
    cells: int | None = _cells()
    batch: BatchSize = _batch()


@params
class PointingGameParams:
    """Options of `pointing-game`."""

    split: str = param("test", "Split of the data that holds the explained images and the mask.")
    region: str = param("square", "Mask of the region that decides, a filled rectangle (`square` of `images/digits`).")


@params
class RegionCoverParams:
    """Options of `region-cover`."""

    region: str = param(..., "Mask of the region that decides.")
    split: str = param("test", "Split of the data that holds the explained images and the mask.")
    cover: float = param(0.9, "Share of the region that is to be covered.", minimum=0.01, maximum=1.0)


@params
class LpipsParams:
    """Options of `lpips`."""

    network: Literal["lpips", "efficientnet-lite"] = param(
        "lpips",
        "LPIPS with VGG16, or its formula on EfficientNet-Lite0, which is no LPIPS.",
    )
    batch: BatchSize = _batch(COMPARED_ON_CPU)


@params
class FidelityDiversityParams:
    """Options of `fidelity-diversity`."""

    features: Literal["efficientnet-lite", "pixels"] = param(
        "efficientnet-lite", "Space of neighbours: pooled features of EfficientNet-Lite0 (ImageNet), or pixels."
    )
    split: str = param("test", "Split of the data that samples are compared with.")
    count: int = param(
        1000, "Images, the first of the split, and as many samples.", unit="images", minimum=3, maximum=100_000
    )
    nearest: int = param(5, "Neighbour that bounds an image's ball (k).", minimum=1, maximum=1000)
    side: int = param(
        128, "Height and width to which images are resized for the network.", unit="pixels", minimum=32, maximum=1024
    )
    batch: BatchSize = _batch(SMALL_ON_CPU)


@params
class LocalityParams:
    """Options of `locality`."""

    parts: str = param(
        "test", "Split with the explained images and their part masks; patches if empty or without them."
    )
    grid: int = param(7, "Rows and columns of patches.", unit="patches", minimum=2, maximum=64)


@params
class CausalProfileParams:
    """Options of `causal-profile`."""

    split: str = param("test", "Split of the data that is drawn anew, and holds the explained images.")
    count: int = param(
        128, "Images whose factors are changed, the first of the split.", unit="images", minimum=1, maximum=100_000
    )
    change: Literal["ends", "redraw"] = param(
        "ends", "Change of a factor: to both ends of its range, or to values of other images."
    )
    draws: int = param(8, "Values of other images for each image, with `redraw`.", minimum=1, maximum=1000)
    batch: BatchSize = _batch(SMALL_ON_CPU)


@params
class FactorUseParams:
    """Options of `factor-use`."""

    factors: tuple[str, ...] = param((), "Factors to report; all of them where empty.")
    split: str = param("test", "Split of the data that holds the explained images.")
    regions: dict[str, str] = param({}, "Factor to the mask that shows it, where that has another name.")
    draws: int = param(
        4, "Values of other images by which the pixels of a factor without a mask are told.", minimum=1, maximum=1000
    )
    least_quality: float = param(
        0.5, "Smallest R squared of the factor reader, of levels of their indicators.", minimum=0.0, maximum=1.0
    )
    images: int = _drawn()
    steps: int = _steps()
    batch: int = _training_batch()


@params
class FactorChangeParams:
    """Options of `factor-change`."""

    factors: tuple[str, ...] = param((), "Factors to report; all of them where empty.")
    images: int = _drawn()
    steps: int = _steps()
    batch: int = _training_batch()


@params
class FactorSignParams:
    """Options of `factor-sign`."""

    factors: tuple[str, ...] = param(..., "Factors whose changes are judged.")
    split: str = param("test", "Split of the data that holds the explained images.")
    reading: Literal["network", "edit"] = param(
        "network", "Reading of a change: by the factor regressor, or its projection on the exact edit."
    )
    least_effect: float = param(
        0.5,
        "Smallest effect of the factor, from end to end, whose sign counts as proved.",
        unit="nats",
        minimum=0.0,
        maximum=100.0,
    )
    least_change: float = param(
        0.1, "Smallest change of the factor that has a sign.", unit="half-ranges", minimum=0.001, maximum=2.0
    )
    batch: BatchSize = _batch(SMALL_ON_CPU)
    images: int = _drawn()
    steps: int = _steps()
    reader_batch: int = _training_batch()


@params
class FactorRecoveryParams:
    """Options of `factor-recovery`."""

    split: str = param("test", "Split of the data that images come from.")
    count: int = param(
        1000, "Images to reconstruct, the first of the split.", unit="images", minimum=2, maximum=1_000_000
    )
    images: int = _drawn()
    steps: int = _steps()
    batch: int = _training_batch()


@params
class SufficiencyParams:
    """Options of `sufficiency`."""

    tops: tuple[int, ...] = param((1, 5, 10), "Numbers of attributes changed together, k.", minimum=1, maximum=1000)
    factors: tuple[float, ...] = param(
        (0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
        "Sizes of the change, as multiples of what the attributes were found with.",
        minimum=0.01,
        maximum=100.0,
    )
    split: str = _held_out_split()
    count: int = param(100, "Images to change.", unit="images", minimum=1, maximum=1_000_000)
    flagged: bool = param(True, "Count attributes that are flagged as implausible.")
    batch: BatchSize = _batch(SMALL_ON_CPU)


@params
class AttributeFactorsParams:
    """Options of `attribute-factors`."""

    factors: tuple[str, ...] = param((), "Factors whose rank among the attributes is reported.")
    top: int = param(10, "Attributes of each class that are measured, the first.", minimum=1, maximum=1000)
    split: str = _held_out_split()
    count: int = param(64, "Images to change.", unit="images", minimum=2, maximum=1_000_000)
    batch: BatchSize = _batch(SMALL_ON_CPU)
    images: int = _drawn()
    steps: int = _steps()
    learning_batch: int = _training_batch()
