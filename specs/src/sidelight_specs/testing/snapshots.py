"""Shared state before and after a component was used, by the fingerprints that the kernel compares too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.fingerprint import Fingerprint, fingerprint, settings, streams

if TYPE_CHECKING:
    from torch import nn


def global_state() -> dict[str, Any]:
    """Global random streams and numeric settings: name to a value that can be compared."""
    return {name: setting.value for name, setting in (streams() | settings()).items()}


def module_state(*modules: nn.Module) -> Fingerprint:
    """Everything of torch modules that using them must not change."""
    names = ("the model", *(f"model {number}" for number in range(2, len(modules) + 1)))
    return fingerprint({name: (module, True) for name, module in zip(names, modules, strict=False)})


def changed(before: Any, after: Any) -> list[str]:
    """Names of facts that two snapshots tell differently, or only one of them tells."""
    if isinstance(before, Fingerprint):
        return before.differences(after) + sorted(after.facts.keys() - before.facts.keys())
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
