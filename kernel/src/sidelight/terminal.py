"""Terminal-safe text."""

from __future__ import annotations


def clean(text: str) -> str:
    """Text from a plugin or a file, safe to show: control characters, which could drive the terminal, are escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
