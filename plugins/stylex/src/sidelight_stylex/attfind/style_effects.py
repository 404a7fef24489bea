"""Effects of style coordinates on the classifier: Delta, the inner loops of AttFind (StylEx, algorithm 1).

Symbols: x image, N of them; s style coordinate, S of them; d direction, 0 down and 1 up; y target class, C_y its logit,
or the value of a regression; G generator, drawing an image from styles;
Delta[x, s, d] = C_y(G(styles with s at its extreme in d)) - C_y(G(styles)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np
import torch
from sidelight_specs import Run
from sidelight_specs.results import State
from sidelight_specs.roles import Classifier, Generator
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import DRAWN_PIXELS, Batch, at_once, each_batch, in_batches, pixels_limit
from sidelight_toolkit.images import shrunk
from sidelight_toolkit.options import BatchSize

from sidelight_stylex.attfind.incremental_synthesis import synthesis_of
from sidelight_stylex.params import DRAWN_ON_CPU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

DIRECTIONS = (-1, 1)
"""Signs of d = 0 and d = 1, in the order of the last axis of Delta."""
SHARD_PIXELS = 1 << 22
"""Redrawn pixels that are kept together: seconds of a small network at 64 pixels, minutes of a large one at 256."""
SHARD_LEAST = 16
"""Coordinates that are kept together at least: a part begins by drawing its image whole, as long as 2 to 4 changes."""
GRADIENT_PIXELS = 1 << 17
"""The same where gradients are taken: 2 images of 256 pixels, because all features are kept."""


class Choice(NamedTuple):
    """A coordinate s and a direction d."""

    coordinate: int
    direction: int


Shard = list[tuple[int, np.ndarray]]
"""Rows of images, each with the coordinates to be changed in it, ascending."""


@attrs.frozen(eq=False)
class Models:
    """The classifier and the generator, in batches.

    Args:
        classifier: explained.
        generator: has a style space.
        wanted: images drawn and classified at a time, at most; fewer of large ones unless memory is measured.
        run: of the component.

    Attributes:
        batch: of passes of this component.
    """

    classifier: Classifier
    generator: Generator
    wanted: BatchSize
    run: Run
    batch: Batch = attrs.field(init=False)

    @batch.default
    def _batch(self) -> Batch:
        return Batch(self.wanted, self.run, DRAWN_ON_CPU)

    def at_once(self, pixels: int = DRAWN_PIXELS) -> int:
        """Images at a time where memory is not measured: `wanted`, or as many as have that many pixels together."""
        wanted = DRAWN_ON_CPU if self.wanted == "auto" else self.wanted
        return at_once(wanted, self.generator.image_shape, pixels)

    def styles(self, latents: Tensor) -> Tensor:
        """(N, *latent_shape) to (N, S)."""
        return in_batches(self.generator.styles, latents, self.batch, "styles")

    def draw(self, styles: Tensor, side: int | None = None) -> Tensor:
        """(N, S) to images, (N, C, H, W), each reduced to at most `side` pixels a side as soon as it is drawn."""

        def drawn(batch: Tensor) -> Tensor:
            images = self.generator.synthesize_styles(batch)
            return images if side is None else shrunk(images, side)

        return in_batches(drawn, styles, self.batch, "drawing", self._limit)

    def logits(self, styles: Tensor) -> Tensor:
        """(N, S) to the class logits of the drawn images, (N, K)."""

        def classified(batch: Tensor) -> Tensor:
            return self.classify(self.generator.synthesize_styles(batch))

        return in_batches(classified, styles, self.batch, "drawing and classifying", self._limit)

    def changes(self, function: Callable[[slice], Tensor], count: int) -> list[Tensor]:
        """`function` of slices of `count` changes of one image that are drawn and classified."""
        return each_batch(function, count, self.batch, "changes of an image", self._limit)

    @property
    def _limit(self) -> int:
        return pixels_limit(self.generator.image_shape)

    @property
    def is_regression(self) -> bool:
        """True for a classifier with one value in place of classes."""
        return self.classifier.task == "regression"

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
        before: (N,) C_y(G(styles)), where it is known already.
        piece: a component's method for `run.map` that gives `effects_of` an item; without one nothing is kept.

    Attributes:
        delta: (N, S, 2) float32, in logits or in the unit of a regression's value; NaN where not measured.
    """

    def __init__(
        self,
        models: Models,
        styles: Tensor,
        extremes: np.ndarray,
        target: int,
        before: np.ndarray | None = None,
        piece: Callable[[dict[str, Any]], State] | None = None,
    ) -> None:
        self._piece = piece
        self._models, self._styles, self._target = models, styles, target
        self._styles_array = to_array(styles)
        self._extremes_array = extremes.astype(np.float32)
        self._extremes = to_tensor(self._extremes_array, models.run)
        self._before = to_array(models.logits(styles)[:, target]) if before is None else before
        self._synthesis = synthesis_of(models.generator)
        channels = [layer.channels for layer in models.generator.style_layers]
        self._ends = np.cumsum(channels)
        self._starts = self._ends - channels
        self.delta = np.full((*styles.shape, 2), np.nan, dtype=np.float32)

    def measure(self, rows: Sequence[int], coordinates: np.ndarray) -> np.ndarray:
        """Delta on some images x and coordinates s; what is measured is kept in parts, so that a killed search resumes.

        Args:
            rows: n images.
            coordinates: c of them, ascending.

        Returns:
            (n, c, 2).
        """
        run, shards, label = self._models.run, self._shards(rows, coordinates), "changing coordinates"
        if self._piece is not None:
            states: Iterable[State] = run.map(self._piece, map(self._item, shards), label)
        else:
            states = map(self._measured, run.progress(shards, label))
        for shard, state in zip(shards, states, strict=False):  # fewer where a trial cuts loops short
            self._restore(shard, state)
        effects: np.ndarray = self.delta[np.ix_(np.asarray(rows), coordinates)]
        return effects

    def _shards(self, rows: Sequence[int], coordinates: np.ndarray) -> list[Shard]:
        """Missing measurements, image by image, in parts of `SHARD_PIXELS` or less; only a larger image is divided.

        Of images above 360 pixels, parts are as large as `SHARD_LEAST` coordinates.
        """
        height, width = self._models.generator.image_shape[1:]
        most = max(SHARD_LEAST, SHARD_PIXELS // (len(DIRECTIONS) * height * width))  # coordinates
        shards, room = list[Shard](), 0
        for row in rows:
            missing = coordinates[np.isnan(self.delta[row, coordinates]).any(axis=1)]
            for start in range(0, len(missing), most):
                part = missing[start : start + most]
                if len(part) > room:
                    shards.append([])
                    room = most
                shards[-1].append((row, part))
                room -= len(part)
        return shards

    def _item(self, shard: Shard) -> dict[str, Any]:
        """All that the effects of a shard depend on, beside the component.

        An image alone is a view: an exact search at 256 pixels has 27,000 items, which would be copies of 35 kB.
        """
        rows = [row for row, _ in shard]
        return {
            "target": self._target,
            "extremes": self._extremes_array,
            "styles": self._styles_array[rows if len(rows) > 1 else slice(rows[0], rows[0] + 1)],
            "before": np.asarray(self._before)[rows],
            "coordinates": [coordinates for _, coordinates in shard],
        }

    def _measured(self, shard: Shard) -> State:
        for row, coordinates in self._models.run.progress(shard, "images"):
            self._synthesis.begin(self._styles[row])
            # layer by layer: all changes in a batch can then share what is drawn before the layer
            layers = [
                self._measure_layer(layer, coordinates[(coordinates >= start) & (coordinates < end)])
                for layer, (start, end) in enumerate(zip(self._starts, self._ends, strict=True))
            ]
            changed = to_array(torch.cat([part for parts in layers for part in parts]))  # read once for an image
            self.delta[row, coordinates] = changed.reshape(-1, len(DIRECTIONS)) - self._before[row]
        return State(arrays={"delta": np.concatenate([self.delta[row, coordinates] for row, coordinates in shard])})

    def _restore(self, shard: Shard, state: State) -> None:
        ends = np.cumsum([len(coordinates) for _, coordinates in shard])[:-1]
        for (row, coordinates), delta in zip(shard, np.split(state.arrays["delta"], ends), strict=True):
            self.delta[row, coordinates] = delta

    def of_choices(self, choices: Sequence[Choice]) -> np.ndarray:
        """Delta of A choices on all images, (A, N)."""
        self.measure(range(len(self._styles)), np.unique([choice.coordinate for choice in choices]))
        return np.stack([self.delta[:, choice.coordinate, choice.direction] for choice in choices])

    def _measure_layer(self, layer: int, coordinates: np.ndarray) -> list[Tensor]:
        """C_y with each coordinate of a layer down, then up, in parts that together have 2 C values."""
        s = np.repeat(coordinates, len(DIRECTIONS))  # each coordinate down, then up
        d = np.tile(np.arange(len(DIRECTIONS)), len(coordinates))

        def of_batch(batch: slice) -> Tensor:
            coordinate, direction = torch.from_numpy(s[batch]), torch.from_numpy(d[batch])
            channels = (coordinate - int(self._starts[layer])).to(self._styles.device)
            values = self._extremes[coordinate.to(self._extremes.device), direction.to(self._extremes.device)]
            logits = self._models.classify(self._synthesis.changed(layer, channels, values))  # (B, K)
            return logits[:, self._target]

        return self._models.changes(of_batch, len(s))


def effects_of(models: Models, item: dict[str, Any]) -> State:
    """Delta of one shard, as an item of `run.map`: `delta` (n, 2), its coordinates one after the other."""
    styles = to_tensor(item["styles"], models.run)
    effects = StyleEffects(models, styles, item["extremes"], item["target"], item["before"])
    return effects._measured(list(enumerate(item["coordinates"])))
