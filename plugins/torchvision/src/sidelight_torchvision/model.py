"""A classifier of torchvision, its weights, preprocessing and class names."""

from __future__ import annotations

import re
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from sidelight_specs import UserError
from sidelight_toolkit.class_names import distinct
from sidelight_toolkit.modules import frozen_copy
from sidelight_toolkit.preprocessing import Preprocessing
from sidelight_toolkit.source_classifier import Source, SourceClassifier
from sidelight_toolkit.torchvision_import import MISFIT, import_torchvision
from sidelight_toolkit.weights_files import load_weights, read_state_dict

from sidelight_torchvision.model_index import Preset
from sidelight_torchvision.setup import Setup, set_up

if TYPE_CHECKING:
    from types import ModuleType

    from sidelight_specs import Run
    from sidelight_toolkit.images import Interpolation

    from sidelight_torchvision.params import TorchvisionParams

_INTERPOLATIONS: dict[str, Interpolation] = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest"}
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
"""Names of layers in published weights of DenseNet: `norm.1` for `norm1`."""
_WITH_AUXILIARY = {"googlenet", "inception_v3"}
_HASH = re.compile(r"-([a-f0-9]*)\.")  # in the name of a published file


class TorchvisionModel(SourceClassifier):
    """A classifier of torchvision, behind the preprocessing of a preset but for its crop."""

    _params: TorchvisionParams
    sizes = "set height and width to what the architecture takes"

    def __init__(self, params: TorchvisionParams, *, run: Run) -> None:
        super().__init__(params, run=run)
        self.subject = f"torchvision/model {params.architecture or '(a live model)'}"

    @cached_property
    def _setup(self) -> Setup:
        """Choice by the options; a preset that could not be read as text is asked of torchvision."""
        setup = set_up(self._params)
        return setup if setup.preset else attrs.evolve(setup, preset=_preset(setup.name, self._params.preset))

    @cached_property
    def _state(self) -> dict[str, torch.Tensor] | None:
        path = _downloaded(self._setup) if self._params.download else self._setup.weights
        if path is None:
            return None
        state = read_state_dict(path)
        return {_OLD_DENSENET.sub(r"\1\2", name): each for name, each in state.items()}

    @cached_property
    def _shaped(self) -> Setup:
        """The setup with the shapes of the weights, also where they could only be read with torch."""
        if self._setup.outline is not None or self._state is None:
            return self._setup
        return attrs.evolve(self._setup, outline={name: tuple(each.shape) for name, each in self._state.items()})

    def _read_source(self) -> Source:
        preset, side = self._setup.preset, self._shaped.side
        assert preset
        assert side
        preprocessing = Preprocessing(
            size=(side, side),
            mean=preset.mean,
            std=preset.std,
            interpolation=_INTERPOLATIONS.get(preset.interpolation, "bilinear"),
        )
        return Source(
            channels=3, preprocessing=preprocessing, classes=self._shaped.classes(self._shaped.columns(self._params))
        )

    def _load_network(self) -> torch.nn.Module:
        if self._setup.live is not None:
            return frozen_copy(self._setup.live)
        network = self._build()
        if self._state is not None:
            load_weights(network, self._state, self._setup.weights or self._params.preset, self._setup.name, _ADVICE)
            del self._state  # the network has copies
        return network

    def _build(self) -> torch.nn.Module:
        """The network with random weights, which depend on the recipe's seed alone."""
        name, columns = self._setup.name, self._shaped.columns(self._params)
        height, width = self.source.preprocessing.size
        options: dict[str, Any] = {"num_classes": columns} if columns else {}
        if name.startswith("vit_"):
            if height != width:
                raise UserError(f"{name} takes square images, not {height}x{width}", "set height and width alike")
            options["image_size"] = height
        if name.startswith("maxvit"):
            options["input_size"] = (height, width)
        if name in _WITH_AUXILIARY:
            auxiliary = any(each.lower().startswith("aux") for each in self._state or {})
            options |= {"init_weights": False, "aux_logits": auxiliary}
            options["transform_input"] = self._params.transform_input
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._run.seed("weights"))  # the CPU's alone
            try:
                network: torch.nn.Module = import_models().get_model(name, weights=None, **options)
            except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise UserError(f"torchvision does not build {name}: {lines[-1]}", self.sizes) from error
        return network


_ADVICE = (
    "set `architecture` to that which the weights are of; a network whose layers were changed is given alive "
    "(sidelight.explain), or exported as .pt2 for classifiers/torch"
)


def _preset(name: str, preset: str) -> Preset:
    """A preset by torchvision itself."""
    models = import_models()
    try:
        weights = models.get_model_weights(name)[preset]
    except (ValueError, KeyError) as error:
        raise UserError(
            f"torchvision has no weights {preset} of {name}", "torchvision.models.list_models() has all names"
        ) from error
    transform = weights.transforms()
    return Preset(
        name=weights.name,
        size=transform.crop_size[0],
        resized=transform.resize_size[0],
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        classes=distinct(weights.meta["categories"] or []),
        url=weights.url,
    )


def _downloaded(setup: Setup) -> Path:
    """File of published weights, in torch's own cache, so that it is downloaded once. It is read as data."""
    assert setup.preset
    url = setup.preset.url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / url.rpartition("/")[2]
    if path.is_file():
        return path
    found = _HASH.search(path.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), found.group(1) if found else None, progress=False)
    except (OSError, RuntimeError) as error:  # also of urllib; a wrong hash is a RuntimeError
        raise UserError(
            f"the weights of {setup.name} cannot be downloaded from {url}: {error}",
            f"connect to the internet, or put the file into {folder}, or give `weights: FILE`",
        ) from error
    return path


def import_models() -> ModuleType:
    """`torchvision.models`. Raises a UserError where torchvision does not fit the torch that is installed."""
    try:
        import_torchvision()
        return import_module("torchvision.models")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise UserError(f"torchvision cannot be imported: {str(error).strip().splitlines()[-1]}", MISFIT) from error
