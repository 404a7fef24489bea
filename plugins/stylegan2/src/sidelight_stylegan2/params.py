"""Options of the components."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize

PROJECTED_ON_CPU = 16
"""Images optimised at the same time on a CPU."""


@params
class SamplingParams:
    """Options of every finished network."""

    latents: Literal["w", "z"] = param(
        "w", "Latents: `w`, one for each synthesis input, or `z` with the class beside it."
    )
    truncation: float = param(
        1.0, "Truncation of w towards its average: 1 none, 0 the average (psi).", minimum=0.0, maximum=2.0
    )
    cutoff: int | None = param(
        None, "Number of the first layers that are truncated; null: all.", unit="layers", minimum=0, maximum=64
    )
    label: int | None = param(
        None, "Class of the samples of a conditional generator; null: all, equally often.", minimum=0, maximum=1_000_000
    )
    modulation: Literal["features", "weights"] = param(
        "features", "Tensor scaled by styles, with equal results; `weights` is the paper's and slower on CPUs."
    )


@params
class GeneratorParams(SamplingParams):
    """Options of `generator`."""

    steps: int = param(4000, "Training steps.", unit="steps", minimum=1, maximum=100_000_000)
    batch: int = param(32, "Images of a step.", unit="images", minimum=2, maximum=4096)
    widths: tuple[int, ...] = param(
        (), "Channels at 4x4, 8x8, ... pixels; by default `base` / size, at most `widest`.", minimum=1, maximum=4096
    )
    base: int = param(1024, "See `widths` (the paper: 16,384 or 32,768).", minimum=4, maximum=1_048_576)
    widest: int = param(64, "See `widths` (the paper: 512).", unit="channels", minimum=1, maximum=4096)
    z: int = param(64, "Length of z (the paper: 512).", unit="numbers", minimum=1, maximum=4096)
    w: int = param(64, "Length of w (the paper: 512).", unit="numbers", minimum=1, maximum=4096)
    mapping: int = param(
        2, "Layers of the mapping network (the paper: 8); with 0, w is the normalised z.", minimum=0, maximum=64
    )
    noise: bool = param(False, "Noise after every convolution, so that w need not describe fine texture.")
    shuffle: int = param(
        1, "Side of pixel squares that become channels; 2 makes 64x64 at about the price of 32x32.", choices=(1, 2, 4)
    )
    filter: tuple[float, ...] = param(
        (1.0, 3.0, 3.0, 1.0),
        "Low-pass filter of resampling: symmetric, even number of taps; (1, 1) is cheapest.",
        minimum=0.0,
        maximum=1000.0,
    )
    conditional: bool = param(False, "Conditioning of generator and discriminator on the images' classes.")
    flip: bool = param(False, "Random mirroring of the training images.")
    augment: tuple[Literal["blit", "geometric", "colour"], ...] = param(
        (), "Transforms of all images before the discriminator, as often as it overfits (ADA)."
    )
    target: float = param(
        0.6, "Mean sign of D on real images above which augmentation grows (r_t).", minimum=-1.0, maximum=1.0
    )
    ramp: int = param(
        20_000,
        "Images in which the probability of augmentations can go from 0 to 1 (the paper: 500,000).",
        unit="images",
        minimum=1,
        maximum=1_000_000_000,
    )
    clip: bool = param(False, "Clipping of samples to [0, 1] before the discriminator; gradients lead pixels back.")
    optimizer: Literal["adam", "muon"] = param(
        "adam", "Optimizer of the generator's matrices; the discriminator's is Adam."
    )
    rate: float = param(
        0.01, "Learning rate of the generator (the paper: 0.002, for far longer trainings).", minimum=1e-7, maximum=1.0
    )
    discriminator_rate: float = param(0.01, "Learning rate of the discriminator.", minimum=1e-7, maximum=1.0)
    decay: float = param(
        0.5,
        "Ratio of the steps, at the end, over which rates fall to a twentieth; 0 keeps them.",
        minimum=0.0,
        maximum=1.0,
    )
    mixing: float = param(
        0.0, "Ratio of images whose later layers follow a second w (the paper: 0.9).", minimum=0.0, maximum=1.0
    )
    loss: Literal["logistic", "relativistic"] = param(
        "logistic", "Loss; `relativistic` judges made images beside real ones of their class (R3GAN)."
    )
    deviation: bool = param(True, "Minibatch standard deviation as a feature of the discriminator (R3GAN: none).")
    r1: float = param(
        1.0, "Weight of the gradient penalty on real images (gamma; the paper: 10).", minimum=0.0, maximum=10_000.0
    )
    r2: float = param(
        0.0, "Weight of the gradient penalty on made images (R3GAN: that of r1).", minimum=0.0, maximum=10_000.0
    )
    r1_every: int = param(
        16, "Steps between gradient penalties; 1 makes them part of the loss.", unit="steps", minimum=1, maximum=10_000
    )
    mode_seeking: float = param(
        0.0,
        "Weight of the penalty on pairs of a class whose images are alike; their w are not mixed.",
        minimum=0.0,
        maximum=1e6,
    )
    path: float = param(
        0.0,
        "Weight of the path length penalty (the paper: 2); it may collapse short trainings.",
        minimum=0.0,
        maximum=1e6,
    )
    path_every: int = param(8, "Steps between path length penalties.", minimum=1, maximum=10_000)
    average: int = param(
        5000,
        "Half-life of the weights' moving average, which is kept; shorter at first.",
        unit="images",
        minimum=1,
        maximum=10_000_000,
    )
    precision: Literal["float32", "bfloat16"] = param(
        "float32", "Precision of convolutions in training; bfloat16 is faster with AMX or AVX512-BF16."
    )


@params
class PretrainedParams(SamplingParams):
    """Options of `pretrained`."""

    path: str = param(..., "Checkpoint: NVIDIA's .pkl, rosinality's .pt, or our .safetensors; no code is run.")


@params
class ProjectParams:
    """Options of `project`."""

    latents: Literal["w", "w+"] = param(
        "w+", "Latents: one w for all layers (closer to samples), or one each (closer to the image)."
    )
    steps: int = param(300, "Steps of Adam for each image.", unit="steps", minimum=1, maximum=1_000_000)
    rate: float = param(0.1, "Highest learning rate of Adam.", minimum=1e-6, maximum=10.0)
    noise: float = param(
        0.05, "Noise on w in the first three quarters of the steps, in spreads of w.", minimum=0.0, maximum=10.0
    )
    perceptual: Literal["auto", "lpips", "classifier", "none"] = param(
        "auto", "Perceptual distance; `auto` is LPIPS where its network is here, or the classifier."
    )
    weight: float = param(
        1.0, "Weight of the perceptual distance, in units of its value at the start.", minimum=0.0, maximum=1e6
    )
    pixels: float = param(
        1.0, "Weight of the squared pixel difference, in units of its value at the start.", minimum=0.0, maximum=1e6
    )
    samples: int = param(1000, "Samples for the average w and its spread.", minimum=2, maximum=1_000_000)
    batch: BatchSize = param(
        PROJECTED_ON_CPU,
        "Images optimised at the same time, fewer above 128 pixels; or auto.",
        unit="images",
        minimum=1,
        maximum=4096,
    )


@params
class EncoderParams:
    """Options of `encoder`."""

    latents: Literal["w", "w+"] = param(
        "w",
        "Latents of a style generator: one w for all layers (closer to samples), or one each (closer to the image).",
    )
    steps: int = param(2000, "Training steps.", unit="steps", minimum=1, maximum=100_000_000)
    batch: int = param(
        16,
        "Samples of a step, with as many images beside them; images inverted at a time.",
        unit="images",
        minimum=2,
        maximum=4096,
    )
    images: int = param(
        1000,
        "Training images to learn from beside the samples, at most; 0: samples alone.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    widths: tuple[int, ...] = param(
        (32, 64, 128, 128), "Channels of the encoder at full size, at half, ...", minimum=1, maximum=4096
    )
    size: int = param(
        64, "Side to which larger images are reduced for the encoder.", unit="pixels", minimum=8, maximum=1024
    )
    rate: float = param(2e-3, "Highest learning rate of the training.", minimum=1e-7, maximum=1.0)
    regression: float = param(
        1.0, "Weight of the samples' latents: squared difference in their variances.", minimum=0.0, maximum=1e6
    )
    pixels: float = param(
        1.0,
        "Weight of the squared pixel difference; unit: of two samples, in `refine` of the start.",
        minimum=0.0,
        maximum=1e6,
    )
    perceptual: Literal["auto", "lpips", "classifier", "none"] = param(
        "auto", "Perceptual distance; `auto` is LPIPS where its network is here, or the classifier."
    )
    weight: float = param(
        1.0,
        "Weight of the perceptual distance; unit: of two samples, in `refine` of the start.",
        minimum=0.0,
        maximum=1e6,
    )
    refine: int = param(
        0,
        "Steps of Adam from the encoder's answer, for each image (hybrid inversion).",
        unit="steps",
        minimum=0,
        maximum=1_000_000,
    )
    refine_rate: float = param(
        0.05, "Highest learning rate of these steps, in standard deviations of the latents.", minimum=1e-6, maximum=10.0
    )
    samples: int = param(1000, "Samples for the latents' mean and deviation.", minimum=2, maximum=1_000_000)
