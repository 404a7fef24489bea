"""A model of transformers behind its preprocessing: a live one, or one from a folder that anybody may have written.

transformers gets no path: it gets a configuration of the options that the architecture knows, and tensors. So neither
`auto_map`, nor a pickle, an adapter, a kernel of the hub or a quantiser that a folder names is ever looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import UserError, live
from sidelight_specs.wording import listing
from sidelight_toolkit.live_model import name_of
from sidelight_toolkit.modules import frozen_copy
from sidelight_toolkit.preprocessing import Preprocessing
from sidelight_toolkit.source_classifier import Source, SourceClassifier
from sidelight_toolkit.torchvision_import import MISFIT, import_torchvision
from sidelight_toolkit.weights_files import MOST_LAYERS, refuse_larger, too_deep

from sidelight_transformers import hub
from sidelight_transformers.adoption import configuration, with_preprocess
from sidelight_transformers.comparison import compare
from sidelight_transformers.configuration import CONFIG, classes_of
from sidelight_transformers.folder import ModelFolder
from sidelight_transformers.weights import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from sidelight_transformers.configuration import Configuration
    from sidelight_transformers.params import ImageClassifierParams

_NOT_TAKEN = {
    *("architectures", "dtype", "transformers_version", "output_hidden_states", "return_dict", "per_layer_config"),
    *("is_encoder_decoder", "chunk_size_feed_forward", "tie_last_hidden_states", "label2id", "problem_type"),
}
"""Options of every configuration that say how to load or run a model, not what it is."""
TOGETHER = "save configuration and weights together: model.save_pretrained(FOLDER)"


class ImageClassifier(SourceClassifier):
    """Logits of a model of transformers. Configuration and weights are read when first needed."""

    _params: ImageClassifierParams

    def __init__(self, params: ImageClassifierParams, *, run: Run) -> None:
        super().__init__(params, run=run)
        self.subject = name_of(live.get(params.object)) if params.object else params.path

    @cached_property
    def configuration(self) -> Configuration:
        """Of the live model, or of the folder, after a download where the options ask for one."""
        params = self._params
        if params.download and not Path(params.path).expanduser().is_dir():
            return with_preprocess(ModelFolder.read(hub.download(params.path, params.revision)), params.preprocess)
        return configuration(params)

    @property
    def task(self) -> Task:
        """By the options, else by config.json."""
        return self._params.task or self.configuration.task

    def _read_source(self) -> Source:
        processor = self.configuration.processor
        preprocessing = Preprocessing(
            size=processor.size,
            mean=processor.mean,
            std=processor.std,
            interpolation=processor.interpolation,
            reversed_channels=processor.reversed_channels,
        )
        return Source(
            channels=self.configuration.channels,
            preprocessing=preprocessing,
            classes=self.configuration.class_names(self.task),
        )

    def _load_network(self) -> torch.nn.Module:
        transformers = import_transformers()
        _ = self.source  # what is wrong in the configuration comes first
        self._compare_processor(transformers)
        if not isinstance(self.configuration, ModelFolder):
            return copied(live.get(self._params.object))
        with _quiet(transformers), torch.random.fork_rng(devices=[]):
            return build(transformers, self.configuration, read_all(self.configuration.weights))

    def _compare_processor(self, transformers: ModuleType) -> None:
        """Compare the preprocessing with that of transformers' own class, where the options do not correct it."""
        corrected = self._params.mean or self._params.std or self._params.height or self._params.width
        if self.configuration.processor_values is None or corrected:
            return
        reason = compare(transformers, self.configuration)
        if reason:
            self._run.warn(f"the preprocessing of {self.subject} could not be compared with transformers': {reason}")


def copied(model: Any) -> torch.nn.Module:
    """A copy that gives an output with logits."""
    copy: Any = frozen_copy(model)
    copy.config.return_dict = True
    network: torch.nn.Module = copy
    return network


