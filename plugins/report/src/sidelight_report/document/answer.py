"""The report's first screen: what was asked, what was found and how sure it is, from the results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Counterfactual, Explanation

from sidelight_report.document.accuracies import accuracies
from sidelight_report.document.attributes import attributes_by_id
from sidelight_report.document.claims import Claim, Tile, claim, counted, interval, percent, some
from sidelight_report.document.findings import CARDS, findings
from sidelight_report.document.judges import judge_of
from sidelight_report.document.limits import limits
from sidelight_report.document.phrases import headline, page_title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_report.document.context import Context

MOST_TILES = 9  # three rows of three beside the text
PICKED = {
    "attribute": "of an attribute the first example that it turns, or else the first",
    "change": "the first images that a change turns, or whose search converged",
    "concept": "images in which a concept is strongest",
    "map": "the first images",
}
COMPARED = "images on which maps agree least and most"
FEW = 30  # images; of fewer it is said how little they can tell


def answer(context: Context) -> dict[str, Any]:
    """The paragraph, the claims, and pictures of some of them."""
    found = list(findings(context))
    claims = [one for one, _ in found]
    strip = _taken_in_turn([pictures for _, pictures in found])
    return {
        "asked": _asked(context),
        "found": claims,
        "sure": list(_sure(context, claims)),
        "limits": limits(context),
        "strip": strip,
        "picked": _picked(claims, strip),
    }


def _picked(claims: Sequence[Claim], strip: Sequence[Tile]) -> str:
    """Rules by which the pictures were picked, none of them at random."""
    rules = [
        COMPARED if one["shows"] == "map" and "agreement" in claims[one["claim"]]["links"] else PICKED[one["shows"]]
        for one in strip
    ]
    return "; ".join(dict.fromkeys(rules))


def _taken_in_turn(tiles: Sequence[Sequence[Tile]]) -> list[Tile]:
    """At most `MOST_TILES` pictures, the first of each claim before the second of any; in the order of the claims."""
    counts = [0] * len(tiles)
    for round_ in range(MOST_TILES):
        for at, of in enumerate(tiles):
            if round_ < len(of) and sum(counts) < MOST_TILES:
                counts[at] += 1
    return [one | {"claim": at} for at, (count, of) in enumerate(zip(counts, tiles, strict=True)) for one in of[:count]]


def _asked(context: Context) -> str:
    """One paragraph: the question, the images, the classifier, and how good it is."""
    results = context.results
    explain = results.recipe.get("explain", {})
    used = {(one.role, one.id): one.use for one in results.components}
    classifier = used.get(("classifier", explain.get("classifier")))
    data = used.get(("data", explain.get("data")))
    asked = headline(results)
    first = "" if asked == page_title(results, context.params.title) else f"{asked} "
    text = f"{first}{'The question was put' if first else 'It was asked'}{f' to {classifier}' if classifier else ''}"
    of = f"{f' of {data}' if data else ''}{f' (split {split})' if (split := explain.get('split')) else ''}"
    text += f" about {_put(context)}{of}."
    chosen = f" They are {results.choice}." if results.choice else ""
    return f"{text}{chosen}{_skill(context)}"


def _images(context: Context) -> int:
    """Explained images, each once, where their names tell them apart."""
    return len(set(context.results.split.ids)) or len(context.results.targets)


def _put(context: Context) -> str:
    """`8 images`, or `16 questions about 8 images`."""
    questions, images = len(context.results.targets), _images(context)
    return (
        counted(images, "image") if images == questions else f"{questions} questions about {counted(images, 'image')}"
    )


def _skill(context: Context) -> str:
    """Number of explained images classified as labelled, and the accuracy where the run measured it."""
    results = context.results
    if context.regression or results.split.labels is None:
        return ""
    explained = results.recipe.get("explain", {}).get("classifier")
    known = [
        row for row in accuracies(context)["rows"] if row["classifier"] == explained and row["values"][0] is not None
    ]
    row = next((row for row in known if row["split"] == "test"), known[0] if known else None)
    wrong, total = int(context.misclassified.sum()), len(results.targets)
    right = {0: "all of them", total: "none of them"}.get(wrong, f"{total - wrong} of {total}")
    over = f", and {percent(row['values'][0])} of the split {row['split']}" if row else ""
    return f" It classifies {right} as labelled{over}."


def _sure(context: Context, found: Sequence[Claim]) -> Iterator[Claim]:
    """Spread, convergence, and what nothing measured; the run's warnings stand beside."""
    results = context.results
    count = len(results.targets)
    if any(one["basis"] == "measured" for one in found):
        half = interval(count / 2, count) if count < FEW else ""
        few = (
            f" {_put(context)} tell little: the interval of a half would be{half.replace('(', '').replace(')', '')}."
            if half
            else ""
        )
        seed = results.recipe.get("seed", 0)
        text = f"Intervals are 95 % over the images (or samples) of one run (seed {seed}), not over trainings."
        if _images(context) < count:
            text += " They take the answers to several questions about one image for independent."
        yield claim(f"{text}{few}", "", "measurements")
    yield from _unanswered(context)
    yield from _chosen_by_effect(context)
    made = {**results.explanations, **results.attributes}
    missing = [
        one.id for one in results.components if one.role in ("explainer", "attribute_finder") and one.id not in made
    ]
    if missing:
        yield claim(f"{some(missing)} gave no result.", "not scored", "origin")
    scored = {key for of in results.measurements.values() for key in of}
    unscored = [key for key in results.explanations if key not in scored]
    if unscored:
        what = "any explanation" if len(unscored) == len(results.explanations) > 1 else some(unscored)
        yield claim(f"No metric of the recipe measures {what}.", "not scored")
    if _is_unjudged(context):
        text = "No other classifier judges the changed images: a change may be a quirk of this one."
        yield claim(text, "not scored")


