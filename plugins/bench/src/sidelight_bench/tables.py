"""Tables of the benchmark: records of cells in, rows of scores out, as CSV files."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results.columns import Columns

from sidelight_bench import scores
from sidelight_bench.cells import ACCURACIES, TRUTH
from sidelight_bench.methods import FAMILIES
from sidelight_bench.scores import Interval, Scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sidelight_bench.cells import Cell, Record
    from sidelight_bench.suites import Model, Suite

USED = 0.05  # share of images whose class a factor turns, above which it is used
UNSTABLE = 0.75  # share of groups that agree, below which a method's order of models is called unstable
ALL = "all"
HEADINGS = {
    "cells": "suite model architecture dose seed method family factor score low high images by cannot failed seconds "
    "passes recipe run",
    "truth": "suite model factor effect low high flips flips_low flips_high used",
    "readers": "suite factor kind quality scored",
    "models": "suite model architecture dose seed aligned aligned_low aligned_high conflicting conflicting_low "
    "conflicting_high decorrelated decorrelated_low decorrelated_high digest",
    "groups": "suite model method factor group score images",
    "leaderboard": "method family suite factor auroc low high rank_correlation rank_correlation_low "
    "rank_correlation_high false_alarms false_alarms_low false_alarms_high dose_response dose_response_low "
    "dose_response_high stability unstable users others strata cannot failed seconds passes no_difference_from",
}


@attrs.frozen
class Tables:
    """Rows of every table, heading to value."""

    cells: list[dict[str, Any]]
    truth: list[dict[str, Any]]
    readers: list[dict[str, Any]]
    models: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    leaderboard: list[dict[str, Any]]

    def write(self, out: Path) -> None:
        """`cells.csv`, `truth.csv`, ... in a folder, each whole."""
        for name, headings in HEADINGS.items():
            rows = getattr(self, name)
            Columns({heading: [row.get(heading) for row in rows] for heading in headings.split()}).write(
                out / f"{name}.csv"
            )


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a CSV file that `Tables.write` wrote: numbers as floats, empty cells as None, `true` and `false` as bool.

    Raises:
        UserError: there is no such file, or it is no table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [{key: _plain(text) for key, text in row.items() if key} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}", "name a folder that `sidelight bench` wrote") from error


def _plain(text: str | None) -> Any:
    if not text:
        return None
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def tables_of(outcomes: Sequence[tuple[Cell, Record]]) -> Tables:
    """All tables from the records at hand; cells without a record are absent."""
    truth = _truth(outcomes)
    used = {(row["model"], row["factor"]): row for row in truth}
    cells = [row for cell, record in outcomes if cell.method for row in _cell_rows(cell, record)]
    groups = [
        {"suite": cell.suite.name, "model": cell.model.name, "method": cell.method.name, **row}
        for cell, record in outcomes
        if cell.method and record.is_done
        for row in record.groups
    ]
    return Tables(
        cells=cells,
        truth=truth,
        readers=_readers(outcomes),
        models=list(_models(outcomes)),
        groups=groups,
        leaderboard=leaderboard(cells, used, groups),
    )


def _cell_rows(cell: Cell, record: Record) -> Iterator[dict[str, Any]]:
    assert cell.method is not None, "the caller took cells of methods"
    head = {
        **_model_columns(cell.suite, cell.model),
        "planted": cell.suite.planted,
        "cluster": cell.suite.cluster(cell.model),
        "method": cell.method.name,
        "family": cell.method.family,
        "recipe": f"recipes/{cell.name}.yaml",
        "run": f"runs/{cell.name}",
        "seconds": record.seconds,
        "passes": record.passes,
    }
    if not record.is_done:
        for factor in cell.suite.factors:
            yield {**head, "factor": factor, "failed": record.failure, "run": ""}
        return
    for row in record.rows:
        keys = ("factor", "score", "low", "high", "images", "by", "cannot")
        yield {**head, **{key: row[key] for key in keys}}


def _model_columns(suite: Suite, model: Model) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "model": model.name,
        "architecture": model.architecture,
        "dose": suite.dose(model),
        "seed": model.seed,
    }


def _truth(outcomes: Sequence[tuple[Cell, Record]]) -> list[dict[str, Any]]:
    """Effects and flips with their intervals, and whether the factor counts as used.

    A factor is used if the lower limit of the share of images whose class it turns is above 5 %; the planted one also
    has to move the log-odds more than in every clean twin of the architecture (lower limit above their upper limits);
    where no twin was measured, nobody knows.
    Shares are not compared with twins: a twin that hardly knows its classes is turned by anything. A factor is unused
    if the upper limit of its share is below 5 %; and a clean twin does not use the planted factor, whatever it turns.
    All else is undecided (None).
    """
    found = [(cell, record) for cell, record in outcomes if cell.kind == TRUTH and record.is_done]
    twins, rows = _effect_in_twins(found), []
    for cell, record in found:
        for row in record.rows:
            used = _used(row["flips_low"], row["flips_high"])
            if row["factor"] == cell.suite.planted:
                most = twins.get((cell.suite.name, cell.model.architecture), math.inf)
                if cell.model.dose is None:
                    used = False
                elif used and not (row["low"] or 0.0) > most:
                    used = None
            rows.append({"suite": cell.suite.name, "model": cell.model.name, **row, "used": used})
    return rows


def _effect_in_twins(found: Sequence[tuple[Cell, Record]]) -> dict[tuple[str, str], float]:
    """Suite and architecture to the highest upper limit of the planted factor's effect on a clean twin."""
    twins: dict[tuple[str, str], float] = {}
    for cell, record in found:
        for row in record.rows if cell.model.dose is None else ():
            if row["factor"] == cell.suite.planted:
                key = cell.suite.name, cell.model.architecture
                twins[key] = max(twins.get(key, 0.0), row["high"] or 0.0)
    return twins


