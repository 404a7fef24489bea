"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize, batch_option

ENCODED_ON_CPU = 1
"""Images encoded at a time on a CPU."""
SEARCHES_ON_CPU = 64
"""Searches for latents side by side on a CPU."""
SEARCHED_ON_CPU = 32
"""Images searched side by side on a CPU."""
CHANGED_ON_CPU = 256
"""Changed images in one pass on a CPU."""


@params
class AutoencoderParams:
    """Options that `ae` and `vae` share."""

    latent: int = param(
        32, "Length of the latent vector z (400 in the paper).", unit="numbers", minimum=1, maximum=4096
    )
    width: int = param(
        16, "Channels of the first layer; deeper layers have two and four times as many.", minimum=1, maximum=512
    )
    steps: int = param(1500, "Length of the training.", unit="steps", minimum=1, maximum=10_000_000)
    batch: int = param(64, "Images in a training step.", unit="images", minimum=2, maximum=65_536)
    rate: float = param(0.003, "Highest learning rate of Adam.", minimum=1e-6, maximum=1.0)
    size: int | None = param(
        None,
        "Longer side that the networks work at; larger images are reduced for them, theirs enlarged.",
        unit="pixels",
        minimum=8,
        maximum=4096,
    )


@params
class AeParams(AutoencoderParams):
    """Options of `ae`."""


@params
class VaeParams(AutoencoderParams):
    """Options of `vae`."""

    variance: float = param(
        0.05,
        "Variance of the pixels; lower is sharper, higher keeps latents closer to the prior.",
        minimum=1e-6,
        maximum=100.0,
    )
    beta: float = param(1.0, "Weight of the divergence from the prior.", minimum=0.0, maximum=1000.0)


@params
class GanParams:
    """Options of `gan`."""

    latent: int = param(100, "Length of the latent vector z.", unit="numbers", minimum=1, maximum=4096)
    width: int = param(
        32,
        "Channels of the generator next to the image; doubled at each halving of the size.",
        minimum=1,
        maximum=512,
    )
    critic_width: int = param(16, "Channels of the critic next to the image, doubled likewise.", minimum=1, maximum=512)
    steps: int = param(2500, "Length of the training.", unit="steps of the generator", minimum=1, maximum=10_000_000)
    batch: int = param(64, "Real images, and generated ones, in a step.", unit="images", minimum=2, maximum=65_536)
    critic: int = param(2, "Steps of the critic for each of the generator.", unit="steps", minimum=1, maximum=100)
    lipschitz: Literal["penalty", "clipping"] = param(
        "penalty", "Lipschitz constraint of the critic: a gradient penalty, or clipped weights (paper)."
    )
    penalty: float = param(10.0, "Weight of the gradient penalty.", minimum=0.0, maximum=10_000.0)
    clip: float = param(0.01, "Magnitude at which weights are clipped.", minimum=1e-6, maximum=100.0)
    rate: float = param(0.001, "Highest learning rate of the generator.", minimum=1e-6, maximum=1.0)
    critic_rate: float = param(0.001, "Learning rate of the critic.", minimum=1e-6, maximum=1.0)
    average: float = param(0.99, "Decay of the running average of the generator's weights.", minimum=0.0, maximum=1.0)
    size: int | None = param(
        None,
        "Longer side that the networks work at; larger images are reduced for them, theirs enlarged.",
        unit="pixels",
        minimum=8,
        maximum=4096,
    )


@params
class EncoderParams:
    """Options of `encoder`."""

    batch: BatchSize = param(
        ENCODED_ON_CPU,
        "Images encoded at a time, or auto; at 1 no code depends on another image, to the last bit.",
        unit="images",
        minimum=1,
        maximum=65_536,
    )


@params
class OptimiseParams:
    """Options of `optimise`."""

    starts: int = param(
        3, "Random starts for each image; the best one is kept.", unit="starts", minimum=1, maximum=1000
    )
    start: int | None = param(
        None,
        "Number of the only start, from 0: the one that it is among several.",
        minimum=0,
        maximum=999,
    )
    steps: int = param(300, "Length of the search.", unit="steps", minimum=1, maximum=1_000_000)
    rate: float = param(0.1, "Highest learning rate of Adam.", unit="units of latent space", minimum=1e-6, maximum=10.0)
    misclassification: float = param(
        1.0,
        "Weight of the cross-entropy against the image's class, beside the squared distance (w).",
        unit="squared brightness for each nat",
        minimum=0.0,
        maximum=1e6,
    )
    prior: float = param(
        0.01,
        "Weight of the squared length of z, against z where the generator never trained (v).",
        unit="squared brightness",
        minimum=0.0,
        maximum=1e6,
    )
    batch: BatchSize = param(
        SEARCHES_ON_CPU,
        "Searches side by side, one for each image and start; or auto.",
        unit="searches",
        minimum=1,
        maximum=65_536,
    )


NO_ENCODER = (
    "reconstruction needs a generator with an encoder, and this one has none",
    "set reconstruction to 0, or use a generator with an encoder, such as cdeepex/vae",
)


