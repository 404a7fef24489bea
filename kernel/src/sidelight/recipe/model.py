"""A recipe as it was written, typed, before plugins are looked at; and as it was resolved, ready to plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen
from sidelight_specs import ComponentDescriptor, Need, UserError
from sidelight_specs.documents import Item, Value
from sidelight_specs.facts import DataFacts, Mistake
from sidelight_specs.host import Available
from sidelight_specs.problems import Place, Problem, Problems
from sidelight_specs.recipe import Explain, training_need
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import quoted

from sidelight.underway import HEAVY, doing, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

SECTIONS = {role.section: role.name for role in ROLES.values()}
"""Section of a recipe to the role of the components in it. Every section takes one component or a mapping of ids."""


@define(eq=False)
class Candidate:
    """One component of a recipe on its way to being resolved: as written, looked up, parametrised, wired.

    Args:
        id: its key in the section; the role where the section holds a single component.
        role: its role.
        use: `PLUGIN/COMPONENT`; empty when it could not be read, which has been noted.
        place: of `use`.
        start: the place of the whole component.
        given: the `with:` mapping.
        named: slot to the id of the component that is to fill it (`needs:`).
        problems: gets every mistake in it.
        available: what the catalog says of it; None when it cannot be used.
        params: its parameters; None when they could not be read.
        provides: its capabilities; None when they are unknown because of an earlier mistake.
        sound: nothing is wrong with its parameters and the files that they name, so that its facts can be asked for.
        needs: slot to the candidate that fills it.
        trained_on: the data that it learns from.
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

    @property
    def training_need(self) -> Need | None:
        """The need for training data that it has without saying so."""
        return training_need(self.descriptor, self.provides or self.descriptor.provides) if self.descriptor else None

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

    def ask(self, subject: str, question: Callable[[ComponentDescriptor, Any], T]) -> T | None:
        """An answer of its descriptor; None, after a problem, where the plugin's code fails.

        Args:
            subject: of the question, for messages: `capabilities`.
            question: called with the descriptor and the parameters.
        """
        if self.descriptor is None or self.params is None:
            return None
        try:
            with doing(f'"{self.use}": telling its {subject}', HEAVY * patience()):
                return question(self.descriptor, self.params)
        except (Exception, SystemExit) as error:  # a plugin's own code may raise anything
            reason = error or type(error).__name__
            self.refuse(f"{self.use} cannot tell its {subject} with these parameters: {reason}")
            return None


@frozen
class Recipe:
    """A recipe as written, after `extends`, `vars`, `--set` and `--swap`.

    Args:
        name: names the run's folder.
        seed: of every random stream.
        explain: what is explained.
        components: in the order of the sections and of the file.
        source: the file, or None for a dict.
        place: where the recipe starts.
        explain_items: what the recipe itself says under `explain:`, with places.
    """

    name: str
    seed: int
    explain: Explain
    components: tuple[Candidate, ...]
    source: Path | None = None
    place: Place | None = None
    explain_items: dict[str, Item] = field(factory=dict)

    def place_of(self, key: str) -> Place | None:
        """Place of a key of `explain`; of the recipe if the key is left out."""
        item = self.explain_items.get(key)
        return item.value.place if item else self.place


@frozen(eq=False)
class ResolvedComponent:
    """A component wired into its recipe.

    Args:
        id: unique among the components of its role.
        role: its role.
        use: `PLUGIN/COMPONENT`.
        descriptor: what the plugin says of it.
        distribution, version: where it comes from.
        params: an instance of the descriptor's params class.
        needs: slot to the component that fills it, or None for an optional need.
        trained_on: the data that a trainable component learns from.
    """

    id: str
    role: str
    use: str
    descriptor: ComponentDescriptor
    distribution: str
    version: str
    params: Any
    needs: dict[str, ResolvedComponent | None]
    trained_on: ResolvedComponent | None = None

    @property
    def path(self) -> str:
        """Its path in the recipe: `classifier`, `explainers.cdeepex`; the section for a single one."""
        section = next(section for section, role in SECTIONS.items() if role == self.role)
        return section if self.id == self.role else f"{section}.{self.id}"

    @property
    def code(self) -> str:
        """Digest of the sources that it runs, so that changed code makes a new store key."""
        from sidelight.registry.code import code_of  # only where keys are computed

        return code_of(self.descriptor, self.distribution)

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
    """

    name: str
    seed: int
    explain: Explain
    components: tuple[ResolvedComponent, ...]
    plain: dict[str, Any]
    source: Path | None = None
    facts: DataFacts = DataFacts()
    warnings: tuple[Problem, ...] = ()

    def of_role(self, role: str) -> tuple[ResolvedComponent, ...]:
        """The components of one role, in recipe order."""
        return tuple(component for component in self.components if component.role == role)

    @property
    def data(self) -> ResolvedComponent | None:
        """The data whose images are explained."""
        return self._named("data", self.explain.data)

    @property
    def classifier(self) -> ResolvedComponent | None:
        """The classifier whose answers are explained."""
        return self._named("classifier", self.explain.classifier)

    @property
    def main_inverter(self) -> ResolvedComponent | None:
        """The inverter of the explained images: the only one, or the one with the id `inverter`.

        Raises:
            UserError: several, and none has this id.
        """
        inverters = self.of_role("inverter")
        main = next((one for one in inverters if len(inverters) == 1 or one.id == "inverter"), None)
        if inverters and main is None:
            ids = ", ".join(one.id for one in inverters)
            fix = "give the one that inverts the explained images the id `inverter`; `needs` may name the others"
            raise UserError(f"the recipe has several inverters: {ids}", fix)
        return main

    def _named(self, role: str, id: str | None) -> ResolvedComponent | None:
        return next((component for component in self.of_role(role) if id in (None, component.id)), None)
