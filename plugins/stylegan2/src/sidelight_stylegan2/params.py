"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params


@params
class SamplingParams:
    """How images are made with a finished network."""

    latents: Literal["w", "z"] = param(
        "w",
        "What latents are: `w`, one vector for each input of the synthesis network (capability `latent.w`), or `z`, "
        "the input of the mapping network, with the class beside it where there are classes (`latent.z`).",
    )
    truncation: float = param(
        1.0,
        "Samples are pulled towards the average w by this factor: 1 leaves them, 0 gives the average. Lower is less "
        "varied and, where all images are of one kind, cleaner.",
        minimum=0.0,
        maximum=2.0,
    )
    cutoff: int | None = param(
        None, "How many of the first layers are truncated; by default all.", unit="layers", minimum=0, maximum=64
    )
    label: int | None = param(
        None,
        "Class of the samples of a generator that is conditioned on classes; by default any, equally often.",
        minimum=0,
        maximum=1_000_000,
    )
    modulation: Literal["features", "weights"] = param(
        "features",
        "Whether styles scale the features, in one convolution for all images, or the weights of each image, as in "
        "the paper. The images are the same; `features` is faster on a CPU.",
    )


@params
class GeneratorParams(SamplingParams):
    """Options of `generator`."""

    steps: int = param(4000, "How long to train.", unit="steps", minimum=1, maximum=100_000_000)
    batch: int = param(32, "Images in one training step.", unit="images", minimum=2, maximum=4096)
    checkpoints: int = param(
        4,
        "The training is kept after each of so many equal parts; an interrupted one continues with the part under way.",
        unit="parts",
        minimum=1,
        maximum=1000,
    )
    widths: tuple[int, ...] = param(
        (),
        "Feature channels at 4x4, 8x8, ... pixels; by default `base` divided by the level's size, at most `widest`.",
        minimum=1,
        maximum=4096,
    )
    base: int = param(1024, "See `widths` (the paper: 16,384 or 32,768).", minimum=4, maximum=1_048_576)
    widest: int = param(64, "See `widths` (the paper: 512).", unit="channels", minimum=1, maximum=4096)
    z: int = param(64, "Length of z (the paper: 512).", unit="numbers", minimum=1, maximum=4096)
    w: int = param(64, "Length of w (the paper: 512).", unit="numbers", minimum=1, maximum=4096)
    mapping: int = param(
        2,
        "Layers of the mapping network (the paper: 8; 2 for small images in Karras et al. 2020, Training GANs with "
        "Limited Data). With 0, w is the normalised z, of its length.",
        minimum=0,
        maximum=64,
    )
    noise: bool = param(False, "Whether every convolution adds noise, so that w need not describe fine texture.")
    shuffle: int = param(
        1,
        "The networks work on images whose side is divided by this, each place holding a square of pixels: 2 makes "
        "64x64 images at about the price of 32x32.",
        choices=(1, 2, 4),
    )
    filter: tuple[float, ...] = param(
        (1.0, 3.0, 3.0, 1.0),
        "Low-pass filter of up- and downsampling, symmetric, with an even number of taps; (1, 1) is cheapest.",
        minimum=0.0,
        maximum=1000.0,
    )
    conditional: bool = param(False, "Whether generator and discriminator are told the class of every image.")
    flip: bool = param(False, "Whether training images are mirrored at random.")
    rate: float = param(
        0.01,
        "Learning rate of Adam for the generator (the paper: 0.002, for trainings a hundred times as long).",
        minimum=1e-7,
        maximum=1.0,
    )
    discriminator_rate: float = param(0.01, "The same for the discriminator.", minimum=1e-7, maximum=1.0)
    decay: float = param(
        0.5,
        "Over this share of the steps, at the end, both rates fall to a twentieth, linearly; 0 keeps them.",
        minimum=0.0,
        maximum=1.0,
    )
    mixing: float = param(
        0.0, "Share of training images whose later layers follow a second w (the paper: 0.9).", minimum=0.0, maximum=1.0
    )
    r1: float = param(
        1.0,
        "Weight (gamma) of the gradient penalty on real images; higher for larger images (the paper: 10).",
        minimum=0.0,
        maximum=10_000.0,
    )
    r1_every: int = param(16, "The gradient penalty is computed every so many steps.", minimum=1, maximum=10_000)
    path: float = param(
        0.0,
        "Weight of the path length regularisation (the paper: 2); 0 switches it off. A short training with it may end "
        "with the same image for every w.",
        minimum=0.0,
        maximum=1e6,
    )
    path_every: int = param(8, "It is computed every so many steps.", minimum=1, maximum=10_000)
    average: int = param(
        5000,
        "Half-life of the average of the generator's weights, which is what is kept; shorter at the beginning.",
        unit="images",
        minimum=1,
        maximum=10_000_000,
    )
    precision: Literal["float32", "bfloat16"] = param(
        "float32",
        "Of the convolutions during training. `bfloat16` is about twice as fast on processors with AMX or AVX512-BF16, "
        "slower on others.",
    )


@params
class PretrainedParams(SamplingParams):
    """Options of `pretrained`."""

    path: str = param(
        ...,
        "A `.pkl` of stylegan2-ada-pytorch or stylegan3, a `.pt` of rosinality's stylegan2-pytorch, or a "
        "`.safetensors` of this plugin. Nothing in it is run.",
    )


@params
class ProjectParams:
    """Options of `project`."""

    latents: Literal["w", "w+"] = param(
        "w+",
        "Whether all layers share one w, which stays close to what the generator makes by itself, or each layer has "
        "its own, which reproduces the image better.",
    )
    steps: int = param(300, "Steps of Adam for each image.", unit="steps", minimum=1, maximum=1_000_000)
    rate: float = param(0.1, "Highest learning rate of Adam.", minimum=1e-6, maximum=10.0)
    noise: float = param(
        0.05,
        "Noise added to w during the first three quarters of the steps, declining: a share of the spread of w.",
        minimum=0.0,
        maximum=10.0,
    )
    perceptual: Literal["auto", "lpips", "classifier", "none"] = param(
        "auto",
        "The distance beside that of the pixels: LPIPS (VGG16), features of the recipe's classifier, or none. `auto` "
        "takes LPIPS where its network is on this machine, otherwise the classifier; the run says which.",
    )
    weight: float = param(
        1.0, "Weight of the perceptual distance, in units of what it is at the start.", minimum=0.0, maximum=1e6
    )
    pixels: float = param(
        1.0,
        "Weight of the mean squared difference of the pixels, in units of what it is at the start.",
        minimum=0.0,
        maximum=1e6,
    )
    samples: int = param(1000, "Samples of which the average w and its spread are taken.", minimum=2, maximum=1_000_000)
    batch: int = param(
        16, "Images optimised at the same time; bounds the memory.", unit="images", minimum=1, maximum=4096
    )
