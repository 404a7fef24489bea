"""Configuration of a model of transformers: task, class names, channels, size and preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from sidelight_specs import UserError
from sidelight_specs.wording import quoted
from sidelight_toolkit.class_names import MOST_CLASSES, distinct

from sidelight_transformers.architectures import PROCESSORS
from sidelight_transformers.processor import FIX, LARGEST, SMALLEST, Processor, Size

if TYPE_CHECKING:
    from sidelight_toolkit.model_source import Task

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
_PROBLEMS = (None, "single_label_classification", "multi_label_classification", "regression")
_ANY_SIZE = {"dinov2", "dinov2_with_registers"}
"""Types whose position embeddings are interpolated: image_size is that of the pretraining, not of the processor."""


@frozen(kw_only=True, eq=False)
class Configuration:
    """Self-description of a model, as plain values.

    Args:
        subject: the model in messages.
        where: the configuration in messages.
        processor_where: the image processor in messages.
        config: options by name, as in config.json.
        given: options of the image processor; None where there is none.
    """

    subject: str
    where: str
    processor_where: str
    config: Mapping[str, Any] = field(repr=False)
    given: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def processor_values(self) -> Mapping[str, Any] | None:
        """Options of the image processor."""
        return self.given

    @property
    def model_type(self) -> str:
        """Architecture by transformers' name, such as `vit`."""
        return str(self.config["model_type"])

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of id2label in the order of the scores; names that come again get their index."""
        return distinct(_labels(self.config, self.where))

    @property
    def problem_type(self) -> str | None:
        """Task that the model was trained for, where config.json says it."""
        problem = self.config.get("problem_type")
        if problem not in _PROBLEMS:
            raise UserError(f"{self.where}: problem_type is {quoted(str(problem))}", "set `task`")
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
            raise UserError(f"{self.subject} gives {count} values at once", "use a regression with one value")
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
            raise UserError(f"{self.where}: num_channels is {value!r}", "use a model of 1 or 3 channels")
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

    @property
    def default_processor(self) -> str:
        """Class of image processor that transformers gives this type of model; empty where none is known."""
        return PROCESSORS.get(self.model_type, "")

    @cached_property
    def processor(self) -> Processor:
        """Preprocessing by its options, else by the defaults of the model's type.

        Raises:
            UserError: they cannot be used, or there is none and no default is known.
        """
        values, size = self.processor_values, self.built_for
        if values is not None:
            found = Processor.read(values, self.default_processor, size, self.processor_where)
            for option, numbers in (("image_mean", found.mean), ("image_std", found.std)):
                if len(numbers) not in (1, self.channels):
                    message = f"{self.processor_where}: {option} has {len(numbers)} numbers"
                    raise UserError(f"{message} for {self.channels} channel(s)", FIX)
            return found
        if not self.default_processor:
            message = f"{self.subject} has no {PROCESSOR}, and no default is known for {quoted(self.model_type)}"
            raise UserError(message, "give size, mean and std")
        found = Processor.assumed(self.default_processor, None if self.model_type in _ANY_SIZE else size)
        return found if self.channels == 3 else found.averaged()


def classes_of(config: Mapping[str, Any]) -> list[str]:
    """Classes that the model was saved from."""
    names = config.get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


def _labels(config: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Names of id2label by their indices; `LABEL_0`, ... where there are none, as transformers names them."""
    names = config.get("id2label")
    if names is None:
        count = config.get("num_labels", 2)  # two are transformers' default, which it does not write
        if not isinstance(count, int) or not 1 <= count <= MOST_CLASSES:
            raise UserError(f"{where}: num_labels is {count!r}", "save the model again")
        return tuple(f"LABEL_{index}" for index in range(count))
    if not isinstance(names, Mapping) or not 1 <= len(names) <= MOST_CLASSES:
        raise UserError(f"{where}: id2label is no mapping of indices to names", "save the model again")
    missing = next((index for index in range(len(names)) if str(index) not in names), None)
    if missing is not None:
        message = f"{where}: id2label has {len(names)} names, but none for the score {missing}"
        raise UserError(message, "number the labels from 0 without gaps, or save the model again")
    return tuple(str(names[str(index)]) for index in range(len(names)))
