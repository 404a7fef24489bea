"""AttFind: the style coordinates by which a classifier reads a class (Lang et al. 2021, StylEx, algorithm 1).

Symbols as in the paper: X images that the classifier does not take for class y; s style coordinate; d direction, 0 down
and 1 up; Delta[x, s, d] change of y's logit when s of image x is set to its extreme in direction d; M attributes;
t threshold; S_y and D_y the coordinates and directions found.

A regression has one value v and no classes: X are all images, Delta is the change of v, and the search runs twice, for
what raises v and, with -Delta, for what lowers it.

The inner loops, which fill Delta, are `style_effects`; drawing one image with each coordinate changed in turn is
`incremental_synthesis`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.attfind.plausibility import discriminator_filter
from sidelight_stylex.attfind.recall import certificate, turns_of, would_win
from sidelight_stylex.attfind.search import AttributeSearch, SearchInputs
from sidelight_stylex.attfind.style_effects import DIRECTIONS, Choice, StyleEffects, effects_of
from sidelight_stylex.attfind.successive_elimination import gradient_estimates, screen, successive_elimination

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes, RecallCertificate, State
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import AttFindParams

Measure = Callable[[np.ndarray], np.ndarray]
"""(n,) rows of X -> (n, S, 2) Delta; NaN for a coordinate that has no prospect of being chosen on these."""
Accept = Callable[[Choice], bool]
"""Predicate: True for a pair that may be chosen."""
MOST_PASSES = 500_000
"""Changed images above which `screened` is advised: an hour of one core at 64 pixels, days at 256."""
FILTERED, FILTER_EFFECT, FILTER_FACTOR = 10, 0.2, 2.0
"""The notebook's filter looks at so many images each way, on which the effect is larger than this, moved so far."""


@attrs.frozen(eq=False)
class Selection:
    """S_y and D_y in their order of discovery, and the images that each pair explains.

    Args:
        choices: A pairs (s_max, d_max).
        explained: (A, N) bool, X_explained of each turn.
    """

    choices: list[Choice]
    explained: np.ndarray


def by_paper(
    measure: Measure, images: int, count: int, threshold: float, accept: Accept = lambda choice: True
) -> Selection:
    """Algorithm 1; the inner loops are `measure`.

    Ends with `count` coordinates, without images, or when no change raises the class on the images left.

    Args:
        measure: Delta on some images.
        images: N, the size of X at the beginning.
        count: M.
        threshold: t, in logits; inf takes no image out.
        accept: not of the paper, which takes every pair.
    """
    del accept
    left = np.ones(images, dtype=bool)  # X
    choices, explained = list[Choice](), list[np.ndarray]()
    while len(choices) < count and left.any():
        rows = np.flatnonzero(left)
        delta = measure(rows)  # Delta[x, s, d], (n, S, 2)
        mean = _mean(delta)  # Delta-bar[s, d], (S, 2)
        mean[(mean > 0).all(axis=1)] = 0  # footnote 4: both directions raise the class
        mean[[choice.coordinate for choice in choices]] = 0  # s not in S_y
        best = _largest(mean)  # s_max, d_max
        if mean[best] <= 0:
            break
        choices.append(best)
        newly = np.zeros(images, dtype=bool)
        newly[rows] = delta[:, best.coordinate, best.direction] > threshold  # X_explained
        explained.append(newly)
        left &= ~newly  # X = X \ X_explained
    return Selection(choices, np.array(explained, dtype=bool).reshape(len(choices), images))


