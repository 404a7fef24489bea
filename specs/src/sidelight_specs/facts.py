"""Facts of components that follow from their parameters alone, so that `sidelight check` compares them before a run.

Whatever cannot be known without loading a model or reading images is None, and nothing is concluded from it. Facts are
asked of descriptors: no heavy import, and of files no more than a listing, a header or a small member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import and_, deep_iterable, deep_mapping, gt, instance_of, max_len, min_len, optional

from sidelight_specs.wording import did_you_mean, listing, quoted

Shape: TypeAlias = tuple[int, int, int]
"""(C, H, W)."""
Choose: TypeAlias = "str | Mapping[str, Sequence[str | int]]"
"""`explain.choose`: a name, or `{confused: [A, B]}`."""
QUESTIONS = ("auto", "expected", "second", "predicted", "all")
"""Targets of a question beside the name or the index of a class."""
_OTHER_QUESTIONS = f"or one of {', '.join(QUESTIONS)}"
USUAL, EVERY = "test", "all"
"""Splits that are explained unless a recipe names another."""
_CONFUSED = "confused"
_MANY = 200  # images that are explained unasked without a word
_MOST_COMPARED = 2000  # names; ImageNet has 1,000 classes, and comparing takes about 10 ms a thousand

_NAME = instance_of(str)
_NAMES = deep_iterable(_NAME, instance_of(tuple))
_SHAPE = deep_iterable(and_(instance_of(int), gt(0)), and_(instance_of(tuple), min_len(3), max_len(3)))
_COUNTS = deep_mapping(_NAME, optional(instance_of(int)), instance_of(dict))


def _is_crop(_: Any, attribute: Any, value: Any) -> None:
    if value != "whole" and not (isinstance(value, (int, float)) and value > 0):
        raise TypeError(f"{attribute.name} must be a share above 0 or 'whole', not {value!r}")


def _told(valid: Any) -> Any:
    """A fact that may be unknown; a plugin that tells something else fails where it does, with a TypeError."""
    return field(default=None, validator=optional(valid))


@frozen(kw_only=True)
class DataFacts:
    """Facts of a data set.

    Args:
        shape: (C, H, W) of its images.
        splits: name of every split to its number of images, None where only the name is known.
        classes: class names, in the order of the labels; empty for images without labels.
        factors: names of the ground-truth factors.
        masks: split to the names of its masks.
        fingerprint: what `roles.Data.fingerprint` gives.
        ids: split to the names of its images, as `Split.ids`.
        is_named: the user named the images one by one, or by a pattern: all of them are explained unless the recipe
            says how many.
    """

    shape: Shape | None = _told(_SHAPE)
    splits: dict[str, int | None] | None = _told(_COUNTS)
    classes: tuple[str, ...] | None = _told(_NAMES)
    factors: tuple[str, ...] | None = _told(_NAMES)
    masks: dict[str, tuple[str, ...]] | None = _told(deep_mapping(_NAME, _NAMES, instance_of(dict)))
    fingerprint: str | None = _told(_NAME)
    ids: dict[str, tuple[str, ...]] | None = _told(deep_mapping(_NAME, _NAMES, instance_of(dict)))
    is_named: bool = False


@frozen(kw_only=True)
class ClassifierFacts:
    """Facts of a classifier.

    Args:
        shape: (C, H, W) of the images that it was made for.
        resizes: takes images of other heights and widths as well; channels have to agree in any case.
        classes: its class names; two for a binary task, one for a regression.
        task: as `roles.Classifier.task`.
        crop: share of the short side that the model's own preprocessing keeps, by a centre crop; `"whole"` where it
            squashes the whole picture.
    """

    shape: Shape | None = _told(_SHAPE)
    crop: float | Literal["whole"] | None = _told(_is_crop)
    resizes: bool = True
    classes: tuple[str, ...] | None = _told(_NAMES)
    task: Literal["multiclass", "binary", "regression"] | None = None

    def misfit(self, images: Shape | None) -> Literal["", "channels", "size", "enlarged"]:
        """Relation of images to those it takes: other channels, a size that it refuses, or one that is enlarged."""
        if self.shape is None or images is None or self.shape == images:
            return ""
        if self.shape[0] != images[0]:
            return "channels"
        if not self.resizes:
            return "size"
        return "enlarged" if images[1] < self.shape[1] or images[2] < self.shape[2] else ""


@frozen(kw_only=True)
class GeneratorFacts:
    """Facts of a generator.

    Args:
        shape: (C, H, W) of the images that it makes.
    """

    shape: Shape | None = _told(_SHAPE)


Facts: TypeAlias = DataFacts | ClassifierFacts | GeneratorFacts


@frozen
class Mistake:
    """One mistake in the parameters of a component, found before anything is loaded.

    Args:
        message: what is wrong, one lower-case sentence without a full stop.
        fix: what to do about it, in the imperative.
        option: the parameter at fault; empty for the component as a whole.
        refused: a run refuses it too; else it is a warning.
    """

    message: str = field(validator=_NAME)
    fix: str = field(default="", validator=_NAME)
    option: str = field(default="", validator=_NAME)
    refused: bool = True


@frozen(kw_only=True)
class Reference:
    """A component that a claim names, so that `check` finds out that the recipe has none.

    Args:
        role: of the component: `metric`, `explainer`, `attribute_finder`.
        id: its id; None for the only one of that role, which has to give one of `kinds`.
        option: the parameter that names it.
        kinds: the kinds of result of which it has to give one; empty for any.
        subject: of a metric: the id of the explanation that it measures; None for the only one; empty for whichever.
    """

    role: str
    id: str | None = None
    option: str = ""
    kinds: tuple[str, ...] = ()
    subject: str | None = ""


@frozen(kw_only=True)
class Given:
    """Facts of what a component gets.

    Args:
        explained: of the data whose images are explained.
        classifier: of the classifier whose answers are explained.
        needs: slot to the facts of the component that fills it; a slot that stays empty, or of another role, is absent.
        params: slot to the parameters of the component that fills it.
        provides: slot to the capabilities of the component that fills it.
        trained_on: of the data that the component learns from.
    """

    explained: DataFacts = DataFacts()
    classifier: ClassifierFacts = ClassifierFacts()
    needs: Mapping[str, Facts] = field(factory=dict)
    params: Mapping[str, Any] = field(factory=dict)
    provides: Mapping[str, tuple[str, ...]] = field(factory=dict)
    trained_on: DataFacts | None = None

    def data(self, slot: str = "data") -> DataFacts:
        """Facts of the data in a slot; nothing is known where there is none."""
        found = self.needs.get(slot)
        return found if isinstance(found, DataFacts) else DataFacts()

    def classifier_of(self, slot: str = "classifier") -> ClassifierFacts:
        """Facts of the classifier in a slot."""
        found = self.needs.get(slot)
        return found if isinstance(found, ClassifierFacts) else ClassifierFacts()


def default_split(data: DataFacts, *, is_learned: bool) -> str:
    """The split that is explained where a recipe names none.

    Args:
        data: what is known of the data.
        is_learned: something in the recipe is trained on them.
    """
    splits = data.splits or {}
    if EVERY in splits and data.classes == () and not is_learned:
        return EVERY
    if USUAL in splits or not splits:
        return USUAL
    return EVERY if EVERY in splits else next(iter(splits))


def explains_all(data: DataFacts, split: str, *, is_learned: bool) -> bool:
    """True for images that somebody has collected to be explained: named, or without labels and no training data."""
    return data.is_named or (split == EVERY and data.classes == () and not is_learned)


def named_rows(names: Sequence[str], ids: Sequence[str]) -> tuple[list[int], list[Mistake]]:
    """Rows of images by their names, or by the last parts of these; and the names that are not of one image."""
    rows, mistakes, known = list[int](), list[Mistake](), {name: row for row, name in enumerate(ids)}
    for name in names:
        ends = [] if name in known else [row for row, other in enumerate(ids) if other.endswith(f"/{name}")]
        if name in known:
            rows.append(known[name])
        elif len(ends) == 1:
            rows += ends
        elif ends:
            several = listing([ids[row] for row in ends], 4)
            mistakes.append(Mistake(f"{quoted(name)} could be any of {several}", "name more of its path", "images"))
        elif not ids:
            mistakes.append(Mistake("the images have no names", "give indices instead", "images"))
        else:
            parts = {one for other in ids[:_MOST_COMPARED] for one in (other, other.rpartition("/")[2])}
            hint = did_you_mean(name, sorted(parts), _MOST_COMPARED)
            fix = hint or f"known are {listing(ids, 6)}"
            mistakes.append(Mistake(f"there is no image {quoted(name)}", fix, "images"))
    return rows, mistakes


def wrong_images(
    data: DataFacts,
    split: str,
    indices: Iterable[int] = (),
    labels: Iterable[str | int] = (),
    images: Sequence[str] = (),
) -> Iterator[Mistake]:
    """Mistakes in a choice of images by split, position, label and name; the options are called so."""
    if data.splits is not None and split not in data.splits:
        yield from unknown_split(data, split)
        return
    size = (data.splits or {}).get(split)
    outside = [] if size is None else [str(index) for index in indices if index >= size]
    if outside:
        message = f"there is no image {listing(outside)} in the split {quoted(split)}"
        yield Mistake(message, f"count from 0 to {(size or 0) - 1}", "indices")
    if labels and data.classes == ():
        yield Mistake("the data has no class labels", "give indices instead", "labels")
    for label in labels if data.classes else ():
        yield from unknown_class("the data", label, data.classes, "labels")
    if images and data.ids is not None and split in data.ids:
        yield from named_rows(images, data.ids[split])[1]


def wrong_question(
    classifier: ClassifierFacts, target: str | int, targets: Mapping[str, str], data: DataFacts
) -> Iterator[Mistake]:
    """Mistakes in the class asked about: `target`, or in its place `targets`, from predicted class to that asked about.

    A regression is asked about no class.
    """
    if classifier.task == "regression":
        return
    if target == "expected" and not targets:
        yield from unknown_expectation(data, classifier, "target")
    if not classifier.classes:
        return
    for predicted, other in targets.items():
        unknown = [*unknown_class("the classifier", predicted, classifier.classes, "targets"),
                   *unknown_class("the classifier", other, classifier.classes, "targets")]  # fmt: skip
        yield from unknown
        if not unknown and predicted == other:
            message = f"it asks why {quoted(predicted)} and not {quoted(predicted)}"
            yield Mistake(message, "ask about another class", "targets")
    if not targets and target not in QUESTIONS:
        for mistake in unknown_class("the classifier", target, classifier.classes, "target"):
            yield evolve(mistake, fix=f"{mistake.fix}; {_OTHER_QUESTIONS}")


def confused_pair(choose: Choose) -> tuple[str | int, ...]:
    """The two classes of `{confused: [A, B]}`; empty for another choice."""
    return () if isinstance(choose, str) else tuple(choose.get(_CONFUSED, ()))


def wrong_choice(data: DataFacts, classifier: ClassifierFacts, choose: Choose) -> Iterator[Mistake]:
    """Mistakes in the choice of images by the classifier's answers (`explain.choose`)."""
    if choose == "first":
        return
    if classifier.task == "regression":
        message = "images are chosen by the classes that are predicted, and the classifier is a regression"
        yield Mistake(message, "set choose: first", "choose")
        return
    if not isinstance(choose, str):
        pair = confused_pair(choose)
        if set(choose) != {_CONFUSED} or len(pair) != 2 or pair[0] == pair[1]:  # a pair
            yield Mistake("it names two classes that are taken for one another", "write {confused: [A, B]}", "choose")
            return
    if choose != "lowest-margin":
        yield from unknown_expectation(data, classifier, "choose")
    for name in confused_pair(choose) if data.classes != () else ():
        unknown = list(unknown_class("the data", name, data.classes, "choose"))
        yield from unknown
        if not unknown and (isinstance(name, str) or data.classes):
            named = name if isinstance(name, str) or data.classes is None else data.classes[name]
            yield from unknown_class("the classifier", named, classifier.classes, "choose")


