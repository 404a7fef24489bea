"""The model before its images: accuracy, classes, confusion, calibration and worst errors on the explained split.

Everything is counted from predictions that the run kept (`SplitPredictions`, or `SplitValues` of a regression), not
from the explained images. Findings are *measured* where an interval or a test carries them, and *heuristic* where a
rule of thumb does.
"""

from __future__ import annotations

import json
import math
from functools import singledispatch
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.intervals import student_interval, wilson_interval
from sidelight_specs.recipe import escape
from sidelight_specs.results import Split, SplitPredictions, SplitValues
from sidelight_ui.images import compact_uri

from sidelight_report.document.calibration import Calibration, calibration
from sidelight_report.document.phrases import class_name
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.artifacts import Artifact

    from sidelight_report.document.context import Context

PREDICTIONS, WORST = "predictions on ", "worst errors on "  # by-products `ID/predictions on SPLIT` of the kernel
FEWEST_IMAGES = 20  # with known labels; of fewer the cards say it all,
FEWEST_CHOSEN_FROM = 3  # unless the explained ones were chosen from them; of fewer there is no interval
FEWEST_FOR_COVERAGE = 2000  # images; of fewer the interval of a miscalibrated model's ECE covers it in 84 % of cases
MOST_CLASSES = 20  # of a whole confusion matrix, and rows of the table of classes
MOST_PAIRS = 10
MOST_POINTS = 400  # of a regression's scatter plot
FEWEST_ERRORS = 3  # of a kind that is called frequent
IMBALANCE = 3.0  # images of the largest class for one of the smallest
OUTLIER = 4.0  # robust standard deviations of a residual
_SIDE = 192  # pixels of a thumbnail, twice as many as it is shown with
_DIGITS = 4
_NO_TEXTS = ("true", "false", "null", "yes", "no", "on", "off")  # of YAML, unless they are quoted


def is_shown(name: str, artifact: Artifact, context: Context) -> bool:
    """True for the by-products that this section shows, or that would only repeat the cards."""
    what = name.partition("/")[2]
    if what.startswith(WORST):
        return True
    is_predictions = isinstance(artifact, SplitPredictions | SplitValues) and what.startswith(PREDICTIONS)
    if is_predictions and not context.params.overview:
        return False
    return is_predictions and (not context.results.choice or _known(artifact) >= FEWEST_CHOSEN_FROM)


def _known(artifact: Artifact) -> int:
    """Images whose true class or value is known."""
    assert isinstance(artifact, SplitPredictions | SplitValues)
    return int(artifact.is_known.sum()) if isinstance(artifact, SplitPredictions) else len(artifact)


def _fewest(context: Context) -> int:
    return FEWEST_CHOSEN_FROM if context.results.choice else FEWEST_IMAGES


def overviews(context: Context) -> list[dict[str, Any]]:
    """One entry for each classifier and split with predictions of enough labelled images; none if it is not wanted."""
    entries = list[dict[str, Any]]()
    if not context.params.overview:
        return entries
    for name, artifact in context.results.emitted.items():
        owner, _, what = name.partition("/")
        if what.startswith(PREDICTIONS) and (entry := overview(artifact, context, split := what[len(PREDICTIONS) :])):
            entry["findings"] += _seen(owner, split, context)
            worst = context.results.emitted.get(f"{owner}/{WORST}{split}")
            images = worst if isinstance(worst, Split) else None
            entries.append({"name": owner, "split": split, **entry, "errors": _errors(artifact, images, context)})
    return entries


@singledispatch
def overview(artifact: Artifact, context: Context, split: str) -> dict[str, Any] | None:
    """All but the images of one entry; None where there is nothing to show."""
    del artifact, context, split
    return None


