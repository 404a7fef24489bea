"""Options of the explainers."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize, Target, batch_option, target_option

Fusion = Literal["mean", "max", "min"]


@params
class RolloutParams:
    """Options of `rollout`."""

    heads: Fusion = param("mean", "Fusion of a layer's heads; the paper takes the mean.")
    discard: float = param(
        0.0,
        "Ratio of each layer's smallest weights set to zero (Gildenblat 2020).",
        minimum=0.0,
        maximum=0.99,
    )
    batch: BatchSize = batch_option("Images")


@params
class GradientAttentionParams:
    """Options of `gradient-attention`."""

    target: Target = target_option()
    batch: BatchSize = batch_option("Images")


@params
class LeGradParams:
    """Options of `legrad`."""

    target: Target = target_option()
    layers: int | None = param(
        None, "Last layers whose maps are averaged; default: all (L).", unit="layers", minimum=1, maximum=1000
    )
    batch: BatchSize = batch_option("Images")
