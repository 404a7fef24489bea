"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params


@params
class DvaeParams:
    """Options of `dvae`."""

    layer: str = param(
        "",
        "The classifier's layer whose concepts are found; everything has to go through it. The last hidden one where "
        "empty.",
    )
    bits: int = param(32, "Length of the boolean code z.", unit="bits", minimum=1, maximum=4096)
    widths: tuple[int, ...] = param(
        (256, 256, 128),
        "Units between the four linear layers of the encoder; the decoder mirrors them.",
        unit="units",
        minimum=1,
        maximum=65_536,
    )
    dropout: float = param(0.0, "Share of hidden units switched off in training.", minimum=0.0, maximum=0.9)
    decoder: Literal["plain", "odd"] = param(
        "plain",
        "`plain`, the paper's, decodes z in {0, 1}; `odd` reflects phi' about the centre when all bits flip.",
    )
    centre: Literal["mean", "boundary"] = param(
        "mean",
        "Point about which the layer is centred: its mean, or for two classes a point on their boundary.",
    )
    variance: float = param(
        0.02,
        "Variance of the layer around its reconstruction, as a share of the layer's own. Lower keeps more of the "
        "layer, higher keeps the bits nearer to the prior.",
        minimum=1e-6,
        maximum=100.0,
    )
    prior: float = param(0.5, "Probability of a bit under the prior p(z).", minimum=0.001, maximum=0.999)
    beta: float = param(1.0, "Weight of the divergence from the prior.", minimum=0.0, maximum=1000.0)
    first_temperature: float = param(
        1.0,
        "Temperature of the Gumbel-softmax at the first step; it falls exponentially.",
        minimum=0.01,
        maximum=100.0,
    )
    last_temperature: float = param(
        0.2,
        "Temperature at the last step: the lower, the nearer the samples are to bits.",
        minimum=0.01,
        maximum=100.0,
    )
    steps: int = param(
        3000, "Length of the training; 0 leaves random weights, a control.", unit="steps", minimum=0, maximum=10_000_000
    )
    batch: int = param(128, "Images in each step.", unit="images", minimum=2, maximum=65_536)
    learning_rate: float = param(
        2e-3, "Highest learning rate of Adam; it rises and falls linearly.", minimum=1e-7, maximum=1.0
    )
    images: int = param(
        60_000,
        "The training split's first images, so many at most, are used; memory holds the layer for all of them.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    classifier_batch: int = param(
        256, "Images, or codes, in one forward pass of the classifier.", unit="images", minimum=1, maximum=65_536
    )


@params
class ConceptDecoderParams:
    """Options of `concept-decoder`."""

    width: int = param(
        8, "Channels before the last layer; the first ones have four times as many.", minimum=1, maximum=512
    )
    dropout: float = param(0.0, "Share of hidden units switched off in training.", minimum=0.0, maximum=0.9)
    steps: int = param(
        1500, "Length of the training; 0 leaves the start as it is.", unit="steps", minimum=0, maximum=10_000_000
    )
    batch: int = param(32, "Images in each step.", unit="images", minimum=2, maximum=65_536)
    learning_rate: float = param(
        2e-3, "Highest learning rate of Adam; it rises and falls linearly.", minimum=1e-7, maximum=1.0
    )
    shared: float = param(
        0.02,
        "Weight lambda of the inverse similarity between the information that the pictures and the classifier take "
        "from the layer (equation 6); 0 leaves it out.",
        minimum=0.0,
        maximum=1e6,
    )
    similarity: Literal["cosine", "dot"] = param(
        "cosine",
        "`dot` is equation 6 to the letter, which also falls when the pictures merely react more strongly; `cosine` "
        "compares directions alone, as table 2 does.",
    )
    span: Literal["layer", "decoded"] = param(
        "layer",
        "Directions of the information: each coordinate of the layer (equation 4), or those that phi' varies along.",
    )
    start: Literal["least-squares", "turned"] = param(
        "least-squares",
        "`turned` rotates it until its information is the classifier's: the similarity's maximum before training.",
    )
    interval: int = param(
        5, "The similarity is taken at every so many-th step, with as many times its weight.", minimum=1, maximum=1000
    )
    rows: int = param(
        16,
        "Points of the layer, each with one coordinate moved, at which the information is estimated then.",
        unit="points",
        minimum=1,
        maximum=65_536,
    )
    images: int = param(
        60_000,
        "The training split's first images, so many at most, are used; memory holds their codes.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    synthesis_batch: int = param(256, "Images drawn at a time.", unit="images", minimum=1, maximum=65_536)


@params
class ConceptFlipParams:
    """Options of `concept-flip`."""

    flips: Literal["fewest", "all"] = param(
        "fewest",
        "`fewest`: one bit where one changes the class, else the smallest set that is found; `all`: every bit, the "
        "paper's flipped representation.",
    )
    towards: Literal["any", "probe"] = param(
        "any", "What counts as a change: any other class, or only the class that is asked about."
    )
    exact: int = param(
        2,
        "Sets of up to so many bits are all tried, so that the smallest is found for certain; larger ones grow from "
        "the best of these, bit by bit, and lose again what they can do without.",
        unit="bits",
        minimum=1,
        maximum=4,
    )


@params
class LayerFidelityParams:
    """Options of `layer-fidelity`."""

    split: str = param("test", "The data's split that is measured.")
    images: int = param(
        10_000, "The split's first images, so many at most.", unit="images", minimum=1, maximum=10_000_000
    )
    searched: int = param(
        100, "Images among them whose smallest flip is searched for.", unit="images", minimum=0, maximum=10_000_000
    )


@params
class SharedInformationParams:
    """Options of `shared-information`."""

    split: str = param("test", "The data's split that is measured.")
    images: int = param(
        2000, "The split's first images, so many at most.", unit="images", minimum=1, maximum=10_000_000
    )
    points: int = param(
        200, "Points for each direction at which I(g) is estimated.", unit="points", minimum=1, maximum=1_000_000
    )


def _reader_images() -> Any:
    return param(
        6000, "Images drawn to train the network that reads factors.", unit="images", minimum=16, maximum=1_000_000
    )


def _reader_steps() -> Any:
    return param(800, "Length of its training.", unit="steps", minimum=1, maximum=1_000_000)


@params
class FlipFactorsParams:
    """Options of `flip-factors`."""

    factors: tuple[str, ...] = param((), "Factors that are reported; all of the data's where empty.")
    reader_images: int = _reader_images()
    reader_steps: int = _reader_steps()


@params
class ConceptFactorsParams:
    """Options of `concept-factors`."""

    split: str = param("test", "The data's split that is measured.")

    images: int = param(200, "The split's first images, so many at most.", unit="images", minimum=2, maximum=10_000_000)
    factors: tuple[str, ...] = param((), "Which factors are looked at; all of the data's where empty.")
    reader_images: int = _reader_images()
    reader_steps: int = _reader_steps()
