"""The attributes that explanations of single images choose from: what an attribute finder finds for each class."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

from sidelight_stylex.attfind.style_effects import Models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Attribute
    from sidelight_specs.roles import AttributeFinder, Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import ImageParams


class Pool:
    """Attributes of each class, found on training images, which the finder keeps; and images with them changed.

    Args:
        params: how many training images, how far coordinates are moved, how many images at a time.
        classifier: what is explained.
        generator: with a style space.
        inverter: into the generator's latents.
        data: where training images come from.
        finder: what finds attributes.
        run: of the explainer.
    """

    def __init__(
        self,
        params: ImageParams,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        finder: AttributeFinder,
        run: Run,
    ) -> None:
        self._params, self._inverter, self._data, self._finder = params, inverter, data, finder
        self._known: dict[int, tuple[Attribute, ...]] = {}
        self.models = Models(classifier, generator, params.batch, run)

    def of_class(self, target: int) -> tuple[Attribute, ...]:
        """Attributes that raise this class, in the finder's order; implausible ones left out where so chosen.

        Raises:
            UserError: the finder's attributes are no coordinates of the style space.
        """
        if target not in self._known:
            # kept under what is asked, so that a later run need not even make the training images
            found = self.models.run.cached(
                ("attributes", self._params.pool, target), lambda: self._finder.find(self._latents, target)
            )
            if found.directions is not None:
                raise UserError(
                    "the attribute finder gives directions through the latent space, not style coordinates",
                    "name one that does: needs: {attribute_finder: ID}, for instance that of stylex/attfind",
                )
            self._known[target] = tuple(one for one in found.attributes if self._params.flagged or not one.flagged)
        return self._known[target]

    @cached_property
    def _latents(self) -> Tensor:
        images = self._data.split("train").images[: self._params.pool]
        inversion = self._inverter.invert(to_tensor(images, self.models.run))
        return to_tensor(inversion.latents, self.models.run)

    def styles(self, images: Tensor) -> Tensor:
        """(N, C, H, W) images to the styles of their inversions, (N, S)."""
        latents = to_tensor(self._inverter.invert(images).latents, self.models.run)
        return self.models.styles(latents)

    def each_changed(self, styles: Tensor, attributes: Sequence[Attribute]) -> Tensor:
        """(S,) styles to (A, S), in each of which one attribute is changed."""
        return torch.stack([attribute.apply(styles, self._params.factor) for attribute in attributes])


def log_odds(logits: np.ndarray, target: int) -> np.ndarray:
    """(N, K) logits to the log of the target's probability over that of all other classes, (N,)."""
    others = np.delete(logits.astype(np.float64), target, axis=1)
    top = others.max(axis=1)
    odds: np.ndarray = logits[:, target] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return odds


def asked(models: Models, styles: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What is drawn of (N, S) styles, and the class logits of it."""
    images = models.draw(styles)
    return to_array(images), to_array(in_batches(models.classifier.class_logits, images, models.batch))
