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


@params
class InsertionDeletionParams:
    """Options of `insertion-deletion`."""

    baseline: Literal["blur", "black", "grey", "white", "mean"] = param(
        "blur",
        "What stands where a pixel is absent: the image blurred beyond recognition, a constant, its mean colour.",
    )
    step: float = param(
        0.02, "Share of the pixels that come or go between two points of the curve.", minimum=0.0001, maximum=1.0
    )
    score: Literal["softmax", "logit"] = param(
        "softmax", "What the curve shows of the class: its probability or its logit. A regression shows its value."
    )
    rule: Literal["trapezoid", "sum"] = param(
        "trapezoid", "How the area is taken: exactly, or as the left Riemann sum that some published code takes."
    )
    batch: int = _batch()


@params
class InversionParams:
    """Options of `inversion`."""

    batch: int = _batch()


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
