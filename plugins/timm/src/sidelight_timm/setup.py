"""Architecture, configuration and weights that options and a config.json choose. This module imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from sidelight_specs.facts import offer
from sidelight_specs.files import read_object
from sidelight_toolkit.class_names import MOST_CLASSES
from sidelight_toolkit.named_architecture import (
    RANDOM,
    SetupError,
    check_any_source,
    check_one_source,
    live_model,
    similar,
)
from sidelight_toolkit.weights_outline import Outline, outline

from sidelight_timm import model_index

if TYPE_CHECKING:
    from sidelight_timm.params import TimmParams

CONFIG = "config.json"
FILES = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")  # as timm looks for them
ENDINGS = (".safetensors", ".pth", ".bin", ".pt")
HUB = "hf-hub:"
LARGEST = 4096  # pixels of a side, as for the options
MOST_TOKENS = 6  # fewer than so many tokens stand beside the patches: a class token and registers
_NOT_FROM_FILES = {
    *("pretrained", "checkpoint_path", "cache_dir", "pretrained_cfg", "pretrained_cfg_overlay", "features_only")
}
"""Arguments of `create_model` that would read other files, or build something else than a classifier."""
_SOURCES = {"url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load"}


@frozen(kw_only=True)
class Config:
    """A config.json as timm writes it.

    Args:
        architecture: name in timm.
        columns: number of classes.
        cfg: timm's `pretrained_cfg`: input size, mean, std, crop, names of layers and labels.
        model_args: arguments of `create_model`.
    """

    architecture: str
    columns: int | None = None
    cfg: Mapping[str, Any] = field(factory=dict)
    model_args: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Setup:
    """Model to be built, and its weights.

    Args:
        name: in timm, with a tag where there is one.
        weights: their file; None where they are random or downloaded.
        config: of the config.json; None where there is none.
        outline: names and shapes of the weights; None where they cannot be read without torch.
        live: model of this process that is explained as it is.
    """

    name: str
    weights: Path | None = None
    config: Config | None = None
    outline: Outline | None = None
    live: Any = None

    def configuration(self, registered: Mapping[str, Any]) -> dict[str, Any]:
        """timm's `pretrained_cfg`: of the config.json, else as registered, with the size that the weights show."""
        if self.config and self.config.cfg:
            return dict(self.config.cfg)
        cfg = dict(registered)
        side = self._side(cfg.get("first_conv")) if cfg.get("fixed_input_size") else None
        return {**cfg, "input_size": (cfg["input_size"][0], side, side)} if side else cfg

    def _side(self, stem: Any) -> int | None:
        """Side of the square images of a vision transformer, by its positions: a square of patches and a few tokens."""
        positions, patch = (self.outline or {}).get("pos_embed", ()), self.rows(stem, 3)
        if len(positions) != 3 or not patch:
            return None
        counts = range(positions[1], max(positions[1] - MOST_TOKENS, 1), -1)
        return next((math.isqrt(count) * patch for count in counts if math.isqrt(count) ** 2 == count), None)

    @property
    def holder(self) -> str:
        """The weights in messages."""
        return f"the weights {self.weights}" if self.weights else f"the weights of the live model {self.name}"

    def columns(self, params: TimmParams, cfg: Mapping[str, Any]) -> int | None:
        """Number of scores: of the options, the config.json, the weights, or timm's configuration."""
        held = self.rows(cfg.get("classifier"), 0)
        of_config = self.config.columns if self.config else None
        if (self.weights or self.live is not None) and not (params.num_classes or of_config or held):
            return None
        return params.num_classes or of_config or held or cfg.get("num_classes") or None

    def channels(self, params: TimmParams, cfg: Mapping[str, Any]) -> int | None:
        """Colour channels, likewise."""
        args = self.config.model_args if self.config else {}
        held = self.rows(cfg.get("first_conv"), 1)
        size = cfg.get("input_size") or (None,)
        return params.channels or args.get("in_chans") or (held if held in {1, 3} else None) or size[0]

    def rows(self, layer: Any, axis: int) -> int | None:
        """Length of an axis of a layer's weight in the weights file."""
        name = layer[0] if isinstance(layer, (list, tuple)) and layer else layer
        shape = (self.outline or {}).get(f"{name}.weight", ())
        return shape[axis] if len(shape) > axis else None


