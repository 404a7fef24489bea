"""`component_tests`: the conformance kit as one parametrised pytest test."""

from __future__ import annotations

from importlib import import_module, util
from typing import TYPE_CHECKING, Any

from sidelight_specs.errors import UserError
from sidelight_specs.hooks import EXTENSIONS
from sidelight_specs.testing.discovery import Announced, components
from sidelight_specs.testing.toybox import Toys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sidelight_specs.testing.case import Case, ExtensionCase
    from sidelight_specs.testing.checks import Check

_UNCHECKED = ("entry-point", "light-import")
"""The checks of a component that gives no descriptor; the first of them fails and says why."""


def component_tests(
    distribution: str,
    *,
    toys: Mapping[str, Toys] | None = None,
    expected_failures: Mapping[tuple[str, str], str] | None = None,
    checks: int | None = None,
    training: Collection[str] = (),
) -> Callable[..., None]:
    """One test for each promise that each component of an installed distribution makes.

    ```python
    from sidelight_specs.testing import component_tests

    test_conformance = component_tests("sidelight-captum")
    ```

    Args:
        distribution: the distribution's name, as `pip list` shows it.
        toys: component name to what it is tested with, where the default toys do not suit it. A module
            `LIGHT_MODULE.conformance` may hold the same as `toys`; then `sidelight verify` uses it too.
        expected_failures: (component, check) to the reason. Strict: a check that passes after all is a failure.
        checks: how many checks there must be, for those who want to see it when one disappears.
        training: components that train or search for seconds, though they are not trainable; their checks bear the
            marker `training`, as those of trainable ones do.

    Raises:
        UserError: the distribution is not installed, announces nothing, or an argument names what does not exist.
    """
    import pytest

    pairs = planned(distribution, toys)
    marks = _marks(pairs, dict(expected_failures or {}), training)
    if checks is not None and checks != len(pairs):
        raise UserError(f"{distribution} has {len(pairs)} conformance checks, not {checks}", "Correct `checks`.")
    cases = [
        pytest.param(case, check, id=f"{case.announced}-{check.name}", marks=mark)
        for (case, check), mark in zip(pairs, marks, strict=True)
    ]

    @pytest.mark.parametrize(("case", "check"), cases)
    def test_conformance(case: Case, check: Check, record_property: Callable[[str, object], None]) -> None:
        __tracebackhide__ = True
        record_property("sidelight_conformance", f"{distribution} {case.announced} {check.name}")
        check.function(case)

    test_conformance.__doc__ = f"The components of {distribution} keep the contracts' promises."
    return test_conformance


def planned(distribution: str, toys: Mapping[str, Toys] | None = None) -> list[tuple[Any, Check]]:
    """Every check of every component, kind, command and observer of a distribution, in order."""
    from sidelight_specs.testing.checks import CHECKS

    announced = components(distribution)
    chosen = {**_own_toys(announced), **(toys or {})}
    unknown = sorted(set(toys or {}) - {component.name for component in announced})
    if unknown:
        raise UserError(f"toys are given for {', '.join(unknown)}, which {distribution} does not announce")
    return [
        (case, check)
        for case in (_case(component, chosen.get(component.name, Toys())) for component in announced)
        for check in CHECKS.values()
        if _applies(check, case.announced)
    ]


def _case(announced: Announced, toys: Toys) -> Case | ExtensionCase:
    from sidelight_specs.testing.case import Case, ExtensionCase

    return ExtensionCase(announced) if announced.role in EXTENSIONS else Case(announced, toys)


def _applies(check: Check, component: Announced) -> bool:
    if component.descriptor is None:
        return check.name in _UNCHECKED
    return component.role in check.roles and check.applies(component.descriptor)


def _own_toys(announced: list[Announced]) -> dict[str, Toys]:
    toys: dict[str, Toys] = {}
    for module in sorted({component.module for component in announced if component.descriptor is not None}):
        if util.find_spec(module).submodule_search_locations is None:  # type: ignore[union-attr]
            continue
        if util.find_spec(f"{module}.conformance") is not None:
            toys |= import_module(f"{module}.conformance").toys
    return toys


def _marks(
    pairs: list[tuple[Any, Check]], expected: dict[tuple[str, str], str], training: Collection[str]
) -> list[tuple[Any, ...]]:
    import pytest

    known = {(case.announced.name, check.name) for case, check in pairs}
    wrong = [key for key, reason in expected.items() if key not in known or not reason.strip()]
    if wrong:
        raise UserError(f"expected_failures: {wrong} names no check that is run, or gives no reason")
    marks: list[tuple[Any, ...]] = []
    for case, check in pairs:
        reason = expected.get((case.announced.name, check.name))
        provides = getattr(case.announced.descriptor, "provides", ())
        trains = "trainable" in provides or case.announced.name in training
        xfail = (pytest.mark.xfail(strict=True, reason=reason),) if reason else ()
        marks.append((*xfail, pytest.mark.training) if trains else xfail)
    return marks
