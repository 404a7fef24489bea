"""Questions that ask people to predict the classifier (Li Fuxin et al. 2021, section 4.2; Hase and Bansal 2020).

A question shows an image, what the classifier says of it, and one explanation or none; then two occluded versions, of
which the classifier still says the class of one. The versions, and its answers to them, are `ComparativeQueries` that a
metric emitted. All participants are asked the same; they differ in the explanation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import ComparativeQueries, Counterfactual, Explanation

from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.explanations import encode
from sidelight_report.document.phrases import class_name
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Results

    from sidelight_report import StudyParams

NONE = "none"
"""The condition without an explanation, in answers and addresses."""
DEPTH = 1
"""Patches taken from a root of a graph: all in view beside the question, as the whole graph is not."""


@attrs.frozen(eq=False)
class Prediction:
    """One question.

    Args:
        row: the explained image.
        queries: the artifact that holds the pair.
        pair: index of the pair, whose first version is the right answer.
        swapped: True if the right answer stands second.
    """

    row: int
    queries: ComparativeQueries
    pair: int
    swapped: bool = False


@attrs.frozen(eq=False)
class Predictions:
    """The questions, the explanations that participants may see, and why some images are not asked about.

    Args:
        questions: in the order in which they are asked.
        conditions: ids of the explanations, in recipe order; the condition without one is not listed.
        notes: sentences about images that are left out.
    """

    questions: list[Prediction]
    conditions: list[str]
    notes: list[str]


def predictions(results: Results, chosen: Sequence[str], count: int, rng: np.random.Generator) -> Predictions:
    """At most `count` questions, spread evenly over the images, the right answer on either side equally often.

    Images without an answer of one of the explanations are left out, so that all participants are asked the same.
    Explanations of the class asked about are no conditions: the questions are about the predicted class.

    Args:
        results: the finished run.
        chosen: ids of the explanations; empty for all.
        count: questions at most.
        rng: a stream of the recipe's seed.

    Raises:
        UserError: an explanation is chosen that the run does not have, or is called "none".
    """
    unknown = [name for name in chosen if name not in results.explanations]
    if unknown:
        known = ", ".join(results.explanations) or "none"
        raise UserError(f'the run has no explanation "{unknown[0]}"; known are {known}', "mend `explanations`")
    pairs = _pairs_by_row(results)
    if not pairs:
        return Predictions([], [], [])
    wanted = [name for name in results.explanations if name in chosen or not chosen]
    if NONE in wanted:
        raise UserError(
            f'an explainer is called "{NONE}", which is what answers call the condition without an explanation',
            "give it another name",
        )
    # the questions are about the predicted class, and so is what the page says of an explanation
    other = [name for name in wanted if results.explanations[name].answers == "probe"]
    conditions = [name for name in wanted if name not in other]
    lacking = {row: [name for name in conditions if not _answers(results.explanations[name], row)] for row in pairs}
    notes = [
        f"{_named(results, row)} is not asked about: no answer from {', '.join(names)}"
        for row, names in lacking.items()
        if names
    ]
    if other:
        notes.append(f"not shown to anybody, because not about the predicted class: {', '.join(other)}")
    silent = [_named(results, row) for row in range(len(results.targets)) if row not in pairs]
    if silent:
        notes.append(f"no two versions of {', '.join(silent)} differ in the answer, so nothing is asked about it")
    drawn = _drawn({row: pairs[row] for row in pairs if not lacking[row]}, count, rng)
    sides = rng.permutation(np.arange(len(drawn)) % 2).astype(bool)
    questions = [attrs.evolve(one, swapped=bool(side)) for one, side in zip(drawn, sides, strict=True)]
    return Predictions(questions, conditions, notes)


def _pairs_by_row(results: Results) -> dict[int, list[Prediction]]:
    """Row of each image that is asked about to its pairs, each once: several metrics may have emitted them."""
    pairs: dict[int, list[Prediction]] = {}
    known: set[tuple[str, bytes]] = set()
    for queries in results.emitted.values():
        if not isinstance(queries, ComparativeQueries):
            continue
        for row, image in enumerate(results.split.images):
            for pair in queries.of(np.asarray(image)).tolist():
                key = (queries.image[pair], queries.versions[pair].tobytes())
                if key not in known:
                    known.add(key)
                    pairs.setdefault(row, []).append(Prediction(row, queries, pair))
    return dict(sorted(pairs.items()))


def _answers(explanation: Explanation, row: int) -> bool:
    has_converged = not isinstance(explanation, Counterfactual) or bool(explanation.converged[row])
    return explanation.has_answer(row) and has_converged


def _drawn(pairs: dict[int, list[Prediction]], count: int, rng: np.random.Generator) -> list[Prediction]:
    """The first pair of every image, then the second, until there are enough; in random order."""
    turns = [
        pairs[row][turn]
        for turn in range(max(map(len, pairs.values()), default=0))
        for row in rng.permutation(list(pairs)).tolist()
        if turn < len(pairs[row])
    ]
    return [turns[i] for i in rng.permutation(min(count, len(turns)))]


def _named(results: Results, row: int) -> str:
    return results.split.ids[row] if results.split.ids else f"image {row + 1}"


def document(asked: Predictions, results: Results, params: StudyParams) -> dict[str, Any]:
    """JSON values of the questions, their images and explanations, for `web/study.d.ts`."""
    context = Context(results, HtmlParams(crisp=params.crisp))
    rows = sorted({one.row for one in asked.questions})
    records = {record.id: record for record in results.components if record.role == "explainer"}
    return {
        "task": results.predictions.task,
        "conditions": [
            {"name": name, "kind": results.explanations[name].kind, "paper": getattr(records.get(name), "paper", "")}
            for name in asked.conditions
        ],
        "images": [_image(row, asked.conditions, context) for row in rows],
        "predict": [_question(one, rows.index(one.row), context) for one in asked.questions],
        "notes": asked.notes,
    }


def _image(row: int, conditions: Sequence[str], context: Context) -> dict[str, Any]:
    """A card of the report without measurements: the image, the classifier's answer, every explanation."""
    results = context.results
    predicted = int(results.targets.predicted[row])
    extra: dict[str, Any] = {"measures": [], "passes": None}
    return {
        "question": "",
        "id": _named(results, row),
        "label": None,
        "misclassified": False,
        "picture": context.picture(results.split.images[row]),
        "class": class_name(results, predicted),
        "probability": number(float(context.before(row)[predicted])),
        "classes": context.class_entries(row),
        "scores": numbers(context.before(row)[context.shown_classes(row)]),
        "reconstruction": None,
        "explanations": [
            {"explainer": name} | extra | _readable(encode(results.explanations[name], context, row))
            for name in conditions
        ],
    }


def _readable(entry: dict[str, Any]) -> dict[str, Any]:
    """A graph without what lies deeper than `DEPTH`; other entries as they are."""
    if entry["kind"] != "attention-graph":
        return entry
    nodes = [node for node in entry["nodes"] if node["depth"] <= DEPTH]  # breadth first: indices stay as they are
    children = [[child for child in node["children"] if child < len(nodes)] for node in nodes]
    cut = [node | {"children": below} for node, below in zip(nodes, children, strict=True)]
    return entry | {"nodes": cut, "left_out": entry["left_out"] + len(entry["nodes"]) - len(nodes)}


def _question(one: Prediction, image: int, context: Context) -> dict[str, Any]:
    """`correct` is the index of the right answer in `versions`."""
    queries, order = one.queries, [1, 0] if one.swapped else [0, 1]
    return {
        "image": image,
        "versions": [context.picture(queries.versions[one.pair, i]) for i in order],
        "visible": [np.flatnonzero(queries.visible[one.pair, i]).tolist() for i in order],
        "probabilities": [number(float(queries.probabilities[one.pair, i]), 3) for i in order],
        "answers": [class_name(context.results, int(queries.answers[one.pair, i])) for i in order],
        "correct": int(one.swapped),
    }
