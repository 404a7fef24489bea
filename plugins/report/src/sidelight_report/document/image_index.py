"""Every explained image in one list, to filter and to sort; the cards lie in files beside the page, a few in each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Counterfactual, expected_classes
from sidelight_specs.results.question import softmax_at
from sidelight_ui.images import compact_uri

from sidelight_report.document import measurements
from sidelight_report.document.phrases import class_name
from sidelight_report.document.report import card
from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.results import Explanation

    from sidelight_report.document.context import Context

CARDS = 20  # in a file
_SIDE = 56  # pixels of a thumbnail, twice as many as it is shown with on most screens
_DIGITS = 4
_GROUPS = {"label": "True class", "said": "Classifier says"}
_SURE, _VALUE = "probability of what it says", "value"


def image_index(context: Context) -> dict[str, Any] | None:
    """Table of all images, column by column; None where the page has a card for every one."""
    results, count = context.results, context.indexed
    if not count:
        return None
    expected = expected_classes(results.split, results.class_names)
    found = {} if context.regression else {"label": expected, "said": results.targets.predicted}
    classes = [class_name(results, k) for k in range(results.predictions.logits.shape[1])]
    names = {name: _names([classes[k] if k >= 0 else "" for k in ks[:count].tolist()]) for name, ks in found.items()}
    logits = results.predictions.logits[:count]
    (sure,) = (logits[:, 0],) if context.regression else softmax_at(logits, results.targets.predicted[:count])
    return {
        "ids": list(results.split.ids[:count]) or [f"image {row + 1}" for row in range(count)],
        "thumbnails": list(_thumbnails(context, count)),
        "groups": [{"name": _GROUPS[name], **one} for name, one in names.items() if len(one["values"]) > 1],
        "misclassified": context.misclassified[:count].astype(int).tolist(),
        "turned": {
            name: [_turned(one, context, row) for row in range(count)]
            for name, one in results.explanations.items()
            if isinstance(one, Counterfactual) and not context.regression
        },
        "numbers": [
            {"name": _VALUE if context.regression else _SURE, "of": "", "values": numbers(sure, _DIGITS)},
            *_measured(context),
        ],
        "size": CARDS,
    }


def _thumbnails(context: Context, count: int) -> Iterator[str]:
    """Small pictures of the first images; what has been read of the run's files for them is given back."""
    for row in range(count):
        yield compact_uri(context.results.split.images[row], _SIDE)
        if row % CARDS == 0:
            context.results.split.let_go()


def _names(values: list[str]) -> dict[str, Any]:
    """Distinct names in their order, and for each image the position of its own."""
    known = {name: at for at, name in enumerate(sorted(set(values)))}
    return {"values": list(known), "rows": [known[name] for name in values]}


def _turned(explanation: Explanation, context: Context, row: int) -> int | None:
    """1 if the classifier says another class of the answer, 0 if not; None without an answer."""
    assert isinstance(explanation, Counterfactual)
    if not explanation.has_answer(row) or not explanation.converged[row]:
        return None
    return int(int(explanation.logits_after[row].argmax()) != int(context.results.targets.predicted[row]))


def _measured(context: Context) -> Iterator[dict[str, Any]]:
    """Numbers that metrics gave for every image."""
    for _, name, columns in measurements.rows(context):
        for of, item in columns:
            if item.is_of_each(len(context.results.targets)) and np.isfinite(item.values).any():
                yield {"name": name, "of": of, "values": numbers(item.values[: context.indexed], _DIGITS)}


def card_files(context: Context) -> Iterator[tuple[str, str]]:
    """Name and text of each file of cards: a script, because pages from disk may read no other file.

    Cards that the page itself has are in them too, so that the number of a card tells its file.
    """
    for start in range(0, context.indexed, CARDS):
        cards = [card(context, row) for row in range(start, min(start + CARDS, context.indexed))]
        context.results.let_go()
        text = json.dumps(cards, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        yield file_name(start), f"sidelightCards({start},{text})\n"  # all JSON is JavaScript (ECMAScript 2019)


def file_name(start: int) -> str:
    """The file of the cards from `start` on, relative to the page; `web/image-index.js` asks for the same."""
    return f"cards/{start // CARDS:04}.js"
