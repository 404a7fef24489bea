"""A finished run, in Python and in notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import SidelightError, UserError
from sidelight_specs.results.table import MeasurementTable, table_of

from sidelight.engine.folder import read_manifest
from sidelight.engine.results import load_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Results


class LeftOut(SidelightError):
    """A step was not taken, because it needs a component that has failed."""


class Run:
    """A finished run.

    Args:
        folder: where it lies.
        manifest: what `run.json` holds.
        results: everything that it found.
        errors: of the steps that failed while the run went on.
    """

    def __init__(
        self, folder: Path, manifest: dict[str, Any], results: Results, errors: Sequence[SidelightError] = ()
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.results = results
        self.errors = tuple(errors)

    def check(self) -> None:
        """Raise the error of the step that failed, or one that lists all; nothing when the run is complete.

        Raises:
            UserError: all that failed is the user's to mend; what was left out because of it does not count.
            SidelightError: something else failed.
        """
        if not self.errors:
            return
        if len(self.errors) == 1:
            raise self.errors[0]
        text = "\n".join([f"{len(self.errors)} steps failed:", *(f"  {error}" for error in self.errors)])
        causes = [error for error in self.errors if not isinstance(error, LeftOut)]
        raise (UserError if all(isinstance(error, UserError) for error in causes) else SidelightError)(text)

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
        from sidelight.engine.notebook import gallery

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
