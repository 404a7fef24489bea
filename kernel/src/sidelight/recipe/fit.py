"""Compatibility of data, classifiers and generators of a recipe: splits, classes, channels and sizes.

Everything here compares facts that follow from parameters alone; a fact that is not known is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from sidelight.recipe.candidates import Candidate, checked
from sidelight.recipe.known import Known
from sidelight.recipe.model import QUESTIONS, Recipe
from sidelight.recipe.wiring import Wiring, installed_hint
from sidelight.recipe.wording import did_you_mean, listing, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.facts import DataFacts

    from sidelight.problems import Place, Problems

_MOST_CLASSES = 2000  # ImageNet has 1,000; comparing takes about 10 ms a thousand
_ASKED_OTHERWISE = "target: predicted asks why the predicted class; second and all ask about others"


@frozen
class Fit:
    """The checks of one recipe.

    Args:
        recipe: as written.
        wiring: its components, wired.
        data: the component whose images are explained.
        classifier: the component whose answers are explained.
    """

    recipe: Recipe
    wiring: Wiring
    data: Candidate | None
    classifier: Candidate | None
    known: Known = field()

    @known.default
    def _unknown(self) -> Known:
        return Known(self.wiring.problems)

    @property
    def problems(self) -> Problems:
        """Collector of every mistake."""
        return self.wiring.problems

    def check(self) -> DataFacts:
        """Note every misfit; gives the facts of the explained data."""
        self._explained_images()
        self._asked_classes()
        self._class_names()
        for candidate in self.wiring.candidates:
            self._latents(candidate)
            self._shapes(candidate)
            if self._learns(candidate):
                self._misfits(candidate)
        self._pair(self.classifier, self.data)
        return self.known.data(self.data)

    def _place(self, key: str) -> Place | None:
        entry = self.recipe.explain_entries.get(key)
        return entry.value.place if entry else self.recipe.place

    def _explained_images(self) -> None:
        """The split, the positions and the labels of the explained images."""
        explain, facts = self.recipe.explain, self.known.data(self.data)
        if facts.splits is not None and explain.split not in facts.splits:
            self.problems.add(
                f"the data has no split {quoted(explain.split)}",
                self._place("split"),
                expected=f"one of {listing(facts.splits)}",
                suggestion=did_you_mean(explain.split, facts.splits),
            )
            return
        size = (facts.splits or {}).get(explain.split)
        outside = [index for index in explain.indices if size is not None and index >= size]
        if outside:
            self.problems.add(
                f"there is no image {listing(map(str, outside))} in the split {quoted(explain.split)}",
                self._place("indices"),
                expected=f"positions from 0 to {(size or 0) - 1}",
            )
        if explain.labels and facts.classes == ():
            self.problems.add("the data has no class labels", self._place("labels"), suggestion="give indices instead")
        elif facts.classes:
            for label in explain.labels:
                self._class(label, facts.classes, "data", "labels")
        self._default_split(facts)

    def _default_split(self, facts: DataFacts) -> None:
        """Images without labels of which nobody learns, and only the test images are explained for want of `split`."""
        splits = facts.splits or {}
        some, every = splits.get("test"), splits.get("all")
        learned = any(other.trained_on is self.data for other in self.wiring.candidates)
        if "split" in self.recipe.explain_entries or facts.classes != () or learned or some is None or every is None:
            return
        if some < every:
            self.problems.warn(
                f"only the split test is explained, {some} of {every} images",
                self.data.choice.use_place if self.data else None,
                suggestion="set explain.split: all for every image",
            )

    def _asked_classes(self) -> None:
        """The classes that the recipe asks about are classes of the classifier."""
        facts, explain = self.known.classifier(self.classifier), self.recipe.explain
        if not facts.classes or facts.task == "regression":
            return
        for said, asked in explain.targets.items():
            known = [self._class(name, facts.classes, "classifier", "targets") for name in (said, asked)]
            if all(known) and said == asked:
                self.problems.add(f"explain.targets asks why {quoted(said)} and not {quoted(said)}",
                                  self._place("targets"), suggestion="ask about another class")  # fmt: skip
        if not explain.targets and explain.target not in QUESTIONS:
            self._class(explain.target, facts.classes, "classifier", "target")

    def _class(self, wanted: str | int, names: Sequence[str], whose: str, key: str) -> bool:
        """True if there is a class of that name or index; a problem is noted otherwise."""
        if 0 <= wanted < len(names) if isinstance(wanted, int) else wanted in names:
            return True
        if str(wanted) in names:
            message, hint = f"there is no class with index {wanted}", f'write "{wanted}" in quotes for its name'
        else:
            message, hint = (
                f"the {whose} has no class {quoted(str(wanted))}",
                did_you_mean(str(wanted), names, _MOST_CLASSES),
            )
        more = _ASKED_OTHERWISE if key == "target" else ""
        self.problems.add(
            f"explain.{key}: {message}",
            self._place(key),
            expected=f"one of {listing(names)}",
            suggestion="; ".join(filter(None, (hint, more))),
        )
        return False

    def _class_names(self) -> None:
        """Names are how predictions and labels are compared; where none agrees, every image counts as misclassified."""
        ours, theirs = self.known.data(self.data).classes, self.known.classifier(self.classifier)
        if not (ours and theirs.classes and self.classifier) or theirs.task == "regression":
            return
        if not set(ours) & set(theirs.classes):
            self.problems.warn(
                f"no class of the data ({listing(ours, 4)}) is one of the classifier ({listing(theirs.classes, 4)}), "
                "so that every image would be called misclassified",
                self.classifier.choice.use_place,
                suggestion="give both the same class names",
            )

    def _learns(self, candidate: Candidate) -> bool:
        """True unless the data that it is trained on are known to lack a split train, which is noted."""
        data = candidate.trained_on
        splits = self.known.data(data).splits
        if data is None or splits is None or "train" in splits:
            return True
        self.problems.add(
            f'{candidate.choice.use} is trained on the split "train", and {data.choice.use} has none: '
            f"it has {listing(splits)}",
            candidate.choice.use_place,
            expected="data with a split train, or a pretrained component",
        )
        return False

    def _latents(self, candidate: Candidate) -> None:
        """An attribute finder without latents of its own works on inverted images."""
        if candidate.choice.role != "attribute_finder" or candidate.provides is None:
            return
        inverters = [other for other in self.wiring.candidates if other.choice.role == "inverter"]
        named = any(other is not None and other.choice.role == "inverter" for other in candidate.needs.values())
        if "latents" not in candidate.provides and not named and not inverters:
            self.problems.add(
                f"{candidate.choice.use} finds attributes in the latents of the explained images, and the recipe has "
                "no inverter",
                candidate.choice.use_place,
                expected='a section "inverter"',
                suggestion=installed_hint(self.wiring.catalog, "inverter", ()),
            )

    def _shapes(self, candidate: Candidate) -> None:
        """The images that a component hands from one of its needs to another."""
        needs, role = candidate.needs, candidate.choice.role
        classifier, generator, inverter = (_first(needs, one) for one in ("classifier", "generator", "inverter"))
        own = _first(needs, "data")
        if role in ("explainer", "metric"):
            self._pair(classifier, self.data)
        if candidate.trained_on:
            self._pair(classifier, candidate.trained_on)
        if role == "inverter" and candidate is self._main_inverter():
            self._not_inverted(candidate, generator)
        inverted = [own, self.data if role == "explainer" else None] if inverter and generator else []
        if all([self._same(candidate, generator, data) for data in inverted]):  # noqa: C419  (all are noted)
            self._pair(classifier, generator)

    def _main_inverter(self) -> Candidate | None:
        """The only inverter, or the one with the id `inverter`."""
        inverters = [other for other in self.wiring.candidates if other.choice.role == "inverter"]
        return next((one for one in inverters if len(inverters) == 1 or one.choice.id == "inverter"), None)

    def _not_inverted(self, inverter: Candidate, generator: Candidate | None) -> None:
        """Warn of explained images that the main inverter leaves alone, because the generator makes others."""
        made, shape = self.known.generator(generator).shape, self.known.data(self.data).shape
        if generator is not None and made is not None and shape is not None and made != shape:
            self.problems.warn(
                f"{inverter.choice.use} inverts none of the explained images: they have {_written(shape)}, "
                f"{generator.choice.use} makes {_written(made)}",
                inverter.choice.use_place,
                suggestion="use a generator of such images",
            )

    def _pair(self, classifier: Candidate | None, source: Candidate | None) -> None:
        """Images of data or of a generator, and a classifier that is shown them."""
        if classifier is None or source is None:
            return
        facts, theirs = self.known.classifier(classifier), self.known.of(source)
        ours, made = facts.shape, getattr(theirs, "shape", None)
        if ours is None or made is None or ours == made:
            return
        if ours[0] != made[0] or not facts.resizes:
            self.problems.add(
                f"{classifier.choice.use} takes images of {_written(ours)}, {source.choice.use} gives {_written(made)}",
                classifier.choice.use_place,
                expected="the same channels" + ("" if facts.resizes else ", height and width"),
                suggestion=_channel_fix(source, ours[0]) if ours[0] != made[0] else _size_fix(source, ours),
            )
        elif source is self.data and (made[1] < ours[1] or made[2] < ours[2]):
            self.problems.warn(
                f"images of {made[1]}x{made[2]} are enlarged to the {ours[1]}x{ours[2]} of {classifier.choice.use}",
                source.place_of("size"),
                suggestion=_size_fix(source, ours),
            )

    def _same(self, candidate: Candidate, generator: Candidate | None, data: Candidate | None) -> bool:
        """True unless inverted images are known to differ in shape from the generator's, which is noted."""
        made, shape = self.known.generator(generator).shape, self.known.data(data).shape
        if generator is None or data is None or made is None or shape is None or made == shape:
            return True
        self.problems.add(
            f"{candidate.choice.use} inverts images of {_written(shape)} from {data.choice.use}, and "
            f"{generator.choice.use} makes {_written(made)}",
            candidate.choice.use_place,
            expected="a generator and data of one shape",
            suggestion=_size_fix(data, made) if made[0] == shape[0] else _channel_fix(data, made[0]),
        )
        return False

    def _misfits(self, candidate: Candidate) -> None:
        descriptor = candidate.descriptor
        if descriptor is None or not candidate.sound:
            return
        given = self.known.given(candidate, self.data, self.classifier)
        params = candidate.params
        mistakes = candidate.ask("misfits", lambda: checked(descriptor.misfits(params, given)), self.problems)
        candidate.note(mistakes or (), self.problems)


def _first(needs: dict[str, Candidate | None], role: str) -> Candidate | None:
    return next((other for other in needs.values() if other is not None and other.choice.role == role), None)


def _written(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{channels} channel{'s' if channels > 1 else ''}, {height}x{width}"


def _size_fix(source: Candidate, shape: tuple[int, int, int]) -> str:
    if shape[1] == shape[2] and hasattr(source.params, "size"):
        return f"set size: {shape[1]} in the `with:` of {source.choice.use}"
    return f"give images of {shape[1]}x{shape[2]}"


def _channel_fix(source: Candidate, channels: int) -> str:
    if hasattr(source.params, "mode"):
        return f"set mode: {'rgb' if channels == 3 else 'grey'} in the `with:` of {source.choice.use}"
    return "use data that fits: grey images for one channel, colour images for three"
