"""Artifacts: results that save to and load from a folder holding `artifact.json` and `arrays.npz`, never pickle."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from sidelight_specs import _codec, kinds
from sidelight_specs._form import ANY_ROWS, FORM, Form, Numbers, check_leaf, leaves
from sidelight_specs.errors import SidelightError
from sidelight_specs.files import link_or_copy, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from sidelight_specs.blocks import Block

_PER_IMAGE = "sidelight.per_image"


def per_image(
    shape: str = "",
    *,
    numbers: Numbers = "float",
    low: float | None = None,
    high: float | None = None,
    nan: bool = False,
    **settings: Any,
) -> Any:
    """An attrs field whose first axis (array) or items (tuple) run over the explained images.

    Args:
        shape: the axes as words, `"N C H W"`: `N`, `C`, `H`, `W` are those of the explained images and `K` is the
            number of classes; any other name stands for one size within the artifact, a number for itself, a last
            `...` for any further axes. Empty for rows of anything.
        numbers: `float`, `int`, `bool`, `label` (integers or floating point) or `any`.
        low: the least value.
        high: the greatest value.
        nan: whether NaN is allowed, for what was not measured; infinities never are.
        settings: of `attrs.field`: `default`, `factory`.
    """
    form = _form(shape, numbers, low, high, nan, settings) if shape else attrs.evolve(ANY_ROWS, nan=nan)
    return attrs.field(metadata={_PER_IMAGE: True, FORM: form}, **settings)


def array(
    shape: str = "",
    *,
    numbers: Numbers = "float",
    low: float | None = None,
    high: float | None = None,
    nan: bool = False,
    **settings: Any,
) -> Any:
    """An attrs field with an array that does not run over the images, or a dict of them; arguments as above."""
    return attrs.field(metadata={FORM: _form(shape, numbers, low, high, nan, settings)}, **settings)


def _form(
    shape: str, numbers: Numbers, low: float | None, high: float | None, nan: bool, settings: dict[str, Any]
) -> Form:
    required = not settings.keys() & {"default", "factory"}
    return Form(tuple(shape.split()), numbers, low, high, nan, required)


@attrs.frozen(eq=False)
class Artifact:
    """Base of everything that a component gives and the kernel keeps.

    Subclasses are attrs classes (`@attrs.frozen(eq=False, kw_only=True)`) with a `kind` of their own, registered by the
    hook `sidelight_kinds`. Their fields are numpy arrays, plain values, tuples, dicts with string keys, or attrs
    classes of these: the codec follows from them. `per_image` and `array` declare what an array looks like; one that is
    not declared holds finite real numbers of any shape.
    """

    kind: ClassVar[str] = ""

    def save(self, folder: Path, *, link: bool = False) -> None:
        """Write `artifact.json` and `arrays.npz` into `folder`, which is created. Same content, same bytes.

        Args:
            folder: the place.
            link: make `arrays.npz` a hard link to the file that the arrays are mapped from, where they are.
        """
        from sidelight_specs.mapped import file_of
        from sidelight_specs.stored import write_arrays

        plain, arrays = _codec.encode(self, unread=True)
        folder.mkdir(parents=True, exist_ok=True)
        mapped = file_of(next(iter(arrays.values()), None)) if link else None
        if mapped is None or not mapped.is_whole(arrays) or not link_or_copy(mapped.path, folder / "arrays.npz"):
            write_arrays(folder / "arrays.npz", arrays)
        # Keys are not sorted: a dict comes back in its order, and what is loaded and saved again has the same bytes.
        document = json.dumps({"kind": self.kind, "fields": plain}, indent=1, allow_nan=False)
        (folder / "artifact.json").write_text(document + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, mapped: bool = False, intact: bool = False) -> Self:
        """Read what `save` wrote; called on `Artifact` it gives the right subclass.

        Args:
            folder: the place.
            mapped: give arrays that are read-only views of the file (`sidelight_specs.mapped`); those of small files,
                and of files of earlier versions, are in memory, and read-only too.
            intact: the files were verified already, so that mapping does not read them through.

        Raises:
            SidelightError: the files are missing, damaged, or of another kind than `cls`.
        """
        from sidelight_specs.stored import read_arrays

        return cls._load(folder, lambda path: read_arrays(path, mapped=mapped, intact=intact))

    @classmethod
    def find(cls, folder: Path) -> Self:
        """A saved artifact with its arrays left in the file: `take` and `concat` join them unread, `save` copies them.

        For that alone: nothing but indexing and `numpy.asarray` works on such arrays.

        Raises:
            SidelightError: as for `load`.
        """
        from sidelight_specs.stored import find_arrays

        return cls._load(folder, find_arrays)

    @classmethod
    def _load(cls, folder: Path, read: Callable[[Path], Any]) -> Self:
        try:
            document = read_object(folder / "artifact.json")
            arrays = read(folder / "arrays.npz")
            kind = cls if document["kind"] == cls.kind else kinds.find(document["kind"])
            artifact = _codec.decode(kind, document["fields"], arrays)
        except Exception as error:
            raise SidelightError(f"{folder} does not hold a readable artifact: {error}") from error
        if not isinstance(artifact, cls):
            raise SidelightError(f"{folder} holds a {kind.kind!r}, not a {cls.kind!r}")
        return artifact

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Check every field against its declared form; a kind with rules of its own adds them here.

        Args:
            images: shape (N, C, H, W) of the explained images; None where the artifact is not about them.
            classes: the number of columns of class logits; None where it is not known.

        Raises:
            SidelightError: a field has another shape or type, or values that are not finite or out of range; the
                message opens with the field's name.
        """
        sizes = self._sizes() | (dict(zip("NCHW", images, strict=True)) if images is not None else {})
        if classes is not None:
            sizes["K"] = classes
        for path, value, form in leaves("", self):
            check_leaf(path, value, form, sizes)
        for name, rows in self.rows().items():
            if rows != sizes.setdefault("N", rows):
                raise SidelightError(f"{name} has {rows} rows, not {sizes['N']}")

    def _sizes(self) -> dict[str, int]:
        """Sizes of named axes that follow from other fields: `{"n": len(self.names)}`."""
        return {}

    @classmethod
    def example(cls, images: np.ndarray, classes: int) -> Self:
        """A small valid artifact about (N, C, H, W) images, for tests; a plugin's kind defines it.

        The conformance kit checks a kind by it, and asks metrics about it.
        """
        raise NotImplementedError

    def doubts(self) -> list[str]:
        """Reasons to distrust a valid artifact, one sentence each, for the user: `3 of 8 heatmaps are constant`."""
        return []

    def view(self, index: int) -> tuple[Block, ...]:
        """Neutral blocks that show one row, most important first; a report draws a kind that it does not know by them.

        Args:
            index: the row: a question; without meaning for a kind that does not run over the questions.
        """
        del index
        return ()

    def digest(self) -> str:
        """A hash of the content, the same on every machine that computed the same values."""
        from sidelight_specs.mapped import file_of, hash_into, once

        plain, arrays = _codec.encode(self, unread=True)
        hasher = hashlib.blake2b(digest_size=16)
        hasher.update(json.dumps([self.kind, plain], sort_keys=True).encode())

        def of_arrays() -> str:
            for name in sorted(arrays):
                hasher.update(f"{name}{arrays[name].dtype.str}{arrays[name].shape}".encode())
                hash_into(hasher, arrays[name])
            return hasher.hexdigest()

        mapped = file_of(next(iter(arrays.values()), None))
        if mapped is None or not all(mapped.has(array) for array in arrays.values()):
            return of_arrays()
        places = [
            (name, array.dtype.str, array.shape, mapped.place(array) if array.size else ())
            for name, array in arrays.items()
        ]
        return once(mapped, (hasher.hexdigest(), *places), of_arrays)

    def mapped_from(self) -> Path | None:
        """Folder of the file that its arrays are views of; None where they are in memory."""
        from sidelight_specs.mapped import file_of

        mapped = next(filter(None, map(file_of, _codec.encode(self, unread=True)[1].values())), None)
        return None if mapped is None else mapped.path.parent

    def let_go(self) -> None:
        """Give back the memory of arrays that are views of files; they are read again when they are used again."""
        from sidelight_specs.mapped import let_go

        for array in _codec.encode(self, unread=True)[1].values():
            let_go(array)

    @classmethod
    def concat(cls, shards: Sequence[Self]) -> Self:
        """Join shards along the images; fields that are not per image must agree and are taken from the first.

        The kernel joins shards whose arrays are left in their files (`find`): a kind that overrides this must only
        index them, or turn them into arrays by `numpy.asarray`.

        Raises:
            ValueError: no shards, or shards whose per-image fields cannot be joined.
        """
        if not shards:
            raise ValueError("nothing to join")
        first = shards[0]
        joined = {
            field.name: _join([getattr(shard, field.name) for shard in shards])
            for field in attrs.fields(type(first))
            if field.metadata.get(_PER_IMAGE)
        }
        return attrs.evolve(first, **joined)

    def rows(self) -> dict[str, int]:
        """The number of rows of each per-image field, by name; a dict's items as `field.key`; absent ones left out."""
        counts: dict[str, int] = {}
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name) if field.metadata.get(_PER_IMAGE) else None
            if isinstance(value, dict):
                counts |= {f"{field.name}.{key}": len(item) for key, item in value.items()}
            elif value is not None and not (isinstance(value, tuple) and not value):
                counts[field.name] = len(value)
        return counts

    def take(self, rows: Sequence[int]) -> Self:
        """The same artifact for the images `rows` only."""
        taken = {
            field.name: _pick(getattr(self, field.name), list(rows))
            for field in attrs.fields(type(self))
            if field.metadata.get(_PER_IMAGE)
        }
        return attrs.evolve(self, **taken)


