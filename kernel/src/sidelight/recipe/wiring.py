"""Components of a recipe looked up in the catalog, their parameters read, and their needs filled by role.

A need is filled by the only component of its role, or by the one that `needs:` names; then capabilities are compared.
"""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from sidelight_specs import Need, kinds
from sidelight_specs.descriptors import meaning
from sidelight_specs.documents import read_params
from sidelight_specs.facts import Mistake
from sidelight_specs.host import Available
from sidelight_specs.recipe import TRAINING_SLOT
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.recipe.model import Candidate
from sidelight.registry.catalog import Unavailable, with_article

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import ComponentDescriptor
    from sidelight_specs.problems import Place

_MOST_NEIGHBOURS = 200  # files of a folder among which a similar name is looked for


def look_up(one: Candidate, catalog: Any, *, finished: bool = False) -> None:
    """Find a component in the catalog, read its parameters, look for its files and ask for its capabilities."""
    if not one.use:
        return
    answer = catalog.lookup(one.use, one.role)
    if isinstance(answer, Unavailable):
        one.refuse(answer.message, fix=answer.fix)
        return
    one.available = answer
    _check_kinds(one, answer.descriptor, catalog)
    one.params = read_params(answer.descriptor.params, one.given, one.use, one.place, one.problems)
    if one.params is not None:
        one.sound = finished or _is_sound(one)
        one.provides = one.ask("capabilities", lambda descriptor, params: tuple(descriptor.provided_by(params)))


def _check_kinds(one: Candidate, descriptor: ComponentDescriptor, catalog: Any) -> None:
    """A problem where an explainer gives a kind that nobody registers, or a metric accepts no kind that is."""
    named = {getattr(descriptor, "gives", ""), *getattr(descriptor, "accepts", ())} - {""}
    if named and not named & catalog.kind_names() and not named & kinds.names():  # the latter loads numpy
        unknown = " or ".join(map(quoted, sorted(named)))
        expected = f"registered are {', '.join(sorted(kinds.names()))}"
        one.refuse(f"{one.use}: no kind of result {unknown} is registered", expected=expected)


def _is_sound(one: Candidate) -> bool:
    """True if the files that the parameters name exist and are in order; a problem is noted otherwise."""
    files = one.ask("files", lambda descriptor, params: dict(descriptor.files(params)))
    if files is None or any([_is_missing(one, option, path) for option, path in files.items()]):  # noqa: C419
        return False
    mistakes = one.ask("mistakes", lambda descriptor, params: checked(descriptor.mistakes(params)))
    return mistakes is not None and not one.note(mistakes)


