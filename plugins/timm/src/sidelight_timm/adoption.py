"""Values that stand for `timm/model`: a live model, a folder of save_for_hf, `timm:NAME`. Nothing heavy here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs.live import Adoption
from sidelight_toolkit.live_model import hold, is_module, training_warning
from sidelight_toolkit.named_architecture import named_source
from sidelight_toolkit.preprocess_object import numbers_of

from sidelight_timm.setup import CONFIG, ENDINGS, HUB, is_timms

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "timm:"
_TAKEN = ("preprocess", "shown")


def adopted(value: object, hints: Mapping[str, Any]) -> Adoption | None:
    """Parameters for a value; None for what is not timm's."""
    if isinstance(value, (str, Path)):
        return _named(str(value))
    return _live(value, hints) if _is_timm_model(value) else None


def _named(text: str) -> Adoption | None:
    """`timm:resnet18@WEIGHTS`, `hf-hub:USER/MODEL`, or weights beside a config.json of timm."""
    if text.startswith(PREFIX):
        return Adoption(params=named_source(text.removeprefix(PREFIX)), taken=_TAKEN)
    if text.startswith(HUB):
        return Adoption(params={"architecture": text}, taken=_TAKEN)
    path = Path(text).expanduser()
    try:
        is_folder = path.is_dir()
    except OSError:  # no path at all: a name too long
        return None
    config = path / CONFIG if is_folder else path.with_name(CONFIG)
    if (is_folder or path.suffix in ENDINGS) and is_timms(config):
        return Adoption(params={"weights": text}, taken=_TAKEN)
    return None


def _is_timm_model(value: Any) -> bool:
    """A module that carries timm's configuration; torch.compile hands that of the module inside on."""
    cfg = getattr(value, "pretrained_cfg", None)
    return is_module(value) and isinstance(cfg, dict) and "input_size" in cfg


def _live(value: Any, hints: Mapping[str, Any]) -> Adoption | None:
    read: dict[str, Any] = {}
    if hints.get("preprocess") is not None:
        read = numbers_of(hints["preprocess"])
        if not read:
            return None  # a function before the model: classifiers/live takes both
    warnings = list(training_warning(value))
    held = hold(value, "timm", warnings)
    return Adoption(params={"object": held.token, **read}, live=(held,), warnings=tuple(warnings), taken=_TAKEN)
