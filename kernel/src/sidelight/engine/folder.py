"""The run's folder: built beside its place and swapped in whole, so that a good run is never half overwritten."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sidelight_specs import UserError

from sidelight.engine.scratch import Scratch, left_behind, sync_files, sync_folder
from sidelight.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST = "run.json"
_PREVIOUS = "previous"
_TRIES = 20


class RunFolder:
    """Where a run writes until it is complete.

    Args:
        out: the folder that the user gets.

    Raises:
        UserError: `out` is no folder, is one with other things in it, or cannot be written to.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out).expanduser().absolute()
        self._writing(self._prepare)

    def _prepare(self) -> None:
        _recover(self.out)
        self.out = self.out.resolve()
        _refuse_foreign(self.out)
        self._scratch = Scratch(self.out.parent, self.out.name)
        self.staging = self._scratch.new()

    def publish(self) -> None:
        """Put what was written in the place of `out`; what stood there before is removed afterwards."""
        self._writing(self._publish)

    def _publish(self) -> None:
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
        sync_folder(self.out.parent)

    def close(self) -> None:
        """Remove whatever was not published; a run that was moved aside in vain goes back to its place."""
        with suppress(OSError):
            _put_back(self._scratch.folder, self.out)
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _writing(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            raise unwritable(self.out, error) from error


def unwritable(out: Path, error: OSError) -> UserError:
    """What to tell the user when the folder cannot be written."""
    reason = error.strerror or str(error)
    return UserError(f"the run's folder {out} cannot be written: {reason}", "Choose another place with --out DIR.")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The `run.json` of a finished run.

    Raises:
        UserError: the folder holds no run, or its manifest cannot be read.
    """
    fix = "Give the folder that `sidelight run` printed, for example runs/quickstart."
    try:
        manifest = json.loads(read_regular(folder / MANIFEST))
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no finished run: there is no {MANIFEST}", fix) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{folder / MANIFEST} cannot be read: {error}", fix) from error
    if not isinstance(manifest, dict) or "sidelight_run" not in manifest:
        raise UserError(f"{folder / MANIFEST} was not written by Sidelight", fix)
    if manifest["sidelight_run"] != 1:
        raise UserError(f"{folder} was written by another version of Sidelight", "Run the recipe again.")
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
    fix = "Choose another place with --out DIR, or move what is there."
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is not a folder", fix)
    if any(out.iterdir()):
        try:
            manifest = json.loads(read_regular(out / MANIFEST))
        except (OSError, ValueError, RecursionError):
            manifest = None
        if not isinstance(manifest, dict) or "sidelight_run" not in manifest:
            raise UserError(f"{out} holds files that are no Sidelight run, and is not overwritten", fix)


def _recover(out: Path) -> None:
    """Remove what killed runs left; a run that was moved aside by one goes back to its place."""
    for folder in left_behind(out.parent, out.name):
        _put_back(folder, out)


def _put_back(scratch: Path, out: Path) -> None:
    for previous in sorted(scratch.glob(f"{_PREVIOUS}-*")):
        if not out.exists():
            previous.rename(out)
