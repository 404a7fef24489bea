"""The run's folder: built beside its place, swapped in whole with its manifest, and read back as a `Run`."""

from __future__ import annotations

import html
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

import attrs
from sidelight_specs import SidelightError, UserError
from sidelight_specs.files import read_object
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.engine.store import left_behind, scratch, sync
from sidelight.registry.catalog import installed
from sidelight.registry.load import Observers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_specs.results import Explanation, Results
    from sidelight_specs.results.columns import Columns
    from sidelight_specs.results.table import MeasurementTable

    from sidelight.recipe.model import Resolved

MANIFEST, RECIPE = "run.json", "recipe.yaml"
LOCK = "recipe.lock"  # of a frozen run
KEPT = "kept"  # what live pages keep for their visitors; see `Stage.folder`
FORMAT = 1
_PREVIOUS = "previous"
_TRIES = 20  # two runs that are published at one moment take turns


class LeftOut(SidelightError):
    """A step was not taken, because it needs a component that has failed."""


class Run:
    """A finished run.

    Args:
        folder: where it lies.
        manifest: the content of `run.json`.
        results: explanations, measurements and all that they are about.
        errors: of the steps that failed while the run went on.
        resolved: its recipe, with the live objects that it names; None for a run that was read back.
    """

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        results: Results,
        errors: Sequence[SidelightError] = (),
        resolved: Resolved | None = None,
    ) -> None:
        self.folder, self.manifest, self.results, self.errors = folder, manifest, results, tuple(errors)
        self._resolved = resolved

    def __getitem__(self, id: str) -> Explanation:
        """The explanation of an explainer, by its id: `run["grad-cam"].values`."""
        explanations = self.results.explanations
        if id not in explanations:
            fix = did_you_mean(id, explanations) or f"it has {listing(explanations) or 'none'}"
            raise UserError(f"the run has no explanation {quoted(id)}", fix)
        return explanations[id]

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe as plain values, which `sidelight.run` takes: as short as it was written, else every default."""
        written = self._resolved.written if self._resolved else None
        return written or self.results.recipe

    def save(self, out: str | Path) -> Run:
        """Copy the run to a folder, where it stays; gives the run there.

        Raises:
            UserError: the folder holds something else, or cannot be written.
        """
        with run_folder(Path(out)) as folder:
            shutil.copytree(self.folder, folder.staging, dirs_exist_ok=True)
            folder.publish()
        return Run(folder.out, self.manifest, self.results, self.errors, self._resolved)

    def check(self) -> None:
        """Raise the error of the step that failed, or one that lists all; nothing when the run is complete.

        It is a `UserError` where all that failed is the user's to mend; what was left out because of it does not count.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            text = "\n".join([f"{len(self.errors)} steps failed:", *(f"  {error}" for error in self.errors)])
            causes = [error for error in self.errors if not isinstance(error, LeftOut)]
            raise (UserError if all(isinstance(error, UserError) for error in causes) else SidelightError)(text)

    @property
    def measurements(self) -> MeasurementTable:
        """Numbers of the metrics, one row for each."""
        from sidelight_specs.results.table import table_of

        return table_of(self.results)

    @property
    def answers(self) -> Columns:
        """One row for each question: image, label, answer of the classifier, and every number about it."""
        from sidelight_specs.results.answers import answers_of

        return answers_of(self.results)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The file of each renderer that is to be opened first."""
        rendered = self.manifest["rendered"].values()
        return tuple(self.folder / item["folder"] / item["files"][0] for item in rendered if item["files"])

    def __repr__(self) -> str:
        parts = f"{len(self.results.split)} questions, {len(self.results.explanations)} explanations"
        return f"<sidelight.Run {self.results.name!r}: {parts}, in {self.folder}>"

    def _repr_html_(self) -> str:
        """Answer of the first observer that draws runs, or else plain text."""
        observers = Observers(warn)
        observers.add_installed(installed())
        drawn = observers.tell("run_html", results=self.results)
        plain = html.escape(f"{self!r}\n\n{self.measurements}")
        return str(drawn) if drawn is not None else f"<pre>{plain}</pre>"


def load_run(folder: str | Path) -> Run:
    """Read back a finished run.

    Raises:
        UserError: the folder holds none.
        SidelightError: one of its files is damaged.
    """
    from sidelight_specs.results import Results  # here: numpy comes with it, and `check` reads manifests without

    folder = Path(folder).expanduser().absolute()
    manifest = read_manifest(folder)
    installed()  # kinds of plugins are loaded under the user's policy
    try:
        locations = [(item["path"], item["folder"]) for item in manifest["results"]]
        results = Results.load(folder, locations, manifest["facts"])
        if not all(isinstance(one, dict) for one in (results.environment, results.recipe)):
            raise TypeError("environment and recipe are mappings")
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # a manifest from elsewhere
        text = f"{folder / MANIFEST} is damaged: its facts or results are not those of a run ({error!r})"
        raise SidelightError(text) from error
    return Run(folder, manifest, results)


@attrs.frozen
class RunFolder:
    """The place `out` of a run, and the folder in which it is staged until it is complete."""

    out: Path
    staging: Path

    def publish(self) -> None:
        """Put the staged files in the place of `out`; what stood there before is removed with the context.

        What visitors of live pages have kept there is taken along.
        """
        sync(*filter(Path.is_file, self.staging.rglob("*")))
        for attempt in range(_TRIES):
            try:
                if self.out.exists():  # no rename replaces a folder with content, so it is moved aside first
                    standing_run(self.out)
                    if (self.out / KEPT).is_dir():
                        # copied, because the run that stood there is put back whole if this one is killed
                        shutil.copytree(self.out / KEPT, self.staging / KEPT, symlinks=True, dirs_exist_ok=True)
                    self.out.rename(self.staging.with_name(f"{_PREVIOUS}-{attempt}"))
                self.staging.rename(self.out)
                break
            except OSError:  # another run was published at this moment
                if attempt == _TRIES - 1:
                    raise
        sync(self.out.parent)


@contextmanager
def run_folder(out: Path) -> Iterator[RunFolder]:
    """Stage a run, and remove with the context what was not published; a `UserError` says why `out` cannot serve."""
    out = Path(out).expanduser().absolute()
    try:
        for folder in left_behind(out.parent, out.name):  # by runs that were killed
            _put_back(folder, out)
        out = out.resolve()
        standing_run(out)
        with scratch(out.parent, out.name) as folder:  # beside it: a rename stays on one file system
            staging = folder / "run"
            staging.mkdir()
            try:
                yield RunFolder(out, staging)
            finally:
                _put_back(folder, out)
    except OSError as error:  # components' own are wrapped, the cache's are named
        fix = "choose another place with --out DIR"
        raise UserError(f"the run's folder {out} cannot be written: {error.strerror or error}", fix) from error


def _put_back(folder: Path, out: Path) -> None:
    """Give a run its place again that was moved aside before the second of the two renames."""
    with suppress(OSError):
        for previous in sorted(folder.glob(f"{_PREVIOUS}-*")):
            if not out.exists():
                previous.rename(out)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The `run.json` of a finished run.

    Raises:
        UserError: the folder holds no run, or its manifest cannot be read.
    """
    fix = "give the folder that `sidelight run` printed, for example runs/quickstart"
    try:
        manifest = read_object(folder / MANIFEST)
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no finished run: there is no {MANIFEST}", fix) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / MANIFEST} cannot be read: {error}", fix) from error
    if "sidelight_run" not in manifest:
        raise UserError(f"{folder / MANIFEST} was not written by Sidelight", fix)
    if manifest["sidelight_run"] != FORMAT:
        raise UserError(f"{folder} was written by another version of Sidelight", "run the recipe again")
    return manifest


def standing_run(out: Path) -> dict[str, Any]:
    """Manifest of the run that lies in a folder; empty for a folder that is empty or not there.

    Raises:
        UserError: the folder holds something else, which is not overwritten.
    """
    fix = "choose another place with --out DIR, or move what is there"
    if not out.exists():
        return {}
    if not out.is_dir():
        raise UserError(f"{out} is not a folder", fix)
    with suppress(OSError, ValueError):
        manifest = read_object(out / MANIFEST)
        if "sidelight_run" in manifest:
            return manifest
    if any(out.iterdir()):
        raise UserError(f"{out} holds files that are no Sidelight run, and is not overwritten", fix)
    return {}
