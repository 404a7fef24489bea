"""Forms of arrays, declared beside the fields of artifacts: axes, type, range; and the check against them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from sidelight_specs.lazy import LazyImages

Numbers = Literal["float", "int", "bool", "label", "any"]

_KINDS: dict[Numbers, str] = {"float": "f", "int": "iu", "bool": "b", "label": "iuf", "any": "fiubUS"}
_WORDS: dict[Numbers, str] = {
    "float": "real floating point",
    "int": "integers",
    "bool": "booleans",
    "label": "integers or real floating point",
    "any": "real numbers or text",
}
_ROUNDING = 1e-5  # how far float32 arithmetic may leave a closed range
_ELLIPSIS = "..."


@attrs.frozen
class Form:
    """The form of one array.

    Args:
        axes: one word an axis: a size (`2`), or a name that stands for the same size wherever it occurs in the
            artifact; a last `...` stands for any further axes; empty for any shape.
        numbers: the type of its items.
        low, high: the closed range of its items; None without a bound.
        nan: whether NaN says that an item was not measured. Infinities are never allowed.
        required: whether None is refused.
    """

    axes: tuple[str, ...] = ()
    numbers: Numbers = "any"
    low: float | None = None
    high: float | None = None
    nan: bool = False
    required: bool = False


FORM = "sidelight.form"
ANY = Form()
ANY_ROWS = Form(axes=("N", _ELLIPSIS))


def check_array(path: str, array: np.ndarray | LazyImages, form: Form, sizes: dict[str, int]) -> None:
    """Raise a `SidelightError` that names `path` where `array` has not the form.

    Args:
        path: the field: `"values"`, `"constraints.third"`.
        array: what it holds; lazy images check their values when they are read.
        form: what it should be.
        sizes: the sizes of named axes that are known so far; new ones are added.
    """
    if array.dtype.kind not in _KINDS[form.numbers]:
        raise SidelightError(f"{path} holds {array.dtype}, not {_WORDS[form.numbers]}")
    _check_shape(path, array.shape, form.axes, sizes)
    if array.size and array.dtype.kind in "fiu" and not hasattr(array, "pick"):
        _check_values(path, array, form)


def _check_shape(path: str, shape: tuple[int, ...], axes: tuple[str, ...], sizes: dict[str, int]) -> None:
    named = axes[:-1] if axes[-1:] == (_ELLIPSIS,) else axes
    fits = len(shape) >= len(named) if axes[-1:] == (_ELLIPSIS,) else len(shape) == len(named)
    expected = [int(axis) if axis.isdigit() else sizes.get(axis) for axis in named]
    if axes and not (fits and all(want in (None, have) for want, have in zip(expected, shape, strict=False))):
        words = [axis if size is None else str(size) for axis, size in zip(named, expected, strict=True)]
        words += [_ELLIPSIS] if named != axes else []
        raise SidelightError(f"{path} has shape {shape}, not ({', '.join(words)}{',' * (len(words) == 1)})")
    sizes.update({axis: size for axis, size in zip(named, shape, strict=False) if not axis.isdigit()})


def _check_values(path: str, array: np.ndarray, form: Form) -> None:
    """Minimum and maximum alone: NaN and infinities come through both, and no second array of the size is made."""
    import numpy as np

    from sidelight_specs.mapped import blocks

    low, high = _extent(array)
    if not (math.isfinite(low) and math.isfinite(high)):
        wrong = sum(int(np.isinf(block).sum() if form.nan else (~np.isfinite(block)).sum()) for block in blocks(array))
        if wrong:
            what = "infinite" if form.nan else "NaN or infinite"
            raise SidelightError(f"{path}: {wrong} of {array.size} numbers are {what}")
        low, high = _extent(array, finite=True)
        if low > high:  # nothing was measured
            return
    if form.low is not None and low < form.low - _ROUNDING:
        raise SidelightError(f"{path} goes down to {low:.6g}, below {form.low:g}")
    if form.high is not None and high > form.high + _ROUNDING:
        raise SidelightError(f"{path} goes up to {high:.6g}, above {form.high:g}")


def _extent(array: np.ndarray, *, finite: bool = False) -> tuple[float, float]:
    """Least and greatest value, NaN where there is one; of the finite values alone infinity and -infinity for none."""
    import numpy as np

    from sidelight_specs.mapped import blocks

    low, high = math.inf, -math.inf
    for block in blocks(array):
        values = block[np.isfinite(block)] if finite else block
        if values.size:
            low, high = float(np.minimum(low, values.min())), float(np.maximum(high, values.max()))
    return low, high


def leaves(path: str, value: Any, form: Form = ANY) -> Iterator[tuple[str, Any, Form]]:
    """Place, value and form of every array and every plain value in an artifact's field.

    Args:
        path: the field: `"items"`; what is below it is named `"items.0.values"`.
        value: an array, a plain value, a dict, a tuple, or an attrs instance.
        form: declared for `value`; the items of a dict share it.
    """
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = field.metadata.get(FORM, ANY)
            yield from leaves(f"{path}.{field.name}".lstrip("."), getattr(value, field.name), inner)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(f"{path}.{key}", item, form)
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from leaves(f"{path}.{index}", item)
    else:
        yield path, value, form


def check_leaf(path: str, value: Any, form: Form, sizes: dict[str, int]) -> None:
    """Raise a `SidelightError` that names `path` unless `value` is None, plain, or an array of the form."""
    import numpy as np

    from sidelight_specs.lazy import LazyImages

    if isinstance(value, np.ndarray | LazyImages):
        check_array(path, value, form, sizes)
    elif value is None:
        if form.required:
            raise SidelightError(f"{path} is missing")
    elif form.axes or not isinstance(value, (bool, int, float, str, np.generic)):
        plain = "" if form.axes else " or a plain value"
        raise SidelightError(f"{path} is a {type(value).__name__}, not a numpy array{plain}")
    elif isinstance(value, (float, np.floating)) and not math.isfinite(value):
        raise SidelightError(f"{path} is {value}")
