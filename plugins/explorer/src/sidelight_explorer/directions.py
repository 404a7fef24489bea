"""The attribute finder `latent-directions`: the paper's automated baseline.

Kirchler et al. 2022, appendix "Automated Generative Methods": latents are sampled, the generator draws them, the
classifier labels them, and a logistic regression learns to tell the labels from the latents. Images are then changed by
shifting their latents along its normalised weight vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes, Measurement, Measurements
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches, slices
from sklearn.linear_model import LogisticRegression

from sidelight_explorer.samples import LabelledSamples, labelled_samples

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer._params import DirectionParams


@attrs.frozen(eq=False)
class Direction:
    """A direction of W and how well its linear model tells the class.

    Args:
        vector: (d,) float32 of length 1, towards the class.
        accuracy: share of the validation samples whose label the linear model says.
        majority: the accuracy of always saying the more frequent label.
        scale: mean length of the sampled w.
    """

    vector: np.ndarray
    accuracy: float
    majority: float
    scale: float


@attrs.frozen(eq=False)
class Way:
    """The way towards a class.

    Args:
        direction: (layers, d) float32 of length 1.
        changes: the paper's shifts along it, longest first; their effects are not measured.
    """

    direction: np.ndarray
    changes: tuple[Attribute, ...]

    @property
    def towards(self) -> tuple[Attribute, ...]:
        """The shifts that go towards the class."""
        return tuple(change for change in self.changes if change.shift > 0)


class LatentDirections(AttributeFinder):
    """One direction for each class, and the paper's shifts along it. All layers are shifted by the same vector."""

    def __init__(self, params: DirectionParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, generator

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The shifts along the direction of class `target`, the one that raises its logit most first.

        Besides, `accuracy-CLASS` is emitted: how well the linear model does on the validation samples.
        """
        fit = self._fitted(target)
        self._run.emit(f"accuracy-{self._name(target)}", _reported(fit, self._name(target)))
        return self._measured(latents, target, self._way(fit, target))

    def way(self, target: int) -> Way:
        """The direction of a class and the shifts along it (capability `explorer.directions`)."""
        return self._way(self._fitted(target), target)

    def _name(self, target: int) -> str:
        return self._classifier.class_names[target]

    def _fitted(self, target: int) -> Direction:
        samples = labelled_samples(self._generator, self._classifier, self._params, self._run)
        return fitted(samples, target, self._params)

    def _way(self, fit: Direction, target: int) -> Way:
        """The same vector in every layer: over all of them the square root of their number times as long."""
        layers = int(self._generator.latent_shape[0])
        across = np.tile(fit.vector, (layers, 1)) / np.sqrt(layers)
        unit = (fit.scale if self._params.unit == "norm" else 1.0) * float(np.sqrt(layers))
        shifts = sorted((float(step) * unit for step in self._params.lambdas if step), reverse=True)
        place = int(np.abs(across).argmax())
        changes = [
            Attribute(
                name=_named(self._name(target), shift, shifts),
                coordinate=place,
                direction=1 if shift > 0 else -1,
                shift=shift,
                target=target,
            )
            for shift in shifts
        ]
        return Way(across.astype(np.float32), tuple(changes))

    def _measured(self, latents: Tensor, target: int, way: Way) -> Attributes:
        """The shifts as attributes, with their effects on `latents`, the strongest first."""
        step = to_tensor(way.direction, self._run)
        before = self._logits(latents)
        moved = [self._logits(latents + one.shift * step) for one in self._run.progress(way.changes, "shifting")]
        effects = np.stack([after[:, target] - before[:, target] for after in moved])
        order = np.argsort(-effects.mean(1), kind="stable")
        kept = latents[: self._params.examples]
        pictures = [self._images(kept + way.changes[row].shift * step) for row in order]
        return Attributes(
            answers="probe",
            attributes=tuple(attrs.evolve(way.changes[row], effect=float(effects[row].mean())) for row in order),
            effects=effects[order].astype(np.float32),
            before=np.stack([self._images(kept)] * len(order)) if len(kept) else None,
            after=np.stack(pictures) if len(kept) else None,
            probabilities=self._probabilities(before, [moved[row] for row in order], target) if len(kept) else None,
            directions=np.stack([way.direction] * len(order)),
            class_names=tuple(self._classifier.class_names),
        )

    def _probabilities(self, before: np.ndarray, after: list[np.ndarray], target: int) -> np.ndarray:
        count = self._params.examples
        pairs = [np.stack([_softmax(part[:count])[:, target] for part in (before, moved)], 1) for moved in after]
        return np.stack(pairs).astype(np.float32)

    def _images(self, latents: Tensor) -> np.ndarray:
        return to_array(in_batches(self._generator.synthesize, latents, self._params.batch))

    def _logits(self, latents: Tensor) -> np.ndarray:
        parts = [self._generator_logits(latents[part]) for part in slices(len(latents), self._params.batch)]
        return np.concatenate(parts)

    def _generator_logits(self, latents: Tensor) -> np.ndarray:
        with torch.no_grad():
            return to_array(self._classifier.class_logits(self._generator.synthesize(latents)))


def fitted(samples: LabelledSamples, target: int, params: DirectionParams) -> Direction:
    """The direction along which a logistic regression says that class `target` becomes more likely.

    Where the samples hold one label alone there is nothing to tell apart: the direction is then that of the
    least-squares fit to the class's logit, and the accuracy is that of the majority.
    """
    w, logits = samples.w, samples.logits
    labels = logits.argmax(1) == target
    train, held = slice(None, params.train), slice(params.train, None)
    share = float(labels[held].mean())
    majority = max(share, 1 - share)
    scale = float(np.linalg.norm(w, axis=1).mean())
    if labels[train].all() or not labels[train].any():
        slope = np.linalg.lstsq(w[train] - w[train].mean(0), logits[train, target], rcond=None)[0]
        return Direction(_unit(slope), majority, majority, scale)
    model = LogisticRegression(C=params.penalty, max_iter=1000)
    model.fit(w[train], labels[train])
    accuracy = float((model.predict(w[held]) == labels[held]).mean())
    return Direction(_unit(model.coef_[0]), accuracy, majority, scale)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    unit: np.ndarray = (vector / length if length else np.eye(len(vector))[0]).astype(np.float32)
    return unit


def _reported(direction: Direction, name: str) -> Measurements:
    facts = {"accuracy": direction.accuracy, "majority": direction.majority}
    texts = {
        "accuracy": f"Share of held-out sampled latents on which the linear model says what the classifier says: {name}"
        " or not.",
        "majority": "The same for always saying the more frequent answer.",
    }
    return Measurements(
        items=tuple(
            Measurement(
                name=key,
                values=np.array([value], np.float32),
                better="higher" if key == "accuracy" else "neither",
                unit="share of samples",
                help=texts[key],
            )
            for key, value in facts.items()
        )
    )


def _named(name: str, shift: float, shifts: list[float]) -> str:
    """`smile +67%`: how far, in percent of the longest shift."""
    return f"{name} {shift / max(map(abs, shifts)):+.0%}"


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares
