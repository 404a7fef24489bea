"""Components of a recipe looked up in the catalog, their parameters read, and their needs filled by role.

A need is filled by the only component of its role, by the one whose id is the role's name, or by the one that `needs:`
names; then capabilities are compared.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import Need, kinds
from sidelight_specs.connections import is_remote
from sidelight_specs.descriptors import meaning
from sidelight_specs.documents import read_params
from sidelight_specs.files import nearest_file
from sidelight_specs.hooks import KIND
from sidelight_specs.recipe import TRAINING_SLOT, training_need
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.registry.catalog import with_article
from sidelight.registry.load import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_specs import ComponentDescriptor
    from sidelight_specs.problems import Place

    from sidelight.recipe.model import Candidate, Recipe


def look_up(one: Candidate, catalog: Any, *, finished: bool) -> None:
    """Find a component in the catalog, read its parameters, look for its files and ask for its capabilities."""
    if not one.use:
        return
    try:
        one.available = answer = catalog.lookup(one.use, one.role)
    except Unavailable as reason:
        one.refuse(reason.message, fix=reason.fix)
        return
    _check_kinds(one, answer.descriptor, catalog)
    one.params = read_params(answer.descriptor.params, one.given, one.use, one.place, one.problems)
    if one.params is not None:
        one.sound = finished or _is_sound(one)
        one.provides = one.ask("capabilities", lambda descriptor, params: tuple(descriptor.provided_by(params)))


def check_connections(one: Candidate, settings: Sequence[str]) -> None:
    """A problem for each address of another machine that the user names neither by `--set` nor in the environment."""
    if one.descriptor is None or one.params is None:
        return
    own = {f"--set {text}" for text in settings}  # as composing calls their places
    for option, variable in one.descriptor.connects.items():
        address, named = getattr(one.params, option, None), os.environ.get(variable, "")
        if not isinstance(address, str) or not is_remote(address) or one.place_of(option).file in own:
            continue
        if address.rstrip("/") != named.rstrip("/"):
            message = f"{quoted(option)} of {one.use}: the recipe leads to another machine, {quoted(address)}"
            fix = f"if you trust it, set {variable}={address} in the environment, or name it by `--set`"
            one.refuse(message, one.place_of(option), fix=fix)


def _check_kinds(one: Candidate, descriptor: ComponentDescriptor, catalog: Any) -> None:
    """A problem where an explainer gives a kind that nobody registers, or a metric accepts no kind that is."""
    named = {getattr(descriptor, "gives", ""), *getattr(descriptor, "accepts", ())} - {""}
    installed = {entry.name for entry in catalog.entries(KIND)}
    if named and not named & installed and not named & kinds.names():  # the latter loads numpy
        unknown = " or ".join(map(quoted, sorted(named)))
        expected = f"registered are {', '.join(sorted(kinds.names()))}"
        one.refuse(f"{one.use}: no kind of result {unknown} is registered", expected=expected)


def _is_sound(one: Candidate) -> bool:
    """True if the files that the parameters name exist and are in order; a problem is noted otherwise."""
    files = one.ask("files", lambda descriptor, params: dict(descriptor.files(params)))
    if files is None or any([_is_missing(one, option, path) for option, path in files.items()]):  # noqa: C419
        return False
    return one.inspect("mistakes", lambda descriptor, params: descriptor.mistakes(params))


def _is_missing(one: Candidate, option: str, path: str) -> bool:
    """True if a parameter names a missing file, which is noted."""
    if not path or os.path.isfile(os.path.expanduser(path)):  # noqa: PTH111, PTH113  (Path raises on some names)
        return False
    exists = os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111
    reason = f"{quoted(path)} is no plain file" if exists else f"there is no file {quoted(path)}"
    near = nearest_file(Path(path).expanduser())
    one.refuse(
        f"{quoted(option)} of {one.use}: {reason}",
        one.place_of(option),
        expected=f"a file; relative paths start at {Path.cwd()}",
        fix=f"did you mean {quoted(near.name)}?" if near else "",
    )
    return True


def wire(recipe: Recipe) -> None:
    """Fill `needs` and `trained_on` of every component that could be looked up."""
    for one in recipe.components:
        if one.descriptor is None:
            continue
        training = training_need(one.descriptor, one.provides or one.descriptor.provides)
        slots = [need.slot for need in (*one.descriptor.needs, *([training] if training else []))]
        for slot in [name for name in one.named if name not in slots]:
            expected = f"one of {listing(slots)}" if slots else "no needs"
            message, place = f"{one.use} has no need {quoted(slot)}", one.named[slot].place
            one.refuse(message, place, expected=expected, fix=did_you_mean(slot, slots))
        one.needs = {need.slot: _filler(recipe, one, need, f"needs {wanted(need)}") for need in one.descriptor.needs}
        if training:
            one.trained_on = _filler(recipe, one, training, "is trained, and needs data for it")
        elif "trainable" in one.descriptor.provides:
            one.trained_on = one.needs.get(TRAINING_SLOT)


def _filler(recipe: Recipe, one: Candidate, need: Need, purpose: str) -> Candidate | None:
    """The component for one need; None when it is optional and absent, or after a mistake."""
    rivals = [other for other in recipe.of_role(need.role) if other is not one]  # an explainer may need another
    ids, section = [other.id for other in rivals], f"a section {quoted(ROLES[need.role].section)}"
    if need.slot in one.named:
        name, place = one.named[need.slot].data, one.named[need.slot].place
        if name in ids:
            return _compared(recipe, one, need, rivals[ids.index(name)], place)
        if name is not None:
            message = f"{one.use} needs {with_article(need.role)} with the id {quoted(name)}, and the recipe has none"
            expected = f"one of {listing(ids)}" if ids else section
            one.refuse(message, place, expected=expected, fix=did_you_mean(name, ids))
        elif not need.optional:
            one.refuse(f"{one.use} cannot do without its {need.slot}", place)
    elif need.named:
        return None
    elif len(rivals) == 1 or need.role in ids:
        return _compared(recipe, one, need, rivals[ids.index(need.role) if need.role in ids else 0], one.place)
    elif rivals:
        able = [other.id for other in rivals if not lacking(need, other)]
        one.refuse(
            f"{one.use} needs {with_article(need.role)}, and the recipe has several: {listing(ids)}",
            expected=f"needs: {{{need.slot}: ID}}, naming one of them",
            fix=f"only {quoted(able[0])} provides {', '.join(need.capabilities)}" if len(able) == 1 else "",
        )
    elif not need.optional:
        recipe.missing.add(need.role)
        fix = installed_hint(recipe.catalog, need.role, need.capabilities, one.use)
        one.refuse(f"{one.use} {purpose}; the recipe has none", expected=section, fix=fix)
    return None


def _compared(recipe: Recipe, one: Candidate, need: Need, other: Candidate, place: Place) -> Candidate:
    """`other`, after noting which capabilities it lacks: the reasons, or components that have them."""
    missing = lacking(need, other)
    if missing:
        # Capabilities of the same family say more: `latent.z` beside `latent.style`.
        families = {name.partition(".")[0] for name in missing}
        related = [name for name in other.provides or () if name.partition(".")[0] in families]
        has = listing(related or other.provides or ()) or "no capabilities"
        reasons = other.ask(
            "capabilities", lambda descriptor, params: [descriptor.absence(params, name) for name in missing]
        )
        hint = "; ".join(dict.fromkeys(filter(None, reasons or ())))
        hint = hint or installed_hint(recipe.catalog, need.role, need.capabilities, one.use)
        without = f"or do without it: needs: {{{need.slot}: null}}" if need.optional else ""
        one.refuse(
            f"{one.use} needs {wanted(need)}; {other.use} provides {has}",
            place,
            expected="; ".join(f"{name}: {meaning(name)}" for name in missing),
            fix="; ".join(filter(None, (hint, without))),
        )
    return other


def wanted(need: Need) -> str:
    """`a generator with latent.style`."""
    return with_article(need.role) + (f" with {' and '.join(need.capabilities)}" if need.capabilities else "")


def lacking(need: Need, other: Candidate) -> tuple[str, ...]:
    """The capabilities that a component lacks for a need; none where its capabilities are unknown."""
    return tuple(name for name in need.capabilities if other.provides is not None and name not in other.provides)


def installed_hint(catalog: Any, role: str, capabilities: Iterable[str] = (), asker: str = "") -> str:
    """The installed components of a role that have these capabilities; not the one that asks for another."""
    able = [
        one.use
        for one in catalog.usable(role)
        if one.use != asker and set(capabilities) <= set(one.descriptor.capabilities)
    ]
    return f"installed: {listing(able, 6)}" if able else ""


def in_dependency_order(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Every candidate after all it needs, in recipe order otherwise; a circle is noted."""
    ordered: dict[Candidate, None] = {}

    def visit(one: Candidate, path: tuple[Candidate, ...]) -> None:
        if one in path:
            names = " -> ".join(f"{link.role} {link.id}" for link in (*path[path.index(one) :], one))
            one.refuse(f"components need one another in a circle: {names}")
        elif one not in ordered:
            for other in (*one.needs.values(), one.trained_on):
                if other:
                    visit(other, (*path, one))
            ordered[one] = None

    for candidate in candidates:
        visit(candidate, ())
    return tuple(ordered)
