"""Options of this plugin's components."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params
from sidelight_toolkit.drawn_latents import DrawnLatentsParams
from sidelight_toolkit.options import BatchSize, batch_option

CLASSIFIED_ON_CPU = 64
"""Images classified in one pass on a CPU."""
DRAWN_ON_CPU = 16
"""Images drawn or classified in one pass of `line-search` on a CPU."""


@params
class DirectionParams(DrawnLatentsParams):
    """Options of `latent-directions`."""

    train: int = param(
        20_000, "Sampled latents that the linear model is fitted on.", unit="samples", minimum=8, maximum=10_000_000
    )
    validation: int = param(
        5_000, "Sampled latents that its accuracy is measured on.", unit="samples", minimum=4, maximum=10_000_000
    )
    lambdas: tuple[float, ...] = param(
        (-0.09, -0.06, -0.03, 0.03, 0.06, 0.09),
        "Shifts along the direction, in `unit`; one attribute each (lambda).",
        minimum=-100.0,
        maximum=100.0,
    )
    unit: Literal["norm", "one"] = param(
        "norm", "Unit of a lambda: mean length of the samples (the paper's code) or 1 (its text)."
    )
    penalty: float = param(
        1.0, "Inverse strength of the logistic regression's L2 penalty (C).", minimum=1e-9, maximum=1e9
    )
    examples: int = param(6, "Images stored before and after each shift.", unit="images", minimum=0, maximum=1000)
    batch: int = param(
        64, "Latents drawn and classified at a time; fewer of large images.", unit="latents", minimum=1, maximum=65_536
    )


@params
class GanalyzeParams(DrawnLatentsParams):
    """Options of `ganalyze`."""

    steps: int = param(400, "Length of the training.", unit="steps", minimum=1, maximum=1_000_000)
    batch: int = param(
        16, "Samples drawn and classified at a time; bounds the memory.", unit="samples", minimum=2, maximum=65_536
    )
    rate: float = param(
        0.03,
        "Highest learning rate, in units of the samples' deviation; it falls linearly.",
        minimum=1e-7,
        maximum=10.0,
    )
    reach: float = param(
        3.0, "Largest change of the logit or value that is asked for (alpha).", unit="logits", minimum=1e-6, maximum=1e6
    )
    validation: int = param(
        256, "Samples that the direction is tried on afterwards.", unit="samples", minimum=2, maximum=1_000_000
    )
    examples: int = param(6, "Images stored before and after each shift.", unit="images", minimum=0, maximum=1000)


@params
class ComponentParams(DrawnLatentsParams):
    """Options of finders that use no classifier: `pca-directions` and `closed-form`."""

    components: int = param(10, "Directions that are kept, the first ones.", unit="directions", minimum=1, maximum=1000)
    layers: tuple[int, ...] = param(
        (), "First and last layer that is shifted, counted from 1; by default all.", minimum=1, maximum=128
    )
    reach: float = param(
        2.0, "Shift at 100 %, in standard deviations (sigma).", unit="deviations", minimum=1e-3, maximum=100.0
    )
    train: int = param(
        10_000, "Samples that the deviations, and principal components, come from.", minimum=8, maximum=10_000_000
    )
    examples: int = param(6, "Images stored before and after each shift.", unit="images", minimum=0, maximum=1000)
    batch: int = param(
        64, "Latents drawn and classified at a time; fewer of large images.", unit="latents", minimum=1, maximum=65_536
    )


@params
class ClosedFormParams(ComponentParams):
    """Options of `closed-form`."""

    reach: float = param(
        4.0, "Shift at 100 %, in mean deviations of w.", unit="deviations", minimum=1e-3, maximum=100.0
    )


@params
class AlongParams:
    """Options of `along-direction`."""

    batch: BatchSize = batch_option("Images classified", CLASSIFIED_ON_CPU)


@params
class LineSearchParams:
    """Options of `line-search`."""

    margin: float = param(
        0.0, "Least lead of the probe over every other class.", unit="logits", minimum=0.0, maximum=100.0
    )
    reach: float = param(
        1.0, "Longest shift that is tried, in multiples of the finder's longest.", minimum=1e-3, maximum=100.0
    )
    steps: int = param(20, "Equal steps up to the longest shift.", unit="steps", minimum=1, maximum=10_000)
    halvings: int = param(6, "Halvings of the step at which the answer turns.", unit="halvings", minimum=0, maximum=60)
    batch: BatchSize = batch_option("Images", DRAWN_ON_CPU)


@params
class ByHandParams:
    """Options of `by-hand`."""

    session: str = param("", "Path of a session saved by the explorer's page; empty: no edits.")
    batch: BatchSize = batch_option("Images classified", CLASSIFIED_ON_CPU)


@params
class WebParams:
    """Options of `web`."""

    images: int = param(
        12, "Images in the gallery at the start: the run's, then random draws.", unit="images", minimum=1, maximum=200
    )
    styles: int = param(5, "Random styles in the matrix at the start.", unit="styles", minimum=1, maximum=50)
    groups: int = param(4, "Columns of the matrix: groups of adjacent layers.", unit="groups", minimum=1, maximum=64)
    seed: int = param(0, "Seed of the random styles at the start.", minimum=0, maximum=2_147_483_647)
    truncation: float = param(
        1.0, "Truncation of random styles: 1 leaves them as sampled, 0 gives the mean (psi).", minimum=0.0, maximum=2.0
    )
    session: str = param("", "Path of a saved session to start with.")
    offline: Literal["auto", "models", "pictures"] = param(
        "auto", "Content of the offline page: the models, or pictures of edits; auto: models where they fit."
    )
    budget: float = param(
        24.0, "Size of the models or pictures in an offline page, at most.", unit="MB", minimum=0.001, maximum=2000.0
    )
    precomputed: int = param(
        100,
        "Edits of each image in an offline page of pictures, at most; the budget may cut them.",
        unit="images",
        minimum=0,
        maximum=100_000,
    )
    region: int = param(
        2000, "Samples that the generator's region of W is fitted on.", unit="samples", minimum=16, maximum=1_000_000
    )
    batch: int = param(16, "Images drawn at a time; fewer of large ones.", unit="images", minimum=1, maximum=4096)
    units: dict[str, str] = param({}, "Units of regressions, by what the value means: {age: years}.")
    neutral: dict[str, float] = param(
        {}, "Middle of a regression's bar, likewise; the median of draws.", minimum=-1e9, maximum=1e9
    )
    space: Literal["w", "w+"] = param(
        "w", "Space of uploads where the inverter has both: one w for all layers, or one for each."
    )
    names: bool = param(True, "Keep names of sliders that visitors give with the run (kept/explorer/names.json).")
    visitors: int = param(
        64, "Open tabs at a time; a further one waits until one is closed.", unit="tabs", minimum=1, maximum=10_000
    )
    upload: int = param(16, "Largest file that may be uploaded.", unit="MiB", minimum=1, maximum=1024)
