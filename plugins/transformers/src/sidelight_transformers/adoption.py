"""Values that stand for `image-classifier`: a live model or pipeline, a folder of save_pretrained, `transformers:NAME`.

Nothing heavy is imported; whether an object is transformers' is told by the names of its classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError, live
from sidelight_specs.live import Adoption
from sidelight_toolkit.live_model import hold, is_module, name_of, training_warning
from sidelight_toolkit.preprocess_object import numbers_of

from sidelight_transformers import hub
from sidelight_transformers.configuration import CONFIG, Configuration
from sidelight_transformers.folder import PICKLE, SAFETENSORS, ModelFolder, read_json

if TYPE_CHECKING:
    from sidelight_specs.live import Live

    from sidelight_transformers.params import ImageClassifierParams

PREFIX = "transformers:"
_TAKEN = ("preprocess", "shown")
_HEAD = "ForImageClassification"


def adopted(value: Any, hints: Mapping[str, Any]) -> Adoption | None:
    """Parameters for a value; None for what is not transformers'."""
    if isinstance(value, (str, Path)):
        return _named(str(value), hints)
    preprocess = hints.get("preprocess")
    if type(value).__name__ == "ImageClassificationPipeline":
        preprocess = value.image_processor if preprocess is None else preprocess
        value = value.model
    if not _is_model(value):
        return None
    warnings = list(training_warning(value))
    held = [hold(value, "transformers", warnings)]
    read = _preprocessing(preprocess, held, warnings)
    if read is None:
        return None  # a function before the model: classifiers/live takes both
    given = {"object": held[0].token, **read}
    return Adoption(params=given, live=tuple(held), warnings=tuple(warnings), taken=_TAKEN)


def _named(text: str, hints: Mapping[str, Any]) -> Adoption | None:
    """A folder whose config.json is transformers', or a name after `transformers:`."""
    path = text.removeprefix(PREFIX)
    if Path(path).name in (SAFETENSORS, PICKLE):
        path = str(Path(path).parent)  # weights stand for the folder that they lie in
    if not text.startswith(PREFIX) and not _is_folder(Path(path).expanduser()):
        return None
    held, warnings = list[live.Live](), list[str]()
    read = _preprocessing(hints.get("preprocess"), held, warnings)
    if read is None:
        raise UserError(
            f"size, mean and std of {name_of(hints['preprocess'])} cannot be read",
            "give an image processor of transformers, or size, mean and std",
        )
    if hints.get("download") and not Path(path).expanduser().is_dir():
        hub.download(path, hints.get("revision") or "main")  # now: images are read at the size that it tells
    return Adoption(params={"path": path, **read}, live=tuple(held), warnings=tuple(warnings), taken=_TAKEN)


def _is_folder(path: Path) -> bool:
    """True for a folder with a config.json that names a model_type; one around a model of timm is left to timm."""
    try:
        named = read_json(path / CONFIG).get("model_type") if (path / CONFIG).is_file() else None
        return named not in (None, "timm_wrapper")
    except (OSError, UserError):  # names that no file can have, damaged files
        return False


def _is_model(value: Any) -> bool:
    """True for a model of transformers with a head for images; one without a head is refused."""
    bases = {base.__name__ for base in type(value).__mro__}
    if not is_module(value) or "PreTrainedModel" not in bases or not hasattr(value, "config"):
        return False
    if "TimmWrapperForImageClassification" in bases:
        raise UserError("a TimmWrapperForImageClassification wraps a model of timm", "give that: model.timm_model")
    if any(_HEAD in name for name in bases):
        return True
    if type(value).__module__.startswith("transformers.models."):
        raise UserError(
            f"a {name_of(value)} does not classify images", "give a model of AutoModelForImageClassification"
        )
    return False


def _preprocessing(preprocess: Any, held: list[Live], warnings: list[str]) -> dict[str, Any] | None:
    """Parameters for the object that prepares images; None where it says no numbers.

    Args:
        preprocess: an image processor of transformers, or a preset of another library; None where none was given.
        held: gets the image processor.
        warnings: sentences for the user, added to.
    """
    if preprocess is None:
        return {}
    preprocess = getattr(preprocess, "image_processor", preprocess)  # of a processor of images and texts
    if options_of(preprocess) is None:
        return numbers_of(preprocess) or None
    held.append(hold(preprocess, "preprocess", warnings))
    return {"preprocess": held[-1].token}


def options_of(processor: Any) -> dict[str, Any] | None:
    """Options of an image processor of transformers, as its file has them; None for another object."""
    bases = {base.__name__ for base in type(processor).__mro__}
    if "ImageProcessingMixin" not in bases:
        return None
    return {name: _plain(value) for name, value in processor.to_dict().items()}


def _plain(value: Any) -> Any:
    """Lists for tuples, dicts for mappings, at any depth."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def configuration(params: ImageClassifierParams) -> Configuration:
    """Description of the model by its folder, by one that was downloaded before, or by the live model.

    Raises:
        UserError: there is no such folder, or this process does not hold the model.
    """
    if params.object:
        return _live_configuration(live.get(params.object), params.preprocess)
    path = Path(params.path).expanduser()
    if params.download and not path.is_dir():
        path = hub.cached(params.path, params.revision) or path
    return with_preprocess(ModelFolder.read(path), params.preprocess)


def with_preprocess(folder: ModelFolder, token: str) -> ModelFolder:
    """The folder with a live image processor in the place of its own, where there is one."""
    if not token:
        return folder
    processor = live.get(token)
    return ModelFolder.of(folder.path, folder.config, options_of(processor), name_of(processor))


def _live_configuration(model: Any, token: str) -> Configuration:
    """A live model, with the given image processor or that of the folder which it was loaded from."""
    name, config = name_of(model), _plain(model.config.to_dict())
    processor = live.get(token) if token else None
    values: Mapping[str, Any] | None = options_of(processor)
    where = name_of(processor)
    if values is None:
        origin = str(getattr(model, "name_or_path", ""))
        path = Path(origin) if Path(origin).is_dir() else hub.cached(origin, "main")
        if path is not None and _is_folder(path):
            folder = ModelFolder.of(path, config)
            values, where = folder.processor_values, folder.processor_where
    return Configuration(
        subject=name, where=f"the configuration of {name}", processor_where=where, config=config, given=values
    )
