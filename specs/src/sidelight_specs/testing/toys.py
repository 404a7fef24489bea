"""Toy models whose every answer can be derived by hand, on images with a planted cause (see `patterns`)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sidelight_specs.errors import SidelightError, UserError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Heatmap, Inversion, Split
from sidelight_specs.roles import Classifier, Data, Explainer, Generator, Inverter, StyleLayer
from sidelight_specs.testing import patterns
from sidelight_specs.testing.network import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sidelight_specs.results import Targets
    from sidelight_specs.roles.classifier import Task

Shape = tuple[int, int, int]
SHAPE: Shape = (1, 32, 32)
_COUNTS = {"train": 48, "test": 12}


def class_names(task: Task) -> tuple[str, ...]:
    """Three causes for a multi-class task, two for a binary one, the measured amplitude for a regression."""
    return {"multiclass": patterns.CAUSES, "binary": patterns.CAUSES[:2], "regression": ("amplitude of rows",)}[task]


class ToyData(Data):
    """Images of all patterns at once, in which the pattern of the image's class is the strongest.

    Splits `train` (48 images) and `test` (12), with `lazy` unread until they are indexed. `factors` are the
    amplitudes; `masks` has the square of each class and, as `cause`, the square of the image's own class. `render`
    leaves out the noise (0.005) that the splits have.
    """

    splits = ("train", "test")

    def __init__(self, shape: Shape = SHAPE, task: Task = "multiclass", *, lazy: bool = False) -> None:
        self.shape, self.task, self.lazy = shape, task, lazy

    def split(self, name: str) -> Split:
        """Always the same images for one name."""
        if name not in _COUNTS:
            raise UserError(f"toy data has no split {name!r}", f"Choose one of {', '.join(_COUNTS)}.")
        rng = np.random.default_rng(list(_COUNTS).index(name))
        labels = np.arange(_COUNTS[name]) % max(2, len(class_names(self.task)))
        amplitudes = self._amplitudes(labels, rng)
        images = patterns.draw(amplitudes, self.shape) + rng.normal(0, 0.005, (len(labels), *self.shape))
        images = images.clip(0, 1).astype(np.float32)
        unread: Any = LazyImages(images.shape, images.__getitem__)
        return Split(
            images=unread if self.lazy else images,
            labels=amplitudes[:, 0] if self.task == "regression" else labels.astype(np.int64),
            class_names=() if self.task == "regression" else class_names(self.task),
            ids=tuple(f"{name}-{row}" for row in range(len(labels))),
            factors=dict(zip(patterns.FACTORS, amplitudes.T, strict=True)),
            masks=self._masks(labels),
        )

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """The range of each amplitude."""
        ranges = zip(patterns.LOW.tolist(), patterns.HIGH.tolist(), strict=True)
        return dict(zip(patterns.FACTORS, ranges, strict=True))

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Images of amplitudes, clipped to their ranges."""
        if set(factors) != set(patterns.FACTORS):
            raise SidelightError(f"toy images are drawn from exactly {', '.join(patterns.FACTORS)}")
        amplitudes = np.stack([factors[name] for name in patterns.FACTORS], axis=1).clip(patterns.LOW, patterns.HIGH)
        return patterns.draw(amplitudes, self.shape).clip(0, 1)

    @staticmethod
    def _amplitudes(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        amplitudes = rng.uniform(0.3, 0.6, (len(labels), len(patterns.FACTORS)))
        amplitudes[np.arange(len(labels)), labels] = rng.uniform(0.8, 0.95, len(labels))
        amplitudes[:, 3] = rng.uniform(0.8, 0.95, len(labels))
        amplitudes[:, 4:] = rng.uniform(-0.08, 0.08, (len(labels), 2))
        return amplitudes.astype(np.float32)

    def _masks(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        size = self.shape[1]
        regions = np.stack([patterns.region(cause, size) for cause in range(len(patterns.CAUSES))])
        causes = np.zeros_like(labels) if self.task == "regression" else labels
        named = {name: np.repeat(regions[i : i + 1], len(labels), 0) for i, name in enumerate(patterns.CAUSES)}
        return {**named, "cause": regions[causes]}


class ToyClassifier(Classifier):
    """Measures how strong each class's pattern is. Provides differentiable, activations, module, classes.

    A convolutional network with weights written down, not learned (see `network`). Further than three
    pixels from the squares of the classes its gradient is exactly zero.
    """

    layers = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "head")

    def __init__(self, shape: Shape = SHAPE, task: Task = "multiclass") -> None:
        self._task: Task = task
        self._shape = shape
        self._module = build(shape[0], task)

    @property
    def task(self) -> Task:
        """As given."""
        return self._task

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the patterns."""
        return class_names(self._task)

    @property
    def input_shape(self) -> Shape:
        """As given."""
        return self._shape

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3) logits, or (N, 1) for binary (columns against rows) and regression (amplitude of rows)."""
        scores: torch.Tensor = self._module(images)
        return scores

    @contextmanager
    def watch(self, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Outputs of layers during calls of `scores`."""
        unknown = sorted(set(layers) - set(self.layers))
        if unknown:
            raise SidelightError(f"no layer {', '.join(unknown)}; layers are: {', '.join(self.layers)}")
        seen: dict[str, torch.Tensor] = {}
        handles = [
            self._module.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, output, name=name: seen.__setitem__(name, output)
            )
            for name in layers
        ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()

    @property
    def module(self) -> torch.nn.Module:
        """The network, frozen and in evaluation mode."""
        return self._module


class ToyGenerator(Generator):
    """Draws toy images; each latent coordinate is the logit of one factor's amplitude.

    Provides differentiable, encoder, latent.style, and latent.z (`space="z"`, latents (6,)) or latent.w
    (`space="w"`, latents (2, 3)). Style vectors are (6,): twice the latents, plus one.
    """

    style_layers = (StyleLayer("4x4 conv", 3, "conv", 4), StyleLayer("8x8 conv", 3, "conv", 8))

    def __init__(self, shape: Shape = SHAPE, space: str = "z") -> None:
        self._shape = shape
        self._latent = (len(patterns.FACTORS),) if space == "z" else (2, len(patterns.FACTORS) // 2)
        self._basis = torch.from_numpy(patterns.basis(shape[1]).copy()).flatten(1)
        self._inverse = torch.linalg.pinv(self._basis.double()).float()
        self._low, self._high = torch.from_numpy(patterns.LOW.copy()), torch.from_numpy(patterns.HIGH.copy())

    @property
    def image_shape(self) -> Shape:
        """As given."""
        return self._shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(6,) or (2, 3)."""
        return self._latent

    def sample(self, n: int, rng: np.random.Generator) -> torch.Tensor:
        """Standard normal latents."""
        return torch.from_numpy(rng.standard_normal((n, *self._latent), dtype=np.float32))

    def synthesize(self, latents: torch.Tensor) -> torch.Tensor:
        """Mid-grey plus each factor's picture times its amplitude."""
        return self.synthesize_styles(self.styles(latents))

    def styles(self, latents: torch.Tensor) -> torch.Tensor:
        """(N, 6)."""
        return 2 * latents.flatten(1) + 1

    def synthesize_styles(self, styles: torch.Tensor) -> torch.Tensor:
        """(N, 6) to images."""
        amplitudes = self._low + (self._high - self._low) * ((styles - 1) / 2).sigmoid()
        grey = 0.5 + (amplitudes @ self._basis).reshape(-1, 1, *self._shape[1:])
        return grey.expand(-1, *self._shape).contiguous()

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Amplitudes by least squares, then their logits."""
        amplitudes = (images.mean(1).flatten(1) - 0.5) @ self._inverse
        share = (amplitudes - self._low) / (self._high - self._low)
        latents: torch.Tensor = share.clamp(0.01, 0.99).logit().reshape(-1, *self._latent)
        return latents


class ToyInverter(Inverter):
    """Inverts with the generator's encoder."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def invert(self, images: torch.Tensor) -> Inversion:
        """One pass of the encoder."""
        with torch.no_grad():
            latents = self._generator.encode(images)
            reconstructions = self._generator.synthesize(latents)
        error = (images - reconstructions).square().mean((1, 2, 3))
        return Inversion(latents=latents.numpy(), reconstructions=reconstructions.numpy(), error=error.numpy())


class ToyExplainer(Explainer):
    """Gradient times the image's distance from mid-grey, where the class's pattern stands out.

    Provides heatmap.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Signed heatmaps in logits."""
        pixels = images.detach().clone().requires_grad_()
        chosen = torch.from_numpy(targets.predicted)[:, None].to(images.device)
        logits = self._classifier.class_logits(pixels).gather(1, chosen)
        (gradient,) = torch.autograd.grad(logits.sum(), pixels)
        values = (gradient * (images - 0.5)).sum(1).cpu().numpy()
        return Heatmap(values=values, passes=np.full(len(images), 3, dtype=np.float32))
