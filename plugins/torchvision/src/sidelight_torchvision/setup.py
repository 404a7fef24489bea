"""Architecture, preset and weights that the options choose. This module imports nothing heavy."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs.facts import offer
from sidelight_toolkit.named_architecture import (
    RANDOM,
    SetupError,
    check_any_source,
    check_one_source,
    live_model,
    similar,
)
from sidelight_toolkit.weights_outline import Outline, outline

from sidelight_torchvision import model_index
from sidelight_torchvision.model_index import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_torchvision.params import TorchvisionParams

_HEAD = re.compile(r"(?:fc|head|heads\.head|classifier(?:\.(\d+))?)\.weight")
USUAL = Preset(
    name="ImageNet's usual",
    size=224,
    resized=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    interpolation="bilinear",
    classes=(),
)
"""Preprocessing assumed of a live model that no preset fits (the defaults of torchvision's transform)."""


@frozen(kw_only=True)
class Setup:
    """Model to be built, and its weights.

    Args:
        name: of the architecture; empty for a live model that no architecture fits.
        preset: preprocessing and class names; None where they cannot be read without importing torchvision.
        weights: their file; None where they are random, downloaded or alive.
        outline: names and shapes of the weights; None where they cannot be read without torch.
        live: model of this process that is explained as it is.
    """

    name: str
    preset: Preset | None = None
    weights: Path | None = None
    outline: Outline | None = None
    live: Any = None

    def columns(self, params: TorchvisionParams) -> int | None:
        """Number of scores: of the options, the weights, or ImageNet's."""
        held = head_columns(self.outline or {})
        if params.num_classes or held:
            return params.num_classes or held
        if self.weights or self.live is not None:
            return None
        return len(self.preset.classes) or None if self.preset else None

    def classes(self, columns: int | None) -> tuple[str, ...]:
        """Class names of the preset, where it has as many."""
        return self.preset.classes if self.preset and len(self.preset.classes) == columns else ()

    @property
    def side(self) -> int | None:
        """Side of the square images that the network takes: by the weights of a vision transformer, or the preset."""
        shapes = self.outline or {}
        positions, patch = shapes.get("encoder.pos_embedding", ()), shapes.get("conv_proj.weight", ())
        if len(positions) == 3 and len(patch) == 4:
            return math.isqrt(max(positions[1] - 1, 0)) * patch[-1]  # a class token, and a square of patches
        return self.preset.size if self.preset else None


def head_columns(shapes: Outline) -> int | None:
    """Rows of the last layer's weight, whose name differs between architectures."""
    heads = {name: match for name in shapes if (match := _HEAD.fullmatch(name))}
    last = max(heads, key=lambda name: int(heads[name].group(1) or 0), default="")
    return shapes[last][0] if last and shapes[last] else None


def set_up(params: TorchvisionParams) -> Setup:
    """Choice by the options.

    Raises:
        SetupError: they choose nothing, or things that do not go together.
    """
    setup = _set_up_live(params) if params.object else _set_up_named(params)
    held = head_columns(setup.outline or {})
    if params.num_classes and held and params.num_classes != held:
        raise SetupError(
            f"the weights {setup.weights or 'of the live model'} are of {held} classes, num_classes says "
            f"{params.num_classes}",
            "leave `num_classes` out",
            "num_classes",
        )
    return setup


def _set_up_named(params: TorchvisionParams) -> Setup:
    name = params.architecture
    if not name:
        raise SetupError(
            "no architecture is given", "set `architecture` to a name in torchvision, such as resnet50", "architecture"
        )
    known = model_index.architectures()
    if known and name not in known:
        fix = f"choose one such as {similar(name, known)}; there are {len(known)} classifiers"
        raise SetupError(f'torchvision has no classifier "{name}"', fix, "architecture")
    presets = model_index.presets(name)
    if presets and params.preset not in presets:
        raise SetupError(
            f'torchvision has no weights "{params.preset}" of {name}', offer(params.preset, presets), "preset"
        )
    check_one_source(params)
    check_any_source(params, "torchvision")
    weights = Path(params.weights).expanduser() if params.weights not in {"", RANDOM} else None
    if weights and not weights.is_file():
        raise SetupError(f"there is no file {weights}", "give the path of the weights", "weights")
    return Setup(
        name=name,
        preset=presets.get(params.preset),
        weights=weights,
        outline=outline(weights) if weights else None,
    )


def _set_up_live(params: TorchvisionParams) -> Setup:
    model = live_model(params)
    shapes = shapes_of(model)
    name = recognise(type(model).__module__, shapes)
    found = model_index.presets(name).get(params.preset) if name else None
    return Setup(name=name, preset=found or USUAL, outline=shapes, live=model)


def shapes_of(model: Any) -> dict[str, tuple[int, ...]]:
    """Name to shape of a live model's parameters."""
    return {name: tuple(each.shape) for name, each in model.named_parameters()}


def recognise(module: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Architecture of a live model, by the number of its parameters before the last layer; empty where none fits.

    Args:
        module: that its class was defined in.
        shapes: name to shape of its parameters.
    """
    own = sum(map(math.prod, shapes.values()))
    columns = head_columns(shapes)
    if columns is None:
        return ""
    head = {name: shape for name, shape in shapes.items() if shape and shape[0] == columns and _is_head(name, shapes)}
    own -= sum(map(math.prod, head.values()))
    width = sum(math.prod(shape) // columns for shape in head.values())  # parameters of the last layer for a class
    for name in model_index.architectures_of(module):
        preset = model_index.preset(name)
        if preset and preset.parameters and preset.parameters - width * len(preset.classes) == own:
            return name
    return ""


def _is_head(name: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """True for weight and bias of the last layer."""
    heads = {each: match for each in shapes if (match := _HEAD.fullmatch(each))}
    last = max(heads, key=lambda each: int(heads[each].group(1) or 0))
    return name.rpartition(".")[0] == last.rpartition(".")[0]