def set_up(params: TimmParams) -> Setup:
    """Choice by the options.

    Raises:
        SetupError: they choose nothing, or things that do not go together.
    """
    if params.object:
        return _set_up_live(params)
    if params.architecture and not params.architecture.startswith(HUB):
        _check_name(params.architecture)
    _check_source(params)
    config_file, weights = _find_files(params.weights) if params.weights not in {"", RANDOM} else (None, None)
    config = read_config(config_file) if config_file else None
    name = params.architecture or (config.architecture if config else "")
    if not name:
        raise SetupError(
            f"{params.weights} says no architecture: no {CONFIG} of timm lies beside it",
            "set `architecture` to that which the weights are of",
            "architecture",
        )
    if config and _plain(name) != _plain(config.architecture):
        raise SetupError(
            f"{config_file} is of {config.architecture}, the options say {name}",
            "leave `architecture` out, or give other weights",
            "architecture",
        )
    if not params.architecture:
        _check_name(name)
    setup = Setup(name=name, weights=weights, config=config, outline=outline(weights) if weights else None)
    _check_columns(setup, params)
    return setup


def _set_up_live(params: TimmParams) -> Setup:
    setup = _live_setup(live_model(params))
    _check_columns(setup, params)
    return setup


def _live_setup(value: Any) -> Setup:
    """Configuration and shapes that a live model of timm carries."""
    model = getattr(value, "_orig_mod", value)  # what torch.compile wraps
    cfg = dict(model.pretrained_cfg)
    size = _size(model)
    if size:
        cfg["input_size"] = (cfg["input_size"][0], *size)
    outline = {name: tuple(each.shape) for name, each in model.named_parameters()}
    name = cfg.get("architecture") or type(model).__name__
    return Setup(name=name, config=Config(architecture=name, cfg=cfg), outline=outline, live=value)


def _size(model: Any) -> tuple[int, int] | None:
    """(H, W) of a network for one size, which may have been made for another than its configuration says."""
    size = getattr(getattr(model, "patch_embed", None), "img_size", None)
    return tuple(size) if isinstance(size, (tuple, list)) and len(size) == 2 else None


def _check_source(params: TimmParams) -> None:
    """There is one source of weights."""
    if not params.architecture and params.weights in {"", RANDOM}:
        raise SetupError(
            "neither an architecture nor a folder of weights is given",
            "set `architecture` to a name in timm, such as resnet18",
            "architecture",
        )
    check_one_source(params)
    if params.architecture.startswith(HUB) and not params.download:
        raise SetupError(
            f"{params.architecture} lies on the hub, and nothing is downloaded unasked",
            "set `download: true`, or give `weights: FOLDER` of a local copy",
            "architecture",
        )
    check_any_source(params, "timm")


def _plain(name: str) -> str:
    return model_index.split_tag(name)[0]


def _check_name(name: str) -> None:
    """timm knows the architecture, and the tag where there is one."""
    architecture, tag = model_index.split_tag(name)
    if not model_index.is_known(name):
        known = model_index.architectures()
        fix = f"choose one such as {similar(architecture, known)}; timm.list_models() has all {len(known)}"
        raise SetupError(f'timm has no architecture "{architecture}"', fix, "architecture")
    tags = model_index.tags(architecture)
    if tag and tags and tag not in tags:
        raise SetupError(f'timm has no weights "{tag}" of {architecture}', offer(tag, tags), "architecture")


def _find_files(name: str) -> tuple[Path | None, Path]:
    """Config.json and weights of a folder, or of a file and what lies beside it.

    Raises:
        SetupError: there is no such file or folder, or nothing of timm in it.
    """
    path = Path(name).expanduser()
    if not path.is_dir():
        beside = path.with_name(CONFIG)
        if not path.exists():
            raise SetupError(f"there is no file or folder {path}", "give the path of the weights", "weights")
        return (beside if is_timms(beside) else None), path
    config = path / CONFIG
    if not config.is_file():
        raise SetupError(
            f"the folder {path} has no {CONFIG}",
            "give the file of weights itself, with `architecture`, or a folder of timm.models.save_for_hf",
            "weights",
        )
    return config, _weights_in(path)


def _weights_in(folder: Path) -> Path:
    found = [folder / each for each in FILES if (folder / each).is_file()]
    found = found or sorted(each for each in folder.iterdir() if each.suffix in ENDINGS)
    if not found:
        raise SetupError(f"the folder {folder} holds no weights", f"put {' or '.join(FILES[:2])} there", "weights")
    if found[0].name not in FILES and len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise SetupError(f"the folder {folder} holds several weights: {names}", "give one of these files", "weights")
    return found[0]


def is_timms(path: Path) -> bool:
    """True for a config.json of timm; one beside the weights may be somebody else's."""
    try:
        return path.is_file() and isinstance(read_object(path).get("architecture"), str)
    except (OSError, ValueError):
        return False


