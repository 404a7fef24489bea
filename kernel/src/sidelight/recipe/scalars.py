"""What an unquoted word in a recipe means. Only the spellings below are numbers, booleans or null; the rest is text."""

from __future__ import annotations

import re

_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan")
_BOOLEAN_WORDS = {"yes": "true", "y": "true", "on": "true", "true": "true"} | dict.fromkeys(
    ("no", "n", "off", "false"), "false"
)
MAX_DIGITS = 300
"""Longer numbers are refused: they overflow a float and take quadratic time to read."""

Scalar = bool | int | float | str | None


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted word.

    Raises:
        ValueError: a number of more than `MAX_DIGITS` characters.
    """
    if text in _WORDS:
        return _WORDS[text]
    integer = _INTEGER.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters is too long; at most {MAX_DIGITS} are read")
    return int(text) if integer else float(text.replace(".inf", "inf").replace(".nan", "nan"))


def explain_text(text: str) -> str:
    """Why `text` is text although it resembles a number, a boolean or null; empty when it does not resemble one."""
    word = text.lower()
    if word in _BOOLEAN_WORDS:
        return f"only true and false are booleans; write {_BOOLEAN_WORDS[word]}"
    if word in ("null", "none", "nil"):
        return "the empty value is written null"
    if re.fullmatch(r"[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?", text):
        return "there are no base-60 numbers; write the number out"
    number = _decimal(text)
    return f"numbers are decimal, without leading zeros, separators or commas; write {number}" if number else ""


def _decimal(text: str) -> str:
    """A plain decimal spelling of what resembles a number; empty when it does not."""
    if len(text) > MAX_DIGITS:
        return ""
    if re.fullmatch(r"[-+]?0([xX][0-9a-fA-F_]+|[oO][0-7_]+|[bB][01_]+)", text):
        try:
            return str(int(text, 0))
        except ValueError:
            return ""
    if re.fullmatch(r"[-+]?[0-9][0-9_]*([.,][0-9]+)?([eE][-+]?[0-9]+)?", text):
        sign = text[0] if text[0] in "+-" else ""
        return sign + (re.sub(r"^0+(?=[0-9])", "", text.lstrip("+-").replace("_", "").replace(",", ".")))
    return ""
