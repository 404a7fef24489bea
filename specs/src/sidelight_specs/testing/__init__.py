"""Tools for a plugin's tests: the conformance kit, a `Run` in memory, and toy models.

`ToyRun` needs numpy only; the toy models import torch when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.testing.kit import component_tests
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toybox import Toys

if TYPE_CHECKING:
    from sidelight_specs.testing.explanations import toy_explanation, toy_results, toy_targets
    from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyExplainer, ToyGenerator, ToyInverter

__all__ = [
    "ToyClassifier",
    "ToyData",
    "ToyExplainer",
    "ToyGenerator",
    "ToyInverter",
    "ToyRun",
    "Toys",
    "component_tests",
    "toy_explanation",
    "toy_results",
    "toy_targets",
]

_LAZY = {
    "ToyClassifier": "toys",
    "ToyData": "toys",
    "ToyExplainer": "toys",
    "ToyGenerator": "toys",
    "ToyInverter": "toys",
    "toy_explanation": "explanations",
    "toy_results": "explanations",
    "toy_targets": "explanations",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
