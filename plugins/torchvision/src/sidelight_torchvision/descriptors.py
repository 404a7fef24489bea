"""Descriptor of `torchvision/model`, with what is known without importing torchvision. Nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs.facts import Mistake
from sidelight_specs.live import Adoption
from sidelight_toolkit.live_model import has_attention, hold, is_module, name_of, training_warning
from sidelight_toolkit.model_source import Known, ModelSourceDescriptor, stamp
from sidelight_toolkit.named_architecture import RANDOM, SetupError, named_source, random_weights
from sidelight_toolkit.preprocess_object import numbers_of, transform_of

from sidelight_torchvision import model_index
from sidelight_torchvision.params import TorchvisionParams
from sidelight_torchvision.setup import USUAL, recognise, set_up, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "torchvision:"
_TAKEN = ("preprocess", "shown")
_PACKAGE = "torchvision.models."


@frozen(kw_only=True)
class TorchvisionDescriptor(ModelSourceDescriptor):
    """A classifier of torchvision with local or published weights."""

    def known(self, params: Any) -> Known:
        """By torchvision's presets, and the shapes in the weights file."""
        assert isinstance(params, TorchvisionParams)
        try:
            setup = set_up(params)
        except SetupError:
            return Known()
        columns, side = setup.columns(params), setup.side
        crop = setup.preset.crop if setup.preset else None
        return Known(
            shape=(3, side, side) if side else None, columns=columns, classes=setup.classes(columns), crop=crop
        )

    def weights(self, params: Any) -> tuple[str, Mapping[str, str]]:
        """The file that `weights` names."""
        assert isinstance(params, TorchvisionParams)
        named = "" if params.weights == RANDOM else params.weights
        return stamp(named), {"weights": named}

    def subject(self, params: Any) -> str:
        """`resnet50`."""
        assert isinstance(params, TorchvisionParams)
        return params.architecture or "the live model of torchvision"

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Sources of weights that exclude each other, unknown names, options that the weights contradict."""
        assert isinstance(params, TorchvisionParams)
        try:
            set_up(params)
        except SetupError as error:
            yield Mistake(error.message, error.fix, error.option)
            return
        yield from super().mistakes(params)
        yield from random_weights(params)

    def attends(self, params: Any) -> bool:
        """By the layers of a live model, or by torchvision's source text."""
        assert isinstance(params, TorchvisionParams)
        try:
            setup = set_up(params)
        except SetupError:
            return False
        return has_attention(setup.live) if setup.live is not None else model_index.has_attention(setup.name)

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A live classifier of torchvision, or `torchvision:NAME@WEIGHTS`."""
        if isinstance(value, str):
            named = value.startswith(PREFIX)
            return Adoption(params=named_source(value.removeprefix(PREFIX)), taken=_TAKEN) if named else None
        if not is_module(value) or not type(value).__module__.startswith(_PACKAGE):
            return None
        return _live(value, hints)


def _live(value: Any, hints: Mapping[str, Any]) -> Adoption | None:
    """Parameters for a live model. It carries no preprocessing, so that what is assumed is said."""
    if not hasattr(value, "named_parameters") or ".".join(type(value).__module__.split(".")[:3]) in _OTHERS:
        return None
    read: dict[str, Any] = {}
    if hints.get("preprocess") is not None:
        read = numbers_of(hints["preprocess"])
        if not read:
            return None  # a function before the model: classifiers/live takes both
    warnings = list(training_warning(value))
    name = recognise(type(value).__module__, shapes_of(value))
    same = _preset_of(name, hints.get("preprocess"))
    if same:
        read["preset"] = same
    preset = (model_index.preset(name) if name else None) or USUAL
    side = getattr(value, "image_size", None) or preset.size
    if not read and hints.get("mean") is None:
        warnings.append(
            f"{name or name_of(value)} does not say its preprocessing; {preset.name} is assumed ({side}x{side}, "
            f"mean {_numbers(preset.mean)}, std {_numbers(preset.std)}): give preprocess=weights.transforms(), or "
            "size, mean and std, if it was trained otherwise"
        )
    if not hints.get("height") and side is not None:
        read = {"height": side, "width": side, **read}
    held = hold(value, "torchvision", warnings)
    return Adoption(params={"object": held.token, **read}, live=(held,), warnings=tuple(warnings), taken=_TAKEN)


def _preset_of(name: str, transform: Any) -> str:
    """The preset that a transform of torchvision is of; empty for another one."""
    transform = transform_of(transform)
    asked = [list(getattr(transform, each, None) or ()) for each in ("crop_size", "resize_size", "mean", "std")]
    for preset in (model_index.presets(name) if name else {}).values():
        if asked == [[preset.size], [preset.resized], list(preset.mean), list(preset.std)]:
            return preset.name
    return ""


_OTHERS = {f"{_PACKAGE}{name}" for name in ("detection", "optical_flow", "quantization", "segmentation", "video")}
"""Packages whose models are no classifiers of images, or are not differentiable."""


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
