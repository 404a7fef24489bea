"""Measurements as a DataFrame: one number a row, with its interval and its conditions."""

import sys

import numpy as np
import pytest
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.results.table import table_of
from sidelight_specs.testing import toy_results


@pytest.fixture
def table():
    values = np.array([1, 2, 3, 6], np.float32)
    by = {"black": values - 1, "blur": values + 1}
    items = (
        Measurement(name="insertion", values=values, better="higher", unit="area", varied="baseline", variants=by),
        Measurement(name="none", values=np.array([np.nan], np.float32)),
    )
    results = toy_results()
    results.measurements.clear()
    results.measurements["curves"] = {"heat": Measurements(items=items)}
    return table_of(results)


def test_rows_are_numbers_and_variants_are_rows(table):
    frame = table.to_pandas()
    assert frame["variant"].tolist() == ["", "black", "blur", ""]
    assert frame["value"].tolist()[:3] == [3.0, 2.0, 4.0]
    assert np.isnan(frame["value"].iloc[3])
    first = frame.iloc[0]
    assert (first["metric"], first["of"], first["name"], first["images"]) == ("curves", "heat", "insertion", 4)
    mean, spread = 3.0, np.std([1, 2, 3, 6], ddof=1) / 2 * 3.182  # Student's t of three degrees of freedom
    assert first["low"] == pytest.approx(mean - spread, rel=0.25)
    assert first["low"] < mean < first["high"]


def test_without_pandas_the_cure_is_told(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="needs pandas"):
        table.to_pandas()
