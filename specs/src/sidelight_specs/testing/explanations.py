"""Explanations of toy images, of every kind: what metrics and renderers are tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from sidelight_specs import kinds
from sidelight_specs.results import (
    AttentionGraph,
    Attribute,
    Attributes,
    ClassifierAnswers,
    Concepts,
    Counterfactual,
    Graph,
    GraphNode,
    Heatmap,
    ImageAttributes,
    Intervention,
    Inversion,
    Measurement,
    Measurements,
    Predictions,
    Results,
    Split,
    SplitPredictions,
    SplitValues,
    State,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import patterns
from sidelight_specs.testing.finder import ToyFinder, moved
from sidelight_specs.testing.toys import SHAPE, ToyClassifier, ToyData, ToyGenerator, ToyInverter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.roles import Classifier
    from sidelight_specs.roles.classifier import Task


def toy_targets(classifier: Classifier, images: torch.Tensor) -> Targets:
    """Questions about the predicted class and the second most likely one; class 0 on both sides for a regression."""
    with torch.no_grad():
        order = classifier.class_logits(images).argsort(dim=1, descending=True).numpy()
    return Targets(predicted=order[:, 0].copy(), probe=order[:, min(1, order.shape[1] - 1)].copy())


def toy_explanation(kind: str, classifier: Classifier, images: torch.Tensor, targets: Targets) -> Artifact:
    """A true explanation of toy images, made from what is known about them.

    Args:
        kind: the name of a kind; one of a plugin gives its own `example`.
        classifier: a `ToyClassifier`.
        images: (N, C, H, W) of a `ToyData`.
        targets: the question.
    """
    if kind not in _MAKERS:
        example: Artifact = kinds.find(kind).example(images.numpy(), len(classifier.class_names))
        return example
    return _MAKERS[kind](classifier, images, targets)


def _heatmap(_: Classifier, images: torch.Tensor, targets: Targets) -> Heatmap:
    size = images.shape[-1]
    return Heatmap(values=np.stack([patterns.region(int(c), size) for c in targets.predicted]).astype(np.float32))


def _counterfactual(classifier: Classifier, images: torch.Tensor, targets: Targets) -> Counterfactual:
    """Exchanges the amplitudes of the predicted class's pattern and the probe's, half way and fully."""
    generator = ToyGenerator((images.shape[1], *images.shape[2:]))
    start = generator.encode(images)
    rows = np.arange(len(images))
    end = start.clone()
    end[rows, targets.predicted], end[rows, targets.probe] = start[rows, targets.probe], start[rows, targets.predicted]
    reconstructions = generator.synthesize(start)
    residual = images - reconstructions
    path = [(generator.synthesize(z) + residual).clamp(0, 1) for z in (start, (start + end) / 2, end)]
    generated = torch.stack([reconstructions, generator.synthesize(end)], 1)
    with torch.no_grad():
        own = torch.stack([classifier.class_logits(images) for images in generated.unbind(1)], 1).numpy()
        logits = torch.stack([classifier.class_logits(step) for step in path], 1).numpy()
        before = classifier.class_logits(images).numpy()
    return Counterfactual(
        answers="contrast",
        images=path[-1].numpy(),
        logits_before=before,
        logits_after=logits[:, -1],
        converged=np.ones(len(images), dtype=bool),
        constraints={"boundary": np.zeros(len(images), dtype=np.float32)},
        path_images=torch.stack(path, 1).numpy(),
        path_logits=logits,
        path_steps=np.array([0, 1, 2]),
        latents=end.numpy(),
        start_latents=start.numpy(),
        generated=generated.numpy(),
        generated_logits=own,
        passes=np.full(len(images), 3.0, dtype=np.float32),
    )


def _graph(_: Classifier, images: torch.Tensor, targets: Targets) -> AttentionGraph:
    patch_of = (0, 1, 2)
    graphs = []
    for predicted in targets.predicted:
        cause = patch_of[int(predicted)]
        root = GraphNode(patches=tuple(sorted((cause, 3))), confidence=1.0, root=True, children=(1, 2))
        leaves = (GraphNode(patches=(cause,), confidence=0.95), GraphNode(patches=(3,), confidence=0.1))
        graphs.append(Graph(nodes=(root, *leaves), probability=0.9))
    return AttentionGraph(graphs=tuple(graphs), grid=(2, 2), baseline=np.zeros(images.shape, np.float32), soft=False)


def _concepts(classifier: Classifier, images: torch.Tensor, _: Targets) -> Concepts:
    count, size = len(images), images.shape[-1]
    with torch.no_grad():
        logits = classifier.class_logits(images).numpy()
    places = np.stack([patterns.region(cause, size) for cause in range(3)]).astype(np.float32)
    return Concepts(
        names=patterns.CAUSES[: logits.shape[1]],
        activations=logits,
        contributions=logits,
        heatmaps=np.repeat(places[None, : logits.shape[1]], count, 0),
    )


def _attributes(classifier: Classifier, images: torch.Tensor, targets: Targets) -> Attributes:
    """Raising the amplitude of each class's own pattern by one unit of style."""
    generator = ToyGenerator((images.shape[1], *images.shape[2:]))
    styles, target = generator.styles(generator.encode(images)), int(targets.probe[0])
    moved = styles.clone()
    moved[:, target] += 1.0
    with torch.no_grad():
        before, after = (generator.synthesize_styles(s) for s in (styles, moved))
        logits = [classifier.class_logits(pictures) for pictures in (before, after)]
    effect = (logits[1] - logits[0])[:, target].numpy()
    name = patterns.FACTORS[target]
    attribute = Attribute(
        name=f"{name}, up",
        coordinate=target,
        layer="4x4 conv",
        channel=target,
        shift=1.0,
        effect=float(effect.mean()),
        target=target,
    )
    probabilities = torch.stack([part.softmax(1)[:, target] for part in logits], 1).numpy()
    return Attributes(
        attributes=(attribute,),
        effects=effect[None],
        before=before.numpy()[None],
        after=after.numpy()[None],
        probabilities=probabilities[None],
    )