def check_artifact(
    artifact: Any,
    kind: str = "",
    *,
    images: tuple[int, ...] | None = None,
    classes: int | None = None,
    name: str = "",
) -> None:
    """Check that a component's answer is an artifact, of a registered kind, and valid by that kind's own rules.

    Args:
        artifact: the answer.
        kind: the announced kind; empty for any.
        images: shape (N, C, H, W) of the images that it is about; None where it is not.
        classes: the number of columns of class logits; None where it is not known.
        name: under which it is kept; empty for the result of a step.

    Raises:
        SidelightError: with the object of a sentence: `an invalid heatmap: values has shape (1, 4), not (2, 4)`.
    """
    gave = artifact.kind if isinstance(artifact, Artifact) else type(artifact).__name__
    called = f" as {name!r}" if name else ""
    if kind and gave != kind:
        raise SidelightError(f"{gave!r}, not {kind!r}")
    if not isinstance(artifact, Artifact):
        raise SidelightError(f"a {gave}{called}, not an artifact")
    try:
        kinds.check_registered(artifact)  # else a later run could not read it back
        artifact.validate(images, classes)
    except Exception as error:  # the rules of a plugin's kind may fail in their own way
        text = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
        raise SidelightError(f"an invalid {gave}{called}: {text}") from error


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

    if any(hasattr(value, "pick") for value in values):
        from sidelight_specs.stored import JoinedRows

        return JoinedRows(values)
    return np.concatenate(values)


def _pick(value: Any, rows: list[int]) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(value[row] for row in rows) if value else ()  # an empty one is absent
    if isinstance(value, dict):
        return {key: _pick(item, rows) for key, item in value.items()}
    pick = getattr(value, "pick", None)  # of `LazyImages` and `StoredArray`, which stay unread
    if pick is not None:
        return pick(rows)
    if rows and not value.flags.writeable and rows == list(range(rows[0], rows[-1] + 1)):
        return value[rows[0] : rows[-1] + 1]  # a view of what nobody can change
    return value[rows]
