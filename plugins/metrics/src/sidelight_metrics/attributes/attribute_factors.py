"""True factors that attributes change: proxies of StylEx's user study (Lang et al. 2021, section 4.2.2).

A network reads the true factors off images before and after an attribute is changed:

    d[a, i, f] = change of factor f in image i by attribute a, in half-ranges         (A, N, F)
    d[a]       = mean_i d[a, i]                                                       (A, F)
    lead(a)    = argmax_f |d[a, f]|
    one factor   = mean_a |d[a, lead(a)]| / sum_f |d[a, f]|                           share, higher is better
    coherence    = mean_{a, i} cos(d[a, i], d[a])                                     cosine, higher is better
    distinctness = |{lead(a)}| / A                                                    share, higher is better
    profile agreement = Spearman's rho, over f, of max_{a: lead(a) = f} effect(a) and the causal profile's effect
    rank of f    = first place of an attribute that changes f plainly                 lower is better
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Attributes, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.attributes.style_edits import StyleEdits, apply_attributes
from sidelight_metrics.factors.causal_profile import CausalProfile
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.params import SMALL_ON_CPU, CausalProfileParams
from sidelight_metrics.statistics import spearman

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_metrics.params import AttributeFactorsParams

STILL = 0.05  # half-ranges: a smaller mean change of a factor counts as none
PLAIN = 0.5  # of an attribute's largest change: it changes a factor plainly by this much or more
SHOWN = 3  # factors that the table names for each attribute


class AttributeFactors(Metric):
    """One factor each, the same in every image, another one for each attribute, in the classifier's order?"""

    def __init__(
        self,
        params: AttributeFactorsParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        run: Run,
    ) -> None:
        self._params, self._data, self._run = params, data, run
        self._edits = StyleEdits(generator, inverter, data, Batch(params.batch, run, SMALL_ON_CPU), run)
        options = CausalProfileParams(split=params.split, count=params.count, batch=params.batch)
        self._profile = CausalProfile(options, classifier=classifier, data=data, run=run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`one factor`, `coherence`, `distinctness`, `profile agreement`, and the `rank of` each factor named.

        The factors that every attribute changes are emitted as `factors`, in the attributes' order. Nothing where the
        attributes are not of the generator's style space.
        """
        del targets
        ranked = expect_kind(explanation, Attributes)
        if not self._edits.can_apply(ranked):
            return Measurements()
        pairs = list(zip(ranked.attributes, _places(ranked), strict=True))
        attributes = tuple(one for one, place in pairs if place <= self._params.top)
        places = [place for _, place in pairs if place <= self._params.top]
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.learning_batch)
        self._check_names(reader.names)
        styles = self._edits.styles(self._edits.held_out(params.split, params.count, images))
        before = self._edits.synthesize(styles)
        changes = np.array(
            [
                reader.half_ranges(before, self._edits.synthesize(apply_attributes(styles, [one], 1.0)))
                for one in self._run.progress(attributes, "changing attributes")
            ]
        ).reshape(len(attributes), len(styles), len(reader.names))  # d, (A, N, F), also where A is 0
        unit = "" if ranked.is_of_value else "logits"
        self._run.emit("factors", _table(attributes, places, changes, reader.names, unit))
        return Measurements(
            items=(
                *_proxies(changes),
                self._agreement(attributes, changes, reader.names),
                *(_rank(name, changes, reader.names, places) for name in params.factors),
            )
        )

    def _check_names(self, names: tuple[str, ...]) -> None:
        unknown = [name for name in self._params.factors if name not in names]
        if unknown:
            raise UserError(
                f"attribute-factors: the data has no factor {', '.join(unknown)}",
                f"name some of: {', '.join(names)}",
            )

    def _agreement(self, attributes: tuple[Attribute, ...], changes: np.ndarray, names: tuple[str, ...]) -> Measurement:
        leading, claimed = _leading(changes), np.zeros(len(names))  # claimed: largest effect with lead(a) = f, (F,)
        for attribute, factor in zip(attributes, leading, strict=True):
            if factor >= 0:
                claimed[factor] = max(claimed[factor], abs(attribute.effect))
        effects, _ = self._profile.profile()
        true = {item.name: item.value for item in effects.items}
        return Measurement(
            name="profile agreement",
            values=np.array([spearman(claimed, np.array([true[name] for name in names]))], dtype=np.float32),
            whole=True,
            better="higher",
            unit="rank correlation",
            help="Over the data's factors, Spearman's correlation of a factor's true effect on the classifier and the "
            "effect of the strongest attribute that changes this factor more than any other; 0 without one.",
            settings={"attributes": str(len(attributes)), "images": str(self._params.count)},
        )


def _leading(changes: np.ndarray) -> np.ndarray:
    """(A,) lead(a), the factor whose mean change in (A, N, F) is largest; -1 where none changes."""
    mean = np.abs(changes.mean(axis=1))
    return np.where(mean.max(axis=1, initial=0) > STILL, mean.argmax(axis=1) if mean.size else 0, -1)


def _proxies(changes: np.ndarray) -> list[Measurement]:
    """`one factor`, `coherence` and `distinctness` of (A, N, F) changes; attributes without a lead are left out."""
    leading = _leading(changes)
    seen, lead = changes[leading >= 0], leading[leading >= 0]
    mean = seen.mean(axis=1)  # (A, F)
    rows = np.arange(len(seen))
    purity = np.abs(mean[rows, lead]) / np.abs(mean).sum(axis=1)
    lengths = np.linalg.norm(seen, axis=2) * np.linalg.norm(mean, axis=1)[:, None]  # |d[a, i]| |d[a]|, (A, N)
    products = np.einsum("anf,af->an", seen, mean)
    # an image in which nothing changes has no direction, and counts as cosine 0
    coherence = np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0).mean(axis=1)
    distinctness = np.array([len(set(lead)) / len(lead)]) if len(lead) else np.zeros(0)
    settings = {"attributes": str(len(changes)), "that change a factor": str(len(seen))}
    return [
        Measurement(
            name=name,
            values=np.array([values.mean() if len(values) else np.nan], dtype=np.float32),
            whole=True,
            better="higher",
            unit=unit,
            help=text,
            settings=settings,
        )
        for name, values, unit, text in (
            (
                "one factor",
                purity,
                "share of the change",
                "Of all that an attribute changes in the factors, on average over the images and in half-ranges, "
                "the share of the factor that it changes most.",
            ),
            (
                "coherence",
                coherence,
                "cosine",
                "Similarity of the changes of the factors from image to image: the cosine with their mean, averaged "
                "over images and attributes.",
            ),
            (
                "distinctness",
                distinctness,
                "share of attributes",
                "Factors that are the most changed one of some attribute, per attribute.",
            ),
        )
    ]


def _places(attributes: Attributes) -> list[int]:
    """Place of each attribute among those of its class, from 1; of a value, among those that raise or lower it."""
    counts: Counter[tuple[int, bool]] = Counter()
    places = []
    for one in attributes.attributes:
        group = (one.target, attributes.is_of_value and one.effect < 0)
        counts[group] += 1
        places.append(counts[group])
    return places


def _rank(name: str, changes: np.ndarray, names: tuple[str, ...], places: list[int]) -> Measurement:
    mean = np.abs(changes.mean(axis=1))  # (A, F)
    strongest = mean.max(axis=1, initial=0)
    plainly = (strongest > STILL) & (mean[:, names.index(name)] >= PLAIN * strongest)
    first = min((place for place, is_plain in zip(places, plainly, strict=True) if is_plain), default=np.nan)
    return Measurement(
        name=f"rank of {name}",
        values=np.array([first], dtype=np.float32),
        whole=True,
        better="lower",
        unit="place",
        help=f"The first place, among the attributes of a class, of one that changes {name} at least half as much as "
        "the factor that it changes most; missing where none does.",
    )


def _table(
    attributes: tuple[Attribute, ...], places: list[int], changes: np.ndarray, names: tuple[str, ...], unit: str
) -> Measurements:
    """For each attribute the mean change of the factors that it changes most, with 95 % intervals over images.

    Args:
        attributes: A attributes.
        places: of each in its ranking.
        changes: (A, N, F) in half-ranges.
        names: of the F factors.
        unit: of the effects; empty for a regression's value, whose unit is the user's.
    """
    items = []
    for place, attribute, change in zip(places, attributes, changes, strict=True):
        order = np.argsort(-np.abs(change.mean(axis=0)), kind="stable")[:SHOWN]
        most = [Measurement(name=names[f], values=change[:, f].astype(np.float32)) for f in order]
        items.append(
            Measurement(
                name=f"{place}. {attribute.name}, {_where_to(attribute, unit)}",
                values=np.array([most[0].value], dtype=np.float32),
                unit="half-ranges",
                help="Mean change of " + ", ".join(_with_interval(item) for item in most) + ".",
                settings={
                    "effect": f"{attribute.effect:+.2f} {unit}".rstrip(),
                    "flagged": attribute.flagged or "no",
                    "images": str(len(change)),
                },
                limits=most[0].interval,
            )
        )
    return Measurements(items=tuple(items))


def _where_to(attribute: Attribute, unit: str) -> str:
    if unit:
        return f"towards class {attribute.target}"
    return "raises the value" if attribute.effect >= 0 else "lowers the value"


def _with_interval(item: Measurement) -> str:
    text = f"{item.name} {item.value:+.2f}"
    return text if item.interval is None else text + " ({:+.2f} to {:+.2f})".format(*item.interval)
