"""Artifacts: results that save to and load from a folder holding `artifact.json` and `arrays.npz`, never pickle."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from sidelight_specs import _codec
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

_PER_IMAGE = "sidelight.per_image"


def per_image(**settings: Any) -> Any:
    """An attrs field whose first axis (array) or items (tuple) run over the explained images."""
    return attrs.field(metadata={_PER_IMAGE: True}, **settings)


@attrs.frozen(eq=False)
class Artifact:
    """Base of everything that a component gives and the kernel keeps.

    Subclasses are attrs classes (`@attrs.frozen(eq=False, kw_only=True)`) with a `kind` of their own, whose fields are
    numpy arrays, plain values, tuples, dicts with string keys, or attrs classes of these.
    """

    kind: ClassVar[str] = ""

    def save(self, folder: Path) -> None:
        """Write `artifact.json` and `arrays.npz` into `folder`, which is created. Same content, same bytes."""
        plain, arrays = _codec.encode(self)
        folder.mkdir(parents=True, exist_ok=True)
        _write_arrays(folder / "arrays.npz", arrays)
        # Keys are not sorted: a dict comes back in its order, and what is loaded and saved again has the same bytes.
        document = json.dumps({"kind": self.kind, "fields": plain}, indent=1, allow_nan=False)
        (folder / "artifact.json").write_text(document + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; called on `Artifact` it gives the right subclass.

        Raises:
            SidelightError: the files are missing, damaged, or of another kind than `cls`.
        """
        import numpy as np

        try:
            document = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
            with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            found = _kinds()[document["kind"]]
            artifact = _codec.decode(found, document["fields"], arrays)
        except Exception as error:
            raise SidelightError(f"{folder} does not hold a readable artifact: {error}") from error
        if not isinstance(artifact, cls):
            raise SidelightError(f"{folder} holds a {found.kind!r}, not a {cls.kind!r}")
        return artifact

    def digest(self) -> str:
        """A hash of the content, the same on every machine that computed the same values."""
        plain, arrays = _codec.encode(self)
        hasher = hashlib.blake2b(digest_size=16)
        hasher.update(json.dumps([self.kind, plain], sort_keys=True).encode())
        for name in sorted(arrays):
            hasher.update(f"{name}{arrays[name].dtype.str}{arrays[name].shape}".encode())
            hasher.update(arrays[name].tobytes())
        return hasher.hexdigest()

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join shards along the images; fields that are not per image must agree and are taken from the first.

        Raises:
            ValueError: no parts, or parts whose per-image fields cannot be joined.
        """
        if not parts:
            raise ValueError("nothing to join")
        first = parts[0]
        joined = {
            field.name: _join([getattr(part, field.name) for part in parts])
            for field in attrs.fields(type(first))
            if field.metadata.get(_PER_IMAGE)
        }
        return attrs.evolve(first, **joined)

    def rows(self) -> dict[str, int]:
        """The number of rows of each per-image field, by name; a dict's items as `field.key`; absent ones left out."""
        found: dict[str, int] = {}
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name) if field.metadata.get(_PER_IMAGE) else None
            if isinstance(value, dict):
                found |= {f"{field.name}.{key}": len(item) for key, item in value.items()}
            elif value is not None and not (isinstance(value, tuple) and not value):
                found[field.name] = len(value)
        return found

    def take(self, rows: Sequence[int]) -> Self:
        """The same artifact for the images `rows` only."""
        chosen = {
            field.name: _pick(getattr(self, field.name), list(rows))
            for field in attrs.fields(type(self))
            if field.metadata.get(_PER_IMAGE)
        }
        return attrs.evolve(self, **chosen)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """What `numpy.savez` writes, for names that are arguments of `savez` too: `file`."""
    from numpy.lib import format as npy

    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)


def _join(values: list[Any]) -> Any:
    if any(value is None for value in values):
        if all(value is None for value in values):
            return None
        raise ValueError("a field is present in some shards and missing in others")
    if isinstance(values[0], tuple):
        return tuple(item for value in values for item in value)
    if isinstance(values[0], dict):
        return {key: _join([value[key] for value in values]) for key in values[0]}
    import numpy as np

    return np.concatenate(values)


def _pick(value: Any, rows: list[int]) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(value[row] for row in rows)
    if isinstance(value, dict):
        return {key: _pick(item, rows) for key, item in value.items()}
    return value[rows]


def _kinds() -> dict[str, type[Artifact]]:
    import sidelight_specs.results  # noqa: F401  (its classes register by existing)

    # Until it is collected, the class that attrs replaced by one with slots is a subclass too, and cannot be built.
    found: dict[str, type[Artifact]] = {}
    pending: list[type[Artifact]] = [Artifact]
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        if "kind" in cls.__dict__ and cls.kind and "__attrs_attrs__" in cls.__dict__:
            found[cls.kind] = cls
    return found