def _inversion(_: Classifier, images: torch.Tensor, __: Targets) -> Inversion:
    return ToyInverter(ToyGenerator((images.shape[1], *images.shape[2:]))).invert(images)


def _intervention(classifier: Classifier, images: torch.Tensor, targets: Targets) -> Intervention:
    """A bit for each factor, on where it is strong; the predicted class's and the probe's are flipped."""
    generator = ToyGenerator((images.shape[1], *images.shape[2:]))
    codes = (generator.encode(images) > 1).numpy()
    rows = np.arange(len(images))
    codes[rows, targets.predicted], codes[rows, targets.probe] = True, False
    flipped = np.zeros_like(codes)
    flipped[rows, targets.predicted] = flipped[rows, targets.probe] = True
    drawn = [
        generator.synthesize(torch.from_numpy(6 * part.astype(np.float32) - 3)) for part in (codes, codes ^ flipped)
    ]
    with torch.no_grad():
        logits = [classifier.class_logits(pictures).numpy() for pictures in (images, *drawn)]
    return Intervention(
        codes=codes,
        flipped=flipped,
        before=drawn[0].numpy(),
        after=drawn[1].numpy(),
        logits=logits[0],
        logits_before=logits[1],
        logits_after=logits[2],
        changed=logits[1].argmax(1) != logits[2].argmax(1),
        singles=flipped.astype(np.float32),
    )


def _image_attributes(classifier: Classifier, images: torch.Tensor, targets: Targets) -> ImageAttributes:
    """Of all that the toy finder found, what raises the probe's logit most on each image, and what comes next."""
    generator = ToyGenerator((images.shape[1], *images.shape[2:]))
    styles, rows = generator.styles(generator.encode(images)), np.arange(len(images))
    pool = ToyFinder(classifier, generator).find(generator.encode(images), int(targets.probe[0])).attributes
    changed = torch.stack([generator.synthesize_styles(moved(styles, attribute)) for attribute in pool], 1)
    with torch.no_grad():
        before = generator.synthesize_styles(styles)
        logits = [classifier.class_logits(pictures).numpy() for pictures in (images, before, changed.flatten(0, 1))]
    after = logits[2].reshape(len(images), len(pool), -1)
    chosen = np.argsort(-after[rows, :, targets.probe], axis=1, kind="stable")[:, :2].astype(np.int64)
    return ImageAttributes(
        answers="probe",
        attributes=pool,
        chosen=chosen,
        before=before.numpy(),
        after=changed.numpy()[rows[:, None], chosen],
        logits=logits[0],
        logits_before=logits[1],
        logits_after=after[rows[:, None], chosen],
    )