def unknown_expectation(data: DataFacts, classifier: ClassifierFacts, option: str) -> Iterator[Mistake]:
    """A mistake where no true class of the images is known by a name that the classifier has."""
    ours, theirs = data.classes, classifier.classes
    if ours == ():
        other = "target: second" if option == "target" else "choose: lowest-margin"
        yield Mistake("the data has no class labels", f"use labelled data, or set {other}", option)
    elif ours and theirs and not set(ours) & set(theirs):
        message = f"no class of the data ({listing(ours, 4)}) is one of the classifier ({listing(theirs, 4)})"
        yield Mistake(message, "give both the same class names", option)


def unknown_class(owner: str, wanted: str | int, names: Iterable[str] | None, option: str) -> Iterator[Mistake]:
    """A mistake where there is no class of that name, or with that index.

    Args:
        owner: `"the data"`.
        wanted: a name or an index.
        names: the class names; None where they are not known.
        option: the parameter.
    """
    known = () if names is None else tuple(names)
    if names is None or (0 <= wanted < len(known) if isinstance(wanted, int) else wanted in known):
        return
    if str(wanted) in known:
        fix = f'write "{wanted}" in quotes for its name; known are {listing(known)}'
        yield Mistake(f"there is no class with index {wanted}", fix, option)
    else:
        yield Mistake(f"{owner} has no class {quoted(str(wanted))}", offer(str(wanted), known), option)


