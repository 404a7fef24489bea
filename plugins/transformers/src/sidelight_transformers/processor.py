"""Image processors of transformers, read from their JSON: size, crop, mean and standard deviation of images in [0, 1].

No code of transformers runs here, so that `sidelight check` knows the size at once. Files of save_pretrained hold every
option; older ones lack some, which are then the defaults of the class that they name. On loading, `model` compares what
is read here with transformers' own class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from attrs import evolve, frozen
from sidelight_specs import UserError
from sidelight_specs.wording import show

Size = tuple[int, int]
"""(H, W) in pixels."""
SMALLEST, LARGEST = 8, 4096  # pixels of a side
FIX = "set size, mean and std to the preprocessing that the model was trained with"

_HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_OPENAI = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_COMMON = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
_BILINEAR, _BICUBIC = {"resample": 2, **_COMMON}, {"resample": 3, **_COMMON}
_224, _256 = {"height": 224, "width": 224}, {"height": 256, "width": 256}
_SHORT_224, _SHORT_256 = {"shortest_edge": 224}, {"shortest_edge": 256}
_CROP = {"do_center_crop": True, "crop_size": _224}

DEFAULTS: dict[str, dict[str, Any]] = {
    "BeitImageProcessor": {**_BICUBIC, **_HALF, "size": _224},
    "BitImageProcessor": {**_BICUBIC, **_OPENAI, **_CROP, "size": _SHORT_224},
    "CLIPImageProcessor": {**_BICUBIC, **_OPENAI, **_CROP, "size": _SHORT_224},
    "ConvNextImageProcessor": {**_BICUBIC, **_HALF, "size": {"shortest_edge": 384}, "crop_pct": 224 / 256},
    "DeiTImageProcessor": {**_BICUBIC, **_HALF, **_CROP, "size": _256},
    "DonutImageProcessor": {**_BILINEAR, **_HALF, "size": {"height": 2560, "width": 1920}},
    "EfficientNetImageProcessor": {
        **_BICUBIC,
        **_HALF,
        "size": {"height": 346, "width": 346},
        "rescale_offset": False,
        "include_top": True,
    },
    "LevitImageProcessor": {**_BICUBIC, **_IMAGENET, **_CROP, "size": _SHORT_224},
    "MobileNetV1ImageProcessor": {**_BILINEAR, **_HALF, **_CROP, "size": _SHORT_256},
    "MobileNetV2ImageProcessor": {**_BILINEAR, **_HALF, **_CROP, "size": _SHORT_256},
    "MobileViTImageProcessor": {
        **_BICUBIC,
        **_HALF,
        "size": _SHORT_224,
        "do_center_crop": True,
        "crop_size": _256,
        "do_normalize": None,
        "do_flip_channel_order": True,
    },
    "PerceiverImageProcessor": {**_BICUBIC, **_IMAGENET, "size": _224, "do_center_crop": True, "crop_size": _256},
    "PoolFormerImageProcessor": {**_BICUBIC, **_IMAGENET, **_CROP, "size": _SHORT_224, "crop_pct": 0.9},
    "PvtImageProcessor": {**_BICUBIC, **_IMAGENET, "size": _224},
    "SegformerImageProcessor": {**_BILINEAR, **_IMAGENET, "size": {"height": 512, "width": 512}},
    "SiglipImageProcessor": {**_BICUBIC, **_HALF, "size": _224},
    "TextNetImageProcessor": {**_BILINEAR, **_IMAGENET, "size": {"shortest_edge": 640}, "size_divisor": 32},
    "ViTImageProcessor": {**_BILINEAR, **_HALF, "size": _224},
}
"""Options that a file leaves out, by class. A test compares them with transformers."""
OPTIONS = sorted({option for defaults in DEFAULTS.values() for option in defaults})
_BY_SHORT_SIDE = {
    *("BitImageProcessor", "CLIPImageProcessor", "ConvNextImageProcessor", "LevitImageProcessor"),
    *("MobileNetV1ImageProcessor", "MobileNetV2ImageProcessor", "MobileViTImageProcessor"),
    *("PoolFormerImageProcessor", "SiglipImageProcessor", "TextNetImageProcessor"),
}
"""Classes that take one number as the length of the short side, and do not squash images to a square."""
_RESAMPLING: dict[int, Literal["nearest", "bilinear", "bicubic"]] = {
    0: "nearest",
    1: "bicubic",  # Lanczos, which torch lacks
    2: "bilinear",
    3: "bicubic",
    4: "bilinear",  # box
    5: "bilinear",  # Hamming
}
"""Pillow's filters to the nearest of torch."""


