"""Options and descriptors of classifiers whose network a library builds. This module imports nothing heavy.

timm, torchvision, transformers and a live module share: task, class names, corrections to the preprocessing, and what
`sidelight check` can say of them. The behaviour is `source_classifier`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sidelight_specs import ClassifierDescriptor, param, params
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake, Shape

from sidelight_toolkit.class_names import (
    NUMBER_OF_NAMES,
    NUMBERED,
    given_names,
    name_mistakes,
    numbered,
    score_mistakes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Task = Literal["multiclass", "binary", "regression"]
CAPABILITIES = ("differentiable", "activations", "module", "classes")


@params
class ModelSourceParams:
    """Options of every model from a library; those left empty follow the model's own configuration."""

    task: Task = param("multiclass", "Task: K logits, one logit (of class 1), or one value.")
    classes: tuple[str, ...] = param((), "Class names in the order of the logits; two if binary, one for a regression.")
    classes_file: str = param("", "Text file with one class name on each line, instead of `classes`.")
    height: int | None = param(None, "Height of the network's input.", unit="pixels", minimum=8, maximum=4096)
    width: int | None = param(None, "Width of the network's input.", unit="pixels", minimum=8, maximum=4096)
    mean: tuple[float, ...] = param(
        (), "Subtracted from images in [0, 1]: one number, or one for each channel.", minimum=-1000.0, maximum=1000.0
    )
    std: tuple[float, ...] = param(
        (), "Divisor of the difference: one number, or one for each channel.", minimum=1e-6, maximum=1000.0
    )
    probabilities: bool = param(False, "The model ends with softmax or sigmoid; logits are computed from it.")


@frozen(kw_only=True)
class Known:
    """Facts of a model that its configuration tells without loading it; None where it does not.

    Args:
        shape: (C, H, W) that the network takes, before corrections by the options.
        columns: number of scores for an image.
        classes: class names; empty where the source has none.
        crop: as `ClassifierFacts.crop`.
    """

    shape: Shape | None = None
    columns: int | None = None
    classes: tuple[str, ...] = ()
    crop: float | Literal["whole"] | None = None


@frozen(kw_only=True)
class ModelSourceDescriptor(ClassifierDescriptor):
    """A network of a library with weights of the user's own.

    Overridden are `known`, `weights`, `subject` and `attends`.
    """

    def known(self, params: Any) -> Known:
        """Facts without an import of the library: from a config file, or from its sources read as text."""
        del params
        return Known()

    def weights(self, params: Any) -> tuple[str, Mapping[str, str]]:
        """Files that the model is read from as text of sizes and times, and option to path for those named."""
        del params
        return "", {}

    def subject(self, params: Any) -> str:
        """The model in messages."""
        del params
        return "the model"

    def attends(self, params: Any) -> bool:
        """True for a network that mixes image tokens by self-attention, as far as that is known."""
        del params
        return False

    def fingerprint(self, params: object) -> str:
        """Sizes and times of change of the model's files and of the file of class names."""
        assert isinstance(params, ModelSourceParams)
        return " ".join(filter(None, (self.weights(params)[0], stamp(params.classes_file))))

    def files(self, params: object) -> Mapping[str, str]:
        """The model's files that options name, and the file of class names."""
        assert isinstance(params, ModelSourceParams)
        return {**self.weights(params)[1], "classes_file": params.classes_file}

    def provided_by(self, params: object) -> tuple[str, ...]:
        """A regression has no classes; attention is in some networks."""
        assert isinstance(params, ModelSourceParams)
        given = tuple(each for each in self.provides if each != "classes" or params.task != "regression")
        return (*given, "attention") if self.attends(params) else given

    def absence(self, params: object, capability: str) -> str:
        """A regression has no classes."""
        assert isinstance(params, ModelSourceParams)
        return "task: regression gives one value, no classes" if capability == "classes" else ""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Class names and numbers of channels that do not go together, as far as the model is known."""
        assert isinstance(params, ModelSourceParams)
        known = self.known(params)
        yield from name_mistakes(params)
        yield from score_mistakes(params, known.columns, self.subject(params))
        for option in ("mean", "std"):
            count = len(getattr(params, option))
            if count and known.shape and count not in {1, known.shape[0]}:
                message = f"{option} has {count} numbers for {known.shape[0]} channel(s)"
                yield Mistake(message, "give one number, or one for each channel", option)

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """The model's own configuration, corrected by the options."""
        del data
        assert isinstance(params, ModelSourceParams)
        known, shape = self.known(params), None
        if known.shape:
            shape = (known.shape[0], params.height or known.shape[1], params.width or known.shape[2])
        return ClassifierFacts(shape=shape, crop=known.crop, classes=names_for(params, known) or None, task=params.task)


def names_for(params: ModelSourceParams, known: Known) -> tuple[str, ...]:
    """Class names by the options, else by the source, else numbered ones; empty where their number is not known."""
    wanted = NUMBER_OF_NAMES.get(params.task) or known.columns
    own = known.classes if len(known.classes) == wanted else ()
    return given_names(params) or own or NUMBERED.get(params.task) or numbered(known.columns)


def stamp(*paths: str | Path) -> str:
    """Sizes and times of change of files, for fingerprints; those that are not there are left out."""
    stats = [Path(path).expanduser().stat() for path in paths if path and Path(path).expanduser().is_file()]
    return " ".join(f"{status.st_size}:{status.st_mtime_ns}" for status in stats)
