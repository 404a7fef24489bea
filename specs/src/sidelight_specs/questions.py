"""Questions of a run: the images that are explained, and for each the class predicted and the class asked about.

The arguments are those of a recipe's `explain` section, whose keys the errors name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_specs.errors import UserError
from sidelight_specs.facts import DataFacts, Mistake, named_rows, unknown_class, unknown_split
from sidelight_specs.results.question import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sidelight_specs.results.data import Split


def check_split(name: str, known: Sequence[str]) -> None:
    """Raise a `UserError` unless the data has a split of that name."""
    for mistake in unknown_split(DataFacts(splits=dict.fromkeys(known)), name):
        raise _error(mistake)


def choose_images(
    images: Split, *, split: str, indices: Sequence[int], labels: Sequence[str | int], names: Sequence[str] = ()
) -> np.ndarray:
    """Rows of a split that may be explained, (M,) int64.

    Args:
        images: the split; its images need not be read.
        split: its name.
        indices: exactly these rows; empty for none in particular.
        labels: only images of these classes; empty for all.
        names: exactly the images of these names; empty for none in particular.

    Raises:
        UserError: an index out of range, an unknown class or name, labels where there are none, or no image left.
    """
    given = [key for key, value in {"images": names, "indices": indices, "labels": labels}.items() if value]
    if len(given) > 1:
        raise UserError(
            f"explain: {' and '.join(f'`{key}`' for key in given)} exclude each other", "remove one of them"
        )
    if names:
        rows, mistakes = named_rows(names, images.ids)
        if mistakes:
            raise _error(mistakes[0])
        return np.array(rows, dtype=np.int64)
    if indices:
        return _by_index(len(images), indices)
    return labelled(images.labels, images.class_names, labels, split, len(images))


def labelled(
    labels: np.ndarray | None, names: Sequence[str], wanted: Sequence[str | int], split: str, count: int
) -> np.ndarray:
    """Rows of a split of `count` images with one of the labels that are wanted; all rows if none is in particular."""
    if not wanted:
        return np.arange(count)
    if labels is None or not np.issubdtype(labels.dtype, np.integer):
        raise UserError("explain.labels: the data has no class labels", "remove `labels`, or give `indices`")
    rows = np.flatnonzero(np.isin(labels, [_class_index(label, names, "labels") for label in wanted]))
    if not len(rows):
        raise UserError(f"explain: no image of split {split!r} has these labels", "choose other labels")
    return rows


def _by_index(size: int, indices: Sequence[int]) -> np.ndarray:
    outside = [index for index in indices if not 0 <= index < size]
    if outside:
        listed = ", ".join(map(str, outside))
        raise UserError(f"explain.indices: {listed} out of range", f"choose among images 0 to {size - 1}")
    return np.array(indices, dtype=np.int64)


def _class_index(wanted: str | int, names: Sequence[str], key: str) -> int:
    """The index of a class given by name or index.

    Args:
        wanted: a name, or an index counted from 0.
        names: class names, in index order; empty where classes have none.
        key: the key of `explain` it was read from.

    Raises:
        UserError: there is no such class.
    """
    if isinstance(wanted, int) and 0 <= wanted < (len(names) or wanted + 1):
        return wanted
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    (mistake,) = unknown_class("the data" if key == "labels" else "the classifier", wanted, names, key)
    raise _error(mistake)


def pose_questions(
    logits: np.ndarray,
    task: str,
    *,
    target: str | int,
    targets: Mapping[str, str],
    class_names: Sequence[str],
    expected: np.ndarray,
    warn: Callable[[str], None],
    if_predicted: str = "leave-out",
) -> tuple[np.ndarray, Targets]:
    """The questions: for each, the row of its image, the predicted class, and the class asked about.

    Args:
        logits: (M, K) class logits of the chosen images.
        task: the classifier's; a regression gets zeros.
        target: `auto` (the true class of a misclassified image, else the second most likely one), `expected` (the true
            class, of misclassified images alone), `second`, `predicted`, `all` (each other class), or a class.
        targets: predicted class to the class asked about, in place of `target`; empty for none.
        class_names: the classifier's.
        expected: (M,) true classes, -1 where unknown (`results.expected_classes`).
        warn: told which images were left out, because nothing is asked about the predicted class.
        if_predicted: `ask` why a class is predicted that is asked about by name, or `leave-out` such images.

    Returns:
        rows (N,) int64, ascending, and the two sides of the N questions.

    Raises:
        UserError: an unknown class, or no question left.
    """
    images, classes = logits.shape
    predicted = logits.argmax(1).astype(np.int64)
    rows = np.arange(images)
    if task == "regression":
        probe = predicted
    elif targets:
        rows, probe = _ask_by_class(targets, predicted, class_names, warn)
    elif target == "predicted":
        probe = predicted
    elif target == "expected":
        rows = _ask_about_expected(expected, predicted, warn)
        probe = expected[rows]
    elif target in ("auto", "second"):
        others = logits.copy()
        others[rows, predicted] = -np.inf
        probe = others.argmax(1)  # of equal logits the lower class
        if target == "auto":
            probe = np.where((expected >= 0) & (expected != predicted), expected, probe)
    elif target == "all":
        rows = np.repeat(rows, classes - 1)
        probe = np.concatenate([np.delete(np.arange(classes), best) for best in predicted])
    else:
        index = _class_index(target, class_names, "target")
        rows = rows if if_predicted == "ask" else _ask_about(index, predicted, class_names, warn)
        probe = np.full(images, index)[rows]
    return rows, Targets(predicted=predicted[rows], probe=probe.astype(np.int64))


def contested(asked: Targets, expected: np.ndarray, target: str | int, targets: Mapping[str, str]) -> tuple[int, ...]:
    """Questions about the true class of a misclassified image, which are answered for both classes, side by side.

    Args:
        asked: the N questions.
        expected: (N,) true classes, -1 where unknown.
        target: as for `pose_questions`; who names a class himself gets the one answer.
        targets: as for `pose_questions`.
    """
    if targets or target not in ("auto", "expected"):
        return ()
    rows = np.flatnonzero((asked.probe == expected) & (asked.predicted != expected))
    return tuple(rows.tolist())


def _ask_about(target: int, predicted: np.ndarray, names: Sequence[str], warn: Callable[[str], None]) -> np.ndarray:
    """The images that are not predicted to be of the target class already: nobody asks `why A and not A?`."""
    rows = np.flatnonzero(predicted != target)
    name = names[target] if target < len(names) else str(target)
    if not len(rows):
        fix = "choose other images, another class, or target: second or predicted"
        raise UserError(f"explain.target: every chosen image is predicted {name!r} already", fix)
    if len(rows) < len(predicted):
        left = ", ".join(map(str, np.flatnonzero(predicted == target)))
        warn(
            f"explain.target: chosen images {left} are predicted {name!r} already and are left out; "
            "if_predicted: ask keeps them"
        )
    return rows


def _ask_about_expected(expected: np.ndarray, predicted: np.ndarray, warn: Callable[[str], None]) -> np.ndarray:
    """The images that are misclassified: of the others the true class is the predicted one."""
    if (expected < 0).all():
        message = "explain.target: no chosen image has a label that is a class of the classifier"
        raise UserError(message, "use labelled data with the classifier's class names, or set target: second")
    unknown, right = np.flatnonzero(expected < 0), np.flatnonzero(expected == predicted)
    if len(unknown) + len(right) == len(expected):
        fix = "choose other images (choose: errors), or set target: second"
        raise UserError("explain.target: every chosen image is classified as it is labelled", fix)
    for left, reason in ((right, "are classified as they are labelled"), (unknown, "have no label of the classifier")):
        if len(left):
            listed = ", ".join(map(str, left))
            warn(f"explain.target: chosen images {listed} {reason} and are left out; target: auto keeps them")
    return np.flatnonzero((expected >= 0) & (expected != predicted))


def _ask_by_class(
    targets: Mapping[str, str], predicted: np.ndarray, names: Sequence[str], warn: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """The images that are predicted to be of a class with a question of its own, and the class that it is about."""
    pairs = {_class_index(key, names, "targets"): _class_index(name, names, "targets") for key, name in targets.items()}
    same = [names[index] for index, other in pairs.items() if index == other]
    if same:
        raise UserError(f"explain.targets: why {same[0]!r} and not {same[0]!r}?", "ask about another class")
    rows = np.flatnonzero(np.isin(predicted, list(pairs)))
    if not len(rows):
        fix = "choose other images (`labels`), or other classes"
        raise UserError(f"explain.targets: no chosen image is predicted {' or '.join(map(repr, targets))}", fix)
    if len(rows) < len(predicted):
        left = ", ".join(map(str, np.setdiff1d(np.arange(len(predicted)), rows)))
        warn(f"explain.targets: chosen images {left} are predicted to be of other classes and are left out")
    return rows, np.array([pairs[int(index)] for index in predicted[rows]])


def _error(mistake: Mistake) -> UserError:
    """The words of `sidelight check`, where only the run sees the mistake."""
    return UserError(f"explain.{mistake.option}: {mistake.message}", mistake.fix)
