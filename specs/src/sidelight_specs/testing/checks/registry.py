"""The list of checks: a function for each promise, and to which components it applies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from sidelight_specs.descriptors import ComponentDescriptor
from sidelight_specs.role_table import ROLES

Function = Callable[[Any], None]  # of a `Case`, or of an `ExtensionCase`


@attrs.frozen
class Check:
    """One promise.

    Args:
        name: `batch-equals-singles`.
        function: raises an AssertionError that says how the promise is broken.
        roles: the roles that make it.
        applies: whether a component with this descriptor and example makes it.
    """

    name: str
    function: Function
    roles: tuple[str, ...]
    applies: Callable[[ComponentDescriptor], bool]

    @property
    def promise(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


CHECKS: dict[str, Check] = {}


def check(*roles: str, when: Callable[[Any], bool] = lambda _: True) -> Callable[[Function], Function]:
    """Register a check for these roles (all when none is named) and the descriptors for which `when` holds.

    The check's name is the function's, with hyphens.
    """

    def register(function: Function) -> Function:
        name = function.__name__.replace("_", "-")
        if name in CHECKS:
            raise ValueError(f"two checks are named {name}")
        CHECKS[name] = Check(name, function, roles or tuple(ROLES), when)
        return function

    return register


def providing(capability: str) -> Callable[[ComponentDescriptor], bool]:
    """For `when`: the component has this capability with its example's parameters."""

    def applies(descriptor: ComponentDescriptor) -> bool:
        try:
            return capability in descriptor.provided_by(descriptor.params(**descriptor.example))
        except Exception:
            return capability in descriptor.provides

    return applies


def needing(role: str) -> Callable[[ComponentDescriptor], bool]:
    """For `when`: the component gets one of this role."""
    return lambda descriptor: any(need.role == role for need in descriptor.needs)
