"""The attribute finder `latent-directions`: automated latent directions, the paper's baseline.

Kirchler et al. 2022, "Explainability Requires Interactivity", appendix "Automated Generative Methods" (after Denton et
al. 2019): sample latents, draw them, label the images with the classifier, fit a logistic regression from latent to
label, and shift latents along its normalised weight vector.

    w        (N, d) samples of W, the same vector in every layer
    y        (N,) label: the classifier's class is the target
    v        (d,) direction, theta / |theta| of the logistic regression p(y | w) = sigmoid(theta . w + b)
    lambda   shift along v, in units of the mean |w| (the paper's code) or of 1 (its text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes, Measurement, Measurements, State
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches, slices
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from sidelight_specs import Run
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

    def draw() -> State:
        rng = run.rng("samples")
        ws, logits = [], []
        for batch in run.progress(list(slices(count, params.batch)), "labelling samples"):
            with torch.no_grad():
                latents = generator.sample(batch.stop - batch.start, rng)  # (B, layers, d)
                logits.append(to_array(classifier.class_logits(generator.synthesize(latents))))
            ws.append(to_array(latents.mean(1)))  # all layers of a sample are equal
        return State(arrays={"w": np.concatenate(ws), "logits": np.concatenate(logits)})

    arrays = run.cached(("labelled samples", count), draw).arrays
    return LabelledSamples(arrays["w"], arrays["logits"])


@attrs.frozen(eq=False)
class Direction:
    """A direction of W and the quality of its linear model.

    Args:
        vector: v, (d,) float32 of length 1, towards the class.
        accuracy: of the linear model on the validation samples.
        majority: accuracy of always predicting the more frequent label.
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


def _unit(vector: np.ndarray) -> np.ndarray:
    """theta / |theta|; the first axis for a zero vector."""
    length = np.linalg.norm(vector)
    unit: np.ndarray = (vector / length if length else np.eye(len(vector))[0]).astype(np.float32)
    return unit


@attrs.frozen(eq=False)
class ClassShifts:
    """The shifts along the direction of one class.

    Args:
        direction: (layers, d) float32 of length 1.
        changes: the shifts, longest first; their effects are not measured.
    """

    direction: np.ndarray
    changes: tuple[Attribute, ...]

    @property
    def towards(self) -> tuple[Attribute, ...]:
        """The shifts towards the class."""
        return tuple(change for change in self.changes if change.shift > 0)


class LatentDirections(AttributeFinder):
    """One direction for each class, and the paper's shifts along it; all layers are shifted alike."""

    def __init__(self, params: DirectionParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, generator

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The shifts along the direction of class `target`, the one that raises its logit most first.

        Also emits `accuracy-CLASS`, the linear model's accuracy on the validation samples.
        """
        direction, name = self._direction(target), self._classifier.class_names[target]
        self._run.emit(f"accuracy-{name}", _accuracy(direction, name))
        return self._measure(latents, target, self._shifts(direction, target))

    def class_shifts(self, target: int) -> ClassShifts:
        """The shifts along the direction of a class (capability `explorer.directions`)."""
        return self._shifts(self._direction(target), target)

    def _direction(self, target: int) -> Direction:
        samples = labelled_samples(self._generator, self._classifier, self._params, self._run)
        return fit_direction(samples, target, self._params)

    def _shifts(self, direction: Direction, target: int) -> ClassShifts:
        layers, name = int(self._generator.latent_shape[0]), self._classifier.class_names[target]
        # v in every layer has length sqrt(layers): the unit vector over all layers is v / sqrt(layers)
        across = np.tile(direction.vector, (layers, 1)) / np.sqrt(layers)
        unit = (direction.scale if self._params.unit == "norm" else 1.0) * float(np.sqrt(layers))
        shifts = sorted((float(step) * unit for step in self._params.lambdas if step), reverse=True)
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

    def _measure(self, latents: Tensor, target: int, shifts: ClassShifts) -> Attributes:
        """The shifts as attributes with their effects on `latents` (N, layers, d), strongest first."""
        v = to_tensor(shifts.direction, self._run)
        before = self._logits(latents)  # (N, K)
        after = [self._logits(latents + change.shift * v) for change in self._run.progress(shifts.changes, "shifting")]
        effects = np.stack([logits[:, target] - before[:, target] for logits in after])  # (shifts, N)
        order = np.argsort(-effects.mean(1), kind="stable")
        examples = latents[: self._params.examples]
        images = [self._images(examples + shifts.changes[index].shift * v) for index in order]
        has_examples = len(examples) > 0
        return Attributes(
            answers="probe",
            attributes=tuple(
                attrs.evolve(shifts.changes[index], effect=float(effects[index].mean())) for index in order
            ),
            effects=effects[order].astype(np.float32),
            before=np.stack([self._images(examples)] * len(order)) if has_examples else None,
            after=np.stack(images) if has_examples else None,
            probabilities=self._probabilities(before, [after[i] for i in order], target) if has_examples else None,
            directions=np.stack([shifts.direction] * len(order)),
            class_names=tuple(self._classifier.class_names),
        )

    def _probabilities(self, before: np.ndarray, after: list[np.ndarray], target: int) -> np.ndarray:
        """(shifts, examples, 2) probability of the target before and after."""
        count = self._params.examples
        pairs = [np.stack([_softmax(part[:count])[:, target] for part in (before, logits)], 1) for logits in after]
        return np.stack(pairs).astype(np.float32)

    def _images(self, latents: Tensor) -> np.ndarray:
        return to_array(in_batches(self._generator.synthesize, latents, self._params.batch))

    def _logits(self, latents: Tensor) -> np.ndarray:
        """(N, K), drawing and classifying one batch at a time."""

        def logits(batch: Tensor) -> np.ndarray:
            with torch.no_grad():
                return to_array(self._classifier.class_logits(self._generator.synthesize(batch)))

        return np.concatenate([logits(latents[batch]) for batch in slices(len(latents), self._params.batch)])


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


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(1, keepdims=True)
    return probabilities
