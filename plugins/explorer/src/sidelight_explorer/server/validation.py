"""Reading plain values that a stranger sent: every one is checked for type and size before it is used."""

from __future__ import annotations

import json
import math
from typing import Any

from sidelight_specs import SidelightError


class Bad(SidelightError):
    """What was sent cannot be used; the message names the place. `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parsed(body: bytes) -> Any:
    """JSON, in UTF-8, without NaN, and not nested to exhaustion.

    Raises:
        Bad: it is none.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise Bad(f"this is no JSON: {type(error).__name__}") from error


def _refused(name: str) -> float:
    raise ValueError(name)


def fields(value: Any, known: set[str], place: str) -> dict[str, Any]:
    """A mapping with no other keys than the known ones. A missing key is a `Bad` when it is asked for."""
    if not isinstance(value, dict):
        raise Bad(f"{place}: expected a mapping")
    unknown = sorted(set(value) - known)
    if unknown:
        raise Bad(f"{place}: unknown key {unknown[0][:80]!r}")
    return _Required(value, place)


class _Required(dict[str, Any]):
    """Says which key is missing, and where."""

    def __init__(self, values: dict[str, Any], place: str) -> None:
        super().__init__(values)
        self._place = place

    def __missing__(self, key: str) -> Any:
        raise Bad(f"{self._place}: {key!r} is missing")


def mapping(value: Any, most: int, place: str) -> dict[str, Any]:
    """A mapping with at most `most` entries."""
    if not isinstance(value, dict) or len(value) > most:
        raise Bad(f"{place}: expected a mapping with at most {most} entries")
    return value


def listed(value: Any, most: int, place: str) -> list[Any]:
    """A list of at most `most` items."""
    if not isinstance(value, list) or len(value) > most:
        raise Bad(f"{place}: expected a list of at most {most}")
    return value


def text(value: Any, longest: int, place: str) -> str:
    """Text of at most `longest` characters that can be encoded."""
    if not isinstance(value, str) or len(value) > longest:
        raise Bad(f"{place}: expected text of at most {longest} characters")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise Bad(f"{place}: half of a character")
    return value


def whole(value: Any, low: int, high: int, place: str) -> int:
    """A whole number within bounds; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Bad(f"{place}: expected a whole number from {low} to {high}")
    return value


def number(value: Any, low: float, high: float, place: str) -> float:
    """A number within bounds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
        raise Bad(f"{place}: expected a number from {low} to {high}")
    if not math.isfinite(value):
        raise Bad(f"{place}: expected a finite number")
    return float(value)


def one_of(value: Any, known: Any, place: str) -> Any:
    """One of the known values."""
    names = list(known)
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in names:
        raise Bad(f"{place}: expected one of {', '.join(map(str, names[:20]))}")
    return value
