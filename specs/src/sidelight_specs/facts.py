"""Facts of components that follow from their parameters alone, so that `sidelight check` compares them before a run.

Whatever cannot be known without loading a model or reading images is None, and nothing is concluded from it. Facts are
asked of descriptors: no heavy import, and of files no more than a listing, a header or a small member.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, deep_mapping, gt, instance_of, max_len, min_len, optional

Shape: TypeAlias = tuple[int, int, int]
"""(C, H, W)."""
NAMED_AT_MOST = 12

_NAME = instance_of(str)
_NAMES = deep_iterable(_NAME, instance_of(tuple))
_SHAPE = deep_iterable(and_(instance_of(int), gt(0)), and_(instance_of(tuple), min_len(3), max_len(3)))
_COUNTS = deep_mapping(_NAME, optional(instance_of(int)), instance_of(dict))


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
    """

    shape: Shape | None = _told(_SHAPE)
    splits: dict[str, int | None] | None = _told(_COUNTS)
    classes: tuple[str, ...] | None = _told(_NAMES)
    factors: tuple[str, ...] | None = _told(_NAMES)
    masks: dict[str, tuple[str, ...]] | None = _told(deep_mapping(_NAME, _NAMES, instance_of(dict)))
    fingerprint: str | None = _told(_NAME)


@frozen(kw_only=True)
class ClassifierFacts:
    """Facts of a classifier.

    Args:
        shape: (C, H, W) of the images that it was made for.
        resizes: takes images of other heights and widths as well; channels have to agree in any case.
        classes: its class names; two for a binary task, one for a regression.
        task: as `roles.Classifier.task`.
    """

    shape: Shape | None = _told(_SHAPE)
    resizes: bool = True
    classes: tuple[str, ...] | None = _told(_NAMES)
    task: Literal["multiclass", "binary", "regression"] | None = None


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
class Given:
    """Facts of what a component gets.

    Args:
        explained: of the data whose images are explained.
        classifier: of the classifier whose answers are explained.
        needs: slot to the facts of the component that fills it; a slot that stays empty, or of another role, is absent.
        params: slot to the parameters of the component that fills it.
        trained_on: of the data that the component learns from.
    """

    explained: DataFacts = DataFacts()
    classifier: ClassifierFacts = ClassifierFacts()
    needs: Mapping[str, Facts] = field(factory=dict)
    params: Mapping[str, Any] = field(factory=dict)
    trained_on: DataFacts | None = None

    def data(self, slot: str = "data") -> DataFacts:
        """Facts of the data in a slot; nothing is known where there is none."""
        found = self.needs.get(slot)
        return found if isinstance(found, DataFacts) else DataFacts()

    def classifier_of(self, slot: str = "classifier") -> ClassifierFacts:
        """Facts of the classifier in a slot."""
        found = self.needs.get(slot)
        return found if isinstance(found, ClassifierFacts) else ClassifierFacts()


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
    near = difflib.get_close_matches(wrong, names[:1000], n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"{hint}known are {', '.join(names[:NAMED_AT_MOST]) or 'none'}{more}"
