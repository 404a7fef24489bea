"""Validation of untrusted JSON: type and size of every value are checked before use."""

from __future__ import annotations

import json
import math
from typing import Any

from sidelight_specs import SidelightError


class InvalidInput(SidelightError):
    """Untrusted input that cannot be used; the message starts with its path, `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parsed(body: bytes) -> Any:
    """Decoded JSON: UTF-8, without NaN, bounded nesting.

    Raises:
        InvalidInput: no such JSON.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no JSON: {type(error).__name__}") from error


def _refused(name: str) -> float:
    raise ValueError(name)


def fields(value: Any, known: set[str], path: str) -> dict[str, Any]:
    """A mapping without unknown keys; looking up a missing key raises `InvalidInput`."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{path}: expected a mapping")
    unknown = sorted(set(value) - known)
    if unknown:
        raise InvalidInput(f"{path}: unknown key {unknown[0][:80]!r}")
    return _Required(value, path)


class _Required(dict[str, Any]):
    """A dict that names missing keys in the error."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        super().__init__(values)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise InvalidInput(f"{self._path}: {key!r} is missing")


def mapping(value: Any, most: int, path: str) -> dict[str, Any]:
    """A mapping with at most `most` entries."""
    if not isinstance(value, dict) or len(value) > most:
        raise InvalidInput(f"{path}: expected a mapping with at most {most} entries")
    return value


def listed(value: Any, most: int, path: str) -> list[Any]:
    """A list of at most `most` items."""
    if not isinstance(value, list) or len(value) > most:
        raise InvalidInput(f"{path}: expected a list of at most {most}")
    return value


def text(value: Any, longest: int, path: str) -> str:
    """Text of at most `longest` characters that can be encoded."""
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidInput(f"{path}: expected text of at most {longest} characters")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(f"{path}: half of a character")
    return value


def flag(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{path}: expected true or false")
    return value


def whole(value: Any, low: int, high: int, path: str) -> int:
    """An integer within bounds; booleans are refused."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{path}: expected a whole number from {low} to {high}")
    return value


def number(value: Any, low: float, high: float, path: str) -> float:
    """A number within bounds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{path}: expected a number from {low} to {high}")
    if not math.isfinite(value):
        raise InvalidInput(f"{path}: expected a finite number")
    return float(value)


def one_of(value: Any, known: Any, path: str) -> Any:
    """One of the known values."""
    names = list(known)
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in names:
        raise InvalidInput(f"{path}: expected one of {', '.join(map(str, names[:20]))}")
    return value
