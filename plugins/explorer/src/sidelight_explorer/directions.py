"""The attribute finder `latent-directions`: automated latent directions, the paper's baseline.

Kirchler et al. 2021, "Explainability Requires Interactivity", appendix "Automated Generative Methods" (after Denton et
al. 2019): sample latents, draw them, label the images with the classifier, fit a logistic regression from latent to
label, and shift latents along its normalised weight vector.

    w        (N, d) samples of W, the same vector in every layer; of z where the generator has no W
    y        (N,) label: the classifier's class is the target
    v        (d,) direction, theta / |theta| of the logistic regression p(y | w) = sigmoid(theta . w + b)
    lambda   shift along v, in units of the mean |w| (the paper's code) or of 1 (its text)

For a regression, whose value is y, theta is that of the least-squares fit y = theta . w + b.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements, State
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import at_once, in_batches, slices
from sidelight_toolkit.drawn_latents import drawn_latents
from sklearn.linear_model import LogisticRegression

from sidelight_explorer.latent_shifts import ClassShifts, ShiftEffects, shifts_along
from sidelight_explorer.layered import LayeredGenerator

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer._params import DirectionParams


@attrs.frozen(eq=False)
class LabelledSamples:
    """Samples of W with the classifier's logits.

    Args:
        w: (N, d) float32.
        logits: (N, K) float32.
    """

    w: np.ndarray
    logits: np.ndarray


def labelled_samples(
    generator: Generator, classifier: Classifier, params: DirectionParams, run: Run
) -> LabelledSamples:
    """Training and validation samples, cached; images live for one batch only."""
    count = params.train + params.validation

    def logits_of(latents: Tensor) -> Tensor:
        return classifier.class_logits(generator.synthesize(latents))

    def draw() -> State:
        rng = run.rng("samples")
        ws, logits = [], []
        for batch in run.progress(list(slices(count, params.batch)), "labelling samples"):
            with torch.no_grad():
                latents = generator.sample(batch.stop - batch.start, rng)  # (B, layers, d)
                logits.append(to_array(in_batches(logits_of, latents, at_once(params.batch, generator.image_shape))))
            ws.append(to_array(latents.mean(1)))  # all layers of a sample are equal
        return State(arrays={"w": np.concatenate(ws), "logits": np.concatenate(logits)})

    arrays = run.cached(("labelled samples", count), draw).arrays
    return LabelledSamples(arrays["w"], arrays["logits"])


@attrs.frozen(eq=False)
class Direction:
    """A direction of W and the quality of its linear model.

    Args:
        vector: v, (d,) float32 of length 1, towards the class.
        accuracy: of the linear model on the validation samples; for a regression its R2 there.
        majority: accuracy of always predicting the more frequent label; for a regression 0, the R2 of the mean.
        scale: mean |w|.
    """

    vector: np.ndarray
    accuracy: float
    majority: float
    scale: float


def fit_direction(samples: LabelledSamples, target: int, params: DirectionParams) -> Direction:
    """The direction along which the log-odds of class `target` rise fastest.

    If all training samples have one label, the direction is that of the least-squares fit to the class's logit, and the
    accuracy that of the majority.
    """
    w, logits = samples.w, samples.logits
    labels = logits.argmax(1) == target  # y
    train, validation = slice(None, params.train), slice(params.train, None)
    rate = float(labels[validation].mean())
    majority = max(rate, 1 - rate)
    scale = float(np.linalg.norm(w, axis=1).mean())
    if labels[train].all() or not labels[train].any():
        slope = np.linalg.lstsq(w[train] - w[train].mean(0), logits[train, target], rcond=None)[0]
        return Direction(_unit(slope), majority, majority, scale)
    model = LogisticRegression(C=params.penalty, max_iter=1000)
    model.fit(w[train], labels[train])
    accuracy = float((model.predict(w[validation]) == labels[validation]).mean())
    return Direction(_unit(model.coef_[0]), accuracy, majority, scale)


def fit_value(samples: LabelledSamples, params: DirectionParams) -> Direction:
    """The direction along which the least-squares fit of a regression's value rises; R2 on the validation samples."""
    w, value = samples.w.astype(np.float64), samples.logits[:, 0].astype(np.float64)
    train, validation = slice(None, params.train), slice(params.train, None)
    centre, mean = w[train].mean(0), value[train].mean()
    slope = np.linalg.lstsq(w[train] - centre, value[train] - mean, rcond=None)[0]
    residual = value[validation] - mean - (w[validation] - centre) @ slope
    variance = float(value[validation].var())
    r2 = 1 - float((residual**2).mean()) / variance if variance > 0 else 0.0
    return Direction(_unit(slope), r2, 0.0, float(np.linalg.norm(w, axis=1).mean()))


