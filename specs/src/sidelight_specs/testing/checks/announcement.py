"""Promises of a light module and its descriptors, before the heavy module is imported."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from sidelight_specs import kinds, roles
from sidelight_specs.descriptors import CAPABILITIES, ComponentDescriptor
from sidelight_specs.documents import read_params, read_plain
from sidelight_specs.hooks import EXTENSIONS
from sidelight_specs.params import describe
from sidelight_specs.problems import Place, Problems
from sidelight_specs.recipe import plain_value
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.variables import fill_in

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case

_MOST_LIMITS, _LONGEST_LIMIT = 6, 240  # sentences, characters: read beside a picture
HEAVY = ("torch", "torchvision", "lpips", "PIL", "captum")


@check(*roles.ROLES, *EXTENSIONS)
def entry_point(case: Case) -> None:
    """The entry point leads to exactly one descriptor of its role and name, one kind, command, observer or recipe."""
    assert case.announced.descriptor is not None, case.announced.problem


@check(*roles.ROLES, *EXTENSIONS)
def light_import(case: Case) -> None:
    """Importing the light module imports no heavy package."""
    heavy, _ = _import(case.announced.module)
    assert not heavy, f"importing {case.announced.module} imports {', '.join(heavy)}"


@check(*roles.ROLES, *EXTENSIONS)
def import_changes_nothing(case: Case) -> None:
    """Importing the light module leaves the interpreter as it was: other modules, streams, the working folder."""
    _, changed = _import(case.announced.module)
    assert not changed, f"importing {case.announced.module} {changed}, which others rely on"


_IMPORT = """
import json, sys
sys.path[:], heavy = {path!r}, {heavy!r}
from importlib import import_module
from sidelight_specs.surroundings import Surroundings
before, write = Surroundings(), sys.stdout.write
import_module({module!r})
changed = before.mend()
write("\\n" + json.dumps([[name for name in heavy if name in sys.modules], changed]))
"""


@lru_cache
def _import(module: str) -> tuple[list[str], str]:
    """Heavy packages that a light module imports in a fresh interpreter, and what it changed there, as a predicate."""
    code = _IMPORT.format(path=sys.path, heavy=HEAVY, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"importing {module} in a fresh interpreter failed:\n{done.stderr}"
    heavy, changed = json.loads(done.stdout.splitlines()[-1])
    return heavy, changed


@check()
def parameters(case: Case) -> None:
    """Every parameter is documented, bounded, and its default lies within its bounds and type."""
    cls = case.descriptor.params
    assert (cls.__doc__ or "").strip(), f"{cls.__name__} has no docstring"
    for field in describe(cls):
        if field.minimum is not None and field.maximum is not None:
            assert field.minimum <= field.maximum, (
                f"{field.name}: minimum {field.minimum} above maximum {field.maximum}"
            )
        if field.default is attrs.NOTHING:
            continue
        default = field.default.factory() if hasattr(field.default, "factory") else field.default
        assert field.type.fits(default), f"{field.name}: the default {default!r} is no {field.type}"
        try:
            attrs.evolve(case.params, **{field.name: default})
        except ValueError as error:
            raise AssertionError(f"the default breaks its own bounds: {error}") from error


@check()
def example(case: Case) -> None:
    """A recipe takes the example: known parameters, with values of their types and within their bounds."""
    source, problems = "the example", Problems()
    recipe = read_plain({"with": plain_value(case.example)}, problems, source)
    if not problems.mistakes:
        items = fill_in(recipe, problems).data["with"].value.data
        read_params(case.descriptor.params, items, case.descriptor.name, Place(source), problems)
    assert not problems.mistakes, "\n".join(problem.render() for problem in problems.ordered)


@check()
def vocabulary(case: Case) -> None:
    """Capabilities that it needs or provides are known ones, or carry the plugin's prefix."""
    wanted = {capability for need in case.descriptor.needs for capability in need.capabilities}
    known = {*CAPABILITIES, *kinds.names()}
    for capability in (*case.descriptor.provides, *sorted(wanted)):
        own = capability not in known and "." in capability and not capability.startswith("latent.")
        assert capability in known or own, (
            f"{capability!r} is no capability; known: {', '.join(sorted(known))}; prefix your own: acme.{capability}"
        )
    slots = [need.slot for need in case.descriptor.needs]
    assert len(set(slots)) == len(slots), f"two needs share a slot: {slots}"
    assert all(slot.isidentifier() and slot not in ("params", "run") for slot in slots), f"bad slot among {slots}"


