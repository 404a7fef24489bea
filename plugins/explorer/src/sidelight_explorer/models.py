"""The models behind the page: a generator and classifiers, used in batches, one thread at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import prod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import numpy as np
import torch
from sidelight_specs.roles.classifier import displayed
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_explorer.server.priority_lock import Rank, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer.session.latent_edit import Point

V = TypeVar("V")
KEPT_BYTES = 256 << 20
"""Of images drawn last."""
MOST_VALUES = 64
"""Classes up to which all values are sent to the page; of more, the largest and the one asked about."""


class Recent(Generic[V]):
    """The values used last, by key; safe for several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[str, V](), threading.Lock()

    def get(self, key: str) -> V | None:
        """The value, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: V) -> None:
        """Keep a value; the one unused for longest goes where there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


@attrs.frozen(eq=False)
class Drawn:
    """An image and what every classifier says of it.

    Args:
        pixels: (H, W, C) uint8.
        values: classifier id to (K,) float32, as shown to people: probabilities, a binary logit's tanh for both
            classes (the first one's is the negative), or a regression's value.
    """

    pixels: np.ndarray
    values: dict[str, np.ndarray]


class Models:
    """A generator and the classifiers of a recipe.

    Args:
        generator: with latents (layers, d).
        classifiers: id to classifier.
        batch: images at a time.
        device: the torch device string.
    """

    def __init__(self, generator: Generator, classifiers: Mapping[str, Classifier], batch: int, device: str) -> None:
        self.generator, self.classifiers = generator, dict(classifiers)
        self.turns = Turns()
        self._batch, self._device, self._loaded = batch, device, False
        self._recent = Recent[Drawn](max(32, KEPT_BYTES // prod(generator.image_shape)))

    def draw(self, points: Sequence[Point], rank: Rank) -> list[Drawn]:
        """Images and verdicts; those drawn before are not drawn again."""
        found = {point.key: self._recent.get(point.key) for point in points}
        missing = [point for point in {point.key: point for point in points}.values() if found[point.key] is None]
        for part in slices(len(missing), self._batch):
            chosen = missing[part]
            with self.turns.turn(rank):
                drawn = list(self._drawn(chosen))
            for point, one in zip(chosen, drawn, strict=True):
                found[point.key] = one
                self._recent.put(point.key, one)
        return [one for one in (found[point.key] for point in points) if one is not None]

    def _drawn(self, points: Sequence[Point]) -> Iterator[Drawn]:
        # weights that a model loads at its first use must not be born in inference mode: heatmaps need their gradients
        with torch.no_grad(), torch.inference_mode(self._loaded):
            images = self.images(points)
            values = {name: verdicts(classifier, images) for name, classifier in self.classifiers.items()}
        self._loaded = True
        pixels = as_pixels(images)
        for row in range(len(points)):
            yield Drawn(pixels[row], {name: array[row] for name, array in values.items()})

    def images(self, points: Sequence[Point]) -> Tensor:
        """(N, C, H, W) in [0, 1]. The caller holds the models."""
        latents = self.tensor(np.stack([point.latents for point in points]))
        if not any(point.settings for point in points):
            return self.generator.synthesize(latents)
        styles = self.generator.styles(latents).clone()
        for row, point in enumerate(points):
            for setting in point.settings:
                styles[row] = setting.attribute.apply(styles[row], setting.factor)
        return self.generator.synthesize_styles(styles)

    def tensor(self, array: np.ndarray) -> Tensor:
        """A float32 tensor on the device."""
        return torch.tensor(array, dtype=torch.float32, device=self._device)

    def alone(self, work: Callable[[], V], rank: Rank = Rank.EDIT) -> V:
        """Whatever `work` gives while it holds the models."""
        with self.turns.turn(rank):
            return work()


def verdicts(classifier: Classifier, images: Tensor) -> np.ndarray:
    """(N, K) float32, as shown to people; two columns of opposite sign for a binary task."""
    shown: Any = displayed(classifier.scores(images), classifier.task)
    if classifier.task == "binary":
        shown = torch.cat([-shown, shown], 1)
    return to_array(torch.nan_to_num(shown))


def as_pixels(images: Tensor) -> np.ndarray:
    """(N, C, H, W) in [0, 1] to (N, H, W, C) uint8."""
    return to_array((images.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
