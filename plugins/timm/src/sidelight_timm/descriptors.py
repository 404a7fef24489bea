"""Descriptor of `timm/model`, with what `check` knows without importing timm. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs.facts import Mistake
from sidelight_toolkit.live_model import has_attention
from sidelight_toolkit.model_source import Known, ModelSourceDescriptor, stamp
from sidelight_toolkit.named_architecture import RANDOM, SetupError, random_weights

from sidelight_timm import model_index
from sidelight_timm.adoption import adopted
from sidelight_timm.params import TimmParams
from sidelight_timm.setup import CONFIG, class_names, set_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight_specs.live import Adoption


@frozen(kw_only=True)
class TimmDescriptor(ModelSourceDescriptor):
    """A model of timm with local or published weights."""

    def known(self, params: Any) -> Known:
        """By the config.json or timm's tables, and the shapes in the weights file."""
        assert isinstance(params, TimmParams)
        try:
            setup = set_up(params)
        except SetupError:
            return Known()
        cfg = setup.configuration(model_index.configuration(setup.name) or {})
        columns, channels, size = setup.columns(params, cfg), setup.channels(params, cfg), cfg.get("input_size")
        shape = (channels, size[1], size[2]) if channels and size else None
        crop: Any = "whole" if cfg.get("crop_mode") == "squash" else cfg.get("crop_pct")
        return Known(shape=shape, columns=columns, classes=class_names(cfg, columns), crop=crop)

    def weights(self, params: Any) -> tuple[str, Mapping[str, str]]:
        """The file or folder that `weights` names."""
        assert isinstance(params, TimmParams)
        if params.weights in {"", RANDOM}:
            return "", {}
        path = Path(params.weights).expanduser()
        inside = sorted(path.iterdir()) if path.is_dir() else (path, path.with_name(CONFIG))
        return stamp(*inside), {} if path.is_dir() else {"weights": params.weights}  # the kernel looks for plain files

    def reads(self, params: object) -> Iterable[str]:
        """The file or folder of weights, the config.json beside a file, and the file of class names."""
        assert isinstance(params, TimmParams)
        named = [path for path in super().reads(params) if path != params.weights]
        if params.weights in {"", RANDOM}:
            return named
        config = Path(params.weights).expanduser().with_name(CONFIG)
        return [params.weights, *([str(config)] if config.is_file() else []), *named]

    def subject(self, params: Any) -> str:
        """`resnet18`, or the path of the weights."""
        assert isinstance(params, TimmParams)
        return params.architecture or params.weights or "the live model of timm"

    def attends(self, params: Any) -> bool:
        """By the layers of a live model, or by timm's source text."""
        assert isinstance(params, TimmParams)
        try:
            setup = set_up(params)
        except SetupError:
            return False
        return has_attention(setup.live) if setup.live is not None else model_index.has_attention(setup.name)

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A live model of timm, weights beside a config.json of timm, or `timm:NAME`."""
        return adopted(value, hints)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Sources of weights that exclude each other, unknown names, files that do not go together."""
        assert isinstance(params, TimmParams)
        try:
            set_up(params)
        except SetupError as error:
            yield Mistake(error.message, error.fix, error.option)
            return
        yield from super().mistakes(params)
        yield from random_weights(params)
