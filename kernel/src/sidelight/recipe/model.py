"""A recipe as it was written, typed, before plugins are looked at; and as it was resolved, ready to plan."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen
from sidelight_specs.documents import Item, Value
from sidelight_specs.facts import ClassifierFacts, DataFacts, Facts, GeneratorFacts, Mistake
from sidelight_specs.host import Available
from sidelight_specs.live import Live, is_kept
from sidelight_specs.problems import Place, Problem, Problems
from sidelight_specs.recipe import Explain, params_plain
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import quoted

from sidelight.underway import HEAVY, doing, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidelight_specs import ComponentDescriptor

T = TypeVar("T")
F = TypeVar("F", DataFacts, ClassifierFacts, GeneratorFacts)

_FACTS: dict[str, type[Facts]] = {"data": DataFacts, "classifier": ClassifierFacts, "generator": GeneratorFacts}


@define(eq=False)
class Candidate:
    """One component of a recipe on its way to being resolved: as written, looked up, parametrised, wired.

    Args:
        id: its key in the section; the role where the section holds a single component.
        use: `PLUGIN/COMPONENT`; empty when it could not be read, which has been noted.
        place: of `use`.
        start: the place of the whole component.
        given: the `with:` mapping.
        named: slot to the id of the component that is to fill it (`needs:`).
        available: what the catalog says of it; None when it cannot be used.
        params: its parameters; None when they could not be read.
        provides: its capabilities; None when they are unknown because of an earlier mistake.
        sound: nothing is wrong with its parameters and the files that they name, so that its facts can be asked for.
    """

    id: str
    role: str
    use: str
    place: Place
    start: Place
    given: dict[str, Item]
    named: dict[str, Value]
    problems: Problems
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

    @cached_property
    def facts(self) -> Facts | None:
        """Facts of data, a classifier or a generator; None for other roles, and after a mistake."""
        if not self.sound or self.role not in _FACTS:
            return None
        kind = _FACTS[self.role]

        def question(descriptor: Any, params: Any) -> Facts:
            # Facts of what is trained may follow those of the data that it learns from.
            learned = () if kind is DataFacts else (facts_of(self.trained_on, DataFacts),)
            facts: Facts = descriptor.facts(params, *learned)
            if not isinstance(facts, kind):
                raise TypeError(f"{kind.__name__} were expected, not a {type(facts).__name__}")
            return facts

        return self.ask("facts", question)

    def needed(self, role: str) -> Candidate | None:
        """The first of its needs that has a role."""
        return next((other for other in self.needs.values() if other is not None and other.role == role), None)

    def place_of(self, option: str) -> Place:
        """Place of a parameter; of the component's name if the parameter is left out."""
        return self.given[option].value.place if option in self.given else self.place

    def refuse(self, message: str, place: Place | None = None, *, expected: str = "", fix: str = "") -> None:
        """Note a mistake, at the component's name where no other place is given."""
        self.problems.add(message, place or self.place, expected=expected, fix=fix)

    def note(self, mistakes: Iterable[Mistake]) -> bool:
        """Note mistakes in the parameters, and warnings; True if there were mistakes."""
        noted = list(mistakes)
        for mistake in noted:
            option = f"{quoted(mistake.option)} of " if mistake.option else ""
            report = self.problems.add if mistake.refused else self.problems.warn
            report(f"{option}{self.use}: {mistake.message}", self.place_of(mistake.option), fix=mistake.fix)
        return any(mistake.refused for mistake in noted)

    def inspect(self, subject: str, question: Callable[[ComponentDescriptor, Any], Iterable[Mistake]]) -> bool:
        """Note the mistakes that its descriptor tells of; True if it told, and none of them stops a run."""

        def mistakes(descriptor: ComponentDescriptor, params: Any) -> list[Mistake]:
            result = list(question(descriptor, params))
            wrong = [type(one).__name__ for one in result if not isinstance(one, Mistake)]
            if wrong:
                raise TypeError(f"a Mistake was expected, not a {wrong[0]}")
            return result

        noted = self.ask(subject, mistakes)
        return noted is not None and not self.note(noted)

    def ask(self, subject: str, question: Callable[[ComponentDescriptor, Any], T]) -> T | None:
        """An answer of its descriptor, given its parameters; None, after a problem, where the plugin's code fails."""
        if self.descriptor is None or self.params is None:
            return None
        try:
            with doing(f'"{self.use}": telling its {subject}', HEAVY * patience()):
                return question(self.descriptor, self.params)
        except (Exception, SystemExit) as error:  # a plugin's own code may raise anything
            reason = error or type(error).__name__
            self.refuse(f"{self.use} cannot tell its {subject} with these parameters: {reason}")
            return None


def facts_of(one: Candidate | None, kind: type[F]) -> F:
    """Facts of one kind; nothing is known of an absent or faulty component."""
    return one.facts if one and isinstance(one.facts, kind) else kind()


