"""Compatibility of the data, classifiers and generators of a recipe, by facts that follow from parameters alone.

The statements about facts stand in `sidelight_specs.facts`; here they are asked for and worded. A fact that is not
known is passed over.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen
from sidelight_specs.facts import (
    ClassifierFacts,
    DataFacts,
    Facts,
    GeneratorFacts,
    Given,
    no_common_class,
    partly_explained,
    shape_text,
    unlearnable,
    wrong_images,
    wrong_question,
)
from sidelight_specs.problems import Problems

from sidelight.recipe.model import Candidate, Recipe
from sidelight.recipe.wiring import Wiring, checked, installed_hint

if TYPE_CHECKING:
    from sidelight_specs.facts import Shape


F = TypeVar("F", DataFacts, ClassifierFacts, GeneratorFacts)
_KINDS: dict[str, type[Facts]] = {"data": DataFacts, "classifier": ClassifierFacts, "generator": GeneratorFacts}


@frozen
class Fit:
    """The checks of one recipe.

    Args:
        recipe: as written.
        wiring: its components, wired.
        data: the component whose images are explained.
        classifier: the component whose answers are explained.
        problems: gets every mistake.
    """

    recipe: Recipe
    wiring: Wiring
    data: Candidate | None
    classifier: Candidate | None
    problems: Problems
    _known: dict[Candidate, Facts | None] = field(factory=dict, init=False)

    def check(self) -> DataFacts:
        """Note every misfit; gives the facts of the explained data."""
        self._question()
        self._default_split()
        if self.classifier:
            names = no_common_class(self._facts(self.data, DataFacts), self._facts(self.classifier, ClassifierFacts))
            self.classifier.note(names)
        for candidate in self.wiring.candidates:
            self._latents(candidate)
            self._shapes(candidate)
            data = candidate.trained_on
            if data is None or not candidate.note(unlearnable(self._facts(data, DataFacts), data.use)):
                self._misfits(candidate)
        self._pair(self.classifier, self.data)
        return self._facts(self.data, DataFacts)

    def _facts(self, candidate: Candidate | None, kind: type[F]) -> F:
        """Facts of one kind; nothing is known of an absent or faulty component."""
        facts = self._any_facts(candidate)
        return facts if isinstance(facts, kind) else kind()

    def _any_facts(self, candidate: Candidate | None) -> Facts | None:
        """Facts of a component of any role, one question each; None where its role has none."""
        if candidate is None or not candidate.sound or candidate.role not in _KINDS:
            return None
        if candidate not in self._known:
            kind = _KINDS[candidate.role]

            def ask(descriptor: Any, params: Any) -> Facts:
                # Facts of what is trained may follow those of the data that it learns from.
                learned = () if kind is DataFacts else (self._facts(candidate.trained_on, DataFacts),)
                facts: Facts = descriptor.facts(params, *learned)
                if not isinstance(facts, kind):
                    raise TypeError(f"{kind.__name__} were expected, not a {type(facts).__name__}")
                return facts

            self._known[candidate] = candidate.ask("facts", ask)
        return self._known[candidate]

    def _question(self) -> None:
        """The explained images exist, and so do the classes of the question."""
        explain = self.recipe.explain
        images = wrong_images(self._facts(self.data, DataFacts), explain.split, explain.indices, explain.labels)
        classes = wrong_question(self._facts(self.classifier, ClassifierFacts), explain.target, explain.targets)
        for mistake in chain(images, classes):
            message = f"explain.{mistake.option}: {mistake.message}"
            self.problems.add(message, self.recipe.place_of(mistake.option), fix=mistake.fix)

    def _default_split(self) -> None:
        """Only the test images are explained for want of `split`, although nobody learns of the others."""
        learned = any(one.trained_on is self.data for one in self.wiring.candidates)
        if self.data and not learned and "split" not in self.recipe.explain_items:
            self.data.note(partly_explained(self._facts(self.data, DataFacts)))

    def _latents(self, candidate: Candidate) -> None:
        """An attribute finder without latents of its own works on inverted images."""
        if candidate.role != "attribute_finder" or candidate.provides is None or "latents" in candidate.provides:
            return
        if not candidate.needed("inverter") and not self.wiring.of_role("inverter"):
            message = f"{candidate.use} finds attributes in the latents of the explained images, and the recipe has "
            fix = installed_hint(self.wiring.catalog, "inverter", ())
            candidate.refuse(f"{message}no inverter", expected='a section "inverter"', fix=fix)

    def _shapes(self, candidate: Candidate) -> None:
        """The images that a component hands from one of its needs to another."""
        role = candidate.role
        classifier, generator = candidate.needed("classifier"), candidate.needed("generator")
        if role in ("explainer", "metric"):
            self._pair(classifier, self.data)
        if candidate.trained_on:
            self._pair(classifier, candidate.trained_on)
        if role == "inverter" and candidate is self._main_inverter():
            self._is_inverted(candidate, generator, self.data, "explained")
        sources = []
        if candidate.needed("inverter") and generator:  # it has images inverted, and shows the classifier new ones
            sources = [candidate.needed("data"), self.data if role == "explainer" else None]
        if all([self._is_inverted(candidate, generator, data, "given") for data in sources]):  # noqa: C419  (note all)
            self._pair(classifier, generator)

    def _main_inverter(self) -> Candidate | None:
        """The only inverter, or the one with the id `inverter`."""
        inverters = self.wiring.of_role("inverter")
        return next((one for one in inverters if len(inverters) == 1 or one.id == "inverter"), None)

    def _is_inverted(self, user: Candidate, generator: Candidate | None, data: Candidate | None, images: str) -> bool:
        """True unless images are known to differ in shape from the generator's, which is noted.

        Args:
            user: the inverter itself, or the component that has images inverted.
            generator: in whose latents.
            data: the images.
            images: `explained` images that are not inverted are left out, with a warning; `given` ones are a mistake.
        """
        made, shape = self._facts(generator, GeneratorFacts).shape, self._facts(data, DataFacts).shape
        if generator is None or data is None or made is None or shape is None or made == shape:
            return True
        if images == "explained":
            self.problems.warn(
                f"{user.use} inverts none of the explained images: they have {shape_text(shape)}, "
                f"{generator.use} makes {shape_text(made)}",
                user.place,
                fix="use a generator of such images",
            )
        else:
            user.refuse(
                f"{user.use} inverts images of {shape_text(shape)} from {data.use}, and "
                f"{generator.use} makes {shape_text(made)}",
                expected="a generator and data of one shape",
                fix=_size_fix(data, made) if made[0] == shape[0] else _channel_fix(data, made[0]),
            )
        return False

    def _pair(self, classifier: Candidate | None, source: Candidate | None) -> None:
        """Images of data or of a generator, and a classifier that is shown them."""
        if classifier is None or source is None:
            return
        facts, made = self._facts(classifier, ClassifierFacts), getattr(self._any_facts(source), "shape", None)
        misfit, shape = facts.misfit(made), facts.shape
        if shape is None or made is None or not misfit:
            return
        if misfit != "enlarged":
            classifier.refuse(
                f"{classifier.use} takes images of {shape_text(shape)}, {source.use} gives {shape_text(made)}",
                expected="the same channels" + ("" if facts.resizes else ", height and width"),
                fix=_channel_fix(source, shape[0]) if misfit == "channels" else _size_fix(source, shape),
            )
        elif source is self.data:
            self.problems.warn(
                f"images of {made[1]}x{made[2]} are enlarged to the {shape[1]}x{shape[2]} of {classifier.use}",
                source.place_of("size"),
                fix=_size_fix(source, shape),
            )

    def _misfits(self, candidate: Candidate) -> None:
        """Mistakes that the component itself sees in its parameters, beside all that it gets."""
        if not candidate.sound:
            return
        filled = {slot: other for slot, other in candidate.needs.items() if other is not None}
        facts = {slot: self._any_facts(other) for slot, other in filled.items()}
        given = Given(
            explained=self._facts(self.data, DataFacts),
            classifier=self._facts(self.classifier, ClassifierFacts),
            needs={slot: one for slot, one in facts.items() if one is not None},
            params={slot: other.params for slot, other in filled.items() if other.params is not None},
            trained_on=self._facts(candidate.trained_on, DataFacts) if candidate.trained_on else None,
        )
        mistakes = candidate.ask("misfits", lambda one, params: checked(one.misfits(params, given)))
        candidate.note(mistakes or ())


def _size_fix(source: Candidate, shape: Shape) -> str:
    if shape[1] == shape[2] and hasattr(source.params, "size"):
        return f"set size: {shape[1]} in the `with:` of {source.use}"
    return f"give images of {shape[1]}x{shape[2]}"


def _channel_fix(source: Candidate, channels: int) -> str:
    if hasattr(source.params, "mode"):
        return f"set mode: {'rgb' if channels == 3 else 'grey'} in the `with:` of {source.use}"
    return "use data that fits: grey images for one channel, colour images for three"
