"""Cards of checkpoints: origin, training and measurements. This module imports nothing heavy."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import attrs

FOLDER = Path(__file__).parent / "checkpoints"
"""A `NAME.json`, the card, beside a `NAME.safetensors`, the weights."""


@attrs.frozen(kw_only=True)
class Card:
    """Origin, training and measurements of a checkpoint.

    Args:
        name: the component's name: `zoo/NAME` in a recipe.
        role: of the component.
        summary: one sentence.
        use: the component whose training this is: `classifiers/lenet`.
        params: all of its parameters, as it was trained.
        options: parameters that can still be chosen; the training settled the others.
        needs: slot to the checkpoint of this zoo with which it was trained.
        shape: (C, H, W) of its images.
        command: trains it anew.
        recipe: name of the recipe.
        training: all that decides the training: the recipe's seed, its data, this component and its needs, with every
            default written out.
        digest: blake2b of `training`, as `digest_of` gives it.
        data: training data, in words, with its licence.
        figures: measurements, name to number.
        precision: distance of the half-precision file's scores and images from those of the training.
        licence: of the weights.
        sha256: of the `.safetensors` file.
    """

    name: str
    role: str
    summary: str
    use: str
    params: dict[str, Any]
    options: tuple[str, ...] = attrs.field(converter=tuple)
    needs: dict[str, str]
    shape: tuple[int, int, int] = attrs.field(converter=tuple)
    command: str
    recipe: str
    training: dict[str, Any]
    digest: str
    data: str
    figures: dict[str, float]
    precision: dict[str, float]
    licence: str
    sha256: str

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return FOLDER / f"{self.name}.safetensors"


@cache
def cards() -> dict[str, Card]:
    """Name to card, of every checkpoint of this distribution."""
    documents = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json")))
    return {document["name"]: Card(**document) for document in documents}
