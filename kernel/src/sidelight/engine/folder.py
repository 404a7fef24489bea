"""The run's folder: built beside its place and swapped in whole, so that a good run is never half overwritten."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sidelight_specs import UserError

from sidelight.engine.store import Scratch, left_behind, sync, sync_files
from sidelight.untrusted import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "run.json"
FORMAT = 1
_PREVIOUS = "previous"
_TRIES = 20  # two runs that are published at one moment take turns


class RunFolder:
    """Where a run writes until it is complete.

    Args:
        out: the folder that the user gets.

    Raises:
        UserError: `out` is no folder, is one with other things in it, or cannot be written to.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out).expanduser().absolute()
        with self.writing():
            for folder in left_behind(self.out.parent, self.out.name):
                _put_back(folder, self.out)
            self.out = self.out.resolve()
            _refuse_foreign(self.out)
            self._scratch = Scratch(self.out.parent, self.out.name)
            self.staging = self._scratch.new()

    def publish(self) -> None:
        """Put the staged files in the place of `out`; what stood there before is removed afterwards."""
        with self.writing():
            sync_files(self.staging)
            for attempt in range(_TRIES):
                try:
                    if self.out.exists():
                        _refuse_foreign(self.out)
                        self.out.rename(self._scratch.folder / f"{_PREVIOUS}-{attempt}")
                    self.staging.rename(self.out)
                    break
                except OSError:  # another run was published at this moment
                    if attempt == _TRIES - 1:
                        raise
            sync(self.out.parent)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within the context an OSError is the user's to mend: the folder cannot be written."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            fix = "choose another place with --out DIR"
            raise UserError(f"the run's folder {self.out} cannot be written: {reason}", fix) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove whatever was not published; a run that was moved aside in vain goes back to its place."""
        with suppress(OSError):
            _put_back(self._scratch.folder, self.out)
        self._scratch.close()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The `run.json` of a finished run.

    Raises:
        UserError: the folder holds no run, or its manifest cannot be read.
    """
    fix = "give the folder that `sidelight run` printed, for example runs/quickstart"
    try:
        manifest = json.loads(read_regular(folder / MANIFEST))
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no finished run: there is no {MANIFEST}", fix) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{folder / MANIFEST} cannot be read: {error}", fix) from error
    if not isinstance(manifest, dict) or "sidelight_run" not in manifest:
        raise UserError(f"{folder / MANIFEST} was not written by Sidelight", fix)
    if manifest["sidelight_run"] != FORMAT:
        raise UserError(f"{folder} was written by another version of Sidelight", "run the recipe again")
    return manifest


def standing_run(out: Path) -> str:
    """Time at which the run in a folder was finished; empty where there is none.

    Raises:
        UserError: the folder holds something else, which is not overwritten.
    """
    _refuse_foreign(out)
    if not out.is_dir() or not any(out.iterdir()):
        return ""
    return str(read_manifest(out).get("finished", "at an unknown time"))


def _refuse_foreign(out: Path) -> None:
    fix = "choose another place with --out DIR, or move what is there"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is not a folder", fix)
    if out.exists() and any(out.iterdir()):
        manifest = None
        with suppress(OSError, ValueError, RecursionError):
            manifest = json.loads(read_regular(out / MANIFEST))
        if not isinstance(manifest, dict) or "sidelight_run" not in manifest:
            raise UserError(f"{out} holds files that are no Sidelight run, and is not overwritten", fix)


def _put_back(scratch: Path, out: Path) -> None:
    """Give a run its place again that was moved aside by a process that died between the two renames."""
    for previous in sorted(scratch.glob(f"{_PREVIOUS}-*")):
        if not out.exists():
            previous.rename(out)
