"""The options of every component of this plugin."""

from __future__ import annotations

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
    steps: int = param(3000, "Length of the training.", unit="steps", minimum=1, maximum=10_000_000)
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
