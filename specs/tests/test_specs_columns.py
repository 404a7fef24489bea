"""Tables for other programs: what is written reads back, and answers have a row for each question."""

import csv
import json
import sys
import tracemalloc

import attrs
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sidelight_specs import UserError
from sidelight_specs.mapped import slices
from sidelight_specs.results import Measurement, Measurements, Targets
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.columns import Columns
from sidelight_specs.results.table import table_of
from sidelight_specs.testing import toy_results

TABLE = Columns({"name": ["a", "=1+1"], "value": [float(np.float32(0.1)), float("nan")], "turned": [True, None]})


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def written(request, tmp_path):
    """A function that writes a table and reads it with another program's reader."""
    path = tmp_path / f"table.{request.param}"
    if request.param == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")

    def rows(table):
        table.write(path)
        assert [item.name for item in tmp_path.iterdir()] == [path.name]  # no draft is left
        if request.param == "csv":
            with path.open(newline="", encoding="utf-8") as stream:
                return list(csv.DictReader(stream))
        if request.param == "jsonl":
            return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return parquet.read_table(path).to_pylist()

    return rows


def test_what_is_written_reads_back(written):
    first, second = written(TABLE)
    assert np.float32(first["value"]) == np.float32(0.1)
    assert first["name"] == "a"
    assert str(first["turned"]).lower() == "true"
    assert second["value"] in (None, "")
    assert second["turned"] in (None, "")


def test_in_csv_no_text_is_a_formula(tmp_path):
    TABLE.write(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines() == ["name,value,turned", "a,0.100000001,true", "'=1+1,,"]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), st.text())
@example([0.0], "\r")
def test_every_float32_survives_csv(tmp_path_factory, values, name):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    Columns({"v": values, "n": [name] * len(values)}).write(path)
    with path.open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [np.float32(row["v"]) for row in read] == [np.float32(value) for value in values]
    assert all(row["n"].removeprefix("'") == name.removeprefix("'") for row in read)


def test_other_endings_and_folders_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match=r"the format is not known[^$]*\.csv, \.jsonl or \.parquet"):
        TABLE.write(tmp_path / "t.xls")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        TABLE.write(tmp_path / "nowhere" / "t.csv")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        TABLE.write(tmp_path / "file" / "t.csv")
    TABLE.write(tmp_path / f"{'x' * 251}.csv")  # as long as a name may be


def test_parquet_without_pyarrow_tells_the_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow"):
        TABLE.write(tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())


def test_answers_have_a_row_for_each_question():
    results = toy_results(count=3)
    table = answers_of(results)
    assert len(table) == 3
    heads = ["question", "image", "label", "predicted", "p(predicted)", "probe", "p(probe)"]
    assert list(table.values)[:7] == heads
    logits, names = results.predictions.logits.astype(np.float64), results.class_names
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(3)
    assert table["p(predicted)"] == pytest.approx(shares[rows, results.targets.predicted])
    assert table["p(probe)"] == pytest.approx(shares[rows, results.targets.probe])
    assert table["predicted"] == [names[k] for k in results.targets.predicted]
    assert table["label"] == [results.split.class_names[k] for k in results.split.labels]
    assert table["sparsity sparsity of heatmap"] == pytest.approx([0, 0.5, 1])


def test_the_judges_answer_is_told_where_it_has_one():
    results = toy_results(count=2)
    count, classes = len(results.targets), len(results.class_names)
    answers = np.full((count, 2, classes), np.nan, np.float32)
    answers[0] = 0
    answers[0, :, 1] = 1
    item = Measurement(name="turned", values=np.array([1, np.nan], np.float32))
    results.measurements["judge"] = {"cf": Measurements(items=(item,), answers=answers)}
    table = answers_of(results)
    assert table["judge predicted of cf"] == [results.class_names[1], None]
    assert table["judge p(predicted) of cf"][0] == 1
    assert np.isnan(table["judge p(predicted) of cf"][1])


def test_answers_hold_no_table_of_all_classes(monkeypatch):
    results, classes, count = toy_results(count=3), 1000, 3000
    logits = np.random.default_rng(0).normal(size=(count, classes)).astype(np.float32)
    sides = Targets(predicted=logits.argmax(1), probe=np.arange(count) % classes)
    many = attrs.evolve(
        results,
        split=results.split.take([0] * count),
        predictions=attrs.evolve(results.predictions, logits=logits),
        targets=sides,
        class_names=tuple(map(str, range(classes))),
        explanations={},
        attributes={},
        measurements={},
    )
    monkeypatch.setattr("sidelight_specs.results.question.slices", lambda array: slices(array, 1 << 18))
    tracemalloc.start()
    try:
        table = answers_of(many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < logits.nbytes / 2
    rows, expected = np.arange(count), many.predictions.probabilities()
    np.testing.assert_array_equal(table["p(predicted)"], expected[rows, sides.predicted])
    np.testing.assert_array_equal(table["p(probe)"], expected[rows, sides.probe])


def test_a_regression_has_values_and_no_probabilities():
    table = answers_of(toy_results(task="regression"))
    assert "value" in table.values
    assert "p(predicted)" not in table.values
    assert all(isinstance(label, float) for label in table["label"])


def test_without_labels_and_names_the_cells_are_empty():
    results = toy_results(count=2)
    bare = attrs.evolve(results.split, labels=None, ids=())
    table = answers_of(attrs.evolve(results, split=bare))
    assert (table["label"], table["image"]) == ([None, None], ["", ""])


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_of_the_whole_set_are_in_the_other_table(count):
    results = toy_results(count=count)
    item = Measurement(name="recall", values=np.array([0.5], np.float32), whole=True)
    results.measurements["set"] = {"heat": Measurements(items=(item,))}
    assert not any("recall" in name for name in answers_of(results).values)
    assert "recall" in table_of(results).columns["name"]


def test_a_long_table_is_cut_when_it_is_printed():
    text = str(Columns({f"c{column}": list(range(30)) for column in range(9)}))
    assert text.splitlines()[-1] == "... 10 more rows and 2 more columns"
    assert len(text.splitlines()) == 22
