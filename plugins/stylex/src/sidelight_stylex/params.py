"""Options of the components."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params
from sidelight_toolkit.drawn_latents import DrawnLatentsParams
from sidelight_toolkit.options import BatchSize, batch_option

ENCODED_ON_CPU = 256
"""Images encoded in one pass on a CPU."""
DRAWN_ON_CPU = 32
"""Images drawn and classified in one pass on a CPU, at most: fewer above 128 pixels."""


def _batch() -> Any:
    return batch_option("Images drawn and classified", DRAWN_ON_CPU)


@params
class GeneratorParams:
    """Options of `generator`."""

    steps: int = param(4000, "Training steps.", unit="steps", minimum=1, maximum=100_000_000)
    batch: int = param(8, "Images of a step.", unit="images", minimum=2, maximum=4096)
    autoencoder: float = param(
        0.7,
        "Ratio of the steps before the discriminator joins; at 0, images stay blobs.",
        minimum=0.0,
        maximum=1.0,
    )
    latent: int = param(48, "Length of the encoder's output E(x) (the paper: 512).", minimum=1, maximum=4096)
    condition: Literal["logits", "probabilities", "none"] = param(
        "logits", "The classifier's answer beside E(x) in w: logits, probabilities (the paper) or none."
    )
    widths: tuple[int, ...] = param(
        (), "Channels at 4x4, 8x8, ... pixels; by default `base` / size, at most `widest`.", minimum=1, maximum=4096
    )
    base: int = param(1536, "See `widths` (StyleGAN2's paper: 16,384 or 32,768).", minimum=4, maximum=1_048_576)
    widest: int = param(64, "See `widths` (StyleGAN2's paper: 512).", unit="channels", minimum=1, maximum=4096)
    encoder_widths: tuple[int, ...] = param(
        (32, 64, 128, 128),
        "Channels of the encoder, from full size downwards, the size halved between them.",
        unit="channels",
        minimum=1,
        maximum=4096,
    )
    shuffle: int = param(
        1, "Side of pixel squares that become channels; 2 makes 64x64 at about the price of 32x32.", choices=(1, 2, 4)
    )
    size: int | None = param(
        None,
        "Side that the networks work at; larger images are reduced for them, theirs enlarged.",
        unit="pixels",
        minimum=4,
        maximum=4096,
    )
    flip: bool = param(False, "Random mirroring of the training images.")
    optimizer: Literal["muon", "adam"] = param(
        "muon", "Optimizer of generator and encoder; Muon takes less than half of Adam's steps."
    )
    batch_statistics: float = param(
        0.4,
        "Ratio of the steps with each batch's own statistics in the encoder; then running ones.",
        minimum=0.0,
        maximum=1.0,
    )
    rate: float = param(0.03, "Highest learning rate of the generator; it falls linearly.", minimum=1e-7, maximum=1.0)
    encoder_rate: float = param(0.004, "Highest learning rate of the encoder.", minimum=1e-7, maximum=1.0)
    discriminator_rate: float = param(0.002, "Learning rate of the discriminator (Adam).", minimum=1e-7, maximum=1.0)
    pixels: float = param(5.0, "Weight of |x' - x|, at three sizes (L_rec^x).", minimum=0.0, maximum=1e6)
    squares: float = param(0.0, "Weight of (x' - x)^2, for small details of strong contrast.", minimum=0.0, maximum=1e6)
    edges: float = param(2.0, "Weight of the difference of image gradients.", minimum=0.0, maximum=1e6)
    perceptual: Literal["auto", "lpips", "efficientnet-lite", "none"] = param(
        "auto", "Perceptual distance; `auto` is LPIPS where its network is here, or EfficientNet-Lite0."
    )
    perceptual_weight: float = param(1.0, "Weight of the perceptual distance (L_LPIPS).", minimum=0.0, maximum=1e6)
    w: float = param(0.1, "Weight of |E(x') - E(x)| (L_rec^w).", minimum=0.0, maximum=1e6)
    classifier: float = param(
        0.15, "Weight of KL[C(x') || C(x)]; if high, G learns invisible patterns (L_cls).", minimum=0.0, maximum=1e6
    )
    divergence: Literal["paper", "reverse"] = param(
        "paper", "Direction of the divergence: KL[C(x') || C(x)] as in the paper, or reverse."
    )
    adversarial: float = param(0.1, "Weight of the adversarial loss (L_adv).", minimum=0.0, maximum=1e6)
    path: float = param(0.0, "Weight of the path length penalty on w (L_reg; StyleGAN2: 2).", minimum=0.0, maximum=1e6)
    path_every: int = param(8, "Steps between path length penalties.", minimum=1, maximum=10_000)
    noise: bool = param(False, "Noise inputs of the generator's convolutions, for texture that w does not hold.")
    r1: float = param(1.0, "Weight of the gradient penalty on real images (gamma).", minimum=0.0, maximum=10_000.0)
    r1_every: int = param(16, "Steps between gradient penalties.", minimum=1, maximum=10_000)
    w_every: int = param(4, "Steps between computations of L_rec^w.", minimum=1, maximum=10_000)
    average: int = param(
        2800,
        "Half-life of the weights' moving average, which is kept; shorter at first.",
        unit="images",
        minimum=1,
        maximum=10_000_000,
    )
    truncation: float = param(1.0, "Truncation of samples towards the average w (psi).", minimum=0.0, maximum=2.0)
    precision: Literal["float32", "bfloat16"] = param(
        "float32", "Precision of convolutions in training; bfloat16 is faster with AMX or AVX512-BF16."
    )
    classifier_batch: int = param(
        256, "Images classified at a time outside of training.", unit="images", minimum=1, maximum=65_536
    )


@params
class EncoderParams:
    """Options of `encoder`."""

    batch: BatchSize = batch_option("Images encoded", ENCODED_ON_CPU)


@params
class FinderParams(DrawnLatentsParams):
    """Options of all finders of style attributes."""

    attributes: int = param(10, "Number of attributes to find (M).", minimum=1, maximum=1000)
    reference: int = param(
        500,
        "Training images, or further samples, for the extremes; with 0 or no inverter, the images searched.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    quantile: float = param(
        0.01, "Quantile of the extremes; 0 is minimum and maximum (the authors' code).", minimum=0.0, maximum=0.4
    )
    examples: int = param(4, "Example images of each attribute.", unit="images", minimum=1, maximum=1000)
    factor: float = param(
        1.0, "Distance of moves in examples: 1 to the extreme, 2 twice as far.", minimum=0.1, maximum=10.0
    )
    frames: int = param(5, "Images from before to after, both included.", unit="images", minimum=2, maximum=100)
    tint: float = param(
        0.5, "Ratio of the change explained by one colour shift that flags an attribute.", minimum=0.0, maximum=1.0
    )
    outside: float = param(
        1.0,
        "Departure from the data that flags an attribute, in its standard deviations.",
        minimum=0.0,
        maximum=1000.0,
    )
    surroundings: int = param(
        128, "Images of the data that `outside` compares with.", unit="images", minimum=4, maximum=100_000
    )
    batch: BatchSize = _batch()


@params
class DifferenceParams(FinderParams):
    """Options of `stylespace-difference`."""

    statistic: Literal["pooled", "exemplars"] = param(
        "pooled",
        "Ranking by the difference of the class means over the pooled deviation (StylEx), or by how unusual a few "
        "exemplars are, and how alike in it (Wu et al.).",
    )
    exemplars: int = param(
        30, "Images of the class that `exemplars` looks at (Wu et al.: 30).", unit="images", minimum=2, maximum=100_000
    )


@params
class AttFindParams(FinderParams):
    """Options of `attfind`."""

    rule: Literal["paper", "released"] = param(
        "paper", "Selection rule: algorithm 1 of the paper, or the authors' notebook."
    )
    threshold: float | None = param(
        None,
        "Rise of the logit that explains an image; null: 1.5, `released` 1, for a value its deviation; 1e6: none (t).",
        unit="logits",
        minimum=0.0,
        maximum=1e6,
    )
    mode: Literal["exact", "raced", "screened"] = param(
        "exact", "Coordinates measured: all; the race's survivors; or survivors of the best by gradient."
    )
    candidates: int = param(
        48, "Coordinates that `screened` measures.", unit="coordinates", minimum=1, maximum=1_000_000
    )
    certificate: int = param(
        0,
        "Coordinates left out by `raced` or `screened` that are drawn and measured, to estimate the recall; 0: none.",
        unit="coordinates",
        minimum=0,
        maximum=1_000_000,
    )
    unstable: int | None = param(
        None,
        "Changes by more than `unstable_effect` beyond which an image counts for none, for `released` in mode exact "
        "(the notebook, over the logits of two classes: 750); null: none is unstable.",
        unit="changes",
        minimum=1,
        maximum=1_000_000_000,
    )
    unstable_effect: float = param(
        2.0, "Change of the class's logit that `unstable` counts.", unit="logits", minimum=0.0, maximum=1e6
    )
    realness: float | None = param(
        None,
        "Change of the discriminator's logit of an image, at twice the shift either way, that drops a "
        "coordinate of `released` (the notebook: 0.2); null: no filter.",
        unit="logits",
        minimum=0.0,
        maximum=1e6,
    )


@params
class ImageParams:
    """Options of all explanations of single images."""

    pool: int = param(
        100,
        "Training images on which each class's attributes are found, once.",
        unit="images",
        minimum=1,
        maximum=1_000_000,
    )
    flagged: bool = param(False, "Use of attributes that are flagged as implausible.")
    residual: bool = param(
        False, "Changes are added to the image itself, so that details that the generator misses stay."
    )
    factor: float = param(1.0, "Distance of moves: 1 to the extreme, 2 twice as far.", minimum=0.1, maximum=10.0)
    batch: BatchSize = _batch()


@params
class IndependentParams(ImageParams):
    """Options of `independent`."""

    top: int = param(5, "Attributes shown for each image (k).", minimum=1, maximum=1000)


@params
class SubsetParams(ImageParams):
    """Options of `subset`."""

    most: int = param(10, "Most attributes changed together.", minimum=1, maximum=1000)
    margin: float = param(
        0.0,
        "Lead of the probe over every other class that ends the changes; 0: its being the answer.",
        unit="nats",
        minimum=0.0,
        maximum=100.0,
    )
