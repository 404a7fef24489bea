"""The options of every component of this plugin."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params


@params
class DvaeParams:
    """Options of `dvae`."""

    layer: str = param("", "Layer of the classifier that everything goes through; the last hidden one where empty.")
    bits: int = param(32, "Length of the boolean code z (n).", unit="bits", minimum=1, maximum=4096)
    widths: tuple[int, ...] = param(
        (256, 256, 128),
        "Units between the linear layers of the encoder; the decoder mirrors them.",
        unit="units",
        minimum=1,
        maximum=65_536,
    )
    dropout: float = param(0.0, "Share of hidden units switched off in training.", minimum=0.0, maximum=0.9)
    decoder: Literal["plain", "odd"] = param(
        "plain", "Decoder of z in {0, 1} (paper), or `odd`: all bits flipped reflect phi' about the centre."
    )
    centre: Literal["mean", "boundary"] = param(
        "mean", "Centre of the layer: its mean, or for two classes a point on their boundary."
    )
    variance: float = param(
        0.02,
        "Variance of the layer around phi', as a share of its own; lower keeps more of the layer.",
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
    batch: int = param(128, "Images in a training step.", unit="images", minimum=2, maximum=65_536)
    learning_rate: float = param(
        2e-3, "Highest learning rate of Adam; it rises and falls linearly.", minimum=1e-7, maximum=1.0
    )
    images: int = param(
        60_000,
        "First images of the training split that are used; memory holds the layer for all.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    classifier_batch: int = param(
        256, "Images, or codes, in one pass of the classifier.", unit="images", minimum=1, maximum=65_536
    )


@params
class ConceptDecoderParams:
    """Options of `concept-decoder`."""

    width: int = param(
        8, "Channels before the last layer; the first ones have four times as many.", minimum=1, maximum=512
    )
    dropout: float = param(0.0, "Share of hidden units switched off in training.", minimum=0.0, maximum=0.9)
    steps: int = param(
        1500,
        "Length of the training; 0 leaves the initialisation as it is.",
        unit="steps",
        minimum=0,
        maximum=10_000_000,
    )
    batch: int = param(32, "Images in a training step.", unit="images", minimum=2, maximum=65_536)
    learning_rate: float = param(
        2e-3, "Highest learning rate of Adam; it rises and falls linearly.", minimum=1e-7, maximum=1.0
    )
    shared: float = param(
        0.02, "Weight of the inverse similarity of equation 6; 0 leaves it out (lambda).", minimum=0.0, maximum=1e6
    )
    similarity: Literal["cosine", "dot"] = param(
        "cosine", "Cosine of both information vectors (table 2), or their product (equation 6)."
    )
    span: Literal["layer", "decoded"] = param(
        "layer", "Directions of the information: coordinates of the layer, or those that phi' varies along."
    )
    start: Literal["least-squares", "turned"] = param(
        "least-squares", "Initialisation; `turned` aligns its information with the classifier's."
    )
    interval: int = param(
        5, "Steps from one similarity term to the next, which has as many times its weight.", minimum=1, maximum=1000
    )
    rows: int = param(
        16,
        "Perturbed points of the layer at which such a term estimates the information.",
        unit="points",
        minimum=1,
        maximum=65_536,
    )
    images: int = param(
        60_000,
        "First images of the training split that are used; memory holds their codes.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    synthesis_batch: int = param(256, "Codes decoded at a time.", unit="images", minimum=1, maximum=65_536)


@params
class ConceptLatentsParams:
    """Options of `concept-latents`."""

    keep_image: bool = param(
        True, "Whatever the layer does not know stays as in the image; off: as in the average of the training images."
    )
    ridge: float = param(
        0.01,
        "Penalty on the map from the layer to latents, as a share of the layer's variance.",
        minimum=0.0,
        maximum=1e6,
    )
    images: int = param(
        6000,
        "First images of the training split that the map is fitted to; memory holds their latents, not the images.",
        unit="images",
        minimum=2,
        maximum=10_000_000,
    )
    validation: int = param(
        500,
        "Further images of the training split on which the map's R2 is measured, at most a quarter of few; 0: none.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    synthesis_batch: int = param(64, "Images encoded or drawn at a time.", unit="images", minimum=1, maximum=65_536)


@params
class ConceptFlipParams:
    """Options of `concept-flip`."""

    flips: Literal["fewest", "all"] = param(
        "fewest", "Bits that are flipped: the smallest set that changes the class, or all (paper)."
    )
    towards: Literal["any", "probe"] = param("any", "Change of class that counts: to any other, or to the probe.")
    exact: int = param(
        2,
        "Size up to which all sets of bits are tried; larger sets grow greedily from the best.",
        unit="bits",
        minimum=1,
        maximum=4,
    )


@params
class LayerFidelityParams:
    """Options of `layer-fidelity`."""

    split: str = param("test", "Split of the data that is measured.")
    images: int = param(
        10_000, "First images of the split that are used.", unit="images", minimum=1, maximum=10_000_000
    )
    searched: int = param(
        100, "Images among them whose smallest flip is searched for.", unit="images", minimum=0, maximum=10_000_000
    )


@params
class SharedInformationParams:
    """Options of `shared-information`."""

    split: str = param("test", "Split of the data that is measured.")
    images: int = param(2000, "First images of the split that are used.", unit="images", minimum=1, maximum=10_000_000)
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

    split: str = param("test", "Split of the data that is measured.")
    images: int = param(200, "First images of the split that are used.", unit="images", minimum=2, maximum=10_000_000)
    factors: tuple[str, ...] = param((), "Factors that are reported; all of the data's where empty.")
    reader_images: int = _reader_images()
    reader_steps: int = _reader_steps()