@define
class Recipe:
    """A recipe as written, after `extends`, `vars`, `--set` and `--swap`.

    Args:
        title: what its reports are headed by; empty where it has none.
        components: in the order of the sections and of the file.
        source: the file, or None for a dict.
        place: where the recipe starts.
        explain_items: what the recipe itself says under `explain:`, with places.
        missing: the roles whose absence has been noted.
        data, classifier: the components that its questions are about; None until they are known, and after a mistake.
    """

    name: str
    title: str
    seed: int
    explain: Explain
    components: tuple[Candidate, ...]
    source: Path | None
    place: Place
    explain_items: dict[str, Item]
    catalog: Any
    problems: Problems
    missing: set[str] = field(factory=set)
    data: Candidate | None = None
    classifier: Candidate | None = None

    def of_role(self, role: str) -> list[Candidate]:
        """The components of one role, in recipe order."""
        return [one for one in self.components if one.role == role]

    @property
    def main_inverter(self) -> Candidate | None:
        """The inverter of the explained images: the only one, or the one with the id `inverter`."""
        return self.usual("inverter")

    def usual(self, role: str) -> Candidate | None:
        """The component of a role that is meant where none is named: the only one, or the one with the role as id."""
        every = self.of_role(role)
        return next((one for one in every if len(every) == 1 or one.id == role), None)

    def place_of(self, key: str) -> Place:
        """Place of a key of `explain`; of the recipe if the key is left out."""
        return self.explain_items[key].value.place if key in self.explain_items else self.place


@frozen(eq=False)
class ResolvedComponent(Available):
    """A component wired into its recipe.

    Args:
        id: unique among the components of its role.
        params: an instance of the descriptor's params class.
        needs: slot to the component that fills it, or None for an optional need.
        trained_on: the data that a trainable component learns from.
    """

    id: str
    params: Any
    needs: dict[str, ResolvedComponent | None]
    trained_on: ResolvedComponent | None = None

    @property
    def path(self) -> str:
        """Its path in the recipe: `classifier`, `explainers.cdeepex`; the section for a single one."""
        section = ROLES[self.role].section
        return section if self.id == self.role else f"{section}.{self.id}"

    @property
    def title(self) -> str:
        """Path and use, as messages name it: `explainers.mine (cdeepex/cdeepex)`."""
        return f"{self.path} ({self.use})"

    @property
    def provides(self) -> tuple[str, ...]:
        """Capabilities with these parameters."""
        return tuple(self.descriptor.provided_by(self.params))

    @property
    def is_trainable(self) -> bool:
        """True if it has to be fitted with these parameters."""
        return "trainable" in self.provides

    @property
    def is_kept(self) -> bool:
        """False if it, or what it needs, is a live object whose content cannot be told."""
        return all(is_kept(params_plain(one.params).values()) for one in self.closure)

    @property
    def closure(self) -> frozenset[ResolvedComponent]:
        """The component, everything that it needs, and what these learn from."""
        direct = [other for other in (*self.needs.values(), self.trained_on) if other is not None]
        return frozenset({self}).union(*(other.closure for other in direct))

    def needed(self, role: str) -> ResolvedComponent | None:
        """The first of its needs that has a role."""
        return next((other for other in self.needs.values() if other is not None and other.role == role), None)

    def has_other_generator(self, subject: ResolvedComponent) -> bool:
        """True if a metric and its subject work in the latent spaces of different generators."""
        own = {other for other in self.needs.values() if other is not None and other.role == "generator"}
        used = {other for other in subject.closure if other.role == "generator"}
        return bool(own and used) and not own & used


@frozen(eq=False)
class Resolved:
    """A recipe whose every component exists, is wired, and has all its parameters.

    Args:
        components: in dependency order (a component after all it needs); recipe order otherwise.
        plain: the resolved recipe as plain values, every default written out; loads as a recipe again.
        facts: of the data whose images are explained, as far as they follow from its parameters.
        warnings: what a run does without complaint and hardly anybody wants.
        data, classifier: whose images and answers are explained.
        main_inverter: inverts the explained images.
        live: the live objects that it names by their tokens, held as long as it is.
        assumed: sentences about what was assumed of live objects.
        written: the recipe as plain values, as short as it was written; None where only a file has it so.
    """

    name: str
    seed: int
    explain: Explain
    components: tuple[ResolvedComponent, ...]
    plain: dict[str, Any]
    source: Path | None
    facts: DataFacts
    warnings: tuple[Problem, ...]
    data: ResolvedComponent
    classifier: ResolvedComponent
    main_inverter: ResolvedComponent | None
    live: tuple[Live, ...] = ()
    assumed: tuple[str, ...] = ()
    written: dict[str, Any] | None = None

    def of_role(self, role: str) -> tuple[ResolvedComponent, ...]:
        """The components of one role, in recipe order."""
        return tuple(component for component in self.components if component.role == role)
