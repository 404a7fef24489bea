"""True factors that attributes change: distinctness, coherence, and order by their use in the classifier."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.attributes.style_edits import Stage, applied, attributes
from sidelight_metrics.factors.causal_profile import CausalProfile
from sidelight_metrics.params import CausalProfileParams
from sidelight_metrics.statistics import spearman

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_metrics.params import AttributeFactorsParams

STILL = 0.05
"""Changes of a factor by less than this, in half-ranges, are taken for none."""
PLAIN = 0.5
"""An attribute changes a factor plainly when it does by this share of its largest change of a factor, or by more."""


class AttributeFactors(Metric):
    """Proxies of the paper's user study (Lang et al. 2021, section 4.2.2), by a network that reads true factors."""

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
        self._stage = Stage(generator, inverter, data, params.batch, run)
        asked = CausalProfileParams(split=params.split, count=params.count, batch=params.batch)
        self._profile = CausalProfile(asked, classifier=classifier, data=data, run=run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`one factor`, `coherence`, `distinctness`, `profile agreement`, and the `rank of` each factor asked about.

        What every attribute changes is emitted as `factors`, in the attributes' order. Nothing where the attributes are
        not of the generator's style space.
        """
        del targets
        asked = attributes(explanation)
        if not self._stage.can_change(asked):
            return Measurements()
        listed = asked.attributes
        kept = [row for row, place in enumerate(_places(listed)) if place <= self._params.top]
        found = tuple(listed[row] for row in kept)
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.learning_batch)
        self._check_names(reader.names)
        styles = self._stage.held_out(params.split, params.count, images)
        before = reader.read(self._stage.draw(styles))
        half = np.ptp(reader.ranges, axis=1) / 2
        changes = np.array(
            [
                (reader.read(self._stage.draw(applied(styles, [one], 1.0))) - before) / half
                for one in self._run.progress(found, "changing attributes")
            ]
        ).reshape(len(found), len(styles), len(reader.names))
        self._run.emit("factors", _table(found, changes, reader.names))
        return Measurements(
            items=(
                *_proxies(changes),
                self._agreement(found, changes, reader.names),
                *(_rank(name, changes, reader.names, _places(found)) for name in params.factors),
            )
        )

    def _check_names(self, names: tuple[str, ...]) -> None:
        unknown = [name for name in self._params.factors if name not in names]
        if unknown:
            raise UserError(
                f"attribute-factors: the data has no factor {', '.join(unknown)}",
                f"the factors are: {', '.join(names)}",
            )

    def _agreement(self, found: tuple[Attribute, ...], changes: np.ndarray, names: tuple[str, ...]) -> Measurement:
        """Spearman over the factors: effect of the strongest attribute that changes it most, and its true effect."""
        leading, claimed = _leading(changes), np.zeros(len(names))
        for attribute, factor in zip(found, leading, strict=True):
            if factor >= 0:
                claimed[factor] = max(claimed[factor], attribute.effect)
        effects, _ = self._profile.profile()
        true = {item.name: item.value for item in effects.items}
        return Measurement(
            name="profile agreement",
            values=np.array([spearman(claimed, np.array([true[name] for name in names]))], dtype=np.float32),
            better="higher",
            unit="rank correlation",
            help="Over the data's factors, Spearman's correlation of a factor's true effect on the classifier and the "
            "effect of the strongest attribute that changes this factor more than any other; 0 without one.",
            settings={"attributes": str(len(found)), "images": str(self._params.count)},
        )


def _leading(changes: np.ndarray) -> np.ndarray:
    """(A,) the factor whose mean change by each attribute (A, N, F) is largest; -1 where none changes."""
    mean = np.abs(changes.mean(axis=1))
    return np.where(mean.max(axis=1, initial=0) > STILL, mean.argmax(axis=1) if mean.size else 0, -1)


def _proxies(changes: np.ndarray) -> list[Measurement]:
    """Of (A, N, F) changes; attributes that change no factor are left out, and counted."""
    leading = _leading(changes)
    seen, lead = changes[leading >= 0], leading[leading >= 0]
    mean = seen.mean(axis=1)
    rows = np.arange(len(seen))
    purity = np.abs(mean[rows, lead]) / np.abs(mean).sum(axis=1)
    sizes = np.linalg.norm(seen, axis=2) * np.linalg.norm(mean, axis=1)[:, None]
    products = np.einsum("anf,af->an", seen, mean)
    coherence = np.divide(products, sizes, out=np.zeros_like(sizes), where=sizes > 0).mean(axis=1)
    texts = {
        "one factor": (
            purity,
            "share of the change",
            "Of all that an attribute changes in the factors, on average over "
            "the images and in half-ranges, how much is the factor that it changes most.",
        ),
        "coherence": (
            coherence,
            "cosine",
            "How alike the changes of the factors are from image to image: the cosine "
            "with their mean, averaged over images and attributes.",
        ),
        "distinctness": (
            np.array([len(set(lead)) / len(lead)]) if len(lead) else np.zeros(0),
            "share of attributes",
            "Factors that are the most changed one of some attribute, per attribute.",
        ),
    }
    settings = {"attributes": str(len(changes)), "that change a factor": str(len(seen))}
    return [
        Measurement(
            name=name,
            values=np.array([values.mean() if len(values) else np.nan], dtype=np.float32),
            better="higher",
            unit=unit,
            help=text,
            settings=settings,
        )
        for name, (values, unit, text) in texts.items()
    ]


def _places(found: tuple[Attribute, ...]) -> list[int]:
    """The place of each attribute among those of its class, from 1."""
    counts: Counter[int] = Counter()
    places = []
    for one in found:
        counts[one.target] += 1
        places.append(counts[one.target])
    return places


def _rank(name: str, changes: np.ndarray, names: tuple[str, ...], places: list[int]) -> Measurement:
    """The first place, in any class's list, of an attribute that changes this factor plainly."""
    mean = np.abs(changes.mean(axis=1))
    strongest = mean.max(axis=1, initial=0)
    plainly = (strongest > STILL) & (mean[:, names.index(name)] >= PLAIN * strongest)
    fitting = [place for place, fits in zip(places, plainly, strict=True) if fits]
    return Measurement(
        name=f"rank of {name}",
        values=np.array([min(fitting, default=np.nan)], dtype=np.float32),
        better="lower",
        unit="place",
        help=f"The first place, among the attributes of a class, of one that changes {name} at least half as much as "
        "the factor that it changes most; missing where none does.",
    )


def _table(found: tuple[Attribute, ...], changes: np.ndarray, names: tuple[str, ...]) -> Measurements:
    """For each attribute the mean change of the three factors that it changes most, with 95 % intervals over images.

    Args:
        found: A attributes.
        changes: (A, N, F) in half-ranges.
        names: of the F factors.
    """
    items = []
    for place, attribute, change in zip(_places(found), found, changes, strict=True):
        order = np.argsort(-np.abs(change.mean(axis=0)), kind="stable")[:3]
        each = [Measurement(name=names[one], values=change[:, one].astype(np.float32)) for one in order]
        items.append(
            Measurement(
                name=f"{place}. {attribute.name}, towards class {attribute.target}",
                values=np.array([each[0].value], dtype=np.float32),
                unit="half-ranges",
                help="Mean change of " + ", ".join(_with_interval(item) for item in each) + ".",
                settings={
                    "effect": f"{attribute.effect:+.2f} logits",
                    "flagged": attribute.flagged or "no",
                    "images": str(len(change)),
                },
                limits=each[0].interval,
            )
        )
    return Measurements(items=tuple(items))


def _with_interval(item: Measurement) -> str:
    text = f"{item.name} {item.value:+.2f}"
    return text if item.interval is None else text + " ({:+.2f} to {:+.2f})".format(*item.interval)