@params
class XgemsParams:
    """Options of `xgems`."""

    tolerance: float = param(
        0.05,
        "Largest violation of an answer's constraints; margins epsilon may miss by as much.",
        unit="nats",
        minimum=1e-6,
        maximum=10.0,
    )
    steps: int = param(400, "Length of the longest search.", unit="steps", minimum=1, maximum=1_000_000)
    inner: int = param(
        4, "Steps on one augmented Lagrangian before its multipliers change.", unit="steps", minimum=1, maximum=10_000
    )
    patience: int = param(
        20,
        "Steps without a closer point after which a search with an answer ends.",
        unit="steps",
        minimum=0,
        maximum=10_000,
    )
    penalty: float = param(1.0, "Initial weight of the quadratic penalty (c).", minimum=1e-6, maximum=1e6)
    growth: float = param(1.01, "Growth factor of c after too little progress (beta).", minimum=1.0, maximum=100.0)
    progress: float = param(
        0.24, "Ratio of successive violations above which c grows (gamma).", minimum=0.0, maximum=1.0
    )
    optimizer: Literal["curvature", "gradient"] = param(
        "curvature", "Descent scaled by the curvature of the penalty, or plain gradient descent (paper)."
    )
    rate: float = param(
        0.5,
        "Ratio of the step to the minimum across the boundary, or c x learning rate (gradient).",
        minimum=1e-8,
        maximum=10.0,
    )
    tangential_rate: float = param(
        0.1,
        "Step along the boundary, as a ratio of the distance to z0; falls during the search.",
        minimum=0.0,
        maximum=1.0,
    )
    max_step: float = param(0.5, "Longest step.", unit="units of latent space", minimum=1e-6, maximum=1e6)
    starts: int = param(
        1,
        "Searches for each image, from z0 and around it; the answer closest to z0 is kept.",
        unit="searches",
        minimum=1,
        maximum=1000,
    )
    spread: float = param(
        0.5,
        "Standard deviation of the other searches' first points around z0.",
        unit="units of latent space",
        minimum=0.0,
        maximum=100.0,
    )
    margin: float = param(
        0.0,
        "Least lead of the probe over the predicted class; 0 ends at the boundary (m).",
        unit="nats",
        minimum=0.0,
        maximum=100.0,
    )
    proximity: float = param(
        0.0,
        "Weight of the squared distance to the image in the objective, beside that of z (u).",
        minimum=0.0,
        maximum=1000.0,
    )
    prior: float = param(
        0.0,
        "Weight of the squared length of z in the objective, against unlikely latents (v).",
        minimum=0.0,
        maximum=1000.0,
    )
    reconstruction: float = param(
        0.0,
        "Weight of the squared distance to what the autoencoder makes of the answer (w).",
        minimum=0.0,
        maximum=1000.0,
    )
    batch: BatchSize = param(
        "auto",
        f"Images searched side by side; auto: {SEARCHED_ON_CPU} on a CPU, by free memory on a GPU.",
        unit="images",
        minimum=1,
        maximum=4096,
    )
    together: BatchSize = param(
        1,
        "Images in one pass of the models, or auto; above 1 is faster, and rounding changes answers.",
        unit="images",
        minimum=1,
        maximum=4096,
    )
    path: int = param(
        12, "Images kept along each search, first and last included.", unit="images", minimum=2, maximum=256
    )


@params
class CdeepexParams(XgemsParams):
    """Options of `cdeepex`."""

    epsilon: float = param(
        0.1,
        "Margin by which third classes stay below the two (epsilon).",
        unit="nats",
        minimum=0.0,
        maximum=100.0,
    )


@params
class ContrastiveParams:
    """Options of `contrastive`."""

    largest: float = param(2.0, "Largest weight of the probe's heatmap.", minimum=0.0001, maximum=100.0)
    step: float = param(0.005, "Smallest weight, and distance between weights.", minimum=0.0001, maximum=100.0)
    batch: BatchSize = batch_option("Changed images", CHANGED_ON_CPU)


@params
class PdaParams:
    """Options of `pda`."""

    target: Literal["predicted", "probe", "contrast"] = param(
        "predicted", "Evidence for the predicted class, for the probe, or the first minus the second."
    )
    window: int | None = param(
        None,
        "Side of the unknown square; by default an eighth of the image's shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    stride: int | None = param(
        None,
        "Distance between squares; by default half the window (1 in the paper).",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    sampling: Literal["conditional", "marginal"] = param(
        "conditional", "Samples of the square: given its surroundings, or taken from training images."
    )
    border: int | None = param(
        None,
        "Width of the surroundings; by default half the window. Cost grows as patch side ^ 6.",
        unit="pixels",
        minimum=0,
        maximum=512,
    )
    patches: int = param(
        10_000,
        "Patches of training images that the Gaussian is fitted to.",
        unit="patches",
        minimum=2,
        maximum=10_000_000,
    )
    samples: int = param(10, "Samples for each square.", unit="samples", minimum=1, maximum=10_000)
    batch: BatchSize = batch_option("Changed images", CHANGED_ON_CPU)