def _is_unjudged(context: Context) -> bool:
    """True if there are counterfactuals of classes and no independent classifier was asked about them."""
    changed = {key for key, one in context.results.explanations.items() if isinstance(one, Counterfactual)}
    judged = any(
        judge_of(context, metric, key)
        for metric, of in context.results.measurements.items()
        for key in changed & of.keys()
    )
    return bool(changed) and not judged and not context.regression


def _unanswered(context: Context) -> Iterator[Claim]:
    """Searches that did not converge, and images without an answer."""
    explanations, count = context.results.explanations, len(context.results.targets)
    failed = dict[str, int]()
    for key, found in explanations.items():
        if not isinstance(found, Explanation):
            continue
        answered = np.array([found.has_answer(row) for row in range(count)])
        if isinstance(found, Counterfactual):
            answered &= found.converged
        failed |= {key: int((~answered).sum())} if not answered.all() else {}
    cards = (CARDS,) if context.count else ()
    if failed:
        text = some([f"{number} of {count} by {key}" for key, number in failed.items()])
        yield claim(f"Without an answer, and not drawn: {text}.", "measured", *cards)
    elif any(isinstance(found, Counterfactual) for found in explanations.values()):
        yield claim("Every search converged.", "measured", *cards)


def _chosen_by_effect(context: Context) -> Iterator[Claim]:
    """Effects of attributes that were chosen for them, and flags."""
    every = attributes_by_id(context.results)
    ranked = [key for key, found in every.items() if found.directions is None and len(found.attributes) > 1]
    if ranked:
        text = f"The effects of {some(ranked)} are the largest of many on the same images: others will show less."
        yield claim(text, "heuristic", f"attributes-{list(every).index(ranked[0]) + 1}")
    flags = [bool(one.flagged) for found in every.values() for one in found.attributes]
    if any(flags):
        yield claim(
            f"{sum(flags)} of {len(flags)} attributes are flagged as not plausible.", "heuristic", "attributes-1"
        )
