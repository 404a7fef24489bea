"""Shifts along one direction of W, the same in every layer, as attributes with their measured effects.

Symbols: w (N, layers, d) latents; v (layers, d) a direction of length 1; a shift s gives w + s v.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import at_once, in_batches, slices
from sidelight_toolkit.images import shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor


@attrs.frozen(eq=False)
class ClassShifts:
    """The shifts along the direction of one class, or of a regression's value.

    Args:
        direction: v, (layers, d) float32 of length 1.
        changes: the shifts, longest first; their effects are not measured.
    """

    direction: np.ndarray
    changes: tuple[Attribute, ...]

    @property
    def towards(self) -> tuple[Attribute, ...]:
        """The shifts towards the class, or more of the value."""
        return tuple(change for change in self.changes if change.shift > 0)


def shifts_along(vector: np.ndarray, steps: Sequence[float], layers: int, name: str, target: int) -> ClassShifts:
    """Shifts of all layers alike.

    Args:
        vector: (d,) of length 1.
        steps: lengths of the shifts in one layer, signed; zeros are left out.
        layers: number of layers.
        name: of the class.
        target: index of the class.
    """
    # the vector in every layer has length sqrt(layers): the unit vector over all layers is vector / sqrt(layers)
    across = np.tile(vector, (layers, 1)) / np.sqrt(layers)
    shifts = sorted((float(step) * float(np.sqrt(layers)) for step in steps if step), reverse=True)
    largest = int(np.abs(across).argmax())  # an attribute names one coordinate: that of the largest component
    changes = [
        Attribute(
            name=f"{name} {shift / max(map(abs, shifts)):+.0%}",  # in percent of the longest shift: `smile +67%`
            coordinate=largest,
            direction=1 if shift > 0 else -1,
            shift=shift,
            target=target,
        )
        for shift in shifts
    ]
    return ClassShifts(across.astype(np.float32), tuple(changes))


SHOWN = 256
"""Pixels a side of examples, at most, as pages show them."""


class ShiftEffects:
    """Measures shifts: what the classifier says of shifted latents.

    Args:
        classifier: whose logits or value are measured; None measures nothing.
        generator: draws the latents.
        batch: latents drawn and classified at a time, at most; fewer of large images.
        run: of the finder.
    """

    def __init__(self, classifier: Classifier | None, generator: Generator, batch: int, run: Run) -> None:
        self._classifier, self._generator, self._run = classifier, generator, run
        self._batch = at_once(batch, generator.image_shape)

    def attributes(self, latents: Tensor, target: int, shifts: ClassShifts, examples: int) -> Attributes:
        """The shifts as attributes with their effects on `latents` (N, layers, d), what raises most first."""
        directions = np.stack([shifts.direction] * len(shifts.changes))
        found = self.measured(latents, target, shifts.changes, directions, examples)
        order = np.argsort([-change.effect for change in found.attributes], kind="stable")
        arrays = ("effects", "before", "after", "probabilities", "directions")
        ranked = {name: array[order] for name in arrays if (array := getattr(found, name)) is not None}
        return attrs.evolve(found, attributes=tuple(found.attributes[index] for index in order), **ranked)

    def measured(
        self, latents: Tensor, target: int, changes: Sequence[Attribute], directions: np.ndarray, examples: int
    ) -> Attributes:
        """Changes in their order, each along a direction of its own, with their effects; without a classifier, none.

        Args:
            latents: (N, layers, d).
            target: index of the class whose logit is read.
            changes: with their shifts.
            directions: (changes, layers, d) float32 of length 1.
            examples: number of images kept before and after each change.
        """
        steps = [change.shift * to_tensor(v, self._run) for change, v in zip(changes, directions, strict=True)]
        shown = latents[:examples]
        effects = pairs = None
        if self._classifier is not None:
            before = self._logits(latents)  # (N, K)
            after = [self._logits(latents + step) for step in self._run.progress(steps, "shifting")]
            effects = np.stack([logits[:, target] - before[:, target] for logits in after])  # (changes, N)
            pairs = [np.stack([self._shown(part[:examples])[:, target] for part in (before, one)], 1) for one in after]
            changes = [
                attrs.evolve(change, effect=float(effect.mean()))
                for change, effect in zip(changes, effects, strict=True)
            ]
        has_examples = len(shown) > 0
        return Attributes(
            answers="probe",
            attributes=tuple(changes),
            effects=None if effects is None else effects.astype(np.float32),
            before=np.stack([self._images(shown)] * len(steps)) if has_examples else None,
            after=np.stack([self._images(shown + step) for step in steps]) if has_examples else None,
            probabilities=np.stack(pairs).astype(np.float32) if pairs and has_examples else None,
            directions=directions,
            class_names=() if self._classifier is None else tuple(self._classifier.class_names),
        )

    def _images(self, latents: Tensor) -> np.ndarray:
        return to_array(in_batches(lambda z: shrunk(self._generator.synthesize(z), SHOWN), latents, self._batch))

    def _logits(self, latents: Tensor) -> np.ndarray:
        """(N, K), drawing and classifying one batch at a time."""
        classifier = self._classifier
        assert classifier is not None, "the caller has looked"

        def logits(batch: Tensor) -> np.ndarray:
            return to_array(classifier.class_logits(self._generator.synthesize(batch)))

        with torch.no_grad():
            return np.concatenate([logits(latents[batch]) for batch in slices(len(latents), self._batch)])

    def _shown(self, logits: np.ndarray) -> np.ndarray:
        """(N, K) logits to probabilities; a regression's values stay as they are."""
        if self._classifier is not None and self._classifier.task == "regression":
            return logits
        powers = np.exp(logits - logits.max(1, keepdims=True))
        probabilities: np.ndarray = powers / powers.sum(1, keepdims=True)
        return probabilities
