"""Folders of save_pretrained, read as data: config.json, the image processor's file, and the headers of weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import UserError
from sidelight_specs.files import read_regular
from sidelight_specs.wording import listing, nearest, quoted

from sidelight_transformers import hub
from sidelight_transformers.architectures import NOT_EXPLAINED
from sidelight_transformers.configuration import CONFIG, PROCESSOR, Configuration, classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
LARGEST_JSON = 16 << 20  # bytes; config.json of ImageNet-21k's 21,843 classes has about two million
SAVE = "save the model with model.save_pretrained(FOLDER)"
SAVE_PROCESSOR = "save it beside the model: AutoImageProcessor.from_pretrained(ORIGINAL).save_pretrained(FOLDER)"
_LFS = b"version https://git-lfs"


@frozen(kw_only=True, eq=False)
class ModelFolder(Configuration):
    """A model in a folder of save_pretrained; its config.json names no code.

    Args:
        path: the folder.
    """

    path: Path

    @classmethod
    def read(cls, path: Path) -> ModelFolder:
        """Read config.json.

        Raises:
            UserError: it is missing or damaged, names code of its own, or is no image classifier of transformers.
        """
        check_folder(path)
        config = read_json(path / CONFIG)
        refuse_code(config, path / CONFIG)
        _check_type(config, path)
        return cls.of(path, config)

    @classmethod
    def of(
        cls, path: Path, config: Mapping[str, Any], given: Mapping[str, Any] | None = None, named: str = ""
    ) -> ModelFolder:
        """The folder with a configuration that has been read from it.

        Args:
            path: the folder.
            config: the configuration.
            given: options of an image processor, in the place of the folder's.
            named: that image processor in messages.
        """
        where = named if given is not None else f"{path / PROCESSOR}"
        return cls(
            path=path, subject=str(path), where=f"{path / CONFIG}", processor_where=where, config=config, given=given
        )

    @cached_property
    def processor_values(self) -> Mapping[str, Any] | None:
        """The object in preprocessor_config.json, or the image processor's part of processor_config.json.

        Raises:
            UserError: the file is damaged, or names code of its own.
        """
        if self.given is not None:
            return self.given
        for name, part in ((PROCESSOR, None), ("processor_config.json", "image_processor")):
            if (self.path / name).is_file():
                values = read_json(self.path / name)
                refuse_code(values, self.path / name)
                values = values.get(part, {}) if part else values
                if isinstance(values, Mapping) and values:
                    refuse_code(values, self.path / name)
                    return values
        return None

    @cached_property
    def weights(self) -> tuple[Path, ...]:
        """Files of weights: safetensors where there are any, else pickles of torch.save.

        Raises:
            UserError: there are none, a shard is missing, or a file is incomplete.
        """
        for name in (SAFETENSORS, PICKLE):
            if (self.path / name).is_file():
                return (_checked(self.path / name),)
            if (self.path / f"{name}.index.json").is_file():
                return tuple(_checked(self.path / shard) for shard in _shards(self.path / f"{name}.index.json", name))
        there = sorted(entry.name for entry in self.path.iterdir() if not entry.name.startswith("."))
        message = f"{self.path} holds no weights ({SAFETENSORS} or {PICKLE}): it has {listing(there, 6)}"
        raise UserError(message, SAVE)

    def files(self) -> tuple[Path, ...]:
        """All files that the model is made of, by name."""
        names = [CONFIG, PROCESSOR, "processor_config.json"]
        names += [entry.name for entry in self.path.iterdir() if entry.name.startswith(("model", "pytorch_model"))]
        return tuple(self.path / name for name in sorted(names) if (self.path / name).is_file())

    def stamp(self) -> str:
        """Sizes and times of change of all files that the model is made of."""
        stats = [(path.name, path.stat()) for path in self.files()]
        return " ".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in stats)


def check_folder(path: Path) -> None:
    """Raise a UserError where there is no folder, or one without a config.json."""
    if (path / CONFIG).is_file():
        return
    if path.is_file():
        beside = path.parent / CONFIG
        fix = f"name the folder: {path.parent}" if beside.is_file() else "name the folder that save_pretrained wrote"
        raise UserError(f"{path} is a file, where the folder of a model is expected", fix)
    if not path.is_dir():
        raise UserError(f"there is no folder {path}", _elsewhere(path))
    if (path / "adapter_config.json").is_file():
        fix = "merge it into the model and save that: model.merge_and_unload().save_pretrained(FOLDER)"
        raise UserError(f"{path} holds an adapter of PEFT alone, not the model that it belongs to", fix)
    inner = sorted(entry.parent.name for entry in path.glob(f"*/{CONFIG}"))
    fix = f"name one of its folders: {listing(inner, 6)}" if inner else f"{SAVE}, which writes {CONFIG}"
    raise UserError(f"{path} has no {CONFIG}", fix)


def _elsewhere(path: Path) -> str:
    """Advice where there is no folder of that name."""
    if hub.NAME.fullmatch(str(path)) and "/" in str(path):
        return "set download: true if this is a name on the Hugging Face hub; else name a folder"
    try:
        near = nearest(path.name, (entry.name for entry in os.scandir(path.parent) if entry.is_dir()))
    except OSError:
        near = ""
    return f"did you mean {quoted(near)}?" if near else "name the folder that save_pretrained wrote"


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: the file is too large, damaged, names a key twice, or holds something else.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError(f"it names {next(key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1)} twice")
        return names

    try:
        content = read_regular(path, LARGEST_JSON + 1)
        if len(content) > LARGEST_JSON:
            raise ValueError(f"it is larger than {LARGEST_JSON >> 20} MB")
        value = json.loads(content, object_pairs_hook=once, parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(f"{path} cannot be read: {reason}", "copy or save the model again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object", "copy or save the model again")
    return value


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def refuse_code(values: Mapping[str, Any], path: Path) -> None:
    """Raise a UserError where an object names code, which transformers would run with `trust_remote_code`."""
    for part in (values, *(value for value in values.values() if isinstance(value, Mapping))):
        if part.get("auto_map") or part.get("custom_pipelines"):
            named = part.get("auto_map") or part.get("custom_pipelines")
            names = listing(map(str, named.values()), 2) if isinstance(named, Mapping) else str(named)
            raise UserError(
                f"{path} names code of its own (auto_map: {names}), which Sidelight never runs",
                "save the model as an architecture of transformers, or export it (torch.export.save) and use "
                "classifiers/torch",
            )


def _check_type(config: Mapping[str, Any], path: Path) -> None:
    """Raise a UserError for what is no image classifier of transformers."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        if "pretrained_cfg" in config or "architecture" in config:
            raise UserError(f"{path} holds a model of timm, not of transformers", "use timm/model")
        raise UserError(f"{path / CONFIG} names no model_type", SAVE)
    if model_type in NOT_EXPLAINED:
        reason, fix = NOT_EXPLAINED[model_type]
        raise UserError(f"{path} holds {quoted(model_type)}, {reason}", fix)
    names = classes_of(config)
    if names and not any("ForImageClassification" in name for name in names):
        message = f"{path} holds a {listing(names, 2)}, which does not classify images"
        raise UserError(message, "save a model of AutoModelForImageClassification, trained on your classes")
    if config.get("quantization_config"):
        message = f"{path} holds quantised weights, which have no gradients"
        raise UserError(message, "save the model before quantising it, or after model.dequantize()")


