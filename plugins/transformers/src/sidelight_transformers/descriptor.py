"""Descriptor of `image-classifier`: what `check` knows without transformers. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from sidelight_specs import UserError, live
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake
from sidelight_toolkit.live_model import name_of
from sidelight_toolkit.model_source import Known, ModelSourceDescriptor

from sidelight_transformers import hub
from sidelight_transformers.adoption import adopted, configuration
from sidelight_transformers.architectures import ATTENTION, FIXED_SIZE
from sidelight_transformers.configuration import PROCESSOR
from sidelight_transformers.folder import SAVE_PROCESSOR, ModelFolder
from sidelight_transformers.params import ImageClassifierParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.live import Adoption

    from sidelight_transformers.configuration import Configuration


@frozen(kw_only=True)
class ImageClassifierDescriptor(ModelSourceDescriptor):
    """A folder of save_pretrained, whose two json files tell all but the weights, or a live model."""

    def known(self, params: Any) -> Known:
        """Facts by the configuration; nothing where it cannot be read."""
        try:
            model = configuration(params)
            known = Known(columns=len(model.labels), classes=model.class_names(params.task or model.task))
        except UserError:
            return Known()
        try:
            processor = model.processor
            return evolve(known, shape=(model.channels, *processor.size), crop=processor.crop)
        except UserError:
            return known

    def weights(self, params: Any) -> tuple[str, dict[str, str]]:
        """Sizes and times of the folder's files."""
        try:
            model = configuration(params)
        except UserError:
            return "", {}
        return (model.stamp() if isinstance(model, ModelFolder) else ""), {}

    def reads(self, params: Any) -> Iterable[str]:
        """Files that the model is made of, and the file of class names."""
        try:
            model = configuration(params)
        except UserError:
            return super().reads(params)
        own = map(str, model.files()) if isinstance(model, ModelFolder) else ()
        return [*own, *super().reads(params)]

    def subject(self, params: Any) -> str:
        """The folder, or the class of a live model."""
        if not params.object:
            return str(params.path)
        return name_of(live.get(params.object)) if live.is_held(params.object) else "the live model"

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A live model or pipeline of transformers, a folder of save_pretrained, or `transformers:NAME`."""
        return adopted(value, hints)

    def provided_by(self, params: object) -> tuple[str, ...]:
        """A regression has no classes; attention is in some types of model."""
        assert isinstance(params, ImageClassifierParams)
        given = super().provided_by(_with_task(params))
        try:
            return (*given, "attention") if configuration(params).model_type in ATTENTION else given
        except UserError:
            return given

    def absence(self, params: object, capability: str) -> str:
        """Reason why a regression has no classes."""
        if capability != "classes":
            return ""
        return f"{self.subject(params)} is a regression with one value: set task: binary if it is the logit of a class"

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """Size, class names and task by the folder and the options."""
        return super().facts(_with_task(params), data)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """All that is wrong in the folder but its weights' values, and options that do not fit it."""
        assert isinstance(params, ImageClassifierParams)
        if bool(params.path) == bool(params.object):
            yield Mistake("no model is named", "set path to the folder that save_pretrained wrote", "path")
            return
        if params.download and not Path(params.path).expanduser().is_dir():
            if not hub.NAME.fullmatch(params.path):
                yield Mistake(f"{params.path} is no name on the Hugging Face hub", "write owner/name", "path")
                return
            if hub.cached(params.path, params.revision) is None:
                return  # nothing is known before the download
        found: list[Configuration] = []
        yield from _raised(lambda: found.append(configuration(params)), "object" if params.object else "path")
        for model in found:
            yield from _model_mistakes(model, params)
            yield from super().mistakes(_with_task(params))


def _with_task(params: object) -> ImageClassifierParams:
    """The options with the task that the folder tells; multi-class where it cannot be read."""
    assert isinstance(params, ImageClassifierParams)
    try:
        task = params.task or configuration(params).task
    except UserError:
        task = "multiclass"
    options: Any = params  # an attrs class, which its decorator does not say
    filled: ImageClassifierParams = evolve(options, task=task)
    return filled


def _raised(call: Callable[[], object], option: str = "path") -> Iterator[Mistake]:
    """The UserError that a call raises, as a mistake."""
    try:
        call()
    except UserError as error:
        yield Mistake(error.message, error.fix, option)


def _model_mistakes(model: Configuration, params: ImageClassifierParams) -> Iterator[Mistake]:
    """Labels, weights, image processor and size, each by itself."""
    untold = [*_raised(lambda: model.labels if params.task else model.task)]
    yield from untold
    if isinstance(model, ModelFolder):
        folder = model
        yield from _raised(lambda: folder.weights)
    unread = [*_raised(lambda: (model.channels, model.processor))]
    yield from unread
    if not unread:
        yield from _processor_mistakes(model, params)
    if not untold and not params.task and model.is_multi_label:
        message = "its classes do not exclude each other, and shares are shown as if they did"
        yield Mistake(f"{model.subject} is a multi-label model: {message}", "read the logits", refused=False)


def _processor_mistakes(model: Configuration, params: ImageClassifierParams) -> Iterator[Mistake]:
    """A processor that is assumed, or that resizes to another size than the network takes."""
    processor, built_for = model.processor, model.built_for
    size = (params.height or processor.size[0], params.width or processor.size[1])
    if model.processor_values is None and not (params.mean and params.std):
        assumed = (
            f"assumed are the defaults of {processor.kind}, {size[0]}x{size[1]}, mean {_short(processor.mean)}, "
            f"std {_short(processor.std)}"
        )
        if isinstance(model, ModelFolder):
            message, fix = f"has no {PROCESSOR}", f"{SAVE_PROCESSOR}; or set height, width, mean and std"
        else:
            message, fix = "was given without an image processor", "give preprocess=..., the image processor"
        yield Mistake(f"{model.subject} {message}: {assumed}", fix, refused=False)
    if built_for and built_for != size and model.model_type in FIXED_SIZE:
        message = f"images are resized to {size[0]}x{size[1]}, and {model.subject} takes {built_for[0]}x{built_for[1]}"
        yield Mistake(message, f"set height to {built_for[0]} and width to {built_for[1]}", "path")


def _short(values: tuple[float, ...]) -> str:
    """`0.5`, or `0.485, 0.456, 0.406`."""
    return ", ".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
