"""A table of all measurements, in one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sidelight_specs.roles import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sidelight_specs import Run
    from sidelight_specs.results import Results

    from fossil_renderer import RendererParams

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
<table>
<tr><th>explainer<th>measurement<th>mean<th>better<th>unit</tr>
{rows}
</table>
"""


class Renderer(Renderer):
    """Writes `index.html`."""

    def __init__(self, params: RendererParams, *, run: Run) -> None:
        self._params = params

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """One row for each explainer and measurement."""
        page = folder / "index.html"
        page.write_text(_PAGE.format(title=escape(results.name), rows="\n".join(self._rows(results))), encoding="utf-8")
        return [page]

    def _rows(self, results: Results) -> Iterator[str]:
        for found in results.measurements.values():
            for explainer, measurements in found.items():
                for item in measurements.items:
                    mean = f"{item.value:.{self._params.digits}g}"
                    cells = (explainer, item.name, mean, item.better, item.unit)
                    yield "<tr><td>" + "<td>".join(map(escape, cells)) + "</tr>"
