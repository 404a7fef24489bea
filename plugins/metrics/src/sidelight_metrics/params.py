"""The options of the metrics."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params


def _batch() -> Any:
    return param(4, "Images in one forward pass; bounds the memory.", unit="images", minimum=1, maximum=4096)


@params
class FlipRateParams:
    """Options of `flip-rate`."""

    tolerance: float = param(
        0.05,
        "How far the log-likelihoods of predicted class and probe may lie apart on the boundary.",
        unit="nats",
        minimum=0.0,
        maximum=10.0,
    )
    batch: int = _batch()


@params
class ThirdClassRateParams:
    """Options of `third-class-rate`."""

    batch: int = _batch()


@params
class ConfidenceChangeParams:
    """Options of `confidence-change`."""

    batch: int = _batch()


@params
class DistanceParams:
    """Options of `distance`."""

    threshold: float = param(
        0.02,
        "A pixel counts as kept while no channel of it changes by this much, the image's range being 1.",
        minimum=0.0,
        maximum=1.0,
    )


Baseline = Literal["blur", "black", "grey", "white", "mean", "noisy-linear"]


def _cells() -> Any:
    return param(
        None,
        "Rank the cells of a grid with so many rows and columns, with soft borders, as I-GOS is measured at "
        "7x7, 28x28 and 224x224; where null, the pixels themselves.",
        unit="cells",
        minimum=2,
        maximum=1024,
    )


@params
class InsertionDeletionParams:
    """Options of `insertion-deletion`."""

    baselines: tuple[Baseline, ...] = param(
        ("blur", "black", "noisy-linear"),
        "What stands where a pixel is absent; each in turn. `noisy-linear` interpolates it from visible pixels (ROAD).",
    )
    step: float = param(
        0.04, "Share of the pixels that come or go between two points of the curve.", minimum=0.0001, maximum=1.0
    )
    score: Literal["softmax", "logit"] = param(
        "softmax", "What the curve shows of the class: its probability or its logit. A regression shows its value."
    )
    rule: Literal["trapezoid", "sum"] = param(
        "trapezoid", "How the area is taken: exactly, or as the left Riemann sum that some published code takes."
    )
    cells: int | None = _cells()
    convention: Literal["exact", "rise", "igos"] = param(
        "exact",
        "`exact` does as the other options say. The others ignore `baselines`, `step` and `rule` and do as published "
        "code does, so that figures compare: `rise` takes a row of pixels at a time, into a light blur and out to "
        "grey; `igos` takes whole chunks of 1/50 and counts the score after each, the last one as 1.",
    )
    batch: int = _batch()


@params
class MinimalAreaParams:
    """Options of `minimal-area`."""

    threshold: float = param(
        0.9, "Share of the full image's probability that is to be reached.", minimum=0.01, maximum=1.0
    )
    share: float = param(
        0.2, "The share of the image asked about: for how many images is it enough?", minimum=0.001, maximum=1.0
    )
    step: float = param(
        0.02,
        "Share of the pixels between two points at which it is looked for, before refining.",
        minimum=0.001,
        maximum=1.0,
    )
    baseline: Literal["blur", "black", "grey", "white", "mean"] = param(
        "blur",
        "What stands where a pixel is absent: the image blurred beyond recognition, a constant, its mean colour. "
        "The answer depends on it.",
    )
    cells: int | None = _cells()
    batch: int = _batch()


@params
class RegionCoverParams:
    """Options of `region-cover`."""

    region: str = param(..., "The mask, in the data, of the region that is known to decide.")
    split: str = param("test", "The data's split that has the explained images and the mask.")
    cover: float = param(0.9, "Share of the region that is to be covered.", minimum=0.01, maximum=1.0)


@params
class InversionParams:
    """Options of `inversion`."""

    batch: int = _batch()


@params
class LpipsParams:
    """Options of `lpips`."""

    network: Literal["lpips", "efficientnet-lite"] = param(
        "lpips",
        "LPIPS with VGG16, or its formula on EfficientNet-Lite0, which is no LPIPS.",
    )
    batch: int = param(32, "Images compared at a time; bounds the memory.", unit="images", minimum=1, maximum=4096)


@params
class FaithfulnessParams:
    """Options of `faithfulness`."""

    batch: int = _batch()


@params
class LocalityParams:
    """Options of `locality`."""

    parts: str = param(
        "test",
        "The split of the recipe's data whose masks are the parts. The explained images are looked for in it; "
        "patches are used unless all of them are there with masks, or where this is empty.",
    )
    grid: int = param(7, "Rows and columns of patches.", unit="patches", minimum=2, maximum=64)


@params
class PointingGameParams:
    """Options of `pointing-game`."""

    split: str = param("test", "The split of the recipe's data that the explained images come from.")
    region: str = param(
        "square", "The mask of that split that marks the region, a filled rectangle (`square` of `images/digits`)."
    )


@params
class CausalProfileParams:
    """Options of `causal-profile`."""

    split: str = param("test", "The split of the recipe's data that is drawn anew, and in which explained images are.")
    count: int = param(
        128, "Images whose factors are changed, the first of the split.", unit="images", minimum=1, maximum=100_000
    )
    batch: int = param(64, "Images in one forward pass; bounds the memory.", unit="images", minimum=1, maximum=4096)


@params
class FactorChangeParams:
    """Options of `factor-change`."""

    factors: tuple[str, ...] = param((), "The factors to report; all of them where empty.")
    images: int = param(
        6000, "Images that the regressor learns from, drawn for it.", unit="images", minimum=2, maximum=1_000_000
    )
    steps: int = param(800, "Length of the regressor's training.", unit="steps", minimum=1, maximum=1_000_000)
    batch: int = param(64, "Images in each step of it.", unit="images", minimum=2, maximum=4096)


@params
class FactorRecoveryParams:
    """Options of `factor-recovery`."""

    split: str = param("test", "Images are taken from this split of the recipe's data, the first ones.")
    count: int = param(1000, "How many images.", unit="images", minimum=2, maximum=1_000_000)
    images: int = param(
        6000, "Images that the regressor learns from, drawn for it.", unit="images", minimum=2, maximum=1_000_000
    )
    steps: int = param(800, "Length of the regressor's training.", unit="steps", minimum=1, maximum=1_000_000)
    batch: int = param(64, "Images in each step of it.", unit="images", minimum=2, maximum=4096)


@params
class SufficiencyParams:
    """Options of `sufficiency`."""

    tops: tuple[int, ...] = param((1, 5, 10), "How many attributes are changed together.", minimum=1, maximum=1000)
    factors: tuple[float, ...] = param(
        (0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
        "How far: so many times as far as the attributes were found with.",
        minimum=0.01,
        maximum=100.0,
    )
    split: str = param("test", "Images are taken from this split of the recipe's data; explained ones are left out.")
    count: int = param(100, "How many images.", unit="images", minimum=1, maximum=1_000_000)
    flagged: bool = param(True, "Whether attributes that are flagged as implausible count too.")
    batch: int = param(64, "Images in one forward pass; bounds the memory.", unit="images", minimum=1, maximum=4096)


@params
class AttributeFactorsParams:
    """Options of `attribute-factors`."""

    factors: tuple[str, ...] = param((), "Factors whose rank among the attributes is reported.")
    top: int = param(10, "How many attributes of each class are looked at, the first.", minimum=1, maximum=1000)
    split: str = param("test", "Images are taken from this split of the recipe's data; explained ones are left out.")
    count: int = param(64, "How many images.", unit="images", minimum=2, maximum=1_000_000)
    batch: int = param(64, "Images in one forward pass; bounds the memory.", unit="images", minimum=1, maximum=4096)
    images: int = param(
        6000, "Images that the regressor learns from, drawn for it.", unit="images", minimum=2, maximum=1_000_000
    )
    steps: int = param(800, "Length of the regressor's training.", unit="steps", minimum=1, maximum=1_000_000)
    learning_batch: int = param(64, "Images in each step of it.", unit="images", minimum=2, maximum=4096)
