"""The components that a recipe names, looked up and with their parameters read."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field
from sidelight_specs import kinds
from sidelight_specs.facts import Mistake

from sidelight.recipe.fields import read_params
from sidelight.recipe.model import Choice
from sidelight.recipe.wording import did_you_mean, quoted
from sidelight.registry.model import Available, Unavailable
from sidelight.underway import HEAVY, doing, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidelight_specs import ComponentDescriptor

    from sidelight.problems import Place, Problems

T = TypeVar("T")
_MOST_NEIGHBOURS = 200


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
        """What the plugin says of it."""
        return self.available.descriptor if self.available else None

    def place_of(self, option: str) -> Place:
        """Place of a parameter in the recipe; of the component's name if the parameter is left out."""
        entry = self.choice.params.get(option)
        return entry.value.place if entry else self.choice.use_place

    def note(self, mistakes: Iterable[Mistake], problems: Problems) -> bool:
        """Note mistakes and warnings in its parameters; whether there were mistakes."""
        refused = False
        for mistake in mistakes:
            option = f"{quoted(mistake.option)} of " if mistake.option else ""
            message = f"{option}{self.choice.use}: {mistake.message}"
            refused = refused or mistake.refused
            if mistake.refused:
                problems.add(message, self.place_of(mistake.option), suggestion=mistake.fix)
            else:
                problems.warn(message, self.place_of(mistake.option), suggestion=mistake.fix)
        return refused

    def ask(self, what: str, question: Callable[[], T], problems: Problems) -> T | None:
        """An answer of its descriptor; None, after a problem, where the plugin's code fails."""
        try:
            with doing(f'"{self.choice.use}": telling its {what}', HEAVY * patience()):
                return question()
        except (Exception, SystemExit) as error:  # a plugin's own code may raise anything
            message = f"{self.choice.use} cannot tell its {what} with these parameters: {error or type(error).__name__}"
            problems.add(message, self.choice.use_place)
            return None


def look_up(choice: Choice, catalog: Any, problems: Problems, *, finished: bool = False) -> Candidate:
    """Find a component in the catalog, read its parameters, look for its files and ask for its capabilities."""
    if not choice.use:
        return Candidate(choice)
    found = catalog.lookup(choice.use, choice.role)
    if isinstance(found, Unavailable):
        problems.add(found.message, choice.use_place, suggestion=found.suggestion)
        return Candidate(choice)
    _note_unknown_kinds(found.descriptor, choice, catalog, problems)
    params = read_params(found.descriptor.params, choice.params, choice.use, choice.use_place, problems)
    candidate = Candidate(choice, found, params)
    if params is not None:
        candidate.sound = finished or _is_sound(candidate, found.descriptor, problems)
        candidate.provides = candidate.ask(
            "capabilities", lambda: tuple(found.descriptor.provided_by(params)), problems
        )
    return candidate


def _note_unknown_kinds(descriptor: ComponentDescriptor, choice: Choice, catalog: Any, problems: Problems) -> None:
    """A problem where an explainer gives a kind that nobody registers, or a metric accepts no kind that is."""
    named = [getattr(descriptor, "gives", ""), *getattr(descriptor, "accepts", ())]
    wanted = [name for name in named if name]
    if wanted and not catalog.kind_names().intersection(wanted) and not kinds.names().intersection(wanted):
        unknown = " or ".join(quoted(name) for name in wanted)
        known = f"registered are {', '.join(sorted(kinds.names()))}"
        problems.add(f"{choice.use}: no kind of result {unknown} is registered", choice.use_place, expected=known)


def _is_sound(candidate: Candidate, descriptor: ComponentDescriptor, problems: Problems) -> bool:
    """True if the files that the parameters name exist and are in order; a problem is noted otherwise."""
    files = candidate.ask("files", lambda: dict(descriptor.files(candidate.params)), problems)
    missing = [_is_missing(candidate, option, path, problems) for option, path in (files or {}).items()]
    if files is None or any(missing):
        return False
    mistakes = candidate.ask("mistakes", lambda: checked(descriptor.mistakes(candidate.params)), problems)
    return mistakes is not None and not candidate.note(mistakes, problems)


def checked(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Mistakes that a plugin tells. Raises a TypeError where these are something else."""
    found = list(mistakes)
    wrong = [type(one).__name__ for one in found if not isinstance(one, Mistake)]
    if wrong:
        raise TypeError(f"a Mistake was expected, not a {wrong[0]}")
    return found


def _is_missing(candidate: Candidate, option: str, path: str, problems: Problems) -> bool:
    """True if a parameter names a missing file, which is noted."""
    if not path or os.path.isfile(os.path.expanduser(path)):  # noqa: PTH111, PTH113  (Path raises on some names)
        return False
    exists = os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111
    problems.add(
        f"{quoted(option)} of {candidate.choice.use}: "
        + (f"{quoted(path)} is no plain file" if exists else f"there is no file {quoted(path)}"),
        candidate.place_of(option),
        expected=f"a file; relative paths start at {Path.cwd()}",
        suggestion=_near(Path(path).expanduser()),
    )
    return True


def _near(path: Path) -> str:
    """A file of a similar name in the same folder."""
    try:
        names = [entry.name for entry in islice(os.scandir(path.parent), _MOST_NEIGHBOURS) if entry.is_file()]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names)