@frozen(kw_only=True)
class Processor:
    """Preprocessing of images in [0, 1].

    Args:
        kind: class of transformers.
        size: (H, W) that the network gets.
        resized: (H, W) before the crop; an image of this size is not resized.
        crop: share of the short side that the central crop keeps, `"whole"` where the whole image is squashed to the
            size; None where its proportions are kept and nothing is cut.
        mean: of each channel, or one number for all.
        std: likewise; x becomes (x - mean) / std.
        interpolation: the nearest to Pillow's filter.
        reversed_channels: the network takes BGR.
    """

    kind: str
    size: Size
    resized: Size
    crop: float | Literal["whole"] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    reversed_channels: bool = False

    @classmethod
    def assumed(cls, kind: str, side: Size | None) -> Processor:
        """The defaults of a class, at the size that the network was built for where that is known."""
        default = cls.read({"image_processor_type": kind}, kind, side, kind)
        if side is None:
            return default
        scale = [now / before for now, before in zip(side, default.size, strict=True)]
        resized = (round(default.resized[0] * scale[0]), round(default.resized[1] * scale[1]))
        return evolve(default, size=side, resized=resized)

    def averaged(self) -> Processor:
        """For networks without colour: the average of the channels' numbers."""
        mean, std = (sum(numbers) / len(numbers) for numbers in (self.mean, self.std))
        return evolve(self, mean=(mean,), std=(std,))

    @classmethod
    def read(cls, values: Mapping[str, Any], fallback: str, side: Size | None, source: object) -> Processor:
        """From the object in `preprocessor_config.json`.

        Args:
            values: the object.
            fallback: class of the model's type, where the object names none; may be empty.
            side: (H, W) that the network was built for, where the processor does not resize; None if unknown.
            source: the file, for messages.

        Raises:
            UserError: an option has a wrong form, or the size depends on the image.
        """
        kind = kind_of(values) or fallback
        given = {name: value for name, value in values.items() if value is not None}
        options = Options({**_COMMON, "resample": 2, **DEFAULTS.get(kind, {}), **given}, source)
        resized, size = _sizes(kind, options, side)
        share = min(size[0] / resized[0], size[1] / resized[1])
        mean, std = _affine(options)
        return cls(
            kind=kind,
            size=size,
            resized=resized,
            crop=share if share < 1 else "whole" if _squashes(kind, options) else None,
            mean=mean,
            std=std,
            interpolation=_RESAMPLING[options.whole("resample", 0, max(_RESAMPLING))],
            reversed_channels=options.flag("do_flip_channel_order"),
        )


def kind_of(values: Mapping[str, Any]) -> str:
    """Class of the processor, without the endings of its fast, Pillow and former variants; empty if none is named."""
    name = values.get("image_processor_type") or values.get("feature_extractor_type") or ""
    name = name if isinstance(name, str) else ""
    return name.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", "ImageProcessor")


