"""Effects of style coordinates on the classifier: Delta, the inner loops of AttFind (StylEx, algorithm 1).

Symbols: x image, N of them; s style coordinate, S of them; d direction, 0 down and 1 up; y target class, C_y its logit,
or the value of a regression; G generator, drawing an image from styles;
Delta[x, s, d] = C_y(G(styles with s at its extreme in d)) - C_y(G(styles)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import attrs
import numpy as np
import torch
from sidelight_specs import Run
from sidelight_specs.roles import Classifier, Generator
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches, slices

from sidelight_stylex.attfind.incremental_synthesis import synthesis_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

DIRECTIONS = (-1, 1)
"""Signs of d = 0 and d = 1, in the order of the last axis of Delta."""


class Choice(NamedTuple):
    """A coordinate s and a direction d."""

    coordinate: int
    direction: int


@attrs.frozen(eq=False)
class Models:
    """The classifier and the generator, in batches.

    Args:
        classifier: explained.
        generator: has a style space.
        batch: images drawn and classified at a time.
        run: of the component.
    """

    classifier: Classifier
    generator: Generator
    batch: int
    run: Run

    def styles(self, latents: Tensor) -> Tensor:
        """(N, *latent_shape) to (N, S)."""
        return in_batches(self.generator.styles, latents, self.batch)

    def draw(self, styles: Tensor) -> Tensor:
        """(N, S) to images, (N, C, H, W)."""
        return in_batches(self.generator.synthesize_styles, styles, self.batch)

    def logits(self, styles: Tensor) -> Tensor:
        """(N, S) to the class logits of the drawn images, (N, K)."""
        return in_batches(lambda batch: self.classify(self.generator.synthesize_styles(batch)), styles, self.batch)

    @property
    def is_regression(self) -> bool:
        """True for a classifier with one value in place of classes."""
        return self.classifier.task == "regression"

    def is_class(self, styles: Tensor, target: int) -> np.ndarray:
        """(N,) bool: the drawn images that are taken for the class; none by a regression, which has no classes."""
        if self.is_regression:
            return np.zeros(len(styles), dtype=bool)
        return np.asarray(to_array(self.logits(styles).argmax(1)) == target)

    def classify(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to class logits (N, K), without gradients."""
        with torch.no_grad():
            return self.classifier.class_logits(images)


class StyleEffects:
    """Delta[x, s, d], each entry measured once, when it is first needed.

    Memory follows the batch: an entry is one number.

    Args:
        models: classifier and generator.
        styles: (N, S) of the images.
        extremes: (S, 2), the values that each coordinate is set to.
        target: y.

    Attributes:
        delta: (N, S, 2) float32, in logits or in the unit of a regression's value; NaN where not measured.
    """

    def __init__(self, models: Models, styles: Tensor, extremes: np.ndarray, target: int) -> None:
        self._models, self._styles, self._target = models, styles, target
        self._extremes = to_tensor(extremes.astype(np.float32), models.run)
        self._before = to_array(models.logits(styles)[:, target])  # C_y(G(styles)), (N,)
        self._synthesis = synthesis_of(models.generator)
        channels = [layer.channels for layer in models.generator.style_layers]
        self._ends = np.cumsum(channels)
        self._starts = self._ends - channels
        self.delta = np.full((*styles.shape, 2), np.nan, dtype=np.float32)

    def measure(self, rows: Sequence[int], coordinates: np.ndarray) -> np.ndarray:
        """Delta on some images x and coordinates s.

        Args:
            rows: n images.
            coordinates: c of them, ascending.

        Returns:
            (n, c, 2).
        """
        for row in self._models.run.progress(rows, "changing coordinates"):
            missing = coordinates[np.isnan(self.delta[row, coordinates]).any(axis=1)]
            if not len(missing):
                continue
            self._synthesis.begin(self._styles[row])
            # layer by layer: all changes in a batch can then share what is drawn before the layer
            for layer, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
                self._measure_layer(row, layer, missing[(missing >= start) & (missing < end)])
        effects: np.ndarray = self.delta[np.ix_(np.asarray(rows), coordinates)]
        return effects

    def of_choices(self, choices: Sequence[Choice]) -> np.ndarray:
        """Delta of A choices on all images, (A, N)."""
        self.measure(range(len(self._styles)), np.unique([choice.coordinate for choice in choices]))
        return np.stack([self.delta[:, choice.coordinate, choice.direction] for choice in choices])

    def _measure_layer(self, row: int, layer: int, coordinates: np.ndarray) -> None:
        s = np.repeat(coordinates, len(DIRECTIONS))  # each coordinate down, then up
        d = np.tile(np.arange(len(DIRECTIONS)), len(coordinates))
        for batch in slices(len(s), self._models.batch):
            coordinate, direction = torch.from_numpy(s[batch]), torch.from_numpy(d[batch])
            channels = (coordinate - int(self._starts[layer])).to(self._styles.device)
            values = self._extremes[coordinate.to(self._extremes.device), direction.to(self._extremes.device)]
            logits = self._models.classify(self._synthesis.changed(layer, channels, values))  # (B, K)
            self.delta[row, s[batch], d[batch]] = to_array(logits[:, self._target]) - self._before[row]
