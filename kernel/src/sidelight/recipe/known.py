"""Facts about the components of a recipe that their descriptors tell before anything is loaded."""

from __future__ import annotations

from attrs import field, frozen
from sidelight_specs import ClassifierDescriptor, DataDescriptor, GeneratorDescriptor
from sidelight_specs.facts import ClassifierFacts, DataFacts, Facts, GeneratorFacts, Given

from sidelight.problems import Problems
from sidelight.recipe.candidates import Candidate


@frozen
class Known:
    """The facts of candidates, each asked for once.

    Args:
        problems: gets what plugins cannot tell.
    """

    problems: Problems
    _facts: dict[Candidate, Facts | None] = field(factory=dict)

    def data(self, candidate: Candidate | None) -> DataFacts:
        """Facts of data; nothing is known of an absent or faulty component."""
        found = self.of(candidate)
        return found if isinstance(found, DataFacts) else DataFacts()

    def classifier(self, candidate: Candidate | None) -> ClassifierFacts:
        """Facts of a classifier."""
        found = self.of(candidate)
        return found if isinstance(found, ClassifierFacts) else ClassifierFacts()

    def generator(self, candidate: Candidate | None) -> GeneratorFacts:
        """Facts of a generator."""
        found = self.of(candidate)
        return found if isinstance(found, GeneratorFacts) else GeneratorFacts()

    def of(self, candidate: Candidate | None) -> Facts | None:
        """Facts of a component of any role; None where its role has none."""
        if candidate is None or not candidate.sound:
            return None
        if candidate not in self._facts:
            self._facts[candidate] = candidate.ask("facts", lambda: self._asked(candidate), self.problems)
        return self._facts[candidate]

    def given(self, candidate: Candidate, data: Candidate | None, classifier: Candidate | None) -> Given:
        """Facts of everything that a component gets.

        Args:
            candidate: the component.
            data: whose images are explained.
            classifier: whose answers are explained.
        """
        filled = {slot: other for slot, other in candidate.needs.items() if other is not None}
        facts = {slot: self.of(other) for slot, other in filled.items()}
        return Given(
            explained=self.data(data),
            classifier=self.classifier(classifier),
            needs={slot: one for slot, one in facts.items() if one is not None},
            params={slot: other.params for slot, other in filled.items() if other.params is not None},
            trained_on=self.data(candidate.trained_on) if candidate.trained_on else None,
        )

    def _asked(self, candidate: Candidate) -> Facts | None:
        descriptor = candidate.descriptor
        found: Facts
        kind: type[Facts]
        if isinstance(descriptor, DataDescriptor):
            found, kind = descriptor.facts(candidate.params), DataFacts
        elif isinstance(descriptor, ClassifierDescriptor):
            found, kind = descriptor.facts(candidate.params, self.data(candidate.trained_on)), ClassifierFacts
        elif isinstance(descriptor, GeneratorDescriptor):
            found, kind = descriptor.facts(candidate.params, self.data(candidate.trained_on)), GeneratorFacts
        else:
            return None
        if not isinstance(found, kind):
            raise TypeError(f"{kind.__name__} were expected, not a {type(found).__name__}")
        return found
