"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params


@params
class AutoencoderParams:
    """What `ae` and `vae` share."""

    latent: int = param(
        32, "Length of the latent vector z (the paper takes 400).", unit="numbers", minimum=1, maximum=4096
    )
    width: int = param(
        16, "Channels of the first layer; deeper layers have two and four times as many.", minimum=1, maximum=512
    )
    steps: int = param(1500, "How long to train.", unit="steps", minimum=1, maximum=10_000_000)
    batch: int = param(64, "Images in one training step.", unit="images", minimum=2, maximum=65_536)
    rate: float = param(0.003, "Highest learning rate of Adam.", minimum=1e-6, maximum=1.0)


@params
class AeParams(AutoencoderParams):
    """Options of `ae`."""


@params
class VaeParams(AutoencoderParams):
    """Options of `vae`."""

    variance: float = param(
        0.05,
        "Variance of the pixels around the reconstruction. Lower is sharper; higher keeps the latents closer to "
        "the standard normal prior, so that what lies between two images looks natural.",
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
        "Channels of the generator's features next to the image; twice as many at each halving of the resolution.",
        minimum=1,
        maximum=512,
    )
    critic_width: int = param(16, "The same of the critic.", minimum=1, maximum=512)
    steps: int = param(2500, "How long to train.", unit="steps of the generator", minimum=1, maximum=10_000_000)
    batch: int = param(64, "Images in one step, real and made ones each.", unit="images", minimum=2, maximum=65_536)
    critic: int = param(2, "Steps of the critic for one of the generator.", unit="steps", minimum=1, maximum=100)
    lipschitz: Literal["penalty", "clipping"] = param(
        "penalty",
        "What keeps the critic Lipschitz: a penalty on its gradient (Gulrajani et al. 2017), or clipping its weights "
        "(Arjovsky et al. 2017, as the paper).",
    )
    penalty: float = param(10.0, "Weight of the gradient penalty.", minimum=0.0, maximum=10_000.0)
    clip: float = param(0.01, "Magnitude at which weights are clipped.", minimum=1e-6, maximum=100.0)
    rate: float = param(0.001, "Highest learning rate of the generator.", minimum=1e-6, maximum=1.0)
    critic_rate: float = param(0.001, "Learning rate of the critic.", minimum=1e-6, maximum=1.0)
    average: float = param(
        0.99,
        "Share of itself that the average of the generator's weights keeps at each step.",
        minimum=0.0,
        maximum=1.0,
    )


@params
class EncoderParams:
    """Options of `encoder`."""

    batch: int = param(
        1,
        "Images encoded at a time; at 1 no code depends on another image, in the last bits.",
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
        "Search from this start alone, counted from 0; the same one as start number `start` among several.",
        minimum=0,
        maximum=999,
    )
    steps: int = param(300, "How long to search.", unit="steps", minimum=1, maximum=1_000_000)
    rate: float = param(0.1, "Highest learning rate of Adam.", unit="units of latent space", minimum=1e-6, maximum=10.0)
    misclassification: float = param(
        1.0,
        "Weight of the cross-entropy between the class of the image and the classifier's answer to its "
        "reconstruction, beside the squared distance between the two images.",
        unit="squared brightness for each nat",
        minimum=0.0,
        maximum=1e6,
    )
    prior: float = param(
        0.01,
        "Weight of the squared length of z. Without it, searches may end where the generator was never trained.",
        unit="squared brightness",
        minimum=0.0,
        maximum=1e6,
    )
    batch: int = param(
        64, "Searches at the same time, one for each image and start.", unit="searches", minimum=1, maximum=65_536
    )


@params
class XgemsParams:
    """Options of `xgems`."""

    tolerance: float = param(
        0.05,
        "How far apart the two log-likelihoods may be at the end; the margins epsilon may be missed by as much, so "
        "that half of 0.1 is sure.",
        unit="nats",
        minimum=1e-6,
        maximum=10.0,
    )
    steps: int = param(400, "The longest search.", unit="steps", minimum=1, maximum=1_000_000)
    inner: int = param(
        4, "Steps on one augmented Lagrangian before its multipliers change.", unit="steps", minimum=1, maximum=10_000
    )
    patience: int = param(
        5,
        "Steps for which a point that satisfies every constraint is still improved.",
        unit="steps",
        minimum=0,
        maximum=10_000,
    )
    penalty: float = param(1.0, "Initial weight c of the quadratic penalty.", minimum=1e-6, maximum=1e6)
    growth: float = param(
        1.01, "The factor (beta) by which c grows after too little progress.", minimum=1.0, maximum=100.0
    )
    progress: float = param(
        0.24, "Too little progress: the violation stays above this share (gamma) of the last.", minimum=0.0, maximum=1.0
    )
    optimizer: Literal["curvature", "gradient"] = param(
        "curvature", "Gradient descent with steps scaled by the curvature of the penalty, or plain as in the paper."
    )
    rate: float = param(
        0.5,
        "Step along the constraints: a share of the step to the minimum (curvature), or c times the learning rate "
        "(gradient; 0.01 works for digits).",
        minimum=1e-8,
        maximum=10.0,
    )
    slide: float = param(
        0.1,
        "Step across the constraints, back towards the image: a share of the distance, declining during the search.",
        minimum=0.0,
        maximum=1.0,
    )
    longest: float = param(0.5, "No step is longer than this.", unit="units of latent space", minimum=1e-6, maximum=1e6)
    starts: int = param(
        1,
        "Searches for each image: the first begins at z0, the others around it. Of what they find the closest to z0 is "
        "kept.",
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
    batch: int = param(32, "Images searched side by side.", unit="images", minimum=1, maximum=4096)
    together: int = param(
        1,
        "Images in one pass of the models. At 1 no answer depends on another image; 32 is faster, and rounding then "
        "changes a few answers of a hundred.",
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
        "By how much every other class must stay below the two (epsilon of equation 2).",
        unit="nats",
        minimum=0.0,
        maximum=100.0,
    )


@params
class ContrastiveParams:
    """Options of `contrastive`."""

    largest: float = param(
        2.0, "The largest weight of the probe's heatmap that is tried.", minimum=0.0001, maximum=100.0
    )
    step: float = param(0.005, "From one weight to the next; also the smallest weight.", minimum=0.0001, maximum=100.0)
    batch: int = param(256, "Changed images in one pass; bounds the memory.", unit="images", minimum=1, maximum=65_536)


@params
class PdaParams:
    """Options of `pda`."""

    target: Literal["predicted", "probe", "contrast"] = param(
        "predicted",
        "Whose weight of evidence is measured: the predicted class's, the probe's, or `contrast`, the first minus the "
        "second.",
    )
    window: int | None = param(
        None,
        "Side of the square whose content is unknown; by default an eighth of the image's shorter side.",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    stride: int | None = param(
        None,
        "From one square to the next; by default half the window (the paper takes 1).",
        unit="pixels",
        minimum=1,
        maximum=4096,
    )
    sampling: Literal["conditional", "marginal"] = param(
        "conditional",
        "What could be there: a Gaussian over patches of training images given the pixels around the square, or the "
        "same square of training images.",
    )
    border: int | None = param(
        None,
        "How far the Gaussian looks around the square; by default half the window. Its cost grows with the sixth "
        "power of the patch's side.",
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
    batch: int = param(256, "Changed images in one pass; bounds the memory.", unit="images", minimum=1, maximum=65_536)
