"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params


@params
class GeneratorParams:
    """Options of `generator`."""

    steps: int = param(4000, "How long to train.", unit="steps", minimum=1, maximum=100_000_000)
    batch: int = param(8, "Images in one training step.", unit="images", minimum=2, maximum=4096)
    autoencoder: float = param(
        0.7,
        "Share of the steps in which encoder and generator learn to reproduce images, before the discriminator joins. "
        "With it from the beginning it wins, and images stay blobs.",
        minimum=0.0,
        maximum=1.0,
    )
    checkpoints: int = param(
        6,
        "The training is kept after each of so many equal parts; an interrupted one continues with the part under way.",
        unit="parts",
        minimum=1,
        maximum=1000,
    )
    latent: int = param(
        48, "Length of what the encoder gives (the paper: 512); w has the condition beside it.", minimum=1, maximum=4096
    )
    condition: Literal["logits", "probabilities", "none"] = param(
        "logits",
        "What of the classifier's answer the generator is told: logits less their mean, in units of their spread over "
        "the training images, or probabilities (the paper). `none`, with `classifier: 0`, is training without the "
        "classifier.",
    )
    widths: tuple[int, ...] = param(
        (),
        "Feature channels of generator and discriminator at 4x4, 8x8, ... pixels; by default `base` divided by the "
        "level's size, at most `widest`.",
        minimum=1,
        maximum=4096,
    )
    base: int = param(1536, "See `widths` (StyleGAN2's paper: 16,384 or 32,768).", minimum=4, maximum=1_048_576)
    widest: int = param(64, "See `widths` (StyleGAN2's paper: 512).", unit="channels", minimum=1, maximum=4096)
    encoder_widths: tuple[int, ...] = param(
        (32, 64, 128, 128),
        "Feature channels of the encoder, from full size downwards, the size halved between them; the last ones are "
        "read as they are, so that fewer leave a larger image to the last layer.",
        unit="channels",
        minimum=1,
        maximum=4096,
    )
    shuffle: int = param(
        1,
        "The networks work on images whose side is divided by this, each place holding a square of pixels: 2 makes "
        "64x64 images at about the price of 32x32.",
        choices=(1, 2, 4),
    )
    flip: bool = param(False, "Whether training images are mirrored at random.")
    optimizer: Literal["muon", "adam"] = param(
        "muon",
        "How generator and encoder learn: Muon for the weights of their layers, with Adam for biases and the like, or "
        "Adam for all. Muon needs less than half of the steps.",
    )
    batch_statistics: float = param(
        0.4,
        "Share of the steps in which the encoder's batch normalisation takes each batch's own statistics; after it the "
        "running ones, which are less noisy.",
        minimum=0.0,
        maximum=1.0,
    )
    rate: float = param(0.03, "Highest learning rate for the generator; it falls linearly.", minimum=1e-7, maximum=1.0)
    encoder_rate: float = param(0.004, "The same for the encoder.", minimum=1e-7, maximum=1.0)
    discriminator_rate: float = param(0.002, "Learning rate of Adam for the discriminator.", minimum=1e-7, maximum=1.0)
    pixels: float = param(
        5.0, "Weight of the absolute difference of image and reconstruction, at three sizes.", minimum=0.0, maximum=1e6
    )
    squares: float = param(
        0.0,
        "Weight of their squared difference, for small details of strong contrast.",
        minimum=0.0,
        maximum=1e6,
    )
    edges: float = param(
        2.0, "Weight of the absolute difference of their horizontal and vertical gradients.", minimum=0.0, maximum=1e6
    )
    perceptual: Literal["auto", "lpips", "efficientnet-lite", "none"] = param(
        "auto",
        "The distance to a network's eye beside it: LPIPS (VGG16), the first layers of EfficientNet-Lite0, or none. "
        "`auto` takes LPIPS where its network is on this machine, otherwise EfficientNet-Lite0; the run says which.",
    )
    perceptual_weight: float = param(1.0, "Its weight.", minimum=0.0, maximum=1e6)
    w: float = param(
        0.1,
        "Weight of the absolute difference of w and what the encoder finds in the reconstruction.",
        minimum=0.0,
        maximum=1e6,
    )
    classifier: float = param(
        0.15,
        "Weight of the divergence of the classifier's answers to image and reconstruction. Low, because a generator "
        "can please a classifier with patterns that nobody sees.",
        minimum=0.0,
        maximum=1e6,
    )
    divergence: Literal["paper", "reverse"] = param(
        "paper",
        "KL of the answer to the reconstruction from that to the image, as the paper writes it, or of the answer to "
        "the image from that to the reconstruction.",
    )
    adversarial: float = param(0.1, "Weight of the discriminator's judgement.", minimum=0.0, maximum=1e6)
    r1: float = param(1.0, "Weight (gamma) of the gradient penalty on real images.", minimum=0.0, maximum=10_000.0)
    r1_every: int = param(16, "It is computed every so many steps.", minimum=1, maximum=10_000)
    w_every: int = param(4, "The difference of w is computed every so many steps.", minimum=1, maximum=10_000)
    average: int = param(
        2800,
        "Half-life of the average of the weights, which is what is kept; shorter at the beginning.",
        unit="images",
        minimum=1,
        maximum=10_000_000,
    )
    truncation: float = param(1.0, "Samples are pulled towards the average w by this factor.", minimum=0.0, maximum=2.0)
    precision: Literal["float32", "bfloat16"] = param(
        "float32",
        "Of the convolutions during training. `bfloat16` is about twice as fast on processors with AMX or AVX512-BF16, "
        "slower on others.",
    )
    classifier_batch: int = param(
        256, "Images given to the classifier at a time outside of training.", unit="images", minimum=1, maximum=65_536
    )


