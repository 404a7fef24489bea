"""A network of timm, its weights, preprocessing and class names."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import torch
from sidelight_specs import UserError
from sidelight_toolkit.modules import frozen_copy
from sidelight_toolkit.preprocessing import Preprocessing
from sidelight_toolkit.source_classifier import Source, SourceClassifier
from sidelight_toolkit.torchvision_import import MISFIT, import_torchvision
from sidelight_toolkit.weights_files import MOST_LAYERS, load_weights, read_state_dict, refuse_larger, too_deep

from sidelight_timm import hub
from sidelight_timm.setup import CONFIG, HUB, Setup, class_names, set_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from sidelight_specs import Run
    from sidelight_toolkit.images import Interpolation

    from sidelight_timm.params import TimmParams

_INTERPOLATIONS: dict[str, Interpolation] = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest"}


class TimmModel(SourceClassifier):
    """A model of timm, behind the preprocessing of timm's evaluation but for its crop."""

    _params: TimmParams
    sizes = "set height and width to what the architecture takes, and channels to what the weights take"

    def __init__(self, params: TimmParams, *, run: Run) -> None:
        super().__init__(params, run=run)
        self.subject = f"timm/model {params.architecture or params.weights or '(a live model)'}"

    @cached_property
    def _setup(self) -> Setup:
        """Choice by the options; downloaded weights lie in a folder, as local ones do."""
        setup = set_up(self._params)
        if not self._params.download:
            return setup
        folder = hub.fetch(setup.name, import_timm())
        architecture = "" if setup.name.startswith(HUB) else self._params.architecture
        params: Any = self._params  # an attrs class, which its decorator does not say
        return set_up(attrs.evolve(params, weights=str(folder), download=False, architecture=architecture))

    @cached_property
    def _cfg(self) -> dict[str, Any]:
        """timm's `pretrained_cfg`."""
        registered = None if self._setup.live is not None else import_timm().get_pretrained_cfg(self._setup.name)
        return self._setup.configuration(registered.to_dict() if registered else {})

    @cached_property
    def _state(self) -> dict[str, torch.Tensor] | None:
        return read_state_dict(self._setup.weights) if self._setup.weights else None

    @cached_property
    def _shape(self) -> tuple[int | None, int]:
        """Number of scores and of channels, by the weights where neither options nor configuration say them."""
        setup = self._setup
        if setup.outline is None and self._state:
            setup = attrs.evolve(setup, outline={name: tuple(each.shape) for name, each in self._state.items()})
        return setup.columns(self._params, self._cfg), setup.channels(self._params, self._cfg) or 3

    def _read_source(self) -> Source:
        columns, channels = self._shape
        data = import_timm().data.resolve_data_config(pretrained_cfg=self._cfg)
        preprocessing = Preprocessing(
            size=tuple(data["input_size"][1:]),
            mean=_for_channels(data["mean"], channels),
            std=_for_channels(data["std"], channels),
            interpolation=_INTERPOLATIONS.get(data["interpolation"], "bilinear"),
        )
        return Source(channels=channels, preprocessing=preprocessing, classes=class_names(self._cfg, columns))

    def _load_network(self) -> torch.nn.Module:
        if self._setup.live is not None:
            return frozen_copy(self._setup.live)
        network = self._build()
        if self._state is not None:
            load_weights(network, self._state, self._setup.weights, self._setup.name, self._advice())
            del self._state  # the network has copies
        return network

    def _build(self) -> torch.nn.Module:
        """The network with random weights, which depend on the recipe's seed alone."""
        columns, channels = self._shape
        # a size also sets `img_size` of networks that take one size
        overlay: dict[str, Any] = {"input_size": (channels, *self.source.preprocessing.size)}
        if columns:
            overlay["num_classes"] = columns
        args = dict(self._setup.config.model_args) if self._setup.config else {}
        args = {name: value for name, value in args.items() if name not in {"img_size", "in_chans", "num_classes"}}
        deep = too_deep(args)
        if deep:
            message = f"{CONFIG} asks for {deep} {args[deep]}, more than {MOST_LAYERS}"
            raise UserError(message, "save the model again: timm.models.save_for_hf")

        def create() -> torch.nn.Module:
            network: torch.nn.Module = import_timm().create_model(
                self._setup.name, pretrained=False, pretrained_cfg_overlay=overlay, **args
            )
            return network

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._run.seed("weights"))  # the CPU's alone
            try:
                if args and self._state is not None:
                    self._refuse_larger(create)
                network = create()
            except (TypeError, ValueError, RuntimeError, AssertionError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise UserError(f"timm does not build {self._setup.name}: {lines[-1]}", self.sizes) from error
        if not getattr(network, "num_classes", 1):
            raise UserError(
                f"{self._setup.name} has no classes: it gives features",
                "set `num_classes`, or take another architecture",
            )
        return network

    def _refuse_larger(self, create: Callable[[], torch.nn.Module]) -> None:
        """Raise a UserError where the arguments in config.json make a network larger than its weights."""
        try:
            refuse_larger(create, self._state or {}, CONFIG, "save configuration and weights together")
        except UserError:
            raise
        except Exception:  # of networks that cannot be made without memory, and of wrong arguments: the next attempt
            return

    def _advice(self) -> str:
        """Instruction for weights that do not fit."""
        return (
            f"give weights of {self._setup.name}, or set `architecture` to theirs; where positions alone differ, set "
            "height and width to the size that they were trained at"
        )


def _for_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Means or deviations of colour channels; a grey model gets their average, since timm states colour alone."""
    return tuple(values) if len(values) in {1, channels} else (sum(values) / len(values),)


def import_timm() -> ModuleType:
    """timm, which imports torchvision. Raises a UserError where that does not fit the torch that is installed."""
    try:
        import_torchvision()
        import timm
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise UserError(f"timm cannot be imported: {str(error).strip().splitlines()[-1]}", MISFIT) from error
    return timm