def _used(low: float | None, high: float | None) -> bool | None:
    """True, False, or None where the images cannot tell."""
    if low is None or high is None:
        return None
    return True if low > USED else False if high < USED else None


def _readers(outcomes: Sequence[tuple[Cell, Record]]) -> list[dict[str, Any]]:
    """Quality of each factor's reader, as a counterfactual's metric told it; one row for each suite and factor."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for cell, record in outcomes:
        for row in record.rows if cell.method else ():
            if row.get("reader"):
                kind, _, quality = row["reader"].partition(" ")
                key = cell.suite.name, row["factor"]
                scored = row["score"] is not None
                known = rows.setdefault(
                    key, {"suite": key[0], "factor": key[1], "kind": kind, "quality": _plain(quality), "scored": scored}
                )
                known["scored"] = known["scored"] or scored
    return list(rows.values())


def _models(outcomes: Sequence[tuple[Cell, Record]]) -> Iterator[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for cell, record in outcomes:
        if cell.kind in ACCURACIES and record.is_done:
            row = rows.setdefault(cell.model.name, _model_columns(cell.suite, cell.model))
            one = record.rows[0]
            row |= {cell.kind: one["value"], f"{cell.kind}_low": one["low"], f"{cell.kind}_high": one["high"]}
            if cell.kind == "decorrelated":
                row["digest"] = record.digest
    yield from rows.values()


def leaderboard(
    cells: list[dict[str, Any]], truth: dict[tuple[str, str], dict[str, Any]], groups: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each method, on all suites and factors, on each suite, and on each factor of it; best first."""
    columns = {method: _scores(rows, truth) for method, rows in _by(cells, "method").items()}
    by_method, kept = _by(cells, "method"), _by(groups, "method")
    scopes = [(ALL, ALL), *((suite, ALL) for suite in _distinct(cells, "suite"))]
    scopes += [(row["suite"], row["factor"]) for row in _unique(cells, ("suite", "factor"))]
    table = []
    for scope in scopes:
        some = {method: column.take(_within(column, scope)) for method, column in columns.items()}
        rows = [
            _row(method, scope, some[method], _in_scope(by_method[method], scope), kept.get(method, []), truth)
            for method in columns
            if len(some[method].value)
        ]
        rows.sort(key=lambda row: (-_or(row["auroc"], -1.0), row["method"]))
        for row in rows:
            others = [other["method"] for other in rows if other is not row and other["auroc"] is not None]
            if row["auroc"] is not None:
                alike = [m for m in others if not scores.auroc_differs(some[row["method"]], some[m])]
                row["no_difference_from"] = " ".join(alike)
        table += rows
    return table


