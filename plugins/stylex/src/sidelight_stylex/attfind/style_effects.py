"""Effects of single style coordinates on the classifier (StylEx, algorithm 1, inner loops)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import Run
from sidelight_specs.roles import Classifier, Generator
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches, slices

from sidelight_stylex.attfind.incremental_synthesis import redrawing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

DIRECTIONS = (-1, 1)
"""In the order of the last axis of all arrays of changes: to the lowest value, to the highest."""


@attrs.frozen(eq=False)
class Models:
    """What is searched, and how many images at a time it is asked about.

    Args:
        classifier: what is explained.
        generator: with a style space.
        batch: images drawn and classified at a time.
        run: of whoever asks.
    """

    classifier: Classifier
    generator: Generator
    batch: int
    run: Run

    def styles(self, latents: Tensor) -> Tensor:
        """(N, *latent_shape) to (N, S)."""
        return in_batches(self.generator.styles, latents, self.batch)

    def draw(self, styles: Tensor) -> Tensor:
        """(N, S) to (N, C, H, W)."""
        return in_batches(self.generator.synthesize_styles, styles, self.batch)

    def logits(self, styles: Tensor) -> Tensor:
        """(N, S) to the class logits of what is drawn, (N, K)."""
        return in_batches(lambda part: self.ask(self.generator.synthesize_styles(part)), styles, self.batch)

    def ask(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K), without gradients."""
        with torch.no_grad():
            return self.classifier.class_logits(images)


class Changes:
    """Delta[x, s, d] of algorithm 1: the change of the target's logit, measured where it is asked for.

    Kept is one number for each image, coordinate and direction. What is drawn at a time follows the batch.

    Args:
        models: classifier and generator.
        styles: (N, S) of the images.
        values: (S, 2), what each coordinate is set to in the two directions.
        target: index of the class.

    Attributes:
        measured: (N, S, 2) float32 changes, in logits; NaN where nothing was measured.
        drawn: how many images were drawn and classified.
    """

    def __init__(self, models: Models, styles: Tensor, values: np.ndarray, target: int) -> None:
        self._models, self._styles, self._target = models, styles, target
        self._values = to_tensor(values.astype(np.float32), models.run)
        self._before = to_array(models.logits(styles)[:, target])
        self._redrawing = redrawing_of(models.generator)
        sizes = [layer.channels for layer in models.generator.style_layers]
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        self.measured = np.full((*styles.shape, 2), np.nan, dtype=np.float32)
        self.drawn = len(styles)

    def measure(self, rows: Sequence[int], coordinates: np.ndarray) -> np.ndarray:
        """Both changes of these coordinates, ascending, on these images: (rows, coordinates, 2); each measured once."""
        for row in self._models.run.progress(rows, "changing coordinates"):
            missing = coordinates[np.isnan(self.measured[row, coordinates]).any(axis=1)]
            if not len(missing):
                continue
            self._redrawing.prepare(self._styles[row])
            for layer, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
                self._measure_layer(row, layer, missing[(missing >= start) & (missing < end)])
        found: np.ndarray = self.measured[np.ix_(np.asarray(rows), coordinates)]
        return found

    def _measure_layer(self, row: int, layer: int, coordinates: np.ndarray) -> None:
        places = np.repeat(coordinates, len(DIRECTIONS))
        directions = np.tile(np.arange(len(DIRECTIONS)), len(coordinates))
        for part in slices(len(places), self._models.batch):
            chosen, way = torch.from_numpy(places[part]), torch.from_numpy(directions[part])
            channels = (chosen - int(self._starts[layer])).to(self._styles.device)
            values = self._values[chosen.to(self._values.device), way.to(self._values.device)]
            logits = self._models.ask(self._redrawing.changed(layer, channels, values))
            found = to_array(logits[:, self._target]) - self._before[row]
            self.measured[row, places[part], directions[part]] = found
            self.drawn += len(found)