_MAKERS: dict[str, Callable[[Classifier, torch.Tensor, Targets], Artifact]] = {
    "heatmap": _heatmap,
    "counterfactual": _counterfactual,
    "attention-graph": _graph,
    "concepts": _concepts,
    "attributes": _attributes,
    "image-attributes": _image_attributes,
    "inversion": _inversion,
    "intervention": _intervention,
}
TOY_KINDS = tuple(_MAKERS)


def toy_artifact(kind: str, images: torch.Tensor) -> Artifact:
    """A valid artifact of any kind: an explanation of toy images, or a by-product of a run on them."""
    classifier = ToyClassifier()
    targets = toy_targets(classifier, images)
    results = toy_results(count=len(images))
    logits, task = results.predictions.logits, results.predictions.task
    by_products: dict[str, Artifact] = {
        "split": results.split,
        "predictions": results.predictions,
        "targets": results.targets,
        "measurements": next(iter(next(iter(results.measurements.values())).values())),
        "state": State(arrays={"weight": logits}, curves={"loss": logits[0]}),
        "split-predictions": SplitPredictions.of(logits, results.split, np.arange(len(logits)), results.class_names),
        "split-values": SplitValues.of(logits[:, :1], results.split, np.arange(len(logits))),
        "classifier-answers": ClassifierAnswers(logits=logits, task=task, class_names=results.class_names),
    }
    return by_products.get(kind) or toy_explanation(kind, classifier, images, targets)


def toy_results(task: Task = "multiclass", count: int = 3, shape: tuple[int, int, int] = SHAPE) -> Results:
    """A finished run over toy images with an explanation of every kind."""
    split = ToyData(shape, task).split("test").take(range(count))
    classifier = ToyClassifier(shape, task)
    images = torch.from_numpy(split.images)
    targets = toy_targets(classifier, images)
    kinds = ["heatmap", "counterfactual", "attention-graph", "concepts"]
    explanations = {kind: toy_explanation(kind, classifier, images, targets) for kind in kinds}
    with torch.no_grad():
        logits = classifier.class_logits(images).numpy()
    return Results(
        name="toy",
        split=split,
        predictions=Predictions(logits=logits, task=task),
        targets=targets,
        class_names=classifier.class_names,
        explanations=explanations,  # type: ignore[arg-type]
        measurements={"sparsity": {kind: _measurements(count) for kind in kinds}},
        inversion=_inversion(classifier, images, targets),
        attributes={"finder": _attributes(classifier, images, targets)},
        emitted={"samples": Split(images=split.images)},
        components=tuple(_records(kinds)),
        recipe={"recipe": 1, "name": "toy", "seed": 0},
        environment={"python": "3.11", "device": "cpu"},
        warnings=("a warning with <markup> & quotes",),
    )


def _measurements(count: int) -> Measurements:
    values = np.linspace(0, 1, count).astype(np.float32)
    missing = np.full(count, np.nan, dtype=np.float32)
    return Measurements(
        items=(
            Measurement(name="sparsity", values=values, better="higher", unit="share of pixels", help="Pixels kept."),
            Measurement(name="flip rate", values=missing, better="higher", unit="share of images", help="Flipped."),
        )
    )


def _records(explainers: list[str]) -> list[ComponentRecord]:
    pairs = [("data", "data"), ("classifier", "classifier"), *(("explainer", kind) for kind in explainers)]
    pairs += [("metric", "sparsity"), ("attribute_finder", "finder")]
    return [
        ComponentRecord(
            id=name,
            role=role,
            use=f"toys/{name}",
            summary=f"Toy {name}.",
            distribution="toys",
            version="0.1.0",
            params={"steps": 2},
        )
        for role, name in pairs
    ]
