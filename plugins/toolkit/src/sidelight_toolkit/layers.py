"""A layer of a classifier: finding it, reading it, and what the classifier makes of other values there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError

from sidelight_toolkit.batching import slices
from sidelight_toolkit.modules import replaced

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
        UserError: no such layer, or none before the scores.
    """
    if not name:
        return _last_hidden(classifier, image)
    if name not in classifier.layers:
        close = difflib.get_close_matches(name, classifier.layers, n=3) or classifier.layers[-8:]
        raise UserError(f'layer: the classifier has no layer "{name}"', f"choose one of {', '.join(close)}")
    return name


def _last_hidden(classifier: Classifier, image: torch.Tensor) -> str:
    for name in reversed(classifier.layers):
        try:
            with torch.no_grad(), classifier.watch([name]) as seen:
                scores = classifier.scores(image)
        except SidelightError:  # a layer whose output is no tensor
            continue
        output = seen.get(name)
        if output is not None and not _same(output.flatten(), scores.flatten()):
            return name
    raise UserError(
        "the classifier shows no layer before its scores", "use a classifier with layers of its own, or name one"
    )


def _same(output: torch.Tensor, scores: torch.Tensor) -> bool:
    return output.shape == scores.shape and torch.allclose(output, scores)


def layer_and_logits(classifier: Classifier, name: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A layer's output (N, ...) and the class logits (N, K) in one forward pass, attached to the autograd graph.

    Raises:
        UserError: the layer does not give one tensor with a row for each image.
    """
    with classifier.watch([name]) as seen:
        logits = classifier.class_logits(images)
    if name not in seen or seen[name].ndim < 2 or len(seen[name]) != len(images):
        shape = tuple(seen[name].shape) if name in seen else "nothing"
        raise UserError(
            f'layer: "{name}" gives {shape} for {len(images)} image(s), and a row for each image is needed',
            "choose a layer that every image passes once",
        )
    return seen[name], logits


def collect(
    classifier: Classifier, name: str, images: torch.Tensor, batch: int, run: Run
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flattened outputs (N, S) of a layer and class logits (N, K) of many images, kept on the CPU."""
    layers, logits = [], []
    with torch.no_grad():
        for rows in run.progress(list(slices(len(images), batch)), "looking"):
            output, scores = layer_and_logits(classifier, name, images[rows].to(run.device))
            layers.append(output.flatten(1).cpu())
            logits.append(scores.cpu())
    return torch.cat(layers), torch.cat(logits)


class Head:
    """The rest of a classifier after a layer: a function from the layer's output alone to class logits.

    It runs the classifier on one image, and puts as many rows as it is given in the place of the layer's output; so
    what comes before the layer costs one image, and gradients flow from the logits to the rows.

    Args:
        classifier: provides `activations` and `module`.
        layer: one of `classifier.layers`.
        images: (2 or more, C, H, W), images to see with that nothing goes past the layer.

    Raises:
        UserError: something goes past the layer (a skip connection), so that its output does not decide alone.
    """

    def __init__(self, classifier: Classifier, layer: str, images: torch.Tensor) -> None:
        self._classifier, self._layer = classifier, layer
        self._carrier = torch.zeros_like(images[:1])
        with torch.no_grad():
            output, logits = layer_and_logits(classifier, layer, images)
            self.shape = tuple(output.shape[1:])
            again = self(output.flatten(1))
        if not torch.allclose(again, logits, rtol=1e-3, atol=1e-3 * float(logits.abs().max())):
            raise UserError(
                f'layer: "{layer}" does not decide alone, the classifier has a way past it',
                "choose a layer that everything goes through, one after a block's sum for example",
            )

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """(N, S) flattened outputs of the layer to (N, K) class logits."""
        values = rows.reshape(-1, *self.shape)
        with replaced(self._classifier.module, self._layer, values):
            return self._classifier.class_logits(self._carrier)
