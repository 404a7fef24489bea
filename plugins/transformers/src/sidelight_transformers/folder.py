"""Folders of save_pretrained, read as data: config.json, the image processor's file, and the headers of weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from sidelight_specs import UserError
from sidelight_specs.files import read_regular
from sidelight_specs.wording import listing, nearest, quoted

from sidelight_transformers import hub
from sidelight_transformers.architectures import NOT_EXPLAINED, PROCESSORS
from sidelight_transformers.processor import FIX, LARGEST, SMALLEST, Processor, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_toolkit.model_source import Task

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
LARGEST_JSON = 16 << 20  # bytes; config.json of ImageNet-21k's 21,843 classes has about two million
MOST_LABELS = 100_000
SAVE = "save the model with model.save_pretrained(FOLDER)"
SAVE_PROCESSOR = "save it beside the model: AutoImageProcessor.from_pretrained(ORIGINAL).save_pretrained(FOLDER)"
_PROBLEMS = (None, "single_label_classification", "multi_label_classification", "regression")
_LFS = b"version https://git-lfs"


@frozen(kw_only=True, eq=False)
class ModelFolder:
    """A model in a folder of save_pretrained.

    Args:
        path: the folder.
        config: the object in config.json, which names no code.
    """

    path: Path
    config: Mapping[str, Any] = field(repr=False)

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
        return cls(path=path, config=config)

    @property
    def model_type(self) -> str:
        """Architecture by transformers' name, such as `vit`."""
        return str(self.config["model_type"])

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of id2label in the order of the scores; a name that comes again gets its index."""
        return distinct(_labels(self.config, self.path / CONFIG))

    @property
    def problem_type(self) -> str | None:
        """What the model was trained for, where config.json says it."""
        problem = self.config.get("problem_type")
        if problem not in _PROBLEMS:
            raise UserError(f"{self.path / CONFIG}: problem_type is {quoted(str(problem))}", "set `task`")
        return problem

    @property
    def is_multi_label(self) -> bool:
        """True if several classes can be present at once."""
        return self.problem_type == "multi_label_classification" and len(self.labels) > 1

    @property
    def task(self) -> Task:
        """Task by problem_type and the number of labels; one score without a problem_type is a regression.

        Raises:
            UserError: there are several values at once.
        """
        count = len(self.labels)
        if self.problem_type == "regression" and count > 1:
            raise UserError(f"{self.path} gives {count} values at once", "use a regression with one value")
        if count > 1:
            return "multiclass"
        return "binary" if self.problem_type == "multi_label_classification" else "regression"

    def class_names(self, task: Task) -> tuple[str, ...]:
        """Two names for a binary task, one for each score otherwise."""
        if task != "binary" or len(self.labels) != 1:
            return self.labels
        (label,) = self.labels
        return () if label == "LABEL_0" else (f"not {label}", label)

    @property
    def channels(self) -> int:
        """Colour channels of the images, three where config.json does not say it."""
        value: Any = self._vision.get("num_channels", 3)
        if value not in (1, 3):
            raise UserError(f"{self.path / CONFIG}: num_channels is {value!r}", "use a model of 1 or 3 channels")
        return int(value)

    @property
    def built_for(self) -> Size | None:
        """(H, W) that the network was built for, where config.json says it."""
        value = self._vision.get("image_size")
        sides: list[Any] = value if isinstance(value, list) and len(value) == 2 else [value, value]
        if not all(type(side) is int and SMALLEST <= side <= LARGEST for side in sides):
            return None
        return sides[0], sides[1]

    @property
    def _vision(self) -> Mapping[str, Any]:
        """The part of config.json that describes the image network."""
        part = self.config.get("vision_config")
        return part if isinstance(part, Mapping) else self.config

    @cached_property
    def processor_values(self) -> Mapping[str, Any] | None:
        """The object in preprocessor_config.json, or the image processor's part of processor_config.json.

        Raises:
            UserError: the file is damaged, or names code of its own.
        """
        for name, part in ((PROCESSOR, None), ("processor_config.json", "image_processor")):
            if (self.path / name).is_file():
                values = read_json(self.path / name)
                refuse_code(values, self.path / name)
                values = values.get(part, {}) if part else values
                if isinstance(values, Mapping) and values:
                    refuse_code(values, self.path / name)
                    return values
        return None

    @property
    def default_processor(self) -> str:
        """Class of image processor that transformers gives this type of model; empty where none is known."""
        return PROCESSORS.get(self.model_type, "")

    @cached_property
    def processor(self) -> Processor:
        """Preprocessing by its file, else by the defaults of the model's type.

        Raises:
            UserError: the file cannot be used, or there is none and no default is known.
        """
        values, size = self.processor_values, self.built_for
        if values is not None:
            found = Processor.read(values, self.default_processor, size, self.path / PROCESSOR)
            for option, numbers in (("image_mean", found.mean), ("image_std", found.std)):
                if len(numbers) not in (1, self.channels):
                    message = f"{self.path / PROCESSOR}: {option} has {len(numbers)} numbers"
                    raise UserError(f"{message} for {self.channels} channel(s)", FIX)
            return found
        if not self.default_processor:
            message = f"{self.path} has no {PROCESSOR}, and no default is known for {quoted(self.model_type)}"
            raise UserError(message, SAVE_PROCESSOR)
        found = Processor.assumed(self.default_processor, None if self.model_type in _ANY_SIZE else size)
        return found if self.channels == 3 else found.averaged()

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

    def stamp(self) -> str:
        """Sizes and times of change of all files that the model is made of."""
        names = [CONFIG, PROCESSOR, "processor_config.json"]
        names += [entry.name for entry in self.path.iterdir() if entry.name.startswith(("model", "pytorch_model"))]
        stats = [(name, (self.path / name).stat()) for name in sorted(names) if (self.path / name).is_file()]
        return " ".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in stats)


_ANY_SIZE = {"dinov2", "dinov2_with_registers"}
"""Types whose position embeddings are interpolated: image_size is that of the pretraining, not of the processor."""


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


def classes_of(config: Mapping[str, Any]) -> list[str]:
    """Classes that the model was saved from."""
    names = config.get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


def _labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Names of id2label by their indices; `LABEL_0`, ... where there are none, as transformers names them."""
    names = config.get("id2label")
    if names is None:
        count = config.get("num_labels", 2)  # two are transformers' default, which it does not write
        if not isinstance(count, int) or not 1 <= count <= MOST_LABELS:
            raise UserError(f"{path}: num_labels is {count!r}", "save the model again")
        return tuple(f"LABEL_{index}" for index in range(count))
    if not isinstance(names, Mapping) or not 1 <= len(names) <= MOST_LABELS:
        raise UserError(f"{path}: id2label is no mapping of indices to names", "save the model again")
    missing = next((index for index in range(len(names)) if str(index) not in names), None)
    if missing is not None:
        message = f"{path}: id2label has {len(names)} names, but none for the score {missing}"
        raise UserError(message, "number the labels from 0 without gaps, or save the model again")
    return tuple(str(names[str(index)]) for index in range(len(names)))


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, those that come again with their index: ImageNet has two cranes."""
    seen: set[str] = set()
    result = []
    for index, name in enumerate(names):
        result.append(f"{name} ({index})" if name in seen else name)
        seen.add(name)
    return tuple(result)


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