class Options:
    """Options of a processor, each checked where it is used."""

    def __init__(self, values: Mapping[str, Any], source: object) -> None:
        self._values, self.source = values, source

    def flag(self, name: str) -> bool:
        """A truth value; what is absent or null is false."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return bool(value)

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number between the bounds."""
        return self._whole(self._values.get(name), name, low, high)

    def number(self, name: str) -> float:
        """A positive number."""
        value: Any = self._values.get(name)
        if not _is_number(value) or value <= 0:
            raise self.wrong(name, "a positive number")
        return float(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers, or one number."""
        value = self._values.get(name)
        values: list[Any] = list(value) if isinstance(value, list | tuple) and value else [value]
        if not all(_is_number(one) for one in values):
            raise self.wrong(name, "a list of numbers, one for each channel")
        return tuple(float(one) for one in values)

    def size(self, name: str, by_short_side: bool = False) -> Size | int:
        """(H, W), or the length of the short side."""
        value = self._values.get(name)
        if isinstance(value, list) and len(value) == 2:
            value = {"height": value[0], "width": value[1]}
        if isinstance(value, int):
            value = {"shortest_edge": value} if by_short_side else {"height": value, "width": value}
        if not isinstance(value, Mapping):
            raise self.wrong(name, "height and width, or shortest_edge")
        sides = {key: side for key, side in value.items() if side is not None}
        if {"height", "width"} <= sides.keys():
            return self._side(sides["height"], name), self._side(sides["width"], name)
        if "shortest_edge" in sides:
            return self._side(sides["shortest_edge"], name)
        message = f"{self.source} gives every image a size of its own ({name}: {', '.join(sides) or 'empty'})"
        raise UserError(message, "set size to the height and width that images are to have")

    def wrong(self, name: str, expected: str) -> UserError:
        """Error to raise for an option of a wrong form."""
        return UserError(f"{self.source}: {name} is {show(self._values.get(name))}, {expected} was expected", FIX)

    def _side(self, value: Any, name: str) -> int:
        return self._whole(value, name, SMALLEST, LARGEST)

    def _whole(self, value: Any, name: str, low: int, high: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _sizes(kind: str, options: Options, side: Size | None) -> tuple[Size, Size]:
    """(H, W) before and after the crop."""
    cropped = options.flag("do_center_crop")
    if kind == "PerceiverImageProcessor" and cropped:  # it crops size / crop_size of the short side, then resizes
        return _square(options.size("crop_size")), _square(options.size("size"))
    if not options.flag("do_resize"):
        size = _square(options.size("crop_size")) if cropped else side
        if size is None:
            raise UserError(f"{options.source} does not resize images", "set size to the height and width of yours")
        return size, size
    target = options.size("size", kind in _BY_SHORT_SIDE)
    if kind == "ConvNextImageProcessor":
        short = min(_square(target))
        larger = int(short / options.number("crop_pct")) if short < 384 else short  # 384 and more are squashed
        return (larger, larger), (short, short)
    resized = _resized(kind, options, target)
    return resized, _square(options.size("crop_size")) if cropped else resized


def _squashes(kind: str, options: Options) -> bool:
    """True if an image that is not square is resized to the size as a whole."""
    if not options.flag("do_resize") or kind == "DonutImageProcessor":  # it pads
        return False
    target = options.size("size", kind in _BY_SHORT_SIDE)
    return not isinstance(target, int) or (kind == "ConvNextImageProcessor" and target >= 384)


def _resized(kind: str, options: Options, target: Size | int) -> Size:
    """(H, W) of a square image after resizing."""
    if kind == "PoolFormerImageProcessor" and options.flag("do_center_crop"):
        share = options.number("crop_pct")
        target = (int(_square(target)[0] / share), int(_square(target)[1] / share))
    if kind == "LevitImageProcessor" and isinstance(target, int):
        target = int(256 / 224 * target)
    if kind == "TextNetImageProcessor":
        divisor = options.whole("size_divisor", 1, LARGEST)
        target = math.ceil(min(_square(target)) / divisor) * divisor
    return _square(target)


def _square(size: Size | int) -> Size:
    """(H, W) of a square image."""
    return (size, size) if isinstance(size, int) else size


def _affine(options: Options) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation for images in [0, 1].

    A processor takes x from 0 to 255, rescales it to y = r x - o, and normalises (y - m) / s. With x in [0, 1] that is
    (x - (m + o) / 255 r) / (s / 255 r).
    """
    scale = 255 * (options.number("rescale_factor") if options.flag("do_rescale") else 1.0)
    offset = 1.0 if options.flag("rescale_offset") and options.flag("do_rescale") else 0.0
    normalises = options.flag("do_normalize")
    means = options.numbers("image_mean") if normalises else (0.0,)
    deviations = options.numbers("image_std") if normalises else (1.0,)
    if options.flag("include_top"):  # EfficientNet divides a second time
        again = options.numbers("image_std")
        count = max(len(deviations), len(again))
        deviations = tuple(a * b for a, b in zip(_of(deviations, count), _of(again, count), strict=True))
    if min(deviations) <= 0:
        raise options.wrong("image_std", "positive numbers")
    return tuple((mean + offset) / scale for mean in means), tuple(one / scale for one in deviations)


def _of(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    return values * count if len(values) == 1 else values