@params
class EncoderParams:
    """Options of `encoder`."""

    batch: int = param(256, "Images encoded at a time.", unit="images", minimum=1, maximum=65_536)


@params
class FinderParams:
    """What all finders of style attributes are asked."""

    attributes: int = param(10, "How many attributes to find (M).", minimum=1, maximum=1000)
    reference: int = param(
        500,
        "Training images that the extremes of the coordinates are taken from. 0, or a recipe without an inverter, "
        "takes them from the images at hand.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    quantile: float = param(
        0.01,
        "Extremes are this quantile and that from above of each coordinate; 0 takes minimum and maximum, as the "
        "authors' code does.",
        minimum=0.0,
        maximum=0.4,
    )
    examples: int = param(4, "Images that each attribute is shown on.", unit="images", minimum=1, maximum=1000)
    factor: float = param(
        1.0,
        "How far coordinates are moved in pictures: 1 to the extreme, as in the search, 2 twice as far.",
        minimum=0.1,
        maximum=10.0,
    )
    frames: int = param(
        5, "Pictures on the way from before to after, both included.", unit="images", minimum=2, maximum=100
    )
    tint: float = param(
        0.5,
        "An attribute is flagged when one colour shift all over the picture explains this share of the change.",
        minimum=0.0,
        maximum=1.0,
    )
    outside: float = param(
        1.0,
        "An attribute is flagged when it makes pictures less like the data by more than this: the strangest place in "
        "them, and the discriminator's judgement where there is one, in standard deviations of the data.",
        minimum=0.0,
        maximum=1000.0,
    )
    surroundings: int = param(
        128, "Images of the data that pictures are compared with for that.", unit="images", minimum=4, maximum=100_000
    )
    batch: int = param(
        32, "Images drawn and classified at a time; bounds the memory.", unit="images", minimum=1, maximum=65_536
    )


@params
class AttFindParams(FinderParams):
    """Options of `attfind`."""

    rule: Literal["paper", "released"] = param(
        "paper",
        "`paper`: algorithm 1, on all coordinates. `released`: the authors' notebook, which searches convolutions "
        "only, counts changes that lower the class as none, may take both directions of a coordinate, and takes images "
        "out once the chosen changes together reach the threshold.",
    )
    threshold: float | None = param(
        None,
        "Rise of the class's logit that explains an image (t); null is 1.5, by `released` 1; 1e6 is none.",
        unit="logits",
        minimum=0.0,
        maximum=1e6,
    )
    mode: Literal["exact", "raced", "screened"] = param(
        "exact",
        "`exact` measures every coordinate on every image. `raced` gives up coordinates without prospect after some "
        "images. `screened` looks at gradients first, and races the `candidates` that promise most.",
    )
    candidates: int = param(
        48, "Coordinates that `screened` measures.", unit="coordinates", minimum=1, maximum=1_000_000
    )


@params
class ImageParams:
    """What explanations of single images are asked."""

    pool: int = param(
        100,
        "Training images on which the attribute finder finds each class's attributes, once.",
        unit="images",
        minimum=1,
        maximum=1_000_000,
    )
    flagged: bool = param(False, "Whether attributes that are flagged as implausible may be chosen too.")
    factor: float = param(
        1.0, "How far coordinates are moved: 1 to the extreme, 2 twice as far.", minimum=0.1, maximum=10.0
    )
    batch: int = param(
        32, "Images drawn and classified at a time; bounds the memory.", unit="images", minimum=1, maximum=65_536
    )


@params
class IndependentParams(ImageParams):
    """Options of `independent`."""

    top: int = param(5, "How many attributes to show for each image (k).", minimum=1, maximum=1000)


@params
class SubsetParams(ImageParams):
    """Options of `subset`."""

    most: int = param(10, "How many attributes may be changed together, at most.", minimum=1, maximum=1000)
