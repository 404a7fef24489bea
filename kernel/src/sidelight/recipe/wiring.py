"""Filling the needs of components with other components of the recipe, by role."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from sidelight_specs import Need
from sidelight_specs.descriptors import meaning

from sidelight.problems import Problems
from sidelight.recipe.candidates import Candidate
from sidelight.recipe.model import SECTIONS, Value
from sidelight.recipe.wording import did_you_mean, listing, quoted
from sidelight.registry.model import Available

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import ComponentDescriptor

    from sidelight.problems import Place

TRAINING_SLOT = "data"
"""The slot under which a recipe names the data that a trainable component learns from."""
_SECTION = {role: section for section, role in SECTIONS.items()}


def a(role: str) -> str:
    """A role with its article: `an inverter`, `data`."""
    name = role.replace("_", " ")
    return name if role == "data" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def training_need(descriptor: ComponentDescriptor, provides: Iterable[str]) -> Need | None:
    """The need for training data that a trainable component has without saying so."""
    if "trainable" not in provides or any(need.slot == TRAINING_SLOT for need in descriptor.needs):
        return None
    return Need(TRAINING_SLOT, "data")


@frozen
class Wiring:
    """Wires candidates, and notes which roles nobody fills.

    Args:
        candidates: every component of the recipe.
        catalog: what is installed, for suggestions.
        problems: gets every mistake.
        missing: the roles whose absence has been reported.
    """

    candidates: tuple[Candidate, ...]
    catalog: Any
    problems: Problems
    missing: set[str] = field(factory=set)

    def wire(self) -> None:
        """Fill `needs` and `trained_on` of every candidate that could be looked up."""
        for candidate in self.candidates:
            descriptor = candidate.descriptor
            if descriptor is None:
                continue
            training = training_need(descriptor, candidate.provides or descriptor.provides)
            self._known_slots(candidate, [need.slot for need in (*descriptor.needs, *filter(None, [training]))])
            candidate.needs = {need.slot: self.fill(candidate, need) for need in descriptor.needs}
            if training:
                candidate.trained_on = self.fill(candidate, training)
            elif "trainable" in descriptor.provides:
                candidate.trained_on = candidate.needs.get(TRAINING_SLOT)

    def _known_slots(self, candidate: Candidate, slots: list[str]) -> None:
        for slot, named in candidate.choice.needs.items():
            if slot not in slots:
                self.problems.add(
                    f"{candidate.choice.use} has no need {quoted(slot)}",
                    named.place,
                    expected=f"one of {listing(slots)}" if slots else "no needs",
                    suggestion=did_you_mean(slot, slots),
                )

    def fill(self, candidate: Candidate, need: Need) -> Candidate | None:
        """The component for one need; None when it is optional and absent, or after a mistake."""
        named = candidate.choice.needs.get(need.slot)
        rivals = [other for other in self.candidates if other.choice.role == need.role and other is not candidate]
        if named is not None:
            return self._named(candidate, need, named, rivals)
        if len(rivals) > 1:
            self._ambiguous(candidate, need, rivals)
            return None
        if rivals:
            return self._fitting(candidate, need, rivals[0], candidate.choice.use_place)
        if not need.optional:
            self._absent(candidate, need)
        return None

    def _named(self, candidate: Candidate, need: Need, named: Value, rivals: list[Candidate]) -> Candidate | None:
        if named.data is None:
            if not need.optional:
                self.problems.add(f"{candidate.choice.use} cannot do without its {need.slot}", named.place)
            return None
        found = next((other for other in rivals if other.choice.id == named.data), None)
        if found is not None:
            return self._fitting(candidate, need, found, named.place)
        ids = [other.choice.id for other in rivals]
        self.problems.add(
            f"{candidate.choice.use} needs {a(need.role)} with the id {quoted(named.data)}, and the recipe has none",
            named.place,
            expected=f"one of {listing(ids)}" if ids else f"a section {quoted(_SECTION[need.role])}",
            suggestion=did_you_mean(named.data, ids),
        )
        return None

    def _ambiguous(self, candidate: Candidate, need: Need, rivals: list[Candidate]) -> None:
        able = [other.choice.id for other in rivals if not lacking(need, other)]
        capable = f"only {quoted(able[0])} provides {', '.join(need.capabilities)}" if len(able) == 1 else ""
        self.problems.add(
            f"{candidate.choice.use} needs {a(need.role)}, and the recipe has several: "
            + listing(other.choice.id for other in rivals),
            candidate.choice.use_place,
            expected=f"needs: {{{need.slot}: ID}}, naming one of them",
            suggestion=capable,
        )

    def _absent(self, candidate: Candidate, need: Need) -> None:
        self.missing.add(need.role)
        trained = need == training_need_of(candidate)
        purpose = "is trained, and needs data for it" if trained else f"needs {wanted(need)}"
        self.problems.add(
            f"{candidate.choice.use} {purpose}; the recipe has none",
            candidate.choice.use_place,
            expected=f"a section {quoted(_SECTION[need.role])}",
            suggestion=installed_hint(self.catalog, need.role, need.capabilities, candidate.choice.use),
        )

    def _fitting(self, candidate: Candidate, need: Need, found: Candidate, place: Place) -> Candidate:
        """`found`, after noting which capabilities it lacks."""
        missing = lacking(need, found)
        if missing:
            has = listing(_related(missing, found.provides or ())) or "no capabilities"
            self.problems.add(
                f"{candidate.choice.use} needs {wanted(need)}; {found.choice.use} provides {has}",
                place,
                expected="; ".join(f"{name}: {meaning(name)}" for name in missing),
                suggestion=self._remedy(candidate, need, found, missing),
            )
        return found

    def _remedy(self, candidate: Candidate, need: Need, found: Candidate, missing: tuple[str, ...]) -> str:
        """Hint about capabilities that `found` lacks: the reason, or components that have them."""
        descriptor = found.descriptor
        reasons = [found.ask("capabilities", partial(descriptor.absence, found.params, one), self.problems)
                   for one in missing if descriptor]  # fmt: skip
        told = dict.fromkeys(filter(None, reasons))
        hint = "; ".join(told) or installed_hint(self.catalog, need.role, need.capabilities, candidate.choice.use)
        without = f"or do without it: needs: {{{need.slot}: null}}" if need.optional else ""
        return "; ".join(filter(None, (hint, without)))


def training_need_of(candidate: Candidate) -> Need | None:
    """The unspoken need for training data of a candidate that was looked up."""
    descriptor = candidate.descriptor
    return training_need(descriptor, candidate.provides or descriptor.provides) if descriptor else None


def wanted(need: Need) -> str:
    """`a generator with latent.style`."""
    return a(need.role) + (f" with {' and '.join(need.capabilities)}" if need.capabilities else "")


def lacking(need: Need, found: Candidate) -> tuple[str, ...]:
    """The capabilities that a component lacks for a need; none where its capabilities are unknown."""
    if found.provides is None:
        return ()
    return tuple(name for name in need.capabilities if name not in found.provides)


def _related(missing: Iterable[str], provides: Iterable[str]) -> list[str]:
    """Of what a component provides, the capabilities of the same family: `latent.z` beside `latent.style`."""
    everything = list(provides)
    families = {name.partition(".")[0] for name in missing}
    return [name for name in everything if name.partition(".")[0] in families] or everything


def installed_hint(catalog: Any, role: str, capabilities: Iterable[str], asker: str = "") -> str:
    """The installed components of a role that have these capabilities; not the one that asks for another."""
    able = []
    for entry in catalog.entries():
        found = catalog.lookup(entry.use, entry.role) if entry.role == role and entry.use != asker else None
        if isinstance(found, Available) and set(capabilities) <= set(found.descriptor.capabilities):
            able.append(entry.use)
    return f"installed: {listing(able, 6)}" if able else ""
