"""Numbers of the objects by which libraries prepare images: size, mean and standard deviation.

Read by their attributes, so that none of the libraries is imported: a preset of torchvision (`weights.transforms()`),
its `Compose`, the transform that timm makes, and image processors of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidelight_specs import UserError

_MEANS, _STDS = ("image_mean", "mean"), ("image_std", "std")
_SIZES = ("crop_size", "size", "resize_size")  # the last step counts: what the network gets


def numbers_of(preprocess: Any) -> dict[str, Any]:
    """`mean`, `std`, `height` and `width` as far as an object says them; empty for a function that says none.

    Args:
        preprocess: an object with such attributes, a mapping, or a list of steps under `transforms`.

    Raises:
        UserError: it says none, and cannot be called either.
    """
    preprocess = transform_of(preprocess)
    steps = getattr(preprocess, "transforms", None)
    numbers: dict[str, Any] = {}
    for step in steps if isinstance(steps, Sequence) else [preprocess]:
        numbers |= _numbers(step)
    if not numbers and not callable(preprocess):
        raise UserError(
            f"preprocess is a {type(preprocess).__name__}, which says neither size nor mean and std",
            "give the object or function that prepares images, or size, mean and std instead",
        )
    return numbers


def transform_of(preprocess: Any) -> Any:
    """The preset of a member of torchvision's enumerations of weights; any other object as it is."""
    preset = getattr(preprocess, "transforms", None)
    return preset() if callable(preset) and hasattr(preprocess, "url") else preprocess


def _numbers(step: Any) -> dict[str, Any]:
    """Numbers of one step; `do_normalize: false` and `do_resize: false` of transformers count."""
    numbers: dict[str, Any] = {}
    for option, names in (("mean", _MEANS), ("std", _STDS)):
        values = next((value for name in names if (value := _get(step, name)) is not None), None)
        if values is not None and _get(step, "do_normalize") is not False:
            numbers[option] = tuple(map(float, values if isinstance(values, Sequence) else _listed(values)))
    for name in _SIZES:
        size = _sides(_get(step, name))
        if size and _get(step, f"do_{name}") is not False and "height" not in numbers:
            numbers |= {"height": size[0], "width": size[1]}
    return numbers


def _listed(values: Any) -> Sequence[float]:
    listed: Any = values.tolist() if hasattr(values, "tolist") else [values]
    return listed if isinstance(listed, list) else [listed]


def _get(step: Any, name: str) -> Any:
    return step.get(name) if isinstance(step, Mapping) else getattr(step, name, None)


def _sides(size: Any) -> tuple[int, int] | None:
    """(H, W) of a number, a pair, a list of one, or `{height, width}`, `{shortest_edge}`."""
    if isinstance(size, Mapping):
        edge = size.get("shortest_edge")
        size = (size.get("height", edge), size.get("width", edge))
    elif hasattr(size, "height") and hasattr(size, "width"):
        size = (size.height, size.width)
    if isinstance(size, int):
        size = (size, size)
    if isinstance(size, Sequence) and len(size) == 1:
        size = (*size, *size)
    if isinstance(size, Sequence) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return size[0], size[1]
    return None