def import_transformers() -> ModuleType:
    """transformers, which itself imports torchvision where it is installed.

    Raises:
        UserError: an installed torchvision does not work, or transformers is not installed.
    """
    try:
        import_torchvision()
    except ImportError:
        pass  # transformers does without it
    except Exception as error:
        raise UserError(
            f"torchvision, which transformers imports, does not fit torch {torch.__version__}: {error}",
            f"{MISFIT}; or pip uninstall torchvision",
        ) from error
    try:
        import transformers

        _ = transformers.AutoModelForImageClassification  # imports what stands behind transformers' names
    except ImportError as error:
        raise UserError(f"transformers cannot be imported: {error}", "pip install --upgrade transformers") from error
    return transformers


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[None]:
    """Without transformers' reports and progress bars, whose content is said here."""
    logging = transformers.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def build(transformers: ModuleType, folder: ModelFolder, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """The network of a folder with its weights, in float32.

    Raises:
        UserError: the architecture is unknown, or the weights are not those of the network that config.json describes.
    """
    config_class, network_class = _classes(transformers, folder)
    try:
        labels = dict(enumerate(folder.labels))  # checked, where num_labels could be any number
        config = config_class(**known_options(config_class, folder.config) | {"id2label": labels})
        refuse_larger(lambda: network_class(config), weights, folder.path / CONFIG, TOGETHER)
    except UserError:
        raise
    except ImportError as error:
        raise UserError(
            f"{folder.path} holds {folder.model_type}: {_first_line(error)}", "install the package"
        ) from error
    except Exception as error:
        message = f"{folder.path / CONFIG} describes no {folder.model_type}: {_first_line(error)}"
        raise UserError(message, "save the model again") from error
    network, report = network_class.from_pretrained(
        None,
        config=config,
        state_dict=weights,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # named below, with the sizes
        output_loading_info=True,
    )
    _check_report(report, folder)
    result: torch.nn.Module = network
    return result


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _classes(transformers: ModuleType, folder: ModelFolder) -> tuple[Any, Any]:
    """Classes of transformers: the configuration, and the network for image classification."""
    types = transformers.CONFIG_MAPPING
    networks = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    known = folder.model_type in types and types[folder.model_type] in networks
    if not known:
        raise UserError(
            f"{folder.path} holds {folder.model_type!r}, which transformers {transformers.__version__} does not know "
            "as an image classifier",
            "install the version that it was saved with (transformers_version in config.json), or use another model",
        )
    config_class = types[folder.model_type]
    classes = networks[config_class]
    choices = classes if isinstance(classes, tuple) else (classes,)
    named = classes_of(folder.config)
    return config_class, next((one for one in choices if one.__name__ in named), choices[0])


def known_options(config_class: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Options that describe the architecture; how it is loaded or run is not for a folder to say.

    Raises:
        ValueError: the network would have more than `MOST_LAYERS` blocks.
    """
    names = {field.name for field in fields(config_class)} | {*config_class.attribute_map}
    options = {name: value for name, value in values.items() if name in names - _NOT_TAKEN}
    for name, part in config_class.sub_configs.items():
        if isinstance(options.get(name), Mapping):
            options[name] = known_options(part, options[name])
    deep = too_deep(options)
    if deep:
        raise ValueError(f"{deep} is {options[deep]}, more than {MOST_LAYERS}")
    return options


def _check_report(report: Mapping[str, Any], folder: ModelFolder) -> None:
    """Raise a UserError where weights are missing or of another shape: they would be random."""
    mismatched = sorted(report["mismatched_keys"])
    if mismatched:
        name, stored, wanted = mismatched[0]
        more = f" and {len(mismatched) - 1} more" if len(mismatched) > 1 else ""
        raise UserError(
            f"{folder.path}: {name} is stored as {tuple(stored)}, {CONFIG} describes {tuple(wanted)}{more}",
            TOGETHER,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        unused = f"; not used are {listing(sorted(report['unexpected_keys']), 3)}" if report["unexpected_keys"] else ""
        raise UserError(
            f"{folder.path} lacks weights of {folder.model_type}, which would be random: {listing(missing, 3)}{unused}",
            "save a model that was trained to classify: a base model has no classifier",
        )