def _unit(vector: np.ndarray) -> np.ndarray:
    """theta / |theta|; the first axis for a zero vector."""
    length = np.linalg.norm(vector)
    unit: np.ndarray = (vector / length if length else np.eye(len(vector))[0]).astype(np.float32)
    return unit


class LatentDirections(AttributeFinder):
    """One direction for each class, and the paper's shifts along it; all layers are shifted alike."""

    def __init__(self, params: DirectionParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, LayeredGenerator(generator)

    def samples(self) -> Tensor:
        """Samples of the generator that shifts are measured on, for `latents: samples`: (N, *latent_shape)."""
        return drawn_latents(self._generator.original, self._params)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The shifts along the direction of class `target`, the one that raises its logit most first.

        Also emits `accuracy-CLASS`, the linear model's accuracy on the validation samples, or R2 for a regression.
        """
        direction, name = self._direction(target), self._classifier.class_names[target]
        self._run.emit(f"accuracy-{name}", self._quality(direction, name))
        effects = ShiftEffects(self._classifier, self._generator, self._params.batch, self._run)
        found = effects.attributes(
            self._generator.layers_of(latents), target, self._shifts(direction, target), self._params.examples
        )
        return attrs.evolve(found, drawn=self._params.drawn if self._params.is_drawn else "")

    def class_shifts(self, target: int) -> ClassShifts:
        """The shifts along the direction of a class (capability `explorer.directions`)."""
        return self._shifts(self._direction(target), target)

    def _direction(self, target: int) -> Direction:
        samples = labelled_samples(self._generator, self._classifier, self._params, self._run)
        if self._classifier.task == "regression":
            return fit_value(samples, self._params)
        return fit_direction(samples, target, self._params)

    def _quality(self, direction: Direction, name: str) -> Measurements:
        return _r2(direction, name) if self._classifier.task == "regression" else _accuracy(direction, name)

    def _shifts(self, direction: Direction, target: int) -> ClassShifts:
        unit = direction.scale if self._params.unit == "norm" else 1.0
        steps = [float(step) * unit for step in self._params.lambdas]
        layers = int(self._generator.latent_shape[0])
        return shifts_along(direction.vector, steps, layers, self._classifier.class_names[target], target)


def _r2(direction: Direction, name: str) -> Measurements:
    """R2 of the linear model of a regression's value."""
    text = f"Share of the variance of {name} over validation samples that the linear model explains (R2)."
    values = np.array([direction.accuracy], np.float32)
    return Measurements(items=(Measurement(name="R2", values=values, better="higher", unit="share", help=text),))


def _accuracy(direction: Direction, name: str) -> Measurements:
    """Accuracy of the linear model beside that of the majority label."""

    def item(key: str, value: float, better: Literal["higher", "neither"], text: str) -> Measurement:
        values = np.array([value], np.float32)
        return Measurement(name=key, values=values, better=better, unit="share of samples", help=text)

    return Measurements(
        items=(
            item(
                "accuracy",
                direction.accuracy,
                "higher",
                f"Share of validation samples on which linear model and classifier agree: {name} or not.",
            ),
            item("majority", direction.majority, "neither", "The same for always saying the more frequent answer."),
        )
    )
