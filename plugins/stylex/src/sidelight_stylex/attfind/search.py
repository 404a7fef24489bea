"""Common parts of the finders of style attributes: their images, and the presentation of attributes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Attributes
from sidelight_toolkit.arrays import to_array
from torch import Tensor

from sidelight_stylex.attfind.examples import back, towards
from sidelight_stylex.attfind.plausibility import Surroundings, tinted
from sidelight_stylex.attfind.reference import ranges_of, training_styles
from sidelight_stylex.attfind.style_effects import Models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Attribute
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter

    from sidelight_stylex.params import FinderParams

JUDGED = 16
"""Images on which it is judged whether an attribute is plausible."""


@attrs.frozen(eq=False)
class Material:
    """What a search works on.

    Args:
        target: index of the class.
        styles: (N, S) of the given latents.
        answers: (N,) int64, the class that the classifier says of what is drawn.
        reference: (R, S) styles of the data; of the given latents where there is no data.
        ranges: (S, 2) float32, every coordinate's extremes in the reference.
    """

    target: int
    styles: Tensor
    answers: np.ndarray
    reference: Tensor
    ranges: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The images that are not taken for the target."""
        return np.flatnonzero(self.answers != self.target)


def kept(run: Run, latents: Tensor, target: int, find: Callable[[], Attributes]) -> Attributes:
    """What was found for these latents and this class, kept: explanations of single images ask the same again."""
    digest = hashlib.blake2b(to_array(latents).tobytes(), digest_size=16).hexdigest()
    return run.cached(("attributes", digest, target), find)


class Presenter:
    """Prepares a search, and makes `Attributes` of what it found."""

    def __init__(
        self,
        params: FinderParams,
        classifier: Classifier,
        generator: Generator,
        data: Data | None,
        inverter: Inverter | None,
        run: Run,
    ) -> None:
        self._params, self._data, self._inverter = params, data, inverter
        self.models = Models(classifier, generator, params.batch, run)

    def material(self, latents: Tensor, target: int) -> Material:
        """Styles, answers and ranges.

        Raises:
            UserError: there is no such class.
        """
        names = self.models.classifier.class_names
        if not 0 <= target < len(names):
            raise UserError(f"there is no class {target} to find attributes of", f"classes are 0 to {len(names) - 1}")
        styles = self.models.styles(latents)
        reference = training_styles(self.models, self._data, self._inverter, self._params.reference)
        reference = styles if reference is None else reference
        answers = to_array(self.models.logits(styles).argmax(1))
        return Material(target, styles, answers, reference, ranges_of(reference, self._params.quantile))

    def nothing(self, material: Material) -> Attributes:
        """No attribute, and the user is told."""
        names, left = self.models.classifier.class_names, len(material.rows)
        name = names[material.target]
        why = f"no change raises it on {left} images" if left else "the classifier takes every image for it already"
        self.models.run.warn(f"no attributes of the class {name}: {why}")
        return Attributes(answers="probe", ranges=material.ranges, class_names=tuple(names))

    def attributes(
        self,
        material: Material,
        found: Sequence[Attribute],
        effects: np.ndarray,
        *,
        scores: np.ndarray | None = None,
        explained: np.ndarray | None = None,
    ) -> Attributes:
        """With examples, and flagged where they are not plausible.

        Args:
            material: what was searched.
            found: A attributes, ranked; at least one.
            effects: (A, len(material.rows)) changes of the target's logit.
            scores: (A,) what they are ranked by, where that is not the effect.
            explained: (A, len(material.rows)) bool, the images that each explains.
        """
        params, models = self._params, self.models
        everywhere = np.full((len(found), len(material.styles)), np.nan, dtype=np.float32)
        everywhere[:, material.rows] = effects
        taken = None
        if explained is not None:
            taken = np.zeros(everywhere.shape, dtype=bool)
            taken[:, material.rows] = explained
        rest = torch.from_numpy(np.flatnonzero(material.answers == material.target))
        pictures = towards(models, material.styles, found, everywhere, params.examples, params.factor, params.frames)
        others = back(models, material.styles[rest], found, material.ranges, params.examples, params.factor)
        flags = self._flags(material, found)
        return Attributes(
            answers="probe",
            attributes=tuple(attrs.evolve(one, flagged=flag) for one, flag in zip(found, flags, strict=True)),
            effects=everywhere,
            ranges=material.ranges,
            scores=scores,
            explained=taken,
            class_names=tuple(models.classifier.class_names),
            **pictures,
            **others,
        )

    def _flags(self, material: Material, found: Sequence[Attribute]) -> list[str]:
        """Why each attribute is not plausible; empty where it is."""
        start = material.styles[torch.from_numpy(material.rows[:JUDGED])]
        before = self.models.draw(start)
        around = Surroundings(self.models, self.models.draw(material.reference[: self._params.surroundings]), before)
        return [self._flag(start, before, attribute, around) for attribute in found]

    def _flag(self, start: Tensor, before: Tensor, attribute: Attribute, around: Surroundings) -> str:
        after = self.models.draw(attribute.apply(start))
        share, gone = tinted(to_array(before), to_array(after)), around.left_by(after)
        reasons = []
        if share >= self._params.tint:
            reasons.append(f"tints the whole picture: one colour shift explains {share:.0%} of the change")
        if gone > self._params.outside:
            reasons.append(f"leaves the data, by {gone:.1f} of its standard deviations")
        return "; ".join(reasons)
