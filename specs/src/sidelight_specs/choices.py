"""Choice of the explained images by what the classifier says of the whole split: its errors, close decisions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_specs.errors import UserError
from sidelight_specs.facts import EVERY, ClassifierFacts, DataFacts, confused_pair, wrong_choice
from sidelight_specs.questions import labelled
from sidelight_specs.wording import listing, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs.facts import Choose
    from sidelight_specs.recipe import Explain
    from sidelight_specs.results import SplitPredictions

MOST_PAIRS = 3  # confused pairs that an error offers


@attrs.frozen(eq=False)
class Choice:
    """Images chosen by the classifier's answers.

    Args:
        rows: (M,) int64 rows of the split, in the order in which they are shown.
        reason: why these: `the 8 most confident of 132 errors among 1,797 images of the split test`.
    """

    rows: np.ndarray
    reason: str


def choose_by_answers(answers: SplitPredictions, explain: Explain, warn: Callable[[str], None]) -> Choice:
    """The images that `explain.choose` asks for.

    Args:
        answers: the classifier's, about the whole split.
        explain: `choose`, `labels` and `count`; for the words `split`.
        warn: told when there are fewer than `count`, and of images whose label is no class of the classifier.

    Raises:
        UserError: no image is like that, a class is unknown, or no label is known.
    """
    choose, names = explain.choose, answers.label_names
    data = DataFacts(classes=names or (None if answers.labels is not None else ()))
    for mistake in wrong_choice(data, ClassifierFacts(classes=answers.class_names or None), choose):
        raise UserError(f"explain.choose: {mistake.message}", mistake.fix)
    pool = labelled(answers.labels, names, explain.labels, str(explain.split), len(answers))
    answers = answers.take(pool.tolist())
    known, total = int(answers.is_known.sum()), len(answers)
    among = f"{_images(total)}{'' if explain.split == EVERY else f' of the split {explain.split}'}"
    among += " with these labels" if explain.labels else ""
    if choose != "lowest-margin" and known < total:
        warn(f"explain.choose: {total - known:,} of {among} have no label of the classifier and are passed over")
    pair = [_of_classifier(one, names, answers.class_names) for one in confused_pair(choose)]
    what = "errors" + (f" between {' and '.join(_named(answers, pair))}" if pair else "")
    order = _ranked(answers, choose, pair)
    if not len(order):
        raise UserError(*_nothing_found(answers, what, among))
    count = len(order) if explain.count is None else min(explain.count, len(order))
    reason = _reason(choose, count, len(order), what, among)
    if explain.count is not None and count < explain.count:
        verb = "is" if count == 1 else "are"
        warn(f"explain.count: {explain.count} images were asked for, and only {count} {verb} explained, {reason}")
    return Choice(answers.index[order[:count]], reason)


def _ranked(answers: SplitPredictions, choose: Choose, pair: Sequence[int]) -> np.ndarray:
    """Positions of all images that are like that, first those that are shown first."""
    if choose == "lowest-margin":
        return np.argsort(answers.margin, kind="stable")
    errors = np.flatnonzero(answers.is_error)
    if choose == "confident-errors":
        return np.asarray(errors[np.argsort(answers.surprisal[errors], kind="stable")])  # the likeliest first
    if pair:
        errors = errors[np.isin(answers.expected[errors], pair) & np.isin(answers.predicted[errors], pair)]
    return errors


def _of_classifier(wanted: str | int, label_names: Sequence[str], class_names: Sequence[str]) -> int:
    """The classifier's index of a class given by its name, or by its index among the labels."""
    if isinstance(wanted, int) and not label_names:
        return wanted
    return list(class_names).index(label_names[wanted] if isinstance(wanted, int) else wanted)


def _reason(choose: Choose, count: int, total: int, what: str, among: str) -> str:
    if choose == "lowest-margin":
        return f"the {count:,} least certain of {among}, whose two likeliest classes are closest"
    if count == total == 1:
        return f"the only one of the {what} among {among}"
    most_confident = choose == "confident-errors"
    if count == total:
        return f"all {count:,} {what}{', the most confident first,' if most_confident else ''} among {among}"
    which = f"{count:,} most confident" if most_confident else f"first {count:,}"
    return f"the {which} of {total:,} {what} among {among}"


def _nothing_found(answers: SplitPredictions, what: str, among: str) -> tuple[str, str]:
    """Message and fix."""
    message = f"explain.choose: there are no {what} among {among}"
    if not answers.is_error.any():
        return message, "set choose: lowest-margin, which shows where it is least certain, or choose another split"
    pairs = Counter[tuple[int, ...]]()
    for true, said, count in answers.confused():
        pairs[min(true, said), max(true, said)] += count  # in either direction
    most = pairs.most_common(MOST_PAIRS)
    listed = (f"[{', '.join(_named(answers, pair))}] ({_images(count)})" for pair, count in most)
    return message, f"choose a pair that is confused, such as {listing(listed)}"


def _named(answers: SplitPredictions, classes: Sequence[int]) -> list[str]:
    return [quoted(answers.class_names[one]) if one < len(answers.class_names) else f"{one}" for one in classes]


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
