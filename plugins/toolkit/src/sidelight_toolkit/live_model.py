"""Live models as descriptors see them. This module imports nothing heavy: torch is there where a module is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sidelight_specs import live

if TYPE_CHECKING:
    from sidelight_specs.live import Live


def is_module(value: object) -> bool:
    """True for a `torch.nn.Module`, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_tensor(value: object) -> bool:
    """True for a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def name_of(value: Any) -> str:
    """Name of a module's class, or of a function, for messages; without the function that it was defined in."""
    return str(getattr(value, "__qualname__", type(value).__qualname__)).rpartition("<locals>.")[2]


def has_attention(network: Any) -> bool:
    """True if a layer is called after attention, and no convolution or pooling over several places comes later.

    In hybrids such as MaxViT attention alone does not say where values come from.
    """
    found = False
    for layer in network.modules():
        if "attention" in type(layer).__name__.lower():
            found = True
        elif found and _is_wide(getattr(layer, "kernel_size", 1)):
            return False
    return found


def _is_wide(kernel: Any) -> bool:
    """True for a kernel over more than one place."""
    sides = kernel if isinstance(kernel, tuple) else (kernel,)
    return any(isinstance(side, int) and side > 1 for side in sides)


def hold(value: Any, kind: str, warnings: list[str]) -> Live:
    """A live object under the digest of its content, or under none, which becomes a warning.

    Args:
        value: the object.
        kind: what it is used as; the same object in another use has another digest.
        warnings: sentences for the user, added to.
    """
    from sidelight_toolkit.identity import NoIdentity, identity

    try:
        return live.hold(value, lambda value: identity([kind, value]))
    except NoIdentity as reason:
        warnings.append(
            f"results of {name_of(value)} are not kept for later runs, because its content cannot be told: it holds "
            f"{reason}"
        )
        return live.hold(value, None)


def training_warning(value: Any) -> tuple[str, ...]:
    """A sentence about a module that is not in evaluation mode."""
    if not value.training:
        return ()
    return (f"{name_of(value)} is in training mode; a copy in evaluation mode is explained",)