@overview.register(SplitPredictions)
def _of_classes(artifact: SplitPredictions, context: Context, split: str) -> dict[str, Any] | None:
    if _known(artifact) < _fewest(context):
        return None
    answers = artifact.take(np.flatnonzero(artifact.is_known).tolist())
    expected, predicted, right = answers.expected, answers.predicted, ~answers.is_error
    classes = max(len(answers.class_names), int(max(expected.max(), predicted.max())) + 1)
    hits, totals, said = (np.bincount(of, minlength=classes) for of in (expected[right], expected, predicted))  # (K,)
    calibrated = calibration(answers.confidence, right)
    rows = _classes(hits, totals, said, context)
    return {
        "task": "classes",
        "about": _about(len(artifact), len(answers), artifact.split_size, split, context),
        "numbers": _numbers(answers, hits, totals, calibrated),
        "classes": rows[:MOST_CLASSES],
        "of_classes": len(rows),
        "matrix": _matrix(expected, predicted, context),
        "pairs": _pairs(answers, totals, context),
        "calibration": None if calibrated is None else _calibration(calibrated),
        "scatter": None,
        "findings": [
            *_weak_class(hits, totals, context),
            *_frequent_error(answers, context),
            *_confidence(calibrated),
            *_wrong_labels(answers),
            *_imbalance(totals, context),
        ],
    }


@overview.register(SplitValues)
def _of_values(artifact: SplitValues, context: Context, split: str) -> dict[str, Any] | None:
    count = len(artifact)
    if count < _fewest(context):
        return None
    residuals, labels = artifact.residuals, artifact.labels.astype(np.float64)
    rows = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(int))
    return {
        "task": "values",
        "about": _about(count, count, artifact.split_size, split, context),
        "numbers": _value_numbers(residuals, labels),
        "classes": [],
        "of_classes": 0,
        "matrix": None,
        "pairs": [],
        "calibration": None,
        "scatter": {"true": numbers(labels[rows], _DIGITS), "predicted": numbers(artifact.predicted[rows], _DIGITS)},
        "findings": [*_bias(residuals), *_outliers(residuals)],
    }


def _about(asked: int, known: int, size: int | None, split: str, context: Context) -> str:
    """The images that the section is about."""
    of = drawn = ""
    if size is not None and size > asked:
        of = f" of the {size:,}"
        is_sample = not context.results.choice and size > context.params.overview
        drawn = ", drawn at random" if is_sample else "; the others cannot be read"
    unknown = f"; {asked - known:,} more have no label that the classifier knows" if known < asked else ""
    return f"{known:,}{of} images of the split {split}{drawn}{unknown}"


# Numbers


