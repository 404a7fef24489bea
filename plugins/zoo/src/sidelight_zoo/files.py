"""Checkpoint files: a learned state as safetensors in half precision, with its settings in the header."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file
from sidelight_specs import UserError
from sidelight_specs.release import how_to_install
from sidelight_specs.results import State

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_zoo.card import Card

_SIZE = 8  # bytes at the start of a safetensors file, the length of its header


def write_state(state: State, path: Path) -> str:
    """Write a learned state without its learning curves. Floating-point arrays lose half of their bits.

    Returns:
        SHA-256 of the file.

    Raises:
        ValueError: a number is too large for half precision.
    """
    arrays = {name: _halved(name, array) for name, array in state.arrays.items()}
    save_file(arrays, path, {"format": "sidelight-zoo 1", **state.settings})
    path.chmod(0o644)  # others may read it, unlike what the library leaves
    return sha256(path.read_bytes())


def read_state(card: Card) -> State:
    """The learned state, in single precision.

    Raises:
        UserError: the file is missing, or is not the one that the card describes.
    """
    try:
        content = card.weights.read_bytes()
    except OSError as error:
        raise UserError(f"the weights of zoo/{card.name} cannot be read: {error}", _fix()) from error
    if sha256(content) != card.sha256:
        raise UserError(f"the weights of zoo/{card.name} are damaged: {card.weights} is not what its card says", _fix())
    try:
        arrays = {name: _single(array) for name, array in load(content).items()}
    except SafetensorError as error:  # the card is damaged as well
        raise UserError(f"the weights of zoo/{card.name} are no safetensors: {error}", _fix()) from error
    return State(arrays=arrays, settings=_settings(content))


def _fix() -> str:
    return how_to_install("sidelight-zoo", again=True)


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _settings(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:_SIZE], "little")
    metadata = json.loads(content[_SIZE : _SIZE + length])["__metadata__"]
    return {name: value for name, value in metadata.items() if name != "format"}


def _halved(name: str, array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    if array.dtype != np.float32:
        return array
    if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise ValueError(f"{name} holds a number that half precision cannot")
    return array.astype(np.float16)


def _single(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array
