"""Generator and classifiers behind the page: batched, cached, one thread at a time."""

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
from sidelight_toolkit.batching import at_once, slices

from sidelight_explorer.priority_lock import Priority, PriorityLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer.latent_edit import LatentEdit

V = TypeVar("V")
CACHE_BYTES = 256 << 20  # of drawn images
MOST_VALUES = 64  # classes up to which all values are sent to the page; else the highest and the target


class LRUCache(Generic[V]):
    """Least-recently-used cache; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[str, V](), threading.Lock()

    def get(self, key: str) -> V | None:
        """The value, or None if absent."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: V) -> None:
        """Store a value; the least recently used one is dropped beyond the limit."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


@attrs.frozen(eq=False)
class DrawnImage:
    """An image and its scores by every classifier.

    Args:
        pixels: (H, W, C) uint8.
        values: classifier id to (K,) float32 as displayed: probabilities, a binary logit's tanh for both classes
            (negated for the first), or a regression's value.
    """

    pixels: np.ndarray
    values: dict[str, np.ndarray]


class Models:
    """A generator and the classifiers of a recipe.

    Args:
        generator: with latents (layers, d).
        classifiers: id to classifier.
        batch: images at a time, at most; fewer of large ones.
        device: the torch device string.
    """

    def __init__(self, generator: Generator, classifiers: Mapping[str, Classifier], batch: int, device: str) -> None:
        self.generator, self.classifiers = generator, dict(classifiers)
        self.lock = PriorityLock()
        self.batch, self._device, self._loaded = at_once(batch, generator.image_shape), device, False
        self._cache = LRUCache[DrawnImage](max(32, CACHE_BYTES // prod(generator.image_shape)))

    def draw(self, edits: Sequence[LatentEdit], priority: Priority) -> list[DrawnImage]:
        """Images and scores; repeated edits come from the cache."""
        drawn = {edit.key: self._cache.get(edit.key) for edit in edits}
        missing = [edit for edit in {edit.key: edit for edit in edits}.values() if drawn[edit.key] is None]
        for batch in slices(len(missing), self.batch):
            with self.lock.hold(priority):
                images = list(self._draw_batch(missing[batch]))
            for edit, image in zip(missing[batch], images, strict=True):
                drawn[edit.key] = image
                self._cache.put(edit.key, image)
        return [image for image in (drawn[edit.key] for edit in edits) if image is not None]

    def _draw_batch(self, edits: Sequence[LatentEdit]) -> Iterator[DrawnImage]:
        # weights that a model loads at its first use must not be born in inference mode: heatmaps need their gradients
        with torch.no_grad(), torch.inference_mode(self._loaded):
            images = self.images(edits)
            values = {name: displayed_scores(classifier, images) for name, classifier in self.classifiers.items()}
        self._loaded = True
        pixels = as_pixels(images)
        for row in range(len(edits)):
            yield DrawnImage(pixels[row], {name: array[row] for name, array in values.items()})

    def score(self, edits: Sequence[LatentEdit], classifier: str, priority: Priority) -> tuple[Tensor, np.ndarray]:
        """Images (N, C, H, W) and scores (N, K) as displayed, of at most `batch` edits; the cache keeps none of them.

        Long jobs use it, so that they do not push the pictures on the pages out of the cache.
        """
        with self.lock.hold(priority), torch.no_grad(), torch.inference_mode(self._loaded):
            images = self.images(edits)
            return images, displayed_scores(self.classifiers[classifier], images)

    def images(self, edits: Sequence[LatentEdit]) -> Tensor:
        """(N, C, H, W) in [0, 1]; the caller holds the lock."""
        latents = self.tensor(np.stack([edit.latents for edit in edits]))  # (N, layers, d)
        if not any(edit.moves for edit in edits):
            return self.generator.synthesize(latents)
        styles = self.generator.styles(latents).clone()  # (N, S)
        for row, edit in enumerate(edits):
            for attribute, factor in edit.moves:
                styles[row] = attribute.apply(styles[row], factor)
        return self.generator.synthesize_styles(styles)

    def tensor(self, array: np.ndarray) -> Tensor:
        """A float32 tensor on the device."""
        return torch.tensor(array, dtype=torch.float32, device=self._device)


def displayed_scores(classifier: Classifier, images: Tensor) -> np.ndarray:
    """(N, K) float32 as displayed; a binary task has two columns of opposite sign."""
    shown: Any = displayed(classifier.scores(images), classifier.task)
    if classifier.task == "binary":
        shown = torch.cat([-shown, shown], 1)
    return to_array(torch.nan_to_num(shown))


def as_pixels(images: Tensor) -> np.ndarray:
    """(N, C, H, W) in [0, 1] to (N, H, W, C) uint8."""
    return to_array((images.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