def _shards(index: Path, name: str) -> Iterator[str]:
    """Names of the files that an index lists, each once."""
    mapping = read_json(index).get("weight_map")
    if not isinstance(mapping, Mapping) or not mapping:
        raise UserError(f"{index} has no weight_map", "save the model again")
    suffix = Path(name).suffix
    for shard in sorted({str(value) for value in mapping.values()}):
        if Path(shard).name != shard or Path(shard).suffix != suffix:  # no file outside the folder
            message = f"{index} names {quoted(shard)}, which is no {suffix} file beside it"
            raise UserError(message, "save the model again")
        if not (index.parent / shard).is_file():
            raise UserError(f"there is no {index.parent / shard}, which {index.name} names", "copy the missing file")
        yield shard


def _checked(path: Path) -> Path:
    """The file, after comparing a safetensors header with its size.

    Raises:
        UserError: it is a pointer of Git LFS, or it is incomplete.
    """
    again = "copy or download the file again"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(_LFS))
            if start == _LFS:
                raise UserError(f"{path} is a pointer of Git LFS, not the weights", "run git lfs pull in the folder")
            if path.suffix != ".safetensors":
                return path
            length = int.from_bytes(start[:8], "little")
            if size < 8 or length > min(size - 8, LARGEST_JSON):
                raise UserError(f"{path} is no safetensors file, or incomplete", again)
            file.seek(8)
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is no safetensors file, or damaged", again) from error
    if max(ends, default=0) != size - 8 - length:
        raise UserError(f"{path} is incomplete: {size} bytes of {8 + length + max(ends, default=0)}", again)
    return path
