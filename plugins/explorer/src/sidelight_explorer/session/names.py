"""Names of sliders that users gave: in a session, and kept with the run (`kept/explorer/names.json`).

The file is a part of a session file: format, labels, and the sliders that they are of, saved directions among them.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.files import read_regular

from sidelight_explorer.session.slider import SAVED, Slider, read_slider, write_slider
from sidelight_explorer.validation import InvalidInput, fields, flag, listed, mapping, parsed, text

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path("explorer", "names.json")  # in the folder of the run that live pages may write into
FORMAT = 1
LONGEST = 200  # characters of a name
MOST_LABELS = 1000
MOST_BYTES = 4 << 20  # of the file: 80 directions of 18 layers and 512 numbers


@attrs.frozen
class Label:
    """A user's label of a slider.

    Args:
        name: instead of the finder's; empty: the finder's.
        starred: True for a slider among the first.
        hidden: True for a slider that is folded away.
    """

    name: str = ""
    starred: bool = False
    hidden: bool = False


def read_label(value: Any, path: str) -> Label:
    """A label from JSON values.

    Raises:
        InvalidInput: malformed.
    """
    parts = fields(value, {"name", "starred", "hidden"}, path)
    name = read_name(parts.get("name", ""), f"{path}.name")
    return Label(name, *(flag(parts.get(key, False), f"{path}.{key}") for key in ("starred", "hidden")))


def read_name(value: Any, path: str) -> str:
    """One line of text.

    Raises:
        InvalidInput: too long, or with control characters.
    """
    name = text(value, LONGEST, path).strip()
    if not name.isprintable():
        raise InvalidInput(f"{path}: expected one line without control characters")
    return name


def read_labels(value: Any, path: str) -> dict[str, Label]:
    """Slider id to label, from JSON values.

    Raises:
        InvalidInput: malformed.
    """
    return {
        text(name, LONGEST, path): read_label(item, path) for name, item in mapping(value, MOST_LABELS, path).items()
    }


def write_labels(labels: Mapping[str, Label]) -> dict[str, dict[str, Any]]:
    """Labels as JSON values, without what is as in the beginning."""
    return {name: attrs.asdict(label, filter=lambda _, value: bool(value)) for name, label in labels.items()}


class KeptNames:
    """The names that are kept with a run; thread-safe.

    Args:
        folder: of the run, that live pages may write into; None keeps them in memory.
        shape: (layers, d) of the generator's latents.

    Raises:
        UserError: the file is there and cannot be read, or was not written by the explorer.
    """

    def __init__(self, folder: Path | None, shape: tuple[int, ...]) -> None:
        self._path, self._shape, self._lock = folder and folder / FILE, shape, threading.Lock()
        self._labels: dict[str, Label] = {}
        self._sliders: dict[str, Slider] = {}
        self._foreign: list[Any] = []  # of another generator: a run with another one may stand in the same place again
        if self._path is not None and self._path.exists():
            self._read(self._path)

    @property
    def labels(self) -> dict[str, Label]:
        """Slider id to label."""
        return dict(self._labels)

    @property
    def directions(self) -> tuple[Slider, ...]:
        """Saved directions of this generator."""
        return tuple(slider for slider in self._sliders.values() if slider.finder == SAVED)

    @property
    def left_out(self) -> int:
        """Number of sliders of another generator."""
        return len(self._foreign)

    def change(self, changes: Mapping[str, Label | None], sliders: Mapping[str, Slider]) -> None:
        """Keep labels, and forget those of None with the directions that they are of.

        Args:
            changes: slider id to its label.
            sliders: all that are known.

        Raises:
            InvalidInput: an unknown slider, too many, or the file cannot be written.
        """
        with self._lock:
            labels, known = dict(self._labels), dict(self._sliders)
            for name, label in changes.items():
                labels.pop(name, None)
                known.pop(name, None)
                if label is None:
                    continue
                if name not in sliders:
                    raise InvalidInput(f"names: there is no attribute {name[:80]!r}", 404)
                labels[name], known[name] = label, sliders[name]
            if len(labels) > MOST_LABELS:
                raise InvalidInput(f"names: a run keeps at most {MOST_LABELS}", 413)
            self._write(labels, known)
            self._labels, self._sliders = labels, known

    def _read(self, path: Path) -> None:
        try:
            parts = fields(parsed(read_regular(path, 2 * MOST_BYTES)), {"format", "labels", "sliders"}, "names")
            if parts["format"] != FORMAT:
                raise InvalidInput(f"names: format {parts['format']!r} is not {FORMAT}")
            self._labels = read_labels(parts["labels"], "names.labels")
            for item in listed(parts["sliders"], 2 * MOST_LABELS, "names.sliders"):
                slider = self._fitting(item)
                if slider is None:
                    self._foreign.append(item)
                else:
                    self._sliders[slider.id] = slider
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}", "mend or remove it") from error
        except InvalidInput as error:
            raise UserError(f"{path}: {error}", "mend or remove it") from error

    def _fitting(self, item: Any) -> Slider | None:
        """A slider from JSON values; None for that of another generator."""
        try:
            slider = read_slider(item, self._shape[0])
        except InvalidInput:
            return None
        return slider if slider.direction is None or slider.direction.shape == self._shape else None

    def _write(self, labels: Mapping[str, Label], sliders: Mapping[str, Slider]) -> None:
        written = [*map(write_slider, sliders.values()), *self._foreign]
        value = {"format": FORMAT, "labels": write_labels(labels), "sliders": written}
        data = json.dumps(value, ensure_ascii=False, indent=1).encode()
        if len(data) > MOST_BYTES:
            raise InvalidInput(f"names: a run keeps at most {MOST_BYTES >> 20} MiB of names and directions", 413)
        if self._path is not None:
            try:
                _replace(self._path, data)
            except OSError as error:
                raise InvalidInput(f"names cannot be kept with the run: {error.strerror}", 409) from error


def _replace(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader, or a crash, meets the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".names-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
