"""Attributes: latent coordinates that move a classifier, ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs
import numpy as np

from sidelight_specs._form import FORM
from sidelight_specs.artifacts import array
from sidelight_specs.blocks import Block, Pair, Table, Text
from sidelight_specs.errors import SidelightError
from sidelight_specs.results.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Sequence

Styles = TypeVar("Styles")
"""(..., S) latent or style vectors: a numpy array or a torch tensor."""

SHOWN = 12  # attributes whose examples `view` shows: more than a reader compares, few enough for a page


@attrs.frozen
class Attribute:
    """One direction of one latent coordinate.

    Args:
        name: how to show it: `"16x16 conv 1, channel 41, up"`.
        coordinate: index into the flat latent or style vector; of the largest component of a direction.
        layer: the layer's name; empty where latents have no layers.
        channel: index within the layer.
        direction: +1 or -1.
        shift: how far the coordinate is moved, in its own units, signed; where `value` is given, the mean of the
            signed moves over the images it was measured on.
        effect: mean change of the target class's logit over the images it was measured on; of a regression's
            value, which an attribute may also lower.
        target: index of the class whose logit it raises; 0 for a regression.
        flagged: why the attribute is not plausible (it tints the picture, leaves the data); empty where it is.
        value: what the coordinate is set to, whatever it was before; None where `shift` is added to it.
    """

    name: str
    coordinate: int
    layer: str = ""
    channel: int = 0
    direction: int = 1
    shift: float = 0.0
    effect: float = 0.0
    target: int = 0
    flagged: str = ""
    value: float | None = None

    def apply(self, styles: Styles, factor: float = 1.0) -> Styles:
        """Styles with this coordinate changed, `factor` times as far as the attribute says.

        The coordinate becomes `style + factor * (value - style)`, or `style + factor * shift` where there is no value.
        Not for attributes that move along a direction (see `Attributes.directions`).

        Args:
            styles: (..., S) floats, left as they are.
            factor: 0 changes nothing, 1 moves as far as in the search; negative for the other way.
        """
        before: Any = styles
        # numpy arrays copy, torch tensors clone; this package imports no torch
        changed: Any = before.clone() if hasattr(before, "clone") else before.copy()
        coordinate = before[..., self.coordinate]
        distance = self.shift if self.value is None else self.value - coordinate
        changed[..., self.coordinate] = coordinate + factor * distance
        return changed  # type: ignore[no-any-return]


@attrs.frozen
class RecallCertificate:
    """Recall of a search that measured some coordinates only, by a random sample of those that it left out.

    Args:
        target: index of the class; 0 for a regression.
        found: coordinates that the search found.
        left_out: coordinates that a turn of it did not measure on every image left, and that it did not find.
        sampled: of those left out, drawn at random and measured on every image.
        missed: of those sampled, the ones that the search would have chosen, had it measured them.
        recall: estimate of found / (found + those left out that it would have chosen).
        low: lower end of its 95 % interval.
        high: upper end.
    """

    target: int
    found: int
    left_out: int
    sampled: int
    missed: int
    recall: float
    low: float
    high: float

    def __str__(self) -> str:
        text = f"recall {self.recall:.2f} (95 %: {self.low:.2f} to {self.high:.2f})"
        drawn = f"{self.sampled} of {self.left_out} coordinates left out were drawn at random and measured"
        return f"{text}: {drawn}, and {self.missed} of them would have been chosen"


@attrs.frozen(eq=False, kw_only=True)
class Attributes(Explanation):
    """A ranked list of attributes.

    Args:
        attributes: in the finder's order, which is their rank among those of their target: the order of discovery where
            `explained` is given, otherwise strongest first, by `scores` or by their effect.
        effects: (A, N) float32, the change of the target class's logit for each attribute and image; NaN for an image
            that it was not measured on, because the classifier says the target already.
        before: (A, M, C, H, W) float32, example images; None where none were kept.
        after: (A, M, C, H, W) float32, the same images with the attribute changed.
        probabilities: (A, M, 2) float32, the target class's probability before and after; a regression's value.
        ranges: (K, 2) float32, the observed range of every coordinate of the latent vector.
        directions: (A, *latent_shape) float32 of length 1, where an attribute moves along a direction through the
            latent space (by `shift` times the direction) and not along one coordinate; None otherwise.
        paths: (A, M, T, C, H, W) uint8, or float32 in [0, 1], the example images on the way from `before`, the first of
            T, to `after`, the last; None where none were kept.
        opposite_before: (A, M, C, H, W) float32, images that the classifier takes for the target; None where none were
            kept.
        opposite_after: (A, M, C, H, W) float32, the same images with the coordinate moved to its other extreme.
        opposite_probabilities: (A, M, 2) float32, the target class's probability (or value) before and after that.
        scores: (A,) float32, what they are ranked by, highest first, where that is not their effect; None otherwise.
        explained: (A, N) bool, the images that each attribute explains: those taken out of the search when it was found
            (StylEx, algorithm 1), each by one attribute of a target at most; None where nothing is taken out. Of a
            regression, by one that raises the value and one that lowers it.
        class_names: the classes that `target` counts, by the finder's own classifier, or one name, of a regression's
            value; empty where it does not say.
        drawn: what the N images are where they are not the explained ones but samples, in words: `100 samples of the
            generator, seed 0`; empty otherwise.
        certificates: the recall of the search for each target, where it measured some coordinates only and was asked.
        unsupervised: no class took part in the search, so that attributes are the same for every target, and lower its
            logit as well as raise it; `scores` rank them.
    """

    kind: ClassVar[str] = "attributes"

    attributes: tuple[Attribute, ...] = ()
    effects: np.ndarray | None = array("A L", nan=True, default=None)
    before: np.ndarray | None = array("A M c h w", low=0, high=1, default=None)
    after: np.ndarray | None = array("A M c h w", low=0, high=1, default=None)
    probabilities: np.ndarray | None = array("A M 2", default=None)
    ranges: np.ndarray | None = array("k 2", default=None)
    directions: np.ndarray | None = array("A ...", default=None)
    paths: np.ndarray | None = array("A M T c h w", numbers="any", low=0, high=255, default=None)
    opposite_before: np.ndarray | None = array("A O c h w", low=0, high=1, default=None)
    opposite_after: np.ndarray | None = array("A O c h w", low=0, high=1, default=None)
    opposite_probabilities: np.ndarray | None = array("A O 2", default=None)
    scores: np.ndarray | None = array("A", default=None)
    explained: np.ndarray | None = array("A L", numbers="bool", default=None)
    class_names: tuple[str, ...] = ()
    drawn: str = ""
    certificates: tuple[RecallCertificate, ...] = ()
    unsupervised: bool = False

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: directions are signs, targets are classes, and probabilities are from 0 to 1."""
        super().validate(images, classes)
        check_attributes(self.attributes, classes)
        if self.paths is not None and self.paths.dtype != np.uint8:
            check_range("paths", self.paths, 0, 1)
        for one in self.certificates:
            if not 0 <= one.low <= one.recall <= one.high <= 1:
                raise SidelightError(f"certificates: recall {one.recall:g} is not within {one.low:g} to {one.high:g}")
        for name in ("probabilities", "opposite_probabilities"):
            values = getattr(self, name)
            if values is not None and not self.is_of_value:
                check_range(name, values, 0, 1)

    @property
    def is_of_value(self) -> bool:
        """True for attributes of a regression's value, which has no classes."""
        return len(self.class_names) == 1

    @classmethod
    def join(cls, parts: Sequence[Attributes]) -> Attributes:
        """Join the attributes of several target classes, class by class; each keeps its order, which is its rank.

        Where the number of example images differs, only as many as all classes have are kept. A class without
        attributes is passed over.

        Raises:
            SidelightError: arrays of different shapes.
        """
        certificates = tuple(one for part in parts for one in part.certificates)  # also where nothing was found
        parts = [part for part in parts if part.attributes] or list(parts[:1])
        if len(parts) == 1:
            return attrs.evolve(parts[0], certificates=certificates)
        axes = {field.name: field.metadata[FORM].axes for field in attrs.fields(cls) if FORM in field.metadata}
        joined: dict[str, Any] = {
            name: _join(name, [getattr(part, name) for part in parts], is_direction=axis[1:] == ("...",))
            for name, axis in axes.items()
            if axis[:1] == ("A",)
        }
        attributes = tuple(attribute for part in parts for attribute in part.attributes)
        return attrs.evolve(parts[0], attributes=attributes, certificates=certificates, **joined)

    def view(self, index: int) -> tuple[Block, ...]:
        """The ranked list, with the effect on image `index` where it was measured, and examples of the first ones.

        Of samples no effect is that on an explained image.
        """
        rows = tuple(
            (
                rank + 1,
                one.name,
                f"{{class {one.target}}}",
                f"{one.effect:+.3f}",
                self._effect(rank, index),
                one.flagged,
            )
            for rank, one in enumerate(self.attributes)
        )
        blocks: list[Block] = [Table(("rank", "attribute", "raises", "mean effect", "effect here", "flagged"), rows)]
        if self.drawn:
            blocks.append(Text(f"Measured on {self.drawn}; the examples are some of these.", "images"))
        blocks += [Text(f"Towards {{class {one.target}}}: {one}.", "recall") for one in self.certificates]
        if self.before is not None and self.after is not None:
            blocks += [
                Pair(before[0], after[0], caption=one.name)
                for one, before, after in zip(self.attributes[:SHOWN], self.before, self.after, strict=False)
                if len(before)
            ]
        return tuple(blocks)

    def _effect(self, rank: int, index: int) -> str:
        if self.drawn or self.effects is None or index >= self.effects.shape[1] or np.isnan(self.effects[rank, index]):
            return ""
        return f"{self.effects[rank, index]:+.3f}"

    def _sizes(self) -> dict[str, int]:
        return {"A": len(self.attributes)}