def read_config(path: Path) -> Config:
    """A config.json as `timm.models.save_for_hf` writes it, and the older form without `pretrained_cfg`.

    Raises:
        SetupError: it is none.
    """
    try:
        data = read_object(path)
    except (OSError, ValueError) as error:
        raise SetupError(f"{path} cannot be read: {error}", "save the model again", "weights") from error
    if not isinstance(data.get("architecture"), str):
        other = "model_type" in data or "architectures" in data
        raise SetupError(
            f"{path} is a config of {'transformers' if other else 'no model of timm'}",
            "use transformers/image-classifier" if other else "give a folder of timm.models.save_for_hf",
            "weights",
        )
    cfg = data.get("pretrained_cfg", data)
    args = data.get("model_args") or {}
    if not isinstance(cfg, dict) or not isinstance(args, dict):
        raise SetupError(f"{path}: pretrained_cfg and model_args must be mappings", "save the model again", "weights")
    labels = {key: data[key] for key in ("label_names", "label_descriptions") if key in data}
    cfg = {key: value for key, value in {**cfg, **labels}.items() if key not in _SOURCES}
    forbidden = _NOT_FROM_FILES & set(args)
    if forbidden:
        raise SetupError(
            f"{path}: model_args must not say {', '.join(sorted(forbidden))}", "save the model again", "weights"
        )
    _check_values(path, cfg, args)
    columns = data.get("num_classes", cfg.get("num_classes"))
    if columns is not None and (type(columns) is not int or not 1 <= columns <= MOST_CLASSES):
        message = f"{path}: num_classes must be a whole number from 1 to {MOST_CLASSES:,}"
        raise SetupError(message, "save the model again", "weights")
    return Config(architecture=data["architecture"], columns=columns, cfg=cfg, model_args=args)


def _check_values(path: Path, cfg: Mapping[str, Any], args: Mapping[str, Any]) -> None:
    """Sizes, means and crops of a config.json are numbers within their bounds."""
    size, crop, channels = cfg.get("input_size"), cfg.get("crop_pct"), args.get("in_chans")
    problem = ""
    if size is not None and not (
        _is_numbers(size, 3) and all(type(each) is int and 0 < each <= LARGEST for each in size)
    ):
        problem = f"input_size must be three whole numbers up to {LARGEST}: channels, height, width"
    if not all(_is_numbers(cfg[key]) for key in ("mean", "std") if cfg.get(key) is not None):
        problem = "mean and std must be lists of numbers"
    if crop is not None and not (isinstance(crop, (int, float)) and 0 < crop <= 4):
        problem = "crop_pct must be a number above 0"
    if channels is not None and (type(channels) is not int or channels < 1):
        problem = "in_chans must be a whole number above 0"
    if problem:
        raise SetupError(f"{path}: {problem}", "save the model again, or mend the file", "weights")


def _is_numbers(value: Any, length: int | None = None) -> bool:
    plain = isinstance(value, (list, tuple)) and all(type(each) in {int, float} for each in value)
    return plain and (length is None or len(value) == length) and bool(value)


def _check_columns(setup: Setup, params: TimmParams) -> None:
    """Options agree with what the weights hold."""
    cfg = setup.configuration(model_index.configuration(setup.name) or {})
    held = setup.rows(cfg.get("classifier"), 0)
    if params.num_classes and held and params.num_classes != held:
        raise SetupError(
            f"{setup.holder} are of {held} classes, num_classes says {params.num_classes}",
            "leave `num_classes` out",
            "num_classes",
        )
    channels = setup.rows(cfg.get("first_conv"), 1)
    if params.channels and channels in {1, 3} and params.channels != channels:
        raise SetupError(
            f"{setup.holder} take {channels} colour channel(s), channels says {params.channels}",
            "leave `channels` out",
            "channels",
        )


def class_names(cfg: Mapping[str, Any], columns: int | None) -> tuple[str, ...]:
    """Names that a configuration gives its classes, else ImageNet's where it has as many; empty where neither."""
    labels, descriptions = cfg.get("label_names"), cfg.get("label_descriptions")
    if isinstance(labels, dict):
        labels = [labels.get(str(index)) for index in range(columns or 0)]
    if isinstance(labels, (list, tuple)) and labels and all(isinstance(each, str) for each in labels):
        if not isinstance(descriptions, dict):
            return tuple(labels)
        return model_index.distinct([str(descriptions.get(each, each)) for each in labels], list(labels))
    return model_index.imagenet_names(columns) if columns else ()