def as_released(
    measure: Measure, images: int, count: int, limit: float, accept: Accept = lambda choice: True
) -> Selection:
    """The selection of the authors' notebook.

    Changes that lower the class count as none; a coordinate may be taken once for each direction; and an image is
    explained when the changes that were chosen raise the class by `limit` together.

    Args:
        measure: Delta on some images.
        images: N.
        count: M.
        limit: in logits; inf takes no image out.
        accept: whether a pair may be chosen (the notebook's discriminator filter).
    """
    total = np.zeros(images)  # accumulated gain of each image
    choices, explained, refused = list[Choice](), list[np.ndarray](), list[Choice]()
    while len(choices) < count and (total < limit).any():
        rows = np.flatnonzero(total < limit)
        gains = measure(rows).clip(0)
        mean = _mean(gains)
        mean[tuple(np.array([*choices, *refused], dtype=np.int64).reshape(-1, 2).T)] = 0
        best = _largest(mean)
        if mean[best] <= 0:
            break
        if not accept(best):
            refused.append(best)
            continue
        choices.append(best)
        total[rows] += gains[:, best.coordinate, best.direction]
        newly = np.zeros(images, dtype=bool)
        newly[rows] = total[rows] >= limit
        explained.append(newly)
    return Selection(choices, np.array(explained, dtype=bool).reshape(len(choices), images))


def _mean(delta: np.ndarray) -> np.ndarray:
    """(n, S, 2) to the means over the images, (S, 2); 0, which is never chosen, where one was not measured."""
    mean: np.ndarray = np.nan_to_num(delta.mean(axis=0, dtype=np.float64), nan=0.0)
    return mean


def _largest(mean: np.ndarray) -> Choice:
    """argmax over (s, d)."""
    return Choice(*map(int, np.unravel_index(mean.argmax(), mean.shape)))


RULES = {"paper": by_paper, "released": as_released}
THRESHOLDS = {
    # of 48 validation faces each way, the lowest t that costs no sufficiency of the top 5 and 10 (.5 to 4 tried; 1 ends
    # after two attributes one way): 42 and 39 are explained
    "paper": 1.5,
    "released": 1.0,  # the authors' notebook
}
"""Default t, in logits, by rule; for a regression, the value's standard deviation over the reference."""


