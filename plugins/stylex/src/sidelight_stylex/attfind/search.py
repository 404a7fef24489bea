"""Inputs and results that searches for style attributes share: styles, ranges, examples, flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Attribute, Attributes, State
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.drawn_latents import drawn_latents
from torch import Tensor

from sidelight_stylex.attfind.examples import examples, opposite_examples
from sidelight_stylex.attfind.plausibility import implausible
from sidelight_stylex.attfind.style_effects import DIRECTIONS, Models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter

    from sidelight_stylex.attfind.style_effects import Choice
    from sidelight_stylex.params import FinderParams

FLAG_IMAGES = 16
"""Images on which plausibility is measured: a median needs no more."""


@attrs.frozen(eq=False)
class SearchInputs:
    """Styles and ranges for one target.

    Args:
        target: index of the class; 0 for a regression.
        styles: (N, S) of the given latents.
        logits: (N,) float32 of the target, or values, of what is drawn of them.
        is_target: (N,) bool, what is drawn of them is taken for the target; of a regression, nothing is.
        reference: (R, S) styles of the data, or of further samples; of the given latents where there are neither.
        ranges: (S, 2) float32, the extremes of every coordinate in the reference.
        drawn: the latents in words where they are samples of the generator; empty for inverted images.
    """

    target: int
    styles: Tensor
    logits: np.ndarray
    is_target: np.ndarray
    reference: Tensor
    ranges: np.ndarray
    drawn: str = ""

    @property
    def rows(self) -> np.ndarray:
        """The images that are not taken for the target; all images of a regression."""
        return np.flatnonzero(~self.is_target)


class AttributeSearch:
    """Prepares the inputs of a search, and makes `Attributes` of the coordinates that it chose."""

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

    def samples(self) -> Tensor:
        """Samples of the generator that are searched, (N, *latent_shape)."""
        return drawn_latents(self.models.generator, self._params)

    def inputs(self, latents: Tensor, target: int) -> SearchInputs:
        """Styles, predictions and ranges.

        Raises:
            UserError: there is no such class.
        """
        names = self.models.classifier.class_names
        if not 0 <= target < len(names):
            raise UserError(f"there is no class {target} to find attributes of", f"use 0 to {len(names) - 1}")
        styles = self.models.styles(latents)
        reference = self._reference_styles()
        reference = styles if reference is None else reference  # extremes of the images themselves
        ranges = quantile_ranges(reference, self._params.quantile)
        # explanations of single images have the finder search inverted images whatever it draws by itself
        is_drawn = self._params.is_drawn and torch.equal(latents, self.samples())
        drawn = self._params.drawn if is_drawn else ""
        logits = self._logits(styles)  # (N, K)
        is_target = logits.argmax(1) == target if not self.models.is_regression else np.zeros(len(styles), dtype=bool)
        return SearchInputs(target, styles, logits[:, target], is_target, reference, ranges, drawn)

    def _logits(self, styles: Tensor) -> np.ndarray:
        """(N, K) of the images searched, kept: all targets ask for them."""

        def logits() -> State:
            return State(arrays={"logits": to_array(self.models.logits(styles))})

        return self.models.run.cached(("logits", to_array(styles)), logits).arrays["logits"]

    def _reference_styles(self) -> Tensor | None:
        """(R, S) styles of further samples, or of the first training images, inverted once; None without these."""
        data, inverter, count = self._data, self._inverter, self._params.reference
        if self._params.is_drawn and count:
            return self.models.styles(drawn_latents(self.models.generator, self._params, "reference", count))
        if data is None or inverter is None or not count:
            return None

        def invert() -> State:
            images = data.split("train").read(count=count).images
            latents = to_tensor(inverter.invert(to_tensor(images, self.models.run)).latents, self.models.run)
            return State(arrays={"styles": to_array(self.models.styles(latents))})

        state = self.models.run.cached(("styles of training images", count), invert)
        return to_tensor(state.arrays["styles"], self.models.run)

    def no_attributes(self, inputs: SearchInputs) -> Attributes:
        """An empty result, with a warning."""
        names, left = self.models.classifier.class_names, len(inputs.rows)
        name = names[inputs.target]
        reason = f"no change moves it on {left} images" if left else "the classifier takes every image for it already"
        self.models.run.warn(
            f"no attributes of {'the value' if self.models.is_regression else 'the class'} {name}: {reason}"
        )
        return Attributes(answers="probe", ranges=inputs.ranges, class_names=tuple(names), drawn=inputs.drawn)

    def attributes(
        self,
        inputs: SearchInputs,
        choices: Sequence[Choice],
        effects: np.ndarray,
        *,
        scores: np.ndarray | None = None,
        explained: np.ndarray | None = None,
    ) -> Attributes:
        """Named attributes with their examples, flagged where they are not plausible.

        Args:
            inputs: of the search.
            choices: A coordinates and directions, ranked; at least one.
            effects: (A, len(inputs.rows)) changes of the target's logit, or of a regression's value.
            scores: (A,) what they are ranked by, where that is not the effect.
            explained: (A, len(inputs.rows)) bool, the images that each explains.
        """
        params, models = self._params, self.models
        named = [self._attribute(inputs, *pair) for pair in zip(choices, effects, strict=True)]
        on_all = np.full((len(named), len(inputs.styles)), np.nan, dtype=np.float32)  # NaN: is the target already
        on_all[:, inputs.rows] = effects
        explained_of_all = None
        if explained is not None:
            explained_of_all = np.zeros(on_all.shape, dtype=bool)
            explained_of_all[:, inputs.rows] = explained
        of_target = torch.from_numpy(np.flatnonzero(inputs.is_target))
        # a value may be lowered on purpose; of a class, images that rise are shown even where most of them fall
        signs = np.array([[-1 if models.is_regression and one.effect < 0 else 1] for one in named])
        pictures = examples(models, inputs.styles, named, signs * on_all, params.examples, params.factor, params.frames)
        opposite = opposite_examples(
            models, inputs.styles[of_target], named, inputs.ranges, params.examples, params.factor
        )
        explained_styles = inputs.styles[torch.from_numpy(inputs.rows[:FLAG_IMAGES])]
        flags = implausible(models, inputs.reference[: params.surroundings], explained_styles, named, params)
        fields: dict[str, Any] = {**pictures, **opposite}
        return Attributes(
            answers="probe",
            attributes=tuple(attrs.evolve(one, flagged=flag) for one, flag in zip(named, flags, strict=True)),
            effects=on_all,
            ranges=inputs.ranges,
            scores=scores,
            explained=explained_of_all,
            class_names=tuple(models.classifier.class_names),
            drawn=inputs.drawn,
            **fields,
        )

    def _attribute(self, inputs: SearchInputs, choice: Choice, effects: np.ndarray) -> Attribute:
        """An attribute named by its position in the style space: `16x16 conv 1, channel 41, up`."""
        layers = self.models.generator.style_layers
        ends = np.cumsum([layer.channels for layer in layers])
        index = int(np.searchsorted(ends, choice.coordinate, side="right"))
        layer, value = layers[index], float(inputs.ranges[choice])
        channel = choice.coordinate - int(ends[index]) + layer.channels  # within the layer
        styles = inputs.styles[torch.from_numpy(inputs.rows)]
        return Attribute(
            name=f"{layer.name}, channel {channel}, {'up' if choice.direction else 'down'}",
            coordinate=choice.coordinate,
            layer=layer.name,
            channel=channel,
            direction=DIRECTIONS[choice.direction],
            shift=float((value - styles[:, choice.coordinate]).mean()),
            effect=float(effects.mean(dtype=np.float64)),
            target=inputs.target,
            value=value,
        )


def quantile_ranges(styles: Tensor, quantile: float) -> np.ndarray:
    """(S, 2) float32: the quantiles `quantile` and 1 - `quantile` of (N, S) styles; minimum and maximum for 0."""
    ranges = np.quantile(to_array(styles).astype(np.float64), [quantile, 1 - quantile], axis=0)
    return np.ascontiguousarray(ranges.T.astype(np.float32))
