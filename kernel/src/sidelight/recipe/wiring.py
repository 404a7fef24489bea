"""Components of a recipe looked up in the catalog, their parameters read, and their needs filled by role.

A need is filled by the only component of its role, or by the one that `needs:` names; then capabilities are compared.
"""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen
from sidelight_specs import Need, kinds
from sidelight_specs.descriptors import meaning
from sidelight_specs.facts import Mistake
from sidelight_specs.recipe import TRAINING_SLOT, training_need
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.document import Value, read_params
from sidelight.problems import Problems
from sidelight.recipe.model import SECTIONS, Choice
from sidelight.registry.catalog import Available, Unavailable, with_article
from sidelight.underway import HEAVY, doing, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidelight_specs import ComponentDescriptor

    from sidelight.problems import Place

T = TypeVar("T")
_MOST_NEIGHBOURS = 200  # files of a folder among which a similar name is looked for
_SECTION = {role: section for section, role in SECTIONS.items()}


@define(eq=False)
class Candidate:
    """One component on its way to being resolved.

    Args:
        choice: what the recipe says of it.
        available: what the catalog says of it; None when it cannot be used.
        params: its parameters; None when they could not be read.
        provides: its capabilities; None when they are unknown because of an earlier mistake.
        sound: nothing is wrong with its parameters and the files that they name, so that its facts can be asked for.
        needs: slot to the candidate that fills it.
        trained_on: the data that it learns from.
    """

    choice: Choice
    available: Available | None = None
    params: Any = None
    provides: tuple[str, ...] | None = None
    sound: bool = False
    needs: dict[str, Candidate | None] = field(factory=dict)
    trained_on: Candidate | None = None

    @property
    def descriptor(self) -> ComponentDescriptor | None:
        """The descriptor that the plugin announces."""
        return self.available.descriptor if self.available else None

    @property
    def training_need(self) -> Need | None:
        """The need for training data that it has without saying so."""
        if self.descriptor is None:
            return None
        return training_need(self.descriptor, self.provides or self.descriptor.provides)

    def needed(self, role: str) -> Candidate | None:
        """The first of its needs that has a role."""
        return next((other for other in self.needs.values() if other is not None and other.choice.role == role), None)

    def ask(self, subject: str, question: Callable[[ComponentDescriptor, Any], T], problems: Problems) -> T | None:
        """An answer of its descriptor; None, after a problem, where the plugin's code fails.

        Args:
            subject: of the question, for messages: `capabilities`.
            question: called with the descriptor and the parameters.
            problems: gets the failure.
        """
        if self.descriptor is None or self.params is None:
            return None
        try:
            with doing(f'"{self.choice.use}": telling its {subject}', HEAVY * patience()):
                return question(self.descriptor, self.params)
        except (Exception, SystemExit) as error:  # a plugin's own code may raise anything
            reason = error or type(error).__name__
            message = f"{self.choice.use} cannot tell its {subject} with these parameters: {reason}"
            problems.add(message, self.choice.use_place)
            return None


def look_up(choice: Choice, catalog: Any, problems: Problems, *, finished: bool = False) -> Candidate:
    """Find a component in the catalog, read its parameters, look for its files and ask for its capabilities."""
    if not choice.use:
        return Candidate(choice)
    result = catalog.lookup(choice.use, choice.role)
    if isinstance(result, Unavailable):
        problems.add(result.message, choice.use_place, fix=result.fix)
        return Candidate(choice)
    _check_kinds(choice, result.descriptor, catalog, problems)
    params = read_params(result.descriptor.params, choice.params, choice.use, choice.use_place, problems)
    candidate = Candidate(choice, result, params)
    if params is not None:
        candidate.sound = finished or _is_sound(candidate, problems)
        candidate.provides = candidate.ask("capabilities", lambda one, values: tuple(one.provided_by(values)), problems)
    return candidate


def _check_kinds(choice: Choice, descriptor: ComponentDescriptor, catalog: Any, problems: Problems) -> None:
    """A problem where an explainer gives a kind that nobody registers, or a metric accepts no kind that is."""
    named = {getattr(descriptor, "gives", ""), *getattr(descriptor, "accepts", ())} - {""}
    if named and not named & catalog.kind_names() and not named & kinds.names():  # the latter loads numpy
        unknown = " or ".join(map(quoted, sorted(named)))
        expected = f"registered are {', '.join(sorted(kinds.names()))}"
        problems.add(f"{choice.use}: no kind of result {unknown} is registered", choice.use_place, expected=expected)


def _is_sound(candidate: Candidate, problems: Problems) -> bool:
    """True if the files that the parameters name exist and are in order; a problem is noted otherwise."""
    files = candidate.ask("files", lambda descriptor, values: dict(descriptor.files(values)), problems)
    if files is None or any([_is_missing(candidate.choice, *named, problems) for named in files.items()]):  # noqa: C419
        return False
    mistakes = candidate.ask("mistakes", lambda descriptor, values: checked(descriptor.mistakes(values)), problems)
    return mistakes is not None and not note(mistakes, candidate.choice, problems)


