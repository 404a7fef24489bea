"""The leaderboard page: made from the tables alone, one file that opens from disk and asks the network for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_ui.page import standalone_page

from sidelight_bench.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TABLES = {
    "leaderboard": "method family suite factor auroc low high rank_correlation rank_correlation_low "
    "rank_correlation_high false_alarms false_alarms_low false_alarms_high dose_response dose_response_low "
    "dose_response_high stability unstable users others cannot failed seconds passes no_difference_from",
    "cells": "suite model method family factor score low high images cannot failed recipe run",
    "truth": "suite model factor effect low high flips flips_low flips_high used",
    "readers": "suite factor kind quality scored",
    "models": "suite model architecture dose seed aligned aligned_low aligned_high conflicting conflicting_low "
    "conflicting_high decorrelated decorrelated_low decorrelated_high",
}
"""Table to the columns that the page shows."""
CELL_PAGE = "page/index.html"  # of a cell's run
REASONS, LONGEST = ("cannot", "failed"), 240  # columns that are cut, and their characters
DIGITS = 4  # significant, of numbers


def write_page(out: Path) -> Path:
    """Write `leaderboard.html` beside the tables in `out`.

    Raises:
        UserError: a table is missing or cannot be read.
    """
    tables = {name: read_table(out / f"{name}.csv") for name in TABLES}
    for row in tables["cells"]:
        page = f"{row['run']}/{CELL_PAGE}" if row.get("run") else ""
        row["run"] = page if page and (out / page).is_file() else None
    document = {name: _columns(tables[name], headings.split()) for name, headings in TABLES.items()}
    path = out / "leaderboard.html"
    text = standalone_page(
        "sidelight_bench", "leaderboard", ("leaderboard.css",), document, title="Which explanation finds the cause?"
    )
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _columns(rows: list[dict[str, Any]], headings: Iterable[str]) -> dict[str, Any]:
    """Columns of a table; a text that occurs again is a number into `texts`, so that thousands of cells stay small.

    A column is a list of numbers, booleans or null, or `{"of": [...]}`, indices into `texts`.
    """
    texts: dict[str, int] = {}
    columns: dict[str, Any] = {}
    for heading in headings:
        values = [row.get(heading) for row in rows]
        if any(isinstance(value, str) for value in values):
            shown = ["" if value is None else _shown(value, heading in REASONS) for value in values]
            columns[heading] = {"of": [texts.setdefault(text, len(texts)) for text in shown]}
        else:
            columns[heading] = [_rounded(value) for value in values]
    return {"rows": len(rows), "columns": columns, "texts": list(texts)}


def _shown(value: Any, is_reason: bool) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if not is_reason or len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
