"""A quick timing: some steps of the real training, and some passes of the real model, on this machine.

Components are built by their descriptors' factories as a run builds them, and trained on random images of the right
shape. Only behaviour that the contracts promise is used, so that any trainable generator can be timed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.digests import seed_of
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_specs.run import NoCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.descriptors import ComponentDescriptor

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

IMAGES = 64  # random images that the timed training has
WARM, FEW, MANY = 1, 2, 12  # steps of three trainings; the difference of the last two has no beginning and no end in it
PASSES = 4  # timed forward and backward passes of the classifier


@attrs.frozen
class Seconds:
    """Wall time and CPU time of all threads, in seconds."""

    wall: float
    cpu: float

    def scaled(self, factor: float) -> Seconds:
        """So many times as much."""
        return Seconds(self.wall * factor, self.cpu * factor)


class QuickRun:
    """Run in which a component is tried: it keeps nothing and shows nothing."""

    device, dtype = "cpu", "float32"

    def seed(self, label: str) -> int:
        """A number fixed by the label."""
        return seed_of(label)

    def rng(self, label: str) -> np.random.Generator:
        """A stream fixed by the label."""
        return np.random.default_rng(self.seed(label))

    def progress(self, iterable: Iterable[Any], label: str, total: int | None = None) -> Iterator[Any]:
        """The items."""
        del label, total
        yield from iterable

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Made anew."""
        del key
        return make()

    def checkpoint(self, key: Any) -> NoCheckpoint:
        """None: trials are short."""
        del key
        return NoCheckpoint()

    def emit(self, name: str, artifact: Any) -> None:
        """Not kept."""

    def warn(self, text: str) -> None:
        """Not shown: the run itself will warn."""


class RandomImages(Data):
    """Images of uniform noise: training takes as long on them."""

    splits = ("train",)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape

    def split(self, name: str) -> Split:
        """`IMAGES` images."""
        del name
        images = np.random.default_rng(0).random((IMAGES, *self._shape), dtype=np.float32)
        return Split(images=images, labels=np.arange(IMAGES) % 2, class_names=("a", "b"))


def build(descriptor: ComponentDescriptor, params: object, **needs: Any) -> Any:
    """The component, as a run builds it."""
    module, _, name = descriptor.factory.partition(":")
    return getattr(import_module(module), name)(params, run=QuickRun(), **needs)


def time_passes(classifier: Any, shape: tuple[int, int, int]) -> Seconds:
    """One image forward and backward through a classifier; forward alone where it gives no gradients."""
    import torch

    images = torch.from_numpy(np.random.default_rng(0).random((1, *shape), dtype=np.float32))

    def once() -> None:
        leaf = images.clone().requires_grad_(True)
        logits = classifier.class_logits(leaf)
        if logits.requires_grad:
            torch.autograd.grad(logits.sum(), leaf)

    once()  # it may load itself at its first use
    wall, cpu = perf_counter(), process_time()
    for _ in range(PASSES):
        once()
    return Seconds(perf_counter() - wall, process_time() - cpu).scaled(1 / PASSES)


def time_steps(descriptor: ComponentDescriptor, params: Any, shape: tuple[int, int, int], **needs: Any) -> Seconds:
    """One step of a generator's training.

    Args:
        descriptor: of a trainable generator whose params have `steps`.
        params: those of the recipe.
        shape: (C, H, W) of the images.
        needs: other components that it gets.
    """
    spent = []
    for steps in (WARM, FEW, MANY):  # the first one imports and allocates
        generator = build(descriptor, attrs.evolve(params, steps=steps), **needs)
        wall, cpu = perf_counter(), process_time()
        generator.fit(RandomImages(shape))
        spent.append((perf_counter() - wall, process_time() - cpu))
    _, few, many = np.array(spent)
    wall, cpu = np.maximum(many - few, many / 3) / (MANY - FEW)  # the machine may have been busier during the shorter
    return Seconds(float(wall), float(cpu))


def peak_memory() -> int | None:
    """Bytes that this process has needed at most so far; None where the system does not tell."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kibibytes
