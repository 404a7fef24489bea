"""Checks of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_specs.results import Measurements
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.testing.checks.valid import expect_valid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Measurement
    from sidelight_specs.testing.case import Case


def _items(case: Case) -> list[tuple[str, Measurement]]:
    return [
        (f"{kind}: {item.name}", item)
        for kind, measurements in case.observed.answer.items()
        for item in measurements.items
    ]


def _shape(case: Case) -> tuple[int, ...]:
    return tuple(case.observed.question_before.images.shape)


@check("metric")
def measurements_have_the_right_form(case: Case) -> None:
    """Each explanation gives named float32 values: one for each image (NaN: none applies), or one for all (`whole`)."""
    for kind, measurements in case.observed.answer.items():
        assert isinstance(measurements, Measurements), f"measure gives a {type(measurements).__name__} for a {kind}"
        names = [item.name for item in measurements.items]
        assert names, f"nothing was measured of a {kind}"
        bare = tuple(attrs.evolve(item, curve_x=None, curve_y=None) for item in measurements.items)
        expect_valid(Measurements(items=bare), _shape(case), f"measure, of a {kind},")
    for label, item in _items(case):
        assert item.values.dtype == np.float32, f"{label} is {item.values.dtype}"
        assert item.values.shape in ((case.toys.count,), (1,)), f"{label} has shape {item.values.shape}"
        if item.values.shape == (1,):  # where a run has one image, nothing else tells
            assert item.whole, f"{label} is one number of {case.toys.count} images, and does not say `whole=True`"


@check("metric")
def measurements_say_what_they_mean(case: Case) -> None:
    """Each has a unit, a direction and a sentence of help."""
    for label, item in _items(case):
        assert item.better in ("higher", "lower", "neither"), f"{label}: better is {item.better!r}"
        assert item.unit.strip(), f"{label} has no unit"
        assert item.help.strip(), f"{label} has no help"


@check("metric")
def shares_lie_between_0_and_1(case: Case) -> None:
    """Values whose unit is a share lie in [0, 1]; differences of probabilities lie in [-1, 1]."""
    for label, item in _items(case):
        low = 0 if item.unit.startswith("share") else -1 if item.unit.startswith("probability") else -np.inf
        inside = np.isnan(item.values) | ((item.values >= low) & (item.values <= (1 if low > -np.inf else np.inf)))
        assert inside.all(), f"{label}: {item.values} is no {item.unit}"


@check("metric")
def curves_fit_together(case: Case) -> None:
    """A curve has one x for each of its points, ascending or descending, and one row for each image."""
    for kind, measurements in case.observed.answer.items():
        expect_valid(measurements, _shape(case), f"measure, of a {kind},")
    for label, item in _items(case):
        if item.curve_x is None or item.curve_y is None:
            continue
        expected = (case.toys.count, len(item.curve_x))
        assert item.curve_y.shape == expected, f"{label}: curve_y has shape {item.curve_y.shape}, not {expected}"
        steps = np.diff(item.curve_x)
        assert (steps > 0).all() or (steps < 0).all(), f"{label}: curve_x does not go one way"


def reordered(measurements: Measurements, rows: Sequence[int]) -> Measurements:
    """The measurements with the images in another order."""
    order = list(rows)
    return Measurements(
        answers=None if measurements.answers is None else measurements.answers[order],
        items=tuple(
            attrs.evolve(
                item,
                values=item.values[order] if item.is_of_each(len(order)) else item.values,
                curve_y=None if item.curve_y is None else item.curve_y[order],
                variants={
                    name: values[order] if len(values) == len(order) else values
                    for name, values in item.variants.items()
                },
            )
            for item in measurements.items
        ),
    )