@check("explainer", "attribute_finder")
def limits_are_declared(case: Case) -> None:
    """It says in one to six sentences what may not be claimed of its results."""
    limits = case.descriptor.limits
    assert limits, (
        "it declares no limits; say in its descriptor what may not be claimed, by which paper or measurement: "
        'limits=("Coarse: nothing finer than a cell of the grid can be told apart.",)'
    )
    assert len(limits) <= _MOST_LIMITS, f"{len(limits)} limits are more than anybody reads; keep {_MOST_LIMITS} at most"
    assert len(set(limits)) == len(limits), "a limit stands twice"
    for text in limits:
        assert len(text) <= _LONGEST_LIMIT, f"{text!r} has {len(text)} characters; at most {_LONGEST_LIMIT}"
        assert text.endswith("."), f"{text!r} is no sentence: end it with a full stop"


@check()
def factory(case: Case) -> None:
    """The factory is a complete class of the role that takes params, the needs by slot, and run."""
    try:
        factory = case.factory
    except (ImportError, AttributeError) as error:
        raise AssertionError(f"{case.descriptor.factory} cannot be imported: {error}") from error
    expected = roles.ROLES[case.role].base
    fitting = inspect.isclass(factory) and issubclass(factory, expected)
    assert fitting, f"{factory!r} is no subclass of {expected.__name__}"
    missing = sorted(getattr(factory, "__abstractmethods__", ()))
    assert not missing, f"{factory.__name__} does not define {', '.join(missing)}"
    slots = {need.slot: None for need in case.descriptor.needs}
    try:
        inspect.signature(factory).bind(None, run=None, **slots)
    except TypeError as error:
        raise AssertionError(
            f"{factory.__name__} must be callable as (params, run=..., {', '.join(slots)}): {error}"
        ) from error


@check(when=lambda descriptor: type(descriptor).adopts is not ComponentDescriptor.adopts)
def adopts_its_own_values(case: Case) -> None:
    """It stands for values of its kind alone: for an object that nobody knows it gives None, and raises nothing."""
    for stranger in (object(), [object()], 3):
        answer = case.descriptor.adopts(stranger)
        assert answer is None, f"it would stand for {stranger!r}: adopts gave {answer!r}"


@check()
def learning_is_announced(case: Case) -> None:
    """A class that can be fitted provides `trainable`, and only such a class does."""
    declared = issubclass(case.factory, roles.Trainable)
    assert declared or not case.trainable, f"provides trainable, but {case.factory.__name__} is no roles.Trainable"
    assert case.trainable or not declared, f"{case.factory.__name__} is a roles.Trainable; provide the capability"


@check()
def construction_is_cheap(case: Case) -> None:
    """Constructing computes nothing: no progress, nothing kept, nothing said."""
    run = case.run()
    case.construct(run)
    done = {"progress": run.steps, "cached": run.store, "emit": run.emitted}
    busy = [name for name, used in done.items() if used]
    assert not busy, f"__init__ calls run.{', run.'.join(busy)}; do that work when the verb is called"


@check()
def describable(case: Case) -> None:
    """Summary, paper and example are plain text and values that a listing can print as json."""
    descriptor = case.descriptor
    assert len(descriptor.summary) <= 160, f"the summary has {len(descriptor.summary)} characters; at most 160"
    try:
        json.dumps(descriptor.example)
    except TypeError as error:
        raise AssertionError(f"the example is not plain data: {error}") from error
    named = {getattr(descriptor, "gives", ""), *getattr(descriptor, "accepts", ())} - {""}
    unknown = sorted(named - kinds.names())
    assert not unknown, f"no kind {unknown[0]!r} is registered; implement sidelight_kinds() and its entry point"