def no_common_class(data: DataFacts, classifier: ClassifierFacts) -> Iterator[Mistake]:
    """A warning where no class of the data is one of the classifier: names are how predictions and labels compare."""
    ours, theirs = data.classes, classifier.classes
    if ours and theirs and classifier.task != "regression" and not set(ours) & set(theirs):
        yield Mistake(
            f"no class of the data ({listing(ours, 4)}) is one of the classifier ({listing(theirs, 4)}), "
            "so that nobody can say which images are misclassified",
            "give both the same class names",
            refused=False,
        )


def unlearnable(data: DataFacts, name: str) -> Iterator[Mistake]:
    """A mistake where the data of this name is known to have no split to learn from."""
    if data.splits is not None and "train" not in data.splits:
        message = f'it is trained on the split "train", and {name} has none: it has {listing(data.splits)}'
        yield Mistake(message, "use data with a split train, or a pretrained component")


def unasked_number(data: DataFacts, split: str, count: int | None) -> Iterator[Mistake]:
    """A warning where a recipe leaves the number of images open, and it is surprising.

    Args:
        data: what is known of the data.
        split: the explained one.
        count: the number by default; None for all.
    """
    size = (data.splits or {}).get(split)
    if size is None:
        return
    if count is None and size > _MANY:
        yield Mistake(f"all {size:,} images are explained", "set explain.count for fewer", refused=False)
    elif data.classes == () and count is not None and count < size:
        message = f"only {count} of {size} images are explained"
        yield Mistake(message, "set explain.count: null for every image", refused=False)


def shape_text(shape: Shape) -> str:
    """`3 channels, 32x32`."""
    channels, height, width = shape
    return f"{channels} channel{'s' if channels > 1 else ''}, {height}x{width}"


def unknown_split(data: DataFacts, name: str, option: str = "split") -> Iterator[Mistake]:
    """A mistake where the data is known to have no split of this name."""
    if data.splits is not None and name not in data.splits:
        yield Mistake(f'the data has no split "{name}"', offer(name, data.splits), option)


def unknown_names(what: str, names: Iterable[str], known: Iterable[str] | None, option: str) -> Iterator[Mistake]:
    """One mistake for each name that is none of the known ones.

    Args:
        what: `"the data has no factor"`; the name follows.
        names: what the parameter says.
        known: the names that there are; None where that is not known.
        option: the parameter.
    """
    choices = None if known is None else tuple(known)
    for name in names:
        if choices is not None and name not in choices:
            yield Mistake(f'{what} "{name}"', offer(name, choices), option)


def offer(wrong: str, known: Iterable[str]) -> str:
    """`did you mean "test"? known are train, test`."""
    names = list(known)
    hint = did_you_mean(wrong, names, _MOST_COMPARED)
    return f"{hint} known are {listing(names) or 'none'}".lstrip()