def _row(
    method: str,
    scope: tuple[str, str],
    column: Scores,
    cells: list[dict[str, Any]],
    groups: list[dict[str, Any]],
    truth: dict[tuple[str, str], dict[str, Any]],
) -> dict[str, Any]:
    suite, factor = scope
    area = scores.stratified_auroc(column)
    correlate = scores.profile_correlation if factor == ALL else scores.effect_correlation
    stable, flipped = _stability(cells, _in_scope(groups, scope), truth)
    users, others, strata = scores.compared(column)
    return {
        "method": method,
        "family": cells[0]["family"],
        "suite": suite,
        "factor": factor,
        **_columns("auroc", area, limits=("low", "high")),
        **_columns("rank_correlation", correlate(column)),
        **_columns("false_alarms", scores.false_alarms(column)),
        **_columns("dose_response", scores.dose_response(column)),
        "stability": _finite(stable),
        "unstable": " ".join(flipped) if stable < UNSTABLE else "",
        "users": users,
        "others": others,
        "strata": strata,
        "cannot": " / ".join(dict.fromkeys(row["cannot"] for row in cells if row.get("cannot"))),
        "failed": " / ".join(dict.fromkeys(row["failed"] for row in cells if row.get("failed"))),
        "seconds": _mean(_unique(cells, ("model",)), "seconds"),
        "passes": _mean(_unique(cells, ("model",)), "passes"),
        "no_difference_from": "",
    }


def _stability(
    cells: list[dict[str, Any]], groups: list[dict[str, Any]], truth: dict[tuple[str, str], dict[str, Any]]
) -> tuple[float, tuple[str, ...]]:
    """Over seeds, by the models' scores; and over groups of images."""
    rows = [{**row, "group": f"seed/{row['seed']}"} for row in cells] + groups
    rows = [row for row in rows if row.get("score") is not None and (row["model"], row["factor"]) in truth]
    return scores.stability(
        np.array([row["score"] for row in rows], dtype=float),
        np.array([truth[row["model"], row["factor"]]["used"] is True for row in rows], dtype=bool),
        np.array([truth[row["model"], row["factor"]]["used"] is False for row in rows], dtype=bool),
        np.array([f"{row['suite']}/{row['factor']}" for row in rows]),
        np.array([row["group"] for row in rows]),
    )


def _scores(rows: list[dict[str, Any]], truth: dict[tuple[str, str], dict[str, Any]]) -> Scores:
    """The columns of one method; pairs of a model and a factor without a known truth are left out."""
    rows = [row for row in rows if (row["model"], row["factor"]) in truth]
    known = [truth[row["model"], row["factor"]] for row in rows]
    return Scores(
        value=np.array([_or(row.get("score"), math.nan) for row in rows], dtype=float),
        used=np.array([one["used"] is True for one in known], dtype=bool),
        unused=np.array([one["used"] is False for one in known], dtype=bool),
        clean=np.array([row["model"].rpartition("/")[2].split("-")[1] == "clean" for row in rows], dtype=bool),
        dose=np.array([row["dose"] if row["factor"] == row["planted"] else math.nan for row in rows], dtype=float),
        effect=np.array([_or(one["effect"], math.nan) for one in known], dtype=float),
        stratum=np.array([f"{row['suite']}/{row['factor']}" for row in rows], dtype=str),
        cluster=np.array([row["cluster"] for row in rows], dtype=str),
        model=np.array([row["model"] for row in rows], dtype=str),
    )


def _within(column: Scores, scope: tuple[str, str]) -> np.ndarray:
    suite, factor = scope
    pairs = [name.split("/", 1) for name in column.stratum.tolist()]
    return np.array([suite in (ALL, one) and factor in (ALL, other) for one, other in pairs], dtype=bool)


def _in_scope(rows: list[dict[str, Any]], scope: tuple[str, str]) -> list[dict[str, Any]]:
    suite, factor = scope
    return [row for row in rows if suite in (ALL, row["suite"]) and factor in (ALL, row["factor"])]


def _columns(name: str, interval: Interval, limits: tuple[str, str] | None = None) -> dict[str, float | None]:
    low, high = limits or (f"{name}_low", f"{name}_high")
    return dict(zip((name, low, high), map(_finite, interval), strict=True))


def _mean(rows: list[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.mean(values)) if values else None


def _by(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    result: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        result.setdefault(row[key], []).append(row)
    return result


def _unique(rows: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """The first row of each combination of values."""
    return list({tuple(row[key] for key in keys): row for row in reversed(rows)}.values())[::-1]


def _distinct(rows: Iterable[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def best_of_families(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each family the method with the highest AUROC over everything."""
    overall = [row for row in table if (row["suite"], row["factor"]) == (ALL, ALL) and row["auroc"] is not None]
    firsts = {family: next((row for row in overall if row["family"] == family), None) for family in FAMILIES}
    return [row for row in firsts.values() if row is not None]
