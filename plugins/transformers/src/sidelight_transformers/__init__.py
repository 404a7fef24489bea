"""Image classifiers of Hugging Face transformers, from folders of save_pretrained. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from sidelight_specs import UserError, hookimpl
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake
from sidelight_toolkit.model_source import CAPABILITIES, Known, ModelSourceDescriptor

from sidelight_transformers import hub
from sidelight_transformers.architectures import FIXED_SIZE
from sidelight_transformers.folder import PROCESSOR, SAVE_PROCESSOR, ModelFolder
from sidelight_transformers.params import ImageClassifierParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs import ClassifierDescriptor


@frozen(kw_only=True)
class ImageClassifierDescriptor(ModelSourceDescriptor):
    """A folder of save_pretrained, whose config.json and preprocessor_config.json tell all but the weights."""

    def known(self, params: Any) -> Known:
        """Facts by the two files; nothing of a folder that cannot be read."""
        try:
            folder = _folder(params)
            task = params.task or folder.task
            known = Known(columns=len(folder.labels), classes=folder.class_names(task))
        except UserError:
            return Known()
        try:
            processor = folder.processor
            return evolve(known, shape=(folder.channels, *processor.size), crop=processor.crop)
        except UserError:
            return known

    def weights(self, params: Any) -> tuple[str, dict[str, str]]:
        """Sizes and times of the folder's files."""
        try:
            return _folder(params).stamp(), {}
        except UserError:
            return "", {}

    def subject(self, params: Any) -> str:
        """The folder."""
        return str(params.path)

    def provided_by(self, params: object) -> tuple[str, ...]:
        """A regression has no classes."""
        return super().provided_by(_with_task(params))

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
        if params.download and not Path(params.path).expanduser().is_dir():
            if not hub.NAME.fullmatch(params.path):
                yield Mistake(f"{params.path} is no name on the Hugging Face hub", "write owner/name", "path")
                return
            if hub.cached(params.path, params.revision) is None:
                return  # nothing is known before the download
        found: list[ModelFolder] = []
        yield from _raised(lambda: found.append(_folder(params)))
        for folder in found:
            yield from _folder_mistakes(folder, params)
            yield from super().mistakes(_with_task(params))


def _folder(params: ImageClassifierParams) -> ModelFolder:
    """The folder, or the one that was downloaded before."""
    path = Path(params.path).expanduser()
    if params.download and not path.is_dir():
        path = hub.cached(params.path, params.revision) or path
    return ModelFolder.read(path)


def _with_task(params: object) -> ImageClassifierParams:
    """The options with the task that the folder tells; multi-class where it cannot be read."""
    assert isinstance(params, ImageClassifierParams)
    try:
        task = params.task or _folder(params).task
    except UserError:
        task = "multiclass"
    options: Any = params  # an attrs class, which its decorator does not say
    filled: ImageClassifierParams = evolve(options, task=task)
    return filled


def _raised(call: Callable[[], object]) -> Iterator[Mistake]:
    """The UserError that a call raises, as a mistake."""
    try:
        call()
    except UserError as error:
        yield Mistake(error.message, error.fix, "path")


def _folder_mistakes(folder: ModelFolder, params: ImageClassifierParams) -> Iterator[Mistake]:
    """Labels, weights, image processor and size, each by itself."""
    untold = [*_raised(lambda: folder.labels if params.task else folder.task)]
    yield from untold
    yield from _raised(lambda: folder.weights)
    unread = [*_raised(lambda: (folder.channels, folder.processor))]
    yield from unread
    if not unread:
        yield from _processor_mistakes(folder, params)
    if not untold and not params.task and folder.is_multi_label:
        message = "its classes do not exclude each other, and shares are shown as if they did"
        yield Mistake(f"{folder.path} is a multi-label model: {message}", "read the logits", refused=False)


def _processor_mistakes(folder: ModelFolder, params: ImageClassifierParams) -> Iterator[Mistake]:
    """A processor that is assumed, or that resizes to another size than the network takes."""
    processor, built_for = folder.processor, folder.built_for
    size = (params.height or processor.size[0], params.width or processor.size[1])
    if folder.processor_values is None and not (params.mean and params.std):
        message = (
            f"{folder.path} has no {PROCESSOR}: assumed are the defaults of {processor.kind}, "
            f"{size[0]}x{size[1]}, mean {_short(processor.mean)}, std {_short(processor.std)}"
        )
        yield Mistake(message, f"{SAVE_PROCESSOR}; or set height, width, mean and std", refused=False)
    if built_for and built_for != size and folder.model_type in FIXED_SIZE:
        message = f"images are resized to {size[0]}x{size[1]}, and {folder.path} takes {built_for[0]}x{built_for[1]}"
        yield Mistake(message, f"set height to {built_for[0]} and width to {built_for[1]}", "path")


def _short(values: tuple[float, ...]) -> str:
    """`0.5`, or `0.485, 0.456, 0.406`."""
    return ", ".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Any architecture of transformers with a head for image classification."""
    yield ImageClassifierDescriptor(
        name="image-classifier",
        summary="A model of Hugging Face transformers, from the folder that save_pretrained wrote.",
        params=ImageClassifierParams,
        factory="sidelight_transformers.image_classifier:ImageClassifier",
        provides=CAPABILITIES,
        example={"path": "model"},
        paper="Wolf et al. 2020, Transformers: State-of-the-Art Natural Language Processing",
    )
