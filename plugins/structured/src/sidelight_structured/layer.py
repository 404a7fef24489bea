"""The layer Z that an explanation network is attached to, and what the classifier does there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier


def find_layer(classifier: Classifier, name: str, image: torch.Tensor) -> str:
    """The layer called `name`, or the last hidden one where the name is empty.

    Args:
        classifier: provides `activations`.
        name: one of `classifier.layers`, or empty.
        image: (1, C, H, W), an image to try layers with.

    Raises:
        UserError: no such layer, or none that could be used.
    """
    if not name:
        return _last_hidden(classifier, image)
    if name not in classifier.layers:
        close = difflib.get_close_matches(name, classifier.layers, n=3) or classifier.layers[-8:]
        raise UserError(f"layer: the classifier has no layer {name!r}", f"Choose one of {', '.join(close)}.")
    return name


def _last_hidden(classifier: Classifier, image: torch.Tensor) -> str:
    """The last of the layers that gives a tensor other than the scores."""
    for name in reversed(classifier.layers):
        try:
            output, scores = _watched(classifier, name, image)
        except SidelightError:
            continue
        if output.numel() != scores.numel() or not torch.allclose(output.flatten(), scores.flatten()):
            return name
    raise UserError(
        "the classifier shows no layer before its scores, so there is nothing to attach an explanation network to",
        "Use a classifier with layers of its own, or name one in `layer`.",
    )


def _watched(classifier: Classifier, name: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad(), classifier.watch([name]) as seen:
        scores = classifier.scores(images)
    if name not in seen:
        raise SidelightError(f"layer {name} is not used when images are classified")
    return seen[name], scores


def layer_and_logits(classifier: Classifier, name: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Z and y of images in one forward pass, attached to the autograd graph where gradients are on.

    Returns:
        the layer's output (N, ...) and the class logits (N, K).

    Raises:
        UserError: the layer does not give one tensor with a row for each image.
    """
    with classifier.watch([name]) as seen:
        logits = classifier.class_logits(images)
    if name not in seen or seen[name].ndim < 2 or len(seen[name]) != len(images):
        shape = tuple(seen[name].shape) if name in seen else "nothing"
        raise UserError(
            f"layer: {name!r} gives {shape} for {len(images)} image(s), and a row for each image is needed",
            "Choose a layer that every image passes once.",
        )
    return seen[name], logits


def collect(
    classifier: Classifier, name: str, images: torch.Tensor, batch: int, run: Run
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flattened Z (N, S) and y (N, K) of many images, kept on the CPU."""
    layers, logits = [], []
    parts = list(slices(len(images), batch))
    with torch.no_grad():
        for part in run.progress(parts, "looking"):
            layer, answer = layer_and_logits(classifier, name, images[part].to(run.device))
            layers.append(layer.flatten(1).cpu())
            logits.append(answer.cpu())
    return torch.cat(layers), torch.cat(logits)
