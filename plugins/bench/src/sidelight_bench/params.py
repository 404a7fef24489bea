"""Options of the baselines and of the oracle."""

from __future__ import annotations

from sidelight_specs import param, params


@params
class RandomParams:
    """Options of `random`."""

    seed: int = param(0, "Seed of the noise, beside the image.", minimum=0, maximum=2**31 - 1)
    cells: int = param(8, "Cells of the noise along a side; enlarged smoothly.", minimum=1, maximum=1024)


@params
class OracleParams:
    """Options of `oracle`."""

    split: str = param("test", "Split of the data that the images come from.")
    draws: int = param(8, "Values drawn for each factor of an image.", unit="draws", minimum=1, maximum=1000)
    batch: int = param(64, "Images drawn and classified at a time.", unit="images", minimum=1, maximum=65536)
