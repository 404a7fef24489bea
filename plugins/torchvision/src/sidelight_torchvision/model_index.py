"""Presets of torchvision's classifiers, read from torchvision's files without importing it."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attrs import frozen
from sidelight_toolkit.class_names import distinct
from sidelight_toolkit.source_text import NotConstantError, SourceText

DEFAULT = "DEFAULT"
_BUILDER = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(\s*\*?,?\s*weights: Optional\[(\w+)\]", re.MULTILINE)
_BUILDER_NEW = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(\s*\*?,?\s*weights: (\w+) \| None", re.MULTILINE)

_ATTENTION = re.compile(r"^class \w*Attention\w*\(|nn\.MultiheadAttention\(", re.MULTILINE)


@frozen(kw_only=True)
class Preset:
    """Preprocessing and class names of published weights.

    Args:
        name: such as IMAGENET1K_V1.
        size: side of the square that the network takes, in pixels.
        resized: length of the shorter side before the crop.
        mean: of the normalisation, for each channel.
        std: likewise, the divisor.
        interpolation: `bilinear` or `bicubic`.
        classes: class names without repetition.
        parameters: number of the network's weights.
        url: of the weights.
    """

    name: str
    size: int
    resized: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    classes: tuple[str, ...]
    parameters: int | None = None
    url: str = ""

    @property
    def crop(self) -> float:
        """Share of the shorter side that is kept."""
        return self.size / self.resized


@cache
def folder() -> Path | None:
    """Folder of the package torchvision; None where it is not installed."""
    spec = find_spec("torchvision")
    return Path(spec.origin).parent if spec and spec.origin else None


@cache
def _builders() -> dict[str, tuple[Path, str]]:
    """Architecture to its file and the name of its enumeration of weights."""
    home = folder()
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted((home / "models").glob("[a-z]*.py")) if home else []:
        text = path.read_text(encoding="utf-8")
        for pattern in (_BUILDER, _BUILDER_NEW):
            found.update({name: (path, enumeration) for name, enumeration in pattern.findall(text)})
    return found


def architectures() -> tuple[str, ...]:
    """Names of all classifiers; empty where torchvision's files are not laid out as known here."""
    return tuple(_builders())


def architectures_of(module: str) -> tuple[str, ...]:
    """Names of the classifiers in a module, such as `torchvision.models.resnet`."""
    return tuple(name for name, (path, _) in _builders().items() if path.stem == module.rpartition(".")[2])


@cache
def has_attention(architecture: str) -> bool:
    """True for a network that mixes tokens by self-attention alone, by the layers in its module."""
    known = _builders().get(architecture)
    return (
        known is not None
        and known[0].stem != "maxvit"
        and bool(_ATTENTION.search(known[0].read_text(encoding="utf-8")))
    )


def preset(architecture: str, name: str = DEFAULT) -> Preset | None:
    """A preset of an architecture; None where there is none, or it cannot be read."""
    return presets(architecture).get(name)


@cache
def presets(architecture: str) -> dict[str, Preset]:
    """Name to preset of an architecture, `DEFAULT` among them; empty where they cannot be read."""
    home = folder()
    if home is None or architecture not in _builders():
        return {}
    path, enumeration = _builders()[architecture]
    try:
        source = SourceText(path, _known(), {"Weights": dict, "partial": lambda _function, **keywords: keywords})
        members: dict[str, Preset] = {}
        for statement in source.body(enumeration):
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name, value = statement.targets[0].id, statement.value
                # DEFAULT is another name of one of the members before it
                members[name] = members[value.id] if isinstance(value, ast.Name) else _read(name, source, value)
    except (NotConstantError, OSError, KeyError, TypeError, ValueError):
        return {}
    return members


def _read(name: str, source: SourceText, node: ast.expr) -> Preset:
    weights: dict[str, Any] = source.compute(node, {})
    transform = {**_defaults(), **weights["transforms"]}
    meta = weights["meta"]
    return Preset(
        name=name,
        size=transform["crop_size"],
        resized=transform["resize_size"],
        mean=tuple(transform["mean"]),
        std=tuple(transform["std"]),
        interpolation=str(transform["interpolation"]).lower(),
        classes=distinct(meta.get("categories") or []),
        parameters=meta.get("num_params"),
        url=weights["url"],
    )


@cache
def _known() -> dict[str, Any]:
    """Names that modules of models import: ImageNet's class names, and the transform's class."""
    home = folder()
    assert home
    names = SourceText(home / "models" / "_meta.py").value("_IMAGENET_CATEGORIES")
    return {"_IMAGENET_CATEGORIES": names, "ImageClassification": "ImageClassification"}


@cache
def _defaults() -> dict[str, Any]:
    """Defaults of the arguments of torchvision's `ImageClassification` transform."""
    home = folder()
    assert home
    source = SourceText(home / "transforms" / "_presets.py")
    (function,) = [
        each
        for each in source.body("ImageClassification")
        if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    ]
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {argument.arg: source.compute(default, {}) for argument, default in pairs if default is not None}
