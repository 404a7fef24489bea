"""Configurations of timm's models and ImageNet's class names, read from timm's files without importing it."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_toolkit.source_text import NotConstantError, SourceText

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
_DEPRECATED = re.compile(r"^register_model_deprecations\(.*?^}\)", re.MULTILINE | re.DOTALL)
_ATTENTION = re.compile(
    r"^class \w*Attention\w*\(|^from timm\.layers import (?:\([^)]*?\bAttention|[^(\n]*\bAttention)"
    r"|^from (?:\.|timm\.models\.)vision_transformer import",
    re.MULTILINE | re.DOTALL,
)
_MIXED = frozenset((
    # modules that hold networks with attention and, mostly, without
    "byobnet", "fastvit", "metaformer", "mobilenetv5",
    # convolutions or pooling between layers of attention
    "cpubone", "csatv2", "davit", "efficientformer_v2", "efficientvit_msra", "gcvit", "hieradet_sam2", "lowformer",
    "maxxvit", "mobilevit", "mvitv2", "nest", "nextvit", "pit", "pvt_v2", "swiftformer", "tiny_vit", "twins",
    "visformer", "volo",
))  # fmt: skip
_RENAMED = re.compile(r"""['"](\w+)['"]\s*:\s*['"]([\w.]+)['"]""")


def split_tag(name: str) -> tuple[str, str]:
    """`resnet18.a1_in1k` to architecture and tag of the weights."""
    architecture, _, tag = name.partition(".")
    return architecture, tag


@cache
def folder() -> Path | None:
    """Folder of the package timm; None where it is not installed."""
    spec = find_spec("timm")
    return Path(spec.origin).parent if spec and spec.origin else None


@cache
def _sources() -> dict[str, Path]:
    """Registered architecture to the file of its module."""
    home = folder()
    files = sorted((home / "models").glob("[a-z]*.py")) if home else []
    return {name: path for path in files for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))}


@cache
def _renamed() -> dict[str, str]:
    """Deprecated name to the name that timm uses now."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(set(_sources().values())))
    return {old: new for text in texts for block in _DEPRECATED.findall(text) for old, new in _RENAMED.findall(block)}


def architectures() -> tuple[str, ...]:
    """Names of all architectures, without tags; empty where timm's files are not laid out as known here."""
    return tuple(_sources())


def is_known(name: str) -> bool:
    """True if timm has a model of this name, also where that cannot be said without importing timm."""
    loaded = sys.modules.get("timm")  # where it is imported anyway, models that a user registered count as well
    if loaded is not None and hasattr(loaded, "is_model"):
        return bool(loaded.is_model(name))
    architecture = split_tag(name)[0]
    return not _sources() or architecture in _sources() or architecture in _renamed()


@cache
def has_attention(name: str) -> bool:
    """True for a network that mixes tokens by self-attention alone, by the layers that its module has."""
    architecture = split_tag(_renamed().get(name, name))[0]
    path = _sources().get(architecture)
    return path is not None and path.stem not in _MIXED and bool(_ATTENTION.search(path.read_text(encoding="utf-8")))


@cache
def tags(architecture: str) -> tuple[str, ...]:
    """Tags of an architecture's published weights, the default first; empty where they cannot be read."""
    return tuple(_configurations(_renamed().get(architecture, architecture).partition(".")[0]))


def configuration(name: str) -> Mapping[str, Any] | None:
    """timm's `pretrained_cfg` of a model, as far as its values are plain; None where it cannot be read.

    Args:
        name: `resnet18`, or `resnet18.a1_in1k`.
    """
    name = _renamed().get(name, name)
    architecture, tag = split_tag(name)
    known = _configurations(architecture)
    return known.get(tag) if tag else next(iter(known.values()), None)


@cache
def _configurations(architecture: str) -> dict[str, dict[str, Any]]:
    """Tag to configuration, the default first (`timm.models._registry.generate_default_cfgs`)."""
    path = _sources().get(architecture)
    if path is None:
        return {}
    functions = {"generate_default_cfgs": lambda table: table, "PretrainedCfg": dict}
    try:
        source = SourceText(path, _constants(), functions)
        table = _entries(source, architecture)
    except (NotConstantError, OSError, TypeError, ValueError, ArithmeticError):
        return {}
    order: list[str] = []
    has_default = has_weights = False
    for key, cfg in table.items():
        tag = split_tag(key)[1]
        weighted = any(cfg.get(each) for each in ("url", "file", "hf_hub_id"))
        marked = (weighted and not tag) or (tag.endswith("*") and not has_default)
        first = marked or (weighted and not has_weights)
        has_default, has_weights = has_default or marked, has_weights or weighted
        order.insert(0 if first else len(order), key)
    return {split_tag(key)[1].strip("*"): table[key] for key in order}


def _entries(source: SourceText, architecture: str) -> dict[str, dict[str, Any]]:
    """Entries of `default_cfgs` about one architecture; the others are not computed."""
    import ast

    table = source.expression("default_cfgs")
    if isinstance(table, ast.Call):
        table = table.args[0]
    if not isinstance(table, ast.Dict):
        raise NotConstantError("default_cfgs")
    return {
        key.value: dict(source.compute(value, {}))
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and split_tag(key.value)[0] == architecture
    }


@cache
def _constants() -> dict[str, Any]:
    """Means and standard deviations by name (`timm.data.constants`)."""
    home = folder()
    if home is None:
        return {}
    source = SourceText(home / "data" / "constants.py")
    return {name: source.value(name) for name in re.findall(r"^([A-Z_0-9]+) =", source.text, re.MULTILINE)}


@cache
def imagenet_names(columns: int) -> tuple[str, ...]:
    """Class names of the ImageNet subset with so many classes, by timm's tables; empty where there is none.

    A name is the first lemma of its synset where no other class has it, else all of them: `crane` is a bird and a
    machine.
    """
    home = folder()
    if home is None:
        return ()
    try:
        tables = SourceText(home / "data" / "imagenet_info.py")
        subset = tables.value("_NUM_CLASSES_TO_SUBSET")[columns]
        file = tables.value("_SUBSETS")[re.sub(r"[-_\s]", "", subset)]
        lemma_file = tables.value("_LEMMA_FILE")
        synsets = (home / "data" / "_info" / file).read_text(encoding="utf-8").splitlines()
        lines = (home / "data" / "_info" / lemma_file).read_text(encoding="utf-8").splitlines()
    except (NotConstantError, KeyError, OSError):
        return ()
    lemmas = dict(csv.reader(lines, delimiter="\t"))
    return distinct([lemmas.get(synset, synset) for synset in synsets], synsets)


def distinct(lemmas: list[str], labels: list[str]) -> tuple[str, ...]:
    """Short names without repetition: the first lemma, else all lemmas, else these with the label.

    Args:
        lemmas: for each class, its lemmas separated by commas.
        labels: for each class, a name that no other class has.
    """
    first = [each.split(",")[0].strip() for each in lemmas]
    heads, wholes = Counter(first), Counter(lemmas)
    return tuple(
        head if heads[head] == 1 else whole if wholes[whole] == 1 and whole not in heads else f"{whole} ({label})"
        for head, whole, label in zip(first, lemmas, labels, strict=True)
    )
