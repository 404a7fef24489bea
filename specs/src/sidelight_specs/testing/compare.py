"""Comparison of two answers of a component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sidelight_specs import _codec
from sidelight_specs.artifacts import Artifact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Answer = dict[str, Any]
"""Answer of a component: name to artifact or tensor."""


def difference(one: Any, other: Any, tolerance: float = 0.0) -> str:
    """Disagreement of two answers in words; empty where they agree. NaN agrees with NaN.

    Args:
        one: an artifact, tensor, array, plain value, or a dict or sequence of these.
        other: what it should agree with.
        tolerance: the largest deviation allowed, relative to the largest magnitude (at least 1) beside it.
    """
    return _differ(_plain(one), _plain(other), tolerance, "")


def pick(answer: Answer, rows: Sequence[int]) -> Answer:
    """The answer for the images `rows`."""
    return {
        name: value.take(rows) if isinstance(value, Artifact) else value[list(rows)] for name, value in answer.items()
    }


def join(parts: Sequence[Answer]) -> Answer:
    """The answers of single images, joined."""
    return {name: _join([part[name] for part in parts]) for name in parts[0]}


def _join(values: list[Any]) -> Any:
    return type(values[0]).concat(values) if isinstance(values[0], Artifact) else torch.cat(values)


def _plain(value: Any) -> Any:
    if isinstance(value, Artifact):
        plain, arrays = _codec.encode(value)
        return {"fields": plain, "arrays": arrays}
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _differ(one: Any, other: Any, tolerance: float, path: str) -> str:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return _arrays_differ(one, other, tolerance, path)
    if isinstance(one, dict) and isinstance(other, dict):
        return _dicts_differ(one, other, tolerance, path)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        parts = (_differ(a, b, tolerance, f"{path}[{row}]") for row, (a, b) in enumerate(zip(one, other, strict=True)))
        return next((text for text in parts if text), "")
    if isinstance(one, float) and isinstance(other, float):
        return _arrays_differ(np.array(one), np.array(other), tolerance, path)
    return "" if one == other else f"{path}: {one!r} against {other!r}"


def _dicts_differ(one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float, path: str) -> str:
    if one.keys() != other.keys():
        return f"{path}: {sorted(one)} against {sorted(other)}"
    parts = (_differ(one[key], other[key], tolerance, f"{path}.{key}".lstrip(".")) for key in one)
    return next((text for text in parts if text), "")


def _arrays_differ(one: np.ndarray, other: np.ndarray, tolerance: float, path: str) -> str:
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{path}: {one.dtype}{one.shape} against {other.dtype}{other.shape}"
    if one.dtype.kind != "f":
        return "" if np.array_equal(one, other) else f"{path}: the values differ"
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return f"{path}: NaN in different places"
    same = one == other  # equal infinities too, whose difference is NaN
    gap = float(np.abs(np.where(same, 0, np.nan_to_num(one) - np.nan_to_num(other))).max(initial=0))
    scale = max(1.0, float(np.abs(np.nan_to_num(other)).max(initial=0)))
    return (
        ""
        if gap <= tolerance * scale
        else f"{path}: values differ by up to {gap:.3g} (allowed {tolerance * scale:.3g})"
    )
