"""Components of the zoo: each passes the calls of its role on to the original component with a learned state."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from sidelight_specs.roles import Generator
from sidelight_toolkit.classifier import TorchClassifier

from sidelight_zoo.card import Card, cards
from sidelight_zoo.files import read_state
from sidelight_zoo.origin import descriptor_of, full_params

if TYPE_CHECKING:
    import numpy as np
    import torch
    from sidelight_specs import Run
    from sidelight_specs.results import State
    from sidelight_specs.roles.classifier import Task
    from sidelight_specs.roles.generator import StyleLayer
    from torch import Tensor


def restored(card: Card, state: State, params: object, run: Run, **needs: Any) -> Any:
    """The original component, with a learned state loaded."""
    module, _, name = descriptor_of(card).factory.partition(":")
    component = getattr(import_module(module), name)(full_params(card, params), run=run, **needs)
    component.load_state(state)
    return component


class Pretrained:
    """Base of the components; a subclass names the card. Members that no role knows are passed on as well."""

    card: ClassVar[Card]

    def __init__(self, params: object, *, run: Run, **needs: Any) -> None:
        self._run = run
        self._original = restored(self.card, read_state(self.card), params, run, **needs)

    def __getattr__(self, name: str) -> Any:
        """Members of the original that the role does not know."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._original, name)


class PretrainedClassifier(Pretrained, TorchClassifier):
    """A classifier that is a torch module."""

    @property
    def task(self) -> Task:
        """As trained."""
        task: Task = self._original.task
        return task

    @property
    def class_names(self) -> tuple[str, ...]:
        """As trained."""
        return tuple(self._original.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """As trained."""
        shape: tuple[int, int, int] = self._original.input_shape
        return shape

    @property
    def module(self) -> torch.nn.Module:
        """The network."""
        network: torch.nn.Module = self._original.module
        return network


class PretrainedGenerator(Pretrained, Generator):
    """A generator, with the encoder and the style space that the original has."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        shape: tuple[int, int, int] = self._original.image_shape
        return shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """As the original's."""
        return tuple(self._original.latent_shape)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """n latents."""
        latents: Tensor = self._original.sample(n, rng)
        return latents

    @property
    def conditions(self) -> tuple[str, ...]:
        """As the original's."""
        return tuple(self._original.conditions)

    def sample_of(self, condition: int, n: int, rng: np.random.Generator) -> Tensor:
        """n latents of one class, where the original is class-conditional."""
        latents: Tensor = self._original.sample_of(condition, n, rng)
        return latents

    def synthesize(self, latents: Tensor) -> Tensor:
        """Images of latents."""
        images: Tensor = self._original.synthesize(latents)
        return images

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images, where the original has an encoder."""
        latents: Tensor = self._original.encode(images)
        return latents

    @property
    def style_layers(self) -> tuple[StyleLayer, ...]:
        """The layers of the style space, where the original has one."""
        return tuple(self._original.style_layers)

    def styles(self, latents: Tensor) -> Tensor:
        """Style vectors of latents."""
        styles: Tensor = self._original.styles(latents)
        return styles

    def synthesize_styles(self, styles: Tensor) -> Tensor:
        """Images of style vectors."""
        images: Tensor = self._original.synthesize_styles(styles)
        return images


_KINDS: dict[str, type[Pretrained]] = {"classifier": PretrainedClassifier, "generator": PretrainedGenerator}


def __getattr__(name: str) -> type[Pretrained]:
    """The class of a checkpoint: `faces_classifier` is that of `zoo/faces-classifier`."""
    card = cards().get(name.replace("_", "-"))
    if card is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = type(name, (_KINDS[card.role],), {"card": card, "__doc__": card.summary, "__module__": __name__})
    globals()[name] = made
    return made