def checked(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Mistakes that a plugin tells. Raises a TypeError where these are something else."""
    result = list(mistakes)
    wrong = [type(one).__name__ for one in result if not isinstance(one, Mistake)]
    if wrong:
        raise TypeError(f"a Mistake was expected, not a {wrong[0]}")
    return result


def _is_missing(one: Candidate, option: str, path: str) -> bool:
    """True if a parameter names a missing file, which is noted."""
    if not path or os.path.isfile(os.path.expanduser(path)):  # noqa: PTH111, PTH113  (Path raises on some names)
        return False
    exists = os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111
    reason = f"{quoted(path)} is no plain file" if exists else f"there is no file {quoted(path)}"
    expected = f"a file; relative paths start at {Path.cwd()}"
    message = f"{quoted(option)} of {one.use}: {reason}"
    one.refuse(message, one.place_of(option), expected=expected, fix=_near(Path(path).expanduser()))
    return True


def _near(path: Path) -> str:
    """A file of a similar name in the same folder."""
    try:
        names = [entry.name for entry in islice(os.scandir(path.parent), _MOST_NEIGHBOURS) if entry.is_file()]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names)


@frozen
class Wiring:
    """Wires candidates, and notes which roles nobody fills.

    Args:
        candidates: every component of the recipe.
        catalog: what is installed, for suggestions.
        missing: the roles whose absence has been noted.
    """

    candidates: tuple[Candidate, ...]
    catalog: Any
    missing: set[str] = field(factory=set)

    def of_role(self, role: str) -> list[Candidate]:
        """The candidates of one role, in recipe order."""
        return [one for one in self.candidates if one.role == role]

    def wire(self) -> None:
        """Fill `needs` and `trained_on` of every candidate that could be looked up."""
        for one in self.candidates:
            if one.descriptor is None:
                continue
            training = one.training_need
            slots = [need.slot for need in (*one.descriptor.needs, *([training] if training else []))]
            for slot in [name for name in one.named if name not in slots]:
                expected = f"one of {listing(slots)}" if slots else "no needs"
                message, place = f"{one.use} has no need {quoted(slot)}", one.named[slot].place
                one.refuse(message, place, expected=expected, fix=did_you_mean(slot, slots))
            one.needs = {need.slot: self.fill(one, need) for need in one.descriptor.needs}
            if training:
                one.trained_on = self.fill(one, training)
            elif "trainable" in one.descriptor.provides:
                one.trained_on = one.needs.get(TRAINING_SLOT)

    def fill(self, one: Candidate, need: Need) -> Candidate | None:
        """The component for one need; None when it is optional and absent, or after a mistake."""
        rivals = [other for other in self.of_role(need.role) if other is not one]  # an explainer may need another
        if need.slot in one.named:
            return self._named(one, need, rivals)
        if len(rivals) == 1:
            return self._fitting(one, need, rivals[0], one.place)
        if rivals:
            able = [other.id for other in rivals if not lacking(need, other)]
            names = listing(other.id for other in rivals)
            one.refuse(
                f"{one.use} needs {with_article(need.role)}, and the recipe has several: {names}",
                expected=f"needs: {{{need.slot}: ID}}, naming one of them",
                fix=f"only {quoted(able[0])} provides {', '.join(need.capabilities)}" if len(able) == 1 else "",
            )
        elif not need.optional:
            self.missing.add(need.role)
            purpose = "is trained, and needs data for it" if need == one.training_need else f"needs {wanted(need)}"
            fix = installed_hint(self.catalog, need.role, need.capabilities, one.use)
            section = f"a section {quoted(ROLES[need.role].section)}"
            one.refuse(f"{one.use} {purpose}; the recipe has none", expected=section, fix=fix)
        return None

    def _named(self, one: Candidate, need: Need, rivals: list[Candidate]) -> Candidate | None:
        """The component that `needs:` names; null leaves an optional need empty."""
        name, place = one.named[need.slot].data, one.named[need.slot].place
        if name is None:
            if not need.optional:
                one.refuse(f"{one.use} cannot do without its {need.slot}", place)
            return None
        ids = [other.id for other in rivals]
        if name in ids:
            return self._fitting(one, need, rivals[ids.index(name)], place)
        one.refuse(
            f"{one.use} needs {with_article(need.role)} with the id {quoted(name)}, and the recipe has none",
            place,
            expected=f"one of {listing(ids)}" if ids else f"a section {quoted(ROLES[need.role].section)}",
            fix=did_you_mean(name, ids),
        )
        return None

    def _fitting(self, one: Candidate, need: Need, other: Candidate, place: Place) -> Candidate:
        """`other`, after noting which capabilities it lacks: the reasons, or components that have them."""
        missing = lacking(need, other)
        if missing:
            # Capabilities of the same family say more: `latent.z` beside `latent.style`.
            families = {name.partition(".")[0] for name in missing}
            related = [name for name in other.provides or () if name.partition(".")[0] in families]
            has = listing(related or other.provides or ()) or "no capabilities"
            reasons = [other.ask("capabilities", partial(_absence, capability=name)) for name in missing]
            hint = "; ".join(dict.fromkeys(filter(None, reasons)))
            hint = hint or installed_hint(self.catalog, need.role, need.capabilities, one.use)
            without = f"or do without it: needs: {{{need.slot}: null}}" if need.optional else ""
            one.refuse(
                f"{one.use} needs {wanted(need)}; {other.use} provides {has}",
                place,
                expected="; ".join(f"{name}: {meaning(name)}" for name in missing),
                fix="; ".join(filter(None, (hint, without))),
            )
        return other


def _absence(descriptor: ComponentDescriptor, params: Any, capability: str) -> str:
    return descriptor.absence(params, capability)


def wanted(need: Need) -> str:
    """`a generator with latent.style`."""
    return with_article(need.role) + (f" with {' and '.join(need.capabilities)}" if need.capabilities else "")


def lacking(need: Need, other: Candidate) -> tuple[str, ...]:
    """The capabilities that a component lacks for a need; none where its capabilities are unknown."""
    if other.provides is None:
        return ()
    return tuple(name for name in need.capabilities if name not in other.provides)


def installed_hint(catalog: Any, role: str, capabilities: Iterable[str], asker: str = "") -> str:
    """The installed components of a role that have these capabilities; not the one that asks for another."""
    able = []
    for entry in catalog.entries():
        result = catalog.lookup(entry.use, entry.role) if entry.role == role and entry.use != asker else None
        if isinstance(result, Available) and set(capabilities) <= set(result.descriptor.capabilities):
            able.append(entry.use)
    return f"installed: {listing(able, 6)}" if able else ""
