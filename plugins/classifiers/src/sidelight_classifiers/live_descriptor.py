"""Descriptor of live models. This module imports nothing heavy: torch is there already where a module is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import frozen
from sidelight_specs import UserError, live, param, params
from sidelight_specs.facts import Mistake
from sidelight_specs.live import Adoption
from sidelight_toolkit.live_model import has_attention, hold, is_module, is_tensor, name_of, training_warning
from sidelight_toolkit.model_source import CAPABILITIES, Known, ModelSourceDescriptor, ModelSourceParams
from sidelight_toolkit.preprocess_object import numbers_of

if TYPE_CHECKING:
    from sidelight_specs.facts import Shape

WEIGHTS = (".safetensors", ".bin", ".ckpt")  # suffixes of files that hold nothing else
ASSUMED = 224  # pixels; what most networks for photographs take


@params
class LiveParams(ModelSourceParams):
    """Options of `live`."""

    object: str = param(..., "Token of the live object, which `sidelight.explain` and dict recipes write.")
    kind: Literal["module", "function"] = param("module", "A torch module, or a function from images to scores.")
    channels: int = param(3, "Colour channels that the model takes.", choices=(1, 3))
    preprocess: str = param("", "Token of a live function that prepares images in [0, 1] for the module.")


@frozen(kw_only=True)
class LiveDescriptor(ModelSourceDescriptor):
    """A model that this process holds: a torch module, or a black box."""

    adopts_any: ClassVar[bool] = True

    def known(self, params: Any) -> Known:
        """Shape by the options, which `adopts` has read from the model."""
        size = (params.height, params.width)
        return Known(shape=(params.channels, *size) if all(size) else None)

    def subject(self, params: Any) -> str:
        """The model's class, or the function's name."""
        return name_of(live.get(params.object)) if live.is_held(params.object) else "the live model"

    def provided_by(self, params: object) -> tuple[str, ...]:
        """A function shows scores alone; a module with self-attention says so."""
        assert isinstance(params, LiveParams)
        given = super().provided_by(params)
        if params.kind == "function":
            return tuple(each for each in given if each == "classes")
        network = live.get(params.object) if live.is_held(params.object) else None
        return (*given, "attention") if network is not None and has_attention(network) else given

    def absence(self, params: object, capability: str) -> str:
        """A function is a black box."""
        assert isinstance(params, LiveParams)
        if params.kind == "function" and capability in CAPABILITIES and capability != "classes":
            return "a function shows scores alone: give the torch.nn.Module itself"
        return super().absence(params, capability)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Another process held the object."""
        assert isinstance(params, LiveParams)
        yield from super().mistakes(params)
        tokens = {"object": params.object, "preprocess": params.preprocess}
        for option, token in tokens.items():
            if token and not live.is_held(token):
                yield Mistake(*live.GONE, option)

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A torch module, or any other object that can be called.

        Raises:
            UserError: it is part of a model alone.
        """
        saved = _file_for(value)
        if saved:
            raise UserError(
                f"torch's {type(value).__name__} is explained from its file",
                f"give the path of that: {saved}; or give the module that it was made from",
            )
        if isinstance(value, (str, Path)) and Path(value).suffix.lower() in WEIGHTS and Path(value).is_file():
            raise UserError(
                f"{value} holds weights and no network", f"name its architecture, such as timm:resnet18@{value}"
            )
        if is_module(value):
            return _adopted(value, "module", hints)
        if callable(value) and not isinstance(value, type):
            return _adopted(value, "function", hints)
        if isinstance(value, type) and hasattr(value, "forward"):
            raise UserError(f"{value.__name__} is a class and no model", f"make one of it: {value.__name__}(...)")
        if isinstance(value, Mapping) and value and all(map(is_tensor, value.values())):
            raise UserError(
                "a state dict holds weights and no network", "build the network and give it: model.load_state_dict(...)"
            )
        return None


def _adopted(value: Any, kind: str, hints: Mapping[str, Any]) -> Adoption:
    """Parameters for a model, read from it and from what the user gave beside it."""
    warnings = list[str]()
    held = [hold(value, kind, warnings)]
    given: dict[str, Any] = {"object": held[0].token, "kind": kind}
    preprocess = hints.get("preprocess")
    if preprocess is not None:
        read = numbers_of(preprocess)
        given |= read
        if not read:
            held.append(hold(preprocess, "preprocess", warnings))
            given["preprocess"] = held[-1].token
    shown: Shape | None = hints.get("shown")
    channels = _channels(value) if kind == "module" else None
    given["channels"] = channels or (shown[0] if shown else 3)
    if not (hints.get("height") or given.get("height")):
        height, width = _size(value) or (shown[1:] if shown else (ASSUMED, ASSUMED))
        given |= {"height": height, "width": width}
        if not (shown or _size(value)):
            warnings.append(
                f"{name_of(value)} does not say the size that it takes, {ASSUMED}x{ASSUMED} is assumed: give size=..."
            )
    normalised = preprocess is not None or any(hints.get(option) is not None for option in ("mean", "std"))
    if kind == "module" and not normalised:
        warnings.append(
            f"{name_of(value)} is given images in [0, 1] as they are: give mean=... and std=..., or preprocess=..., if "
            "it was trained on normalised ones"
        )
    if kind == "module":
        warnings.extend(training_warning(value))
    names = _class_names(value)
    if names and hints.get("classes") is None:
        given["classes"] = names
    return Adoption(
        params=given, live=tuple(held), generic=True, warnings=tuple(warnings), taken=("preprocess", "shown")
    )


def _file_for(value: object) -> str:
    """Instruction to save an exported program or a module of TorchScript; empty for other values."""
    bases = {base.__name__ for base in type(value).__mro__}
    if "ExportedProgram" in bases:
        return "torch.export.save(program, 'model.pt2')"
    return "model.save('model.ts')" if is_module(value) and "ScriptModule" in bases else ""


def _channels(module: Any) -> int | None:
    """Input channels of the first layer that has them, where they are those of an image."""
    counts = (getattr(layer, "in_channels", None) for layer in module.modules())
    first = next((count for count in counts if isinstance(count, int)), None)
    return first if first in (1, 3) else None


def _size(model: Any) -> tuple[int, int] | None:
    """(H, W) that a model says it takes, by the attributes in use."""
    for name in ("image_size", "img_size", "input_size"):
        size = getattr(model, name, None)
        if isinstance(size, int):
            return size, size
        if isinstance(size, Sequence) and len(size) in (2, 3) and all(isinstance(side, int) for side in size):
            return size[-2], size[-1]
    return None


def _class_names(model: Any) -> tuple[str, ...]:
    """Class names that a model carries: a list under `classes` or `class_names`."""
    for name in ("class_names", "classes"):
        names = getattr(model, name, None)
        if isinstance(names, (list, tuple)) and names and all(isinstance(each, str) for each in names):
            return tuple(names)
    return ()
