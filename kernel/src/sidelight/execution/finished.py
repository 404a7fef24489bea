"""A finished run, in Python and in notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight.execution.folder import read_manifest
from sidelight.execution.results import load_results
from sidelight.execution.table import MeasurementTable, table_of

if TYPE_CHECKING:
    from sidelight_specs.results import Results


class Run:
    """A finished run.

    Args:
        folder: where it lies.
        manifest: what `run.json` holds.
        results: everything that it found.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], results: Results) -> None:
        self.folder = folder
        self.manifest = manifest
        self.results = results

    @property
    def measurements(self) -> MeasurementTable:
        """What the metrics found, one row for each number."""
        return table_of(self.results)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The file of each renderer that is to be opened first."""
        rendered = self.manifest["rendered"].values()
        return tuple(self.folder / item["folder"] / item["files"][0] for item in rendered if item["files"])

    def __repr__(self) -> str:
        results = self.results
        parts = [f"{len(results.split)} questions", f"{len(results.explanations)} explanations"]
        return f"<sidelight.Run {results.name!r}: {', '.join(parts)}, in {self.folder}>"

    def _repr_html_(self) -> str:
        from sidelight.execution.notebook import gallery

        return gallery(self.results, self.measurements)


def load_run(folder: str | Path) -> Run:
    """Read back a finished run.

    Raises:
        UserError: the folder holds none.
        SidelightError: one of its files is damaged.
    """
    folder = Path(folder).expanduser().absolute()
    manifest = read_manifest(folder)
    return Run(folder, manifest, load_results(folder, manifest["results"], manifest["facts"]))
