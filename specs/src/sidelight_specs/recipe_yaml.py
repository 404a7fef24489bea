"""A recipe as a person reads it: YAML, written without a YAML library."""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*")
_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")  # no YAML, or a line's end in it
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"}


def recipe_text(value: Any, depth: int = 0) -> str:
    """Nested mappings, lists and scalars as YAML; every line ends with a newline."""
    indent = "  " * depth
    if isinstance(value, dict):
        return "".join(f"{indent}{scalar(str(key))}:{_nested(item, depth)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "".join(f"{indent}-{_nested(item, depth)}" for item in value)
    return f"{indent}{scalar(value)}\n"


def _nested(value: Any, depth: int) -> str:
    if isinstance(value, dict) and value:
        return "\n" + recipe_text(value, depth + 1)
    if isinstance(value, (list, tuple)) and value:
        if all(not isinstance(item, (dict, list, tuple)) for item in value):
            return f" [{', '.join(scalar(item) for item in value)}]\n"
        return "\n" + recipe_text(value, depth + 1)
    return f" {scalar(value)}\n"


def scalar(value: Any) -> str:
    """One value on one line; text that YAML would read as something else is quoted."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else _quoted(value)
    if isinstance(value, dict) or value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return "[]" if value in ((), []) else _quoted(str(value))


def _quoted(text: str) -> str:
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