class AttFind(AttributeFinder):
    """Sets each coordinate to its observed extremes, and keeps those that raise the target's logit most.

    Of a regression, those that raise the value most and then those that lower it most, with a negative effect.
    """

    def __init__(
        self,
        params: AttFindParams,
        *,
        classifier: Classifier,
        generator: Generator,
        data: Data | None = None,
        inverter: Inverter | None = None,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._search = AttributeSearch(params, classifier, generator, data, inverter, run)

    def samples(self) -> Tensor:
        """Samples of the generator, for `latents: samples`: (N, *latent_shape)."""
        return self._search.samples()

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Attributes of the images that the classifier does not take for the target, in their order of discovery.

        For a regression the target is 0, and the images are all.

        Effects are measured on what the generator makes of the latents.

        Raises:
            UserError: there is no such class.
        """
        # explanations of single images ask for the same attributes again
        return self._run.cached(("attributes", latents, target), lambda: self._find(latents, target))

    def effects(self, item: dict[str, Any]) -> State:
        """Effects of some coordinates on some images, a piece of the search that a worker may measure."""
        return effects_of(self._search.models, item)

    def _find(self, latents: Tensor, target: int) -> Attributes:
        params, inputs = self._params, self._search.inputs(latents, target)
        if not len(inputs.rows):
            return self._search.no_attributes(inputs)
        styles = inputs.styles[torch.from_numpy(inputs.rows)]  # of X, (N, S)
        before = inputs.logits[inputs.rows]
        effects = StyleEffects(self._search.models, styles, inputs.ranges, target, before, self.effects)
        self._advise(len(styles) * len(self._searched()) * len(DIRECTIONS))
        threshold, signs = self._threshold(inputs), (1, -1) if self._search.models.is_regression else (1,)
        passed_over = np.zeros(styles.shape[1], dtype=bool)  # by some turn, of either search
        selections = {
            sign: RULES[params.rule](
                self._measure(effects, styles, inputs, sign, passed_over),
                len(styles),
                params.attributes,
                threshold,
                self._filter(effects, styles, inputs, sign),
            )
            for sign in signs
        }
        choices = [choice for selection in selections.values() for choice in selection.choices]
        # coordinates found late were measured on the images left then; effects are reported on all
        changes = effects.of_choices(choices) if choices else None  # (A, N)
        certificates = self._certificates(effects, styles, inputs, selections, np.flatnonzero(passed_over))
        if changes is None:
            return attrs.evolve(self._search.no_attributes(inputs), certificates=certificates)
        explained = np.concatenate([selection.explained for selection in selections.values()])
        found = self._search.attributes(inputs, choices, changes, explained=explained)
        return attrs.evolve(found, certificates=certificates)

    def _advise(self, passes: int) -> None:
        """Warn of a sweep that takes hours on a processor."""
        if self._params.mode == "exact" and passes > MOST_PASSES:
            self._run.warn(
                f"mode: exact draws {passes:,} changed images; mode: screened draws some per cent of them, and "
                "certificate: 200 estimates what it misses"
            )

    def _threshold(self, inputs: SearchInputs) -> float:
        """t: as given, or the default of the rule; of a regression the standard deviation of its values."""
        if self._params.threshold is not None:
            return self._params.threshold
        if not self._search.models.is_regression:
            return THRESHOLDS[self._params.rule]
        return float(self._search.models.logits(inputs.reference)[:, inputs.target].std())

    def _searched(self) -> np.ndarray:
        """(C,) coordinates that may be chosen, ascending: the notebook searches convolutions only, the paper all."""
        layers = self._search.models.generator.style_layers
        is_searched = np.concatenate([np.full(layer.channels, layer.kind == "conv") for layer in layers])
        return np.flatnonzero(is_searched | (self._params.rule != "released"))

    def _counting(
        self, styles: Tensor, inputs: SearchInputs, sign: int
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Function of Delta (n, c, 2) and its c coordinates: Delta, negated for sign -1, as the rule counts it."""
        # an extreme of the data may lie on the near side of these images: "up" would then move them down
        moves = (inputs.ranges - to_array(styles).mean(axis=0)[:, None]) * DIRECTIONS
        forward = moves > 0  # (S, 2)

        def counted(delta: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
            delta = np.where(forward[coordinates], sign * delta, 0)
            return delta.clip(0) if self._params.rule == "released" else delta

        return counted

    def _certificates(
        self,
        effects: StyleEffects,
        styles: Tensor,
        inputs: SearchInputs,
        selections: dict[int, Selection],
        passed_over: np.ndarray,
    ) -> tuple[RecallCertificate, ...]:
        """The recall of the search, by `certificate` of the coordinates that it left out; nothing unless asked for."""
        params, run = self._params, self._run
        if not params.certificate:
            return ()
        choices = {choice.coordinate for selection in selections.values() for choice in selection.choices}
        left_out = np.setdiff1d(passed_over, list(choices))  # (L,)
        count = min(params.certificate, len(left_out))
        sample = np.sort(run.rng("certificate").choice(left_out, count, replace=False))  # (m,)
        delta = effects.measure(range(len(styles)), sample)  # (N, m, 2)
        missed, either = np.zeros(count, dtype=bool), params.rule == "released"
        for sign, selection in selections.items():
            counted, accept = self._counting(styles, inputs, sign), self._filter(effects, styles, inputs, sign)
            pairs = [
                counted(effects.delta[:, [one.coordinate]], np.array([one.coordinate]))[:, 0, one.direction]
                for one in selection.choices
            ]
            turns = turns_of(np.array(pairs).reshape(-1, len(styles)), selection.explained, params.attributes)
            winners = would_win(counted(delta, sample), turns, either)
            for row, direction in np.argwhere(winners):
                missed[row] |= accept(Choice(int(sample[row]), int(direction)))
        told = certificate(inputs.target, len(choices), len(left_out), count, int(missed.sum()))
        name = self._search.models.classifier.class_names[inputs.target]
        if told.missed:
            run.warn(f"{name}: {told}; a larger `candidates` finds more")
        run.emit(f"recall-{name}", _measured_recall(told))
        return (told,)

    def _measure(
        self, effects: StyleEffects, styles: Tensor, inputs: SearchInputs, sign: int, passed_over: np.ndarray
    ) -> Measure:
        """Delta, or with sign -1 its negative, as the rule counts it; by `mode`, of coordinates with prospects only.

        Those that a turn does not measure on all images left are noted in `passed_over`, (S,) bool: later turns, or the
        search the other way, may measure them after all.
        """
        params, models = self._params, self._search.models
        released, screened = params.rule == "released", params.mode == "screened"
        coordinates, counted = self._searched(), self._counting(styles, inputs, sign)
        order = models.run.rng("order of the images").permutation(len(styles))
        estimates = sign * gradient_estimates(models, styles, inputs.ranges, inputs.target) if screened else None

        def stable(rows: np.ndarray, delta: np.ndarray) -> np.ndarray:
            """Delta (n, S, 2), all zero for an image on which too many changes are large (the notebook)."""
            return np.where(self._is_unstable(effects.delta[rows])[:, None, None], 0, delta)

        def measure_some(rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
            return counted(effects.measure(rows.tolist(), candidates), candidates)

        def measure(rows: np.ndarray) -> np.ndarray:
            if params.mode == "exact":
                effects.measure(rows.tolist(), coordinates)
            else:
                # begun anew on the images left: what had no prospect on all of them may have it on these
                left = order[np.isin(order, rows)]
                candidates = coordinates
                if estimates is not None:
                    candidates = screen(estimates[rows], coordinates, params.candidates)
                successive_elimination(measure_some, left, candidates, params.attributes, released)
                passed_over[coordinates] |= np.isnan(effects.delta[rows][:, coordinates]).any(axis=(0, 2))
            return stable(rows, counted(effects.delta[rows], np.arange(styles.shape[1])))

        return measure

    def _is_unstable(self, delta: np.ndarray) -> np.ndarray:
        """(n,) bool of (n, S, 2) effects: more than `unstable` of them are large."""
        params = self._params
        if params.unstable is None:
            return np.zeros(len(delta), dtype=bool)
        # |NaN| > 2 is false: what the rule does not search does not count
        return np.asarray((np.abs(delta) > params.unstable_effect).sum(axis=(1, 2)) > params.unstable)

    def _filter(self, effects: StyleEffects, styles: Tensor, inputs: SearchInputs, sign: int) -> Accept:
        """The notebook's filter: no image's logit of the discriminator may change by more than `realness`.

        It looks both ways along a coordinate, whichever is to be chosen.

        Raises:
            UserError: the generator keeps no discriminator.
        """
        params, models, limit = self._params, self._search.models, self._params.realness
        if limit is None:
            return lambda choice: True
        realness = discriminator_filter(models, models.draw(inputs.reference[: params.surroundings]))
        if realness is None:
            raise UserError(
                "realness asks a discriminator, and the generator keeps none that was trained",
                "leave realness out, or use a stylex/generator whose discriminator joined the training",
            )

        def accept(choice: Choice) -> bool:
            s, is_stable = choice.coordinate, ~self._is_unstable(effects.delta)
            for delta, extreme in zip(sign * effects.delta[:, s].T, inputs.ranges[s].tolist(), strict=True):
                rows = torch.from_numpy(np.flatnonzero((delta > FILTER_EFFECT) & is_stable)[:FILTERED])
                if not len(rows):
                    continue
                changed = styles[rows].clone()
                changed[:, s] += FILTER_FACTOR * (extreme - changed[:, s])
                change = realness(models.draw(changed)) - realness(models.draw(styles[rows]))
                if float(change.abs().max()) > limit:
                    return False
            return True

        return accept


def _measured_recall(certificate: RecallCertificate) -> Measurements:
    """The recall as a number with its interval."""
    item = Measurement(
        name="recall",
        values=np.array([certificate.recall], np.float32),
        better="higher",
        unit="share",
        help="Of the coordinates that a full search would choose, turn by turn, the share that this one found, "
        "estimated from a random sample of those that it left out.",
        settings={
            "found": str(certificate.found),
            "left out": str(certificate.left_out),
            "sampled": str(certificate.sampled),
            "missed of these": str(certificate.missed),
        },
        limits=(certificate.low, certificate.high),
    )
    return Measurements(items=(item,))