def confusion(expected: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64 images of each true class (rows) that are predicted as each class (columns)."""
    counts = np.bincount(expected * classes + predicted, minlength=classes * classes)
    return np.asarray(counts.reshape(classes, classes))


def balanced_accuracy(hits: np.ndarray, totals: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean recall of the classes that have images, and its 95 % interval.

    The Wilson intervals (l_k, u_k) of the recalls r_k are combined by MOVER (Donner and Zou 2012, "Closed-form
    confidence intervals for functions of the normal mean and standard deviation", section 2), for C independent r_k:

        L = mean r - sqrt(sum (r_k - l_k)^2) / C        U = mean r + sqrt(sum (u_k - r_k)^2) / C

    Args:
        hits: (K,) images of each class that are predicted as it.
        totals: (K,) images of each class.
    """
    present = np.flatnonzero(totals)
    recall = hits[present] / totals[present]
    limits = np.array([wilson_interval(float(hits[k]), int(totals[k])) for k in present])  # (C, 2)
    below, above = np.sqrt(((recall[:, None] - limits) ** 2).sum(axis=0)) / len(present)
    mean = float(recall.mean())
    return mean, (max(0.0, mean - float(below)), min(1.0, mean + float(above)))


def _numbers(
    answers: SplitPredictions, hits: np.ndarray, totals: np.ndarray, calibrated: Calibration | None
) -> list[dict[str, Any]]:
    total, right = int(totals.sum()), int(hits.sum())
    balanced, limits = balanced_accuracy(hits, totals)
    shares = totals / total
    result = [
        _number("accuracy", right / total, wilson_interval(right, total), f"{right:,} of {total:,}", share=True),
        _number("balanced accuracy", balanced, limits, "mean recall of the classes", share=True),
    ]
    if calibrated is not None:
        perfect = f"a calibrated model would show {calibrated.expected:.3f} on as many images"
        perfect += "; interval too narrow" if total < FEWEST_FOR_COVERAGE and calibrated.p <= 0.05 else ""
        result.append(_number("calibration error (ECE)", calibrated.error, calibrated.interval, perfect))
    if answers.brier is not None and answers.label_surprisal is not None:
        guess = 1 - float((shares**2).sum())  # Brier score of always giving the class frequencies
        entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
        for name, values, of in (
            ("Brier score", answers.brier, guess),
            ("log loss", answers.label_surprisal, entropy),
        ):
            exact = values.astype(np.float64)
            low, high = student_interval(exact)
            result.append(
                _number(name, float(exact.mean()), (max(0.0, low), high), f"class frequencies alone give {of:.3f}")
            )
    return result


def _value_numbers(residuals: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    """MAE, RMSE, R squared and bias of a regression."""
    sizes, squares = np.abs(residuals), residuals**2
    low, high = student_interval(squares)
    constant = float(np.abs(labels - np.median(labels)).mean())  # MAE of the best constant
    result = [
        _number(
            "mean absolute residual", float(sizes.mean()), student_interval(sizes), f"a constant gives {constant:.3g}"
        ),
        _number(
            "root mean square residual",
            float(np.sqrt(squares.mean())),
            (math.sqrt(max(0.0, low)), math.sqrt(high)),
            f"a constant gives {float(labels.std()):.3g}",
        ),
    ]
    if labels.std() > 0:
        value, limits = r_squared(residuals, labels)
        result.append(_number("R\u00b2", value, limits, "share of the variance that is predicted"))
    result.append(
        _number("mean residual", float(residuals.mean()), student_interval(residuals), "above 0: predicted too high")
    )
    return result


def r_squared(residuals: np.ndarray, labels: np.ndarray, draws: int = 1000) -> tuple[float, tuple[float, float]]:
    """1 - sum r^2 / sum (y - mean y)^2, and its 95 % interval (percentile bootstrap over images)."""

    def of(rows: np.ndarray) -> np.ndarray:  # (D, N) rows to (D,)
        y = labels[rows]
        spread = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return np.asarray(1 - (residuals[rows] ** 2).sum(axis=1) / np.where(spread > 0, spread, np.nan))

    count, rng = len(labels), np.random.default_rng(0)
    size = max(1, (1 << 22) // count)
    parts = [of(rng.integers(0, count, (min(size, draws - start), count))) for start in range(0, draws, size)]
    low, high = np.nanquantile(np.concatenate(parts), (0.025, 0.975))
    return float(of(np.arange(count)[None])[0]), (float(low), float(high))


def _number(name: str, value: float, limits: tuple[float, float], note: str, share: bool = False) -> dict[str, Any]:
    interval = numbers(limits, _DIGITS)
    return {"name": name, "value": number(value, _DIGITS), "interval": interval, "note": note, "share": share}


# Classes


def _classes(hits: np.ndarray, totals: np.ndarray, said: np.ndarray, context: Context) -> list[dict[str, Any]]:
    """Recall and precision of each class; of many classes the worst first, by the upper limit of their recall."""
    rows: list[dict[str, Any]] = [
        {
            "name": class_name(context.results, k),
            "count": int(totals[k]),
            "recall": _ratio(hits[k], totals[k]),
            "said": int(said[k]),
            "precision": _ratio(hits[k], said[k]),
            "line": explain_line(context, labels=[k], choose="errors") if hits[k] < totals[k] else "",
        }
        for k in np.flatnonzero(totals + said).tolist()
    ]
    if len(rows) > MOST_CLASSES:  # those without images last
        rows.sort(key=lambda row: (row["recall"] or [2.0, 2.0, 2.0])[2])
    return rows


def _ratio(hits: float, count: int) -> list[float | None] | None:
    """Value and 95 % interval (Wilson); None for none of none."""
    return numbers((hits / count, *wilson_interval(float(hits), int(count))), _DIGITS) if count else None


def _matrix(expected: np.ndarray, predicted: np.ndarray, context: Context) -> dict[str, Any] | None:
    """Counts of the classes that occur; None for more than `MOST_CLASSES`."""
    shown = np.union1d(expected, predicted)
    if len(shown) > MOST_CLASSES:  # a matrix of 20,000 classes would take gigabytes
        return None
    names = [class_name(context.results, k) for k in shown.tolist()]
    counts = confusion(np.searchsorted(shown, expected), np.searchsorted(shown, predicted), len(shown))
    return {"names": names, "counts": counts.tolist()}


def _pairs(answers: SplitPredictions, totals: np.ndarray, context: Context) -> list[dict[str, Any]]:
    return [
        {
            "true": class_name(context.results, true),
            "said": class_name(context.results, said),
            "count": count,
            "of": int(totals[true]),
            "line": explain_line(context, choose={"confused": [true, said]}),
        }
        for true, said, count in answers.confused()[:MOST_PAIRS]
    ]


def _calibration(value: Calibration) -> dict[str, Any]:
    return {
        "bins": [
            {
                "count": one.count,
                "confidence": number(one.confidence, _DIGITS),
                "range": numbers((one.low, one.high), _DIGITS),
                "accuracy": number(one.accuracy, _DIGITS),
                "interval": numbers(one.interval, _DIGITS),
            }
            for one in value.bins
        ],
        "error": number(value.error, _DIGITS),
        "expected": number(value.expected, _DIGITS),
        "expected_high": number(value.expected_high, _DIGITS),
    }


# Findings


def _finding(kind: str, text: str, line: str = "") -> dict[str, str]:
    """A finding that an interval or a test carries (`measured`), or a rule of thumb (`heuristic`)."""
    return {"kind": kind, "text": text, "line": line}


def _weak_class(hits: np.ndarray, totals: np.ndarray, context: Context) -> list[dict[str, str]]:
    """The class that is found worst, where its interval lies below that of all others.

    Intervals hold for all K classes together (Bonferroni).
    """
    present = np.flatnonzero(totals).tolist()
    if len(present) < 2:
        return []
    quantile = NormalDist().inv_cdf(1 - 0.05 / (2 * len(present)))
    upper = {k: wilson_interval(float(hits[k]), int(totals[k]), quantile)[1] for k in present}
    worst = min(present, key=lambda k: (upper[k], k))
    others, of = int(hits.sum() - hits[worst]), int(totals.sum() - totals[worst])
    if upper[worst] >= wilson_interval(others, of, quantile)[0]:
        return []
    name, share = class_name(context.results, worst), hits[worst] / totals[worst]
    limits = _interval(wilson_interval(float(hits[worst]), int(totals[worst])))
    text = (
        f"\u201c{name}\u201d is found worst: recall {_percent(share)} ({limits}, {totals[worst]:,} images), "
        f"of the other classes {_percent(others / of)}"
    )
    return [_finding("measured", f"{text}.", explain_line(context, labels=[worst], choose="errors"))]


def _frequent_error(answers: SplitPredictions, context: Context) -> list[dict[str, str]]:
    pairs, errors = answers.confused(), int(answers.is_error.sum())
    counts = [count for _, _, count in pairs] + [0, 0]
    if counts[0] < FEWEST_ERRORS or counts[0] == counts[1] or len(pairs) < 2:
        return []
    true, said, count = pairs[0]
    names = [class_name(context.results, one) for one in (true, said)]
    kind = f"takes \u201c{names[0]}\u201d for \u201c{names[1]}\u201d"
    text = f"The most frequent error {kind}: {count:,} of {errors:,} errors"
    is_ahead = _is_ahead(*counts[:2])
    text += "" if is_ahead else f"; of the next kind there are {counts[1]:,}, too many to tell the two apart"
    return [
        _finding(
            "measured" if is_ahead else "heuristic",
            f"{text}.",
            explain_line(context, choose={"confused": [true, said]}),
        )
    ]


def _is_ahead(first: int, second: int) -> bool:
    """True if a sign test at 5 % (two-sided) tells the two largest counts apart.

    It holds although both are chosen as the largest (Hung and Fithian 2019, "Rank verification for exponential
    families", section 1).
    """
    count = first + second
    tail = sum(math.comb(count, hits) for hits in range(first, count + 1))  # of 2^count equally likely outcomes
    return bool(2 * tail <= 0.05 * 2**count)


def _confidence(value: Calibration | None) -> list[dict[str, str]]:
    if value is None:
        return []
    low, high = (f"{100 * limit:+.1f}".replace("-", "\u2212") for limit in value.gap_interval)
    if value.p > 0.05:
        text = (
            f"Miscalibration is not shown: in {_percent(value.p)} of cases a calibrated model has an ECE of "
            f"{value.error:.3f} or more on as many images"
        )
        return [_finding("measured", f"{text}.")]
    if value.gap_interval[0] > 0 or value.gap_interval[1] < 0:
        side = "high" if value.gap > 0 else "low"
        text = f"Confidences are {100 * abs(value.gap):.1f} points too {side} on average ({low} to {high})"
    else:
        text = "Confidences are right on average and wrong in places"
    return [
        _finding(
            "measured",
            f"{text}: ECE {value.error:.3f}, where a calibrated model shows {value.expected:.3f} on as many images.",
        )
    ]


def suspected_labels(answers: SplitPredictions) -> np.ndarray:
    """(N,) bool: errors whose label is suspected by confident learning (Northcutt et al. 2021, section 3.1).

    An image labelled i is counted as one of class j where p_j is at least t_j, the mean of p_j over images labelled j.
    Here j is the predicted class.
    """
    assert answers.label_surprisal is not None
    of_label = np.exp(-answers.label_surprisal.astype(np.float64))  # p of the label, (N,)
    classes = int(max(answers.expected.max(), answers.predicted.max())) + 1
    totals = np.bincount(answers.expected, minlength=classes)
    sums = np.bincount(answers.expected, weights=of_label, minlength=classes)
    thresholds = np.where(totals > 0, sums / np.maximum(totals, 1), np.inf)  # t_j
    return np.asarray(answers.is_error & (answers.confidence >= thresholds[answers.predicted]))


def _wrong_labels(answers: SplitPredictions) -> list[dict[str, str]]:
    if answers.label_surprisal is None:
        return []
    suspected, errors = int(suspected_labels(answers).sum()), int(answers.is_error.sum())
    if not suspected:
        return []
    text = (
        f"{suspected:,} of {errors:,} errors are as sure of the class they give as the mean over that class's own "
        "images (confident learning): wrong labels look like this, and so do shortcuts"
    )
    return [_finding("heuristic", f"{text}. Look at the images before believing either.")]


def _imbalance(totals: np.ndarray, context: Context) -> list[dict[str, str]]:
    present = np.flatnonzero(totals)
    largest, smallest = int(present[totals[present].argmax()]), int(present[totals[present].argmin()])
    if totals[largest] < IMBALANCE * totals[smallest]:
        return []
    text = (
        f"Classes are unequal: {totals[largest]:,} images of \u201c{class_name(context.results, largest)}\u201d, "
        f"{totals[smallest]:,} of \u201c{class_name(context.results, smallest)}\u201d; accuracy hides what becomes of "
        "rare classes, balanced accuracy does not"
    )
    return [_finding("heuristic", f"{text}.")]


def _seen(owner: str, split: str, context: Context) -> list[dict[str, str]]:
    is_trained = f"{owner}/training" in context.results.emitted  # in this run or an earlier one
    if split != "train" and not (split == "all" and is_trained):
        return []
    return [_finding("heuristic", f"The split {split} may hold training images, on which every number is too good.")]


def _bias(residuals: np.ndarray) -> list[dict[str, str]]:
    low, high = student_interval(residuals)
    if low <= 0 <= high:
        return []
    side = "high" if low > 0 else "low"
    text = f"Values are {abs(residuals.mean()):.3g} too {side} on average ({low:.3g} to {high:.3g})"
    return [_finding("measured", f"{text}.".replace("-", "\u2212"))]


def _outliers(residuals: np.ndarray) -> list[dict[str, str]]:
    centre = float(np.median(residuals))
    spread = 1.4826 * float(np.median(np.abs(residuals - centre)))  # of a normal distribution: its standard deviation
    far = int((np.abs(residuals - centre) > OUTLIER * spread).sum()) if spread > 0 else 0
    if not far:
        return []
    text = f"{far:,} residuals lie more than {OUTLIER:.0f} robust standard deviations from the middle"
    return [_finding("heuristic", f"{text}: wrong labels look like this, and so do images of another kind.")]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _interval(limits: Sequence[float]) -> str:
    return " to ".join(_percent(limit) for limit in limits)


# Errors and what explains them


def _errors(artifact: Artifact, images: Split | None, context: Context) -> dict[str, Any] | None:
    """Images of the worst errors, each with its card or the recipe line that explains it."""
    if images is None or not isinstance(artifact, SplitPredictions | SplitValues):
        return None
    worst = artifact.worst(len(images))
    if not len(worst) or len(worst) != len(images):
        return None
    entries = [
        {
            **_said(artifact, int(row), context),
            "id": images.ids[place] if images.ids else "",
            "index": int(artifact.index[row]),
            "src": compact_uri(images.images[place], _SIDE),
            "crisp": context.crisp(images.images.shape[3], images.images.shape[2], small=True),
            "card": _card(images, place, context),
            "line": explain_line(context, indices=[int(artifact.index[row])]),
        }
        for place, row in enumerate(worst.tolist())
    ]
    unexplained = [entry["index"] for entry in entries if entry["card"] is None]
    total = int(artifact.is_error.sum()) if isinstance(artifact, SplitPredictions) else len(artifact)
    line = explain_line(context, indices=unexplained) if unexplained else ""
    return {"total": total, "images": entries, "line": line}


def _said(artifact: SplitPredictions | SplitValues, row: int, context: Context) -> dict[str, Any]:
    """True class or value, prediction, and confidence of one image."""
    if isinstance(artifact, SplitValues):
        label, said = (f"{float(values[row]):.3g}" for values in (artifact.labels, artifact.predicted))
        return {"label": label, "said": said, "confidence": None}
    label, said = (
        class_name(context.results, int(classes[row])) for classes in (artifact.expected, artifact.predicted)
    )
    return {"label": label, "said": said, "confidence": number(float(artifact.confidence[row]), 6)}


def _card(images: Split, place: int, context: Context) -> int | None:
    """Row of the card that explains an image, found by its name, or by its pixels where images have none."""
    split = context.results.split
    if images.ids and split.ids:
        rows = [row for row in range(context.count) if split.ids[row] == images.ids[place]]
    else:
        image = images.images[place]
        rows = [row for row in range(context.count) if np.array_equal(split.images[row], image)]
    return rows[0] if rows else None


def explain_line(context: Context, **keys: Any) -> str:
    """The line of a recipe that explains some images of the split: `explain: {split: test, indices: [17]}`.

    Args:
        context: of the report.
        keys: `indices`; `labels` and the pair of `choose`, by the classifier's index; `choose`.
    """
    written = context.results.recipe.get("explain", {})
    same = {name: written[name] for name in ("split", "data", "classifier") if written.get(name) is not None}
    if "labels" in keys and context.results.split.class_names:  # the data's labels; those without names are indices
        keys["labels"] = _class_names(keys["labels"], context)
    if isinstance(keys.get("choose"), dict):
        keys["choose"] = {"confused": _class_names(keys["choose"]["confused"], context)}
    return f"explain: {_flow(same | keys)}"


def _class_names(classes: Sequence[int], context: Context) -> list[str | int]:
    """Names as a recipe has them; indices of classes without."""
    names = context.results.class_names
    return [escape(names[k]) if k < len(names) else k for k in classes]


def _flow(value: Any) -> str:
    """A value as YAML in flow style; texts that are no plain words are quoted as in JSON, which YAML reads."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        quoted = (json.dumps(item, ensure_ascii=False) if isinstance(item, str) else _flow(item) for item in value)
        return "[" + ", ".join(quoted) + "]"
    is_word = isinstance(value, str) and value.replace("-", "").isalpha() and value.lower() not in _NO_TEXTS
    return str(value) if is_word or not isinstance(value, str) else json.dumps(value, ensure_ascii=False)