def _join(name: str, arrays: list[np.ndarray | None], *, is_direction: bool) -> np.ndarray | None:
    """Arrays of several classes as one; None unless all have it. The second axis, examples, is cut to the shortest."""
    present = [array for array in arrays if array is not None]
    if len(present) < len(arrays):
        return None
    if not is_direction:
        examples = min((array.shape[1] for array in present if array.ndim > 1), default=0)
        present = [array[:, :examples] if array.ndim > 1 else array for array in present]
    try:
        return np.concatenate(present)
    except ValueError as error:
        raise SidelightError(f"{name!r} of several classes cannot be joined: {error}") from error


def check_range(name: str, values: np.ndarray, low: float, high: float) -> None:
    """Raise a `SidelightError` where values leave a closed range by more than rounding."""
    if values.size and (values.min() < low - 1e-6 or values.max() > high + 1e-6):
        raise SidelightError(
            f"{name} has values from {values.min():.6g} to {values.max():.6g}, not {low:g} to {high:g}"
        )


def check_attributes(attributes: tuple[Attribute, ...], classes: int | None) -> None:
    """Raise a `SidelightError` where a direction is no sign, or a target no class."""
    for index, attribute in enumerate(attributes):
        if attribute.direction not in (-1, 1):
            raise SidelightError(f"attributes.{index}.direction is {attribute.direction}, not -1 or 1")
        if attribute.target < 0 or (classes is not None and attribute.target >= classes):
            raise SidelightError(f"attributes.{index}.target is {attribute.target}, there are {classes} classes")