def checked(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Mistakes that a plugin tells. Raises a TypeError where these are something else."""
    result = list(mistakes)
    wrong = [type(one).__name__ for one in result if not isinstance(one, Mistake)]
    if wrong:
        raise TypeError(f"a Mistake was expected, not a {wrong[0]}")
    return result


def note(mistakes: Iterable[Mistake], choice: Choice, problems: Problems) -> bool:
    """Note mistakes in a component's parameters, and warnings; True if there were mistakes."""
    refused = False
    for mistake in mistakes:
        option = f"{quoted(mistake.option)} of " if mistake.option else ""
        refused = refused or mistake.refused
        report = problems.add if mistake.refused else problems.warn
        message = f"{option}{choice.use}: {mistake.message}"
        report(message, choice.place_of(mistake.option), fix=mistake.fix)
    return refused


def _is_missing(choice: Choice, option: str, path: str, problems: Problems) -> bool:
    """True if a parameter names a missing file, which is noted."""
    if not path or os.path.isfile(os.path.expanduser(path)):  # noqa: PTH111, PTH113  (Path raises on some names)
        return False
    exists = os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111
    reason = f"{quoted(path)} is no plain file" if exists else f"there is no file {quoted(path)}"
    problems.add(
        f"{quoted(option)} of {choice.use}: {reason}",
        choice.place_of(option),
        expected=f"a file; relative paths start at {Path.cwd()}",
        fix=_near(Path(path).expanduser()),
    )
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
            training = candidate.training_need
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
                    fix=did_you_mean(slot, slots),
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
        other = next((other for other in rivals if other.choice.id == named.data), None)
        if other is not None:
            return self._fitting(candidate, need, other, named.place)
        ids = [other.choice.id for other in rivals]
        wanted_id = f"{with_article(need.role)} with the id {quoted(named.data)}"
        self.problems.add(
            f"{candidate.choice.use} needs {wanted_id}, and the recipe has none",
            named.place,
            expected=f"one of {listing(ids)}" if ids else f"a section {quoted(_SECTION[need.role])}",
            fix=did_you_mean(named.data, ids),
        )
        return None

    def _ambiguous(self, candidate: Candidate, need: Need, rivals: list[Candidate]) -> None:
        able = [other.choice.id for other in rivals if not lacking(need, other)]
        capable = f"only {quoted(able[0])} provides {', '.join(need.capabilities)}" if len(able) == 1 else ""
        self.problems.add(
            f"{candidate.choice.use} needs {with_article(need.role)}, and the recipe has several: "
            + listing(other.choice.id for other in rivals),
            candidate.choice.use_place,
            expected=f"needs: {{{need.slot}: ID}}, naming one of them",
            fix=capable,
        )

    def _absent(self, candidate: Candidate, need: Need) -> None:
        self.missing.add(need.role)
        is_training = need == candidate.training_need
        purpose = "is trained, and needs data for it" if is_training else f"needs {wanted(need)}"
        self.problems.add(
            f"{candidate.choice.use} {purpose}; the recipe has none",
            candidate.choice.use_place,
            expected=f"a section {quoted(_SECTION[need.role])}",
            fix=installed_hint(self.catalog, need.role, need.capabilities, candidate.choice.use),
        )

    def _fitting(self, candidate: Candidate, need: Need, other: Candidate, place: Place) -> Candidate:
        """`other`, after noting which capabilities it lacks."""
        missing = lacking(need, other)
        if missing:
            has = listing(_related(missing, other.provides or ())) or "no capabilities"
            self.problems.add(
                f"{candidate.choice.use} needs {wanted(need)}; {other.choice.use} provides {has}",
                place,
                expected="; ".join(f"{name}: {meaning(name)}" for name in missing),
                fix=self._remedy(candidate, need, other, missing),
            )
        return other

    def _remedy(self, candidate: Candidate, need: Need, other: Candidate, missing: tuple[str, ...]) -> str:
        """Hint about capabilities that `other` lacks: the reason, or components that have them."""
        reasons = [
            other.ask("capabilities", partial(_reason_of_absence, capability=name), self.problems) for name in missing
        ]
        hint = "; ".join(dict.fromkeys(filter(None, reasons))) or installed_hint(
            self.catalog, need.role, need.capabilities, candidate.choice.use
        )
        without = f"or do without it: needs: {{{need.slot}: null}}" if need.optional else ""
        return "; ".join(filter(None, (hint, without)))


def _reason_of_absence(descriptor: ComponentDescriptor, params: Any, capability: str) -> str:
    return descriptor.absence(params, capability)


def wanted(need: Need) -> str:
    """`a generator with latent.style`."""
    return with_article(need.role) + (f" with {' and '.join(need.capabilities)}" if need.capabilities else "")


def lacking(need: Need, other: Candidate) -> tuple[str, ...]:
    """The capabilities that a component lacks for a need; none where its capabilities are unknown."""
    if other.provides is None:
        return ()
    return tuple(name for name in need.capabilities if name not in other.provides)


def _related(missing: Iterable[str], provides: Iterable[str]) -> list[str]:
    """Of what a component provides, the capabilities of the same family: `latent.z` beside `latent.style`."""
    everything = list(provides)
    families = {name.partition(".")[0] for name in missing}
    return [name for name in everything if name.partition(".")[0] in families] or everything


def installed_hint(catalog: Any, role: str, capabilities: Iterable[str], asker: str = "") -> str:
    """The installed components of a role that have these capabilities; not the one that asks for another."""
    able = []
    for entry in catalog.entries():
        result = catalog.lookup(entry.use, entry.role) if entry.role == role and entry.use != asker else None
        if isinstance(result, Available) and set(capabilities) <= set(result.descriptor.capabilities):
            able.append(entry.use)
    return f"installed: {listing(able, 6)}" if able else ""
