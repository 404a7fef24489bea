"""Rank of the first attribute that changes a true factor plainly, by bootstrap over images and examples.

    d[a, m, f] = change of factor f by attribute a on example m, in half-ranges, read by a network         (A, M, F)
    plain(a)   = |mean_m d[a, m, f]| >= 0.5 max_g |mean_m d[a, m, g]| > 0.05
    rank       = place of the first plain attribute among those of its class, by their mean effect
    interval   = 2.5 % to 97.5 % of the rank over samples, with replacement, of the images behind the effects and of
                 the examples behind the changes

Where the data cannot be drawn from factors, an attribute is taken by its name. No attribute that is plain: the rank
lies beyond all attributes and beyond the places that are claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Attributes, ClaimResult, Effect
from sidelight_specs.roles import Claim
from sidelight_toolkit.factors import factor_regressor

from sidelight_claims.regions import Unmeasurable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Results
    from sidelight_specs.roles import Data

    from sidelight_claims import TopAttributesParams

    Plain = Callable[[np.random.Generator | None], np.ndarray]  # (A,) bool, of a bootstrap sample or of all examples

STILL = 0.05  # half-ranges: a smaller mean change of a factor counts as none, as for metrics/attribute-factors
PLAIN = 0.5  # of an attribute's largest change, likewise
FEWEST = 5  # images behind an effect: of fewer a bootstrap has too few samples
FEWEST_EXAMPLES = 3  # of each attribute, likewise: a single one gives the same answer in every sample
BATCH = 64


class TopAttributes(Claim):
    """The claim that the rank is at most `top`."""

    def __init__(self, params: TopAttributesParams, *, data: Data | None, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def judge(self, results: Results) -> ClaimResult:
        """The verdict on the best rank over the classes, or over those that `towards` names."""
        try:
            name, found = self._found(results)
            groups = self._groups(name, found, results.class_names)
            effects = self._effects(found)
            plain, how = self._plain(found)
        except Unmeasurable as reason:
            return ClaimResult.unmeasurable(self._text, self._rule, str(reason))
        none = max(len(effects), self._params.top) + 1
        rank, first = _first(np.nanmean(effects, axis=1), plain(None), groups, none)
        rng, draws = self._run.rng("bootstrap"), []
        for _ in self._run.progress(range(self._params.draws), "bootstrap"):
            drawn = effects[:, rng.integers(effects.shape[1], size=effects.shape[1])]
            draws.append(_first(_mean(drawn, effects), plain(rng), groups, none)[0])
        ends = np.percentile(draws, (2.5, 97.5))
        effect = Effect(value=float(rank), low=min(float(ends[0]), rank), high=max(float(ends[1]), rank))
        return self._judged(effect, np.array(draws), name, found, first, how, effects.shape[1])

    def _found(self, results: Results) -> tuple[str, Attributes]:
        finder = self._params.finder
        every = {name: one for name, one in results.attributes.items() if finder in (None, name)}
        if len(every) != 1:
            raise Unmeasurable(
                f"{finder or 'no finder'} gave no attributes" if not every else "several finders gave some"
            )
        name, found = next(iter(every.items()))
        if not isinstance(found, Attributes) or not found.attributes:
            raise Unmeasurable(f"{name} found no attributes")
        return name, found

    def _effects(self, found: Attributes) -> np.ndarray:
        """(A, N) effects of each attribute on the images it was measured on."""
        if found.effects is None or found.effects.shape[1] < FEWEST:
            raise Unmeasurable(f"effects of the attributes are known of fewer than {FEWEST} images")
        effects = found.effects.astype(np.float64)
        unknown = np.isnan(effects).all(axis=1)
        effects[unknown] = np.array([one.effect for one in found.attributes])[unknown, None]
        return np.abs(effects) if found.unsupervised or found.is_of_value else effects

    def _plain(self, found: Attributes) -> tuple[Plain, str]:
        """Function that finds the attributes that change the factor plainly, and how it tells."""
        factor = self._params.factor
        named = np.array([factor.lower() in one.name.lower() for one in found.attributes])
        if self._data is None or not self._data.factor_ranges:
            if not named.any():
                raise Unmeasurable(f"the data has no factors to read, and no attribute is named {factor}")
            return lambda rng: named, "by its name"
        if factor not in self._data.factor_ranges:
            known = ", ".join(self._data.factor_ranges)
            raise UserError(f"the data has no factor {factor}", f"name one of {known}")
        if found.before is None or found.after is None or found.before.shape[1] < FEWEST_EXAMPLES:
            raise Unmeasurable(f"the finder kept fewer than {FEWEST_EXAMPLES} examples of each attribute")
        reader = factor_regressor(self._data, self._run, self._params.images, self._params.steps, BATCH)
        column = reader.names.index(factor)
        quality = float(reader.r_squared[column])
        if not quality >= self._params.least_quality:
            raise Unmeasurable(f"{factor} is read off images with an R squared of {quality:.2f}")
        count, examples = found.before.shape[:2]
        before, after = (part.reshape(count * examples, *part.shape[2:]) for part in (found.before, found.after))
        changes = reader.half_ranges(before, after).reshape(count, examples, -1)  # d

        def plain(rng: np.random.Generator | None) -> np.ndarray:
            rows = np.arange(examples) if rng is None else rng.integers(examples, size=examples)
            mean = np.abs(changes[:, rows].mean(axis=1))  # (A, F)
            strongest = mean.max(axis=1)
            result: np.ndarray = (strongest > STILL) & (mean[:, column] >= PLAIN * strongest)
            return result

        return plain, f"read off {examples} examples of each (R squared {quality:.2f})"

    def _groups(self, finder: str, found: Attributes, names: tuple[str, ...]) -> list[np.ndarray]:
        """Rows of the attributes of each class, or of the class that `towards` names."""
        towards = self._params.towards
        names = found.class_names or names
        if isinstance(towards, str) and towards not in names:
            raise UserError(f"there is no class {towards}", f"name one of {', '.join(names[:20])}")
        target = names.index(towards) if isinstance(towards, str) else towards
        targets = np.array([one.target for one in found.attributes])
        groups = [np.flatnonzero(targets == one) for one in np.unique(targets) if target in (None, one)]
        if not groups:
            raise Unmeasurable(f"{finder} found no attributes towards {towards}")
        return groups

    def _judged(
        self, effect: Effect, draws: np.ndarray, name: str, found: Attributes, first: int, how: str, count: int
    ) -> ClaimResult:
        top, factor = self._params.top, self._params.factor
        within = float((draws <= top).mean())
        place = "no attribute" if first < 0 else f"place {effect.value:g}"
        if effect.high <= top:
            verdict, p = "supported", 2 * (1 - within)
        elif effect.low > top:
            verdict, p = "contradicted", 2 * within
        else:
            verdict, p = "not established", None
        has_pair = first >= 0 and found.before is not None and found.after is not None
        return ClaimResult(
            text=self._text,
            verdict=verdict,  # type: ignore[arg-type]
            reason=f"{factor} is changed plainly by {place}, and by one of the first {top} in {within:.0%} of samples",
            rule=self._rule,
            measured=f"place of the first attribute of {name} that changes {factor} plainly, {how}",
            unit="place",
            threshold=float(top),
            side="below",
            strict=False,  # the last of the first K places is within them
            effects={"rank": effect},
            n=count,
            p=None if p is None else min(1.0, max(p, 1 / len(draws))),
            before=found.before[first : first + 1, 0] if has_pair else None,  # type: ignore[index]
            after=found.after[first : first + 1, 0] if has_pair else None,  # type: ignore[index]
            captions=(found.attributes[first].name,) if has_pair else (),
            evidence=(f"attributes/{name}",),
        )

    @property
    def _text(self) -> str:
        params = self._params
        of = f" of {params.finder}" if params.finder else ""
        towards = f" towards {params.towards}" if params.towards is not None else ""
        return params.text or f"{params.factor} in the top {params.top} attributes{of}{towards}"

    @property
    def _rule(self) -> str:
        params = self._params
        return (
            "Attributes of a class are ranked by their mean effect; one changes the factor plainly if it changes it at "
            "least half as much as the factor that it changes most. Supported if the 95 % bootstrap interval of the "
            f"first such attribute's place lies within the first {params.top}, contradicted if it lies wholly beyond, "
            f"else not established. {params.draws} samples of images and examples; effects of fewer than {FEWEST} "
            f"images, and fewer than {FEWEST_EXAMPLES} examples, tell nothing."
        )


def _mean(drawn: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """(A,) means over the images drawn; the mean over all where none of them was measured."""
    known = np.isfinite(drawn)
    total, number = np.where(known, drawn, 0).sum(axis=1), known.sum(axis=1)
    means: np.ndarray = np.divide(total, number, out=np.nanmean(effects, axis=1), where=number > 0)
    return means


def _first(means: np.ndarray, plain: np.ndarray, groups: list[np.ndarray], none: int) -> tuple[int, int]:
    """Best place of a plain attribute over the groups, in the order of (A,) mean effects, and its row; `none`, -1."""
    best = (none, -1)
    for rows in groups:
        ordered = rows[np.argsort(-means[rows], kind="stable")]
        places = np.flatnonzero(plain[ordered])
        if len(places):
            best = min(best, (int(places[0]) + 1, int(ordered[places[0]])))
    return best
