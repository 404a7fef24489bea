"""Findings of a run, family by family: sentences with numbers, each with pictures of it.

Changes come first, because the classifier was asked what it says of them; then what maps have in common, which it was
not asked. A family that the recipe does not have is not spoken of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import (
    AttentionGraph,
    Concepts,
    Counterfactual,
    Heatmap,
    ImageAttributes,
    Intervention,
    Measurement,
)

from sidelight_report.document import measurements
from sidelight_report.document.attributes import (
    attributes_by_id,
    by_direction,
    demonstrations,
    groups,
    line_name,
    strongest,
    target_name,
)
from sidelight_report.document.claims import (
    Claim,
    Counts,
    Tile,
    between,
    claim,
    correlation,
    counted,
    listed,
    percent,
    share,
    signed,
    some,
    tile,
)
from sidelight_report.document.judges import judge_of
from sidelight_report.document.phrases import class_name, noun, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sidelight_specs.results import Attributes

    from sidelight_report.document.context import Context

Finding = tuple[Claim, list[Tile]]

MOST_GROUPS = 2  # classes of a finder with a claim of their own
MOST_METRICS = 2  # rows of the metric table that are spoken of
MOST_TILES = 3  # of a claim
CARDS = "image-1"


def findings(context: Context) -> Iterator[Finding]:
    """Claims with their pictures, in the order in which a reader needs them."""
    yield from _causes(context)
    families: list[tuple[type, Callable[[Context, Any], Iterator[Finding]]]] = [
        (ImageAttributes, _image_attributes),
        (Counterfactual, _counterfactuals),
        (Intervention, _interventions),
        (Concepts, _concepts),
        (AttentionGraph, _graphs),
    ]
    for kind, found in families:
        of = {key: value for key, value in context.results.explanations.items() if isinstance(value, kind)}
        if of:
            yield from found(context, of)
    yield from _agreement(context)
    yield from _ranked(context)


# Attributes: the coordinate or direction that moves a class most


def _causes(context: Context) -> Iterator[Finding]:
    """For each finder and class the attribute with the largest mean effect among those that the page shows."""
    for section, (key, attributes) in enumerate(attributes_by_id(context.results).items()):
        every = groups(attributes)
        leaders = [_leader(attributes, context, indices) for *_, indices in every]
        order = sorted(range(len(every)), key=lambda at: -abs(attributes.attributes[leaders[at][1]].effect))
        for place in sorted(order[:MOST_GROUPS]):
            rank, index = leaders[place]
            anchor = f"attributes-{section + 1}-{place + 1}"
            text = f"{key}, {_cause(attributes, context, index, *every[place])}"
            if place == max(order[:MOST_GROUPS]) and len(every) > MOST_GROUPS:
                text += f" Beside these two classes, {len(every) - MOST_GROUPS} more are below."
            at = {"section": section, "group": place, "rank": rank, "direction": 0}
            yield claim(text, "measured", anchor), list(_demonstrated(attributes, context, index, anchor, at))


def _leader(attributes: Attributes, context: Context, indices: list[int]) -> tuple[int, int]:
    """Rank on the page and index of the attribute with the largest mean effect, plausible ones before flagged ones."""
    rows = by_direction(attributes, indices)[: context.params.attributes]
    mains = [strongest(attributes, row) for row in rows]
    every = [attributes.attributes[index] for index in mains]
    rank = max(range(len(mains)), key=lambda at: (not every[at].flagged, abs(every[at].effect)))
    return rank, mains[rank]


def _cause(attributes: Attributes, context: Context, index: int, target: int, lowers: bool, indices: list[int]) -> str:
    """One attribute, its effect, and how many images all of its class explain."""
    one, rows = attributes.attributes[index], by_direction(attributes, indices)
    name = noun(target_name(attributes, context.results, target))
    way = f"{'lowering' if lowers else 'raising'} {name}" if attributes.is_of_value else f"towards {name}"
    row = next(row for row in rows if index in row)
    called = line_name([attributes.attributes[i].name for i in row]) if len(row) > 1 else one.name
    what = f"“{called}”"
    if attributes.directions is not None:
        what = f"a shift of {plain(one.shift)} along the direction" + ("" if noun(called) == name else f" “{called}”")
    most = f" {_most(attributes, index, indices)}" if len(rows) > 1 else ""
    text = (
        f"{way}: {what} moves the {'value' if attributes.is_of_value else 'logit'}{most} {_effect(attributes, index)}."
    )
    if one.flagged:
        text += f" It is flagged as not plausible: {one.flagged}."
    if attributes.explained is None or attributes.effects is None:
        return text
    of = np.isfinite(attributes.effects[indices]).any(axis=0)
    explained = int((attributes.explained[indices].any(axis=0) & of).sum())
    together = f"The {len(indices)} found" if len(indices) > 1 else "It"
    return f"{text} {together} explain{'' if len(indices) > 1 else 's'} {share(explained, int(of.sum()))}."


def _most(attributes: Attributes, index: int, indices: list[int]) -> str:
    """Wording of an attribute's rank: the page shows some alone, and prefers those that are not flagged."""
    every = [attributes.attributes[other] for other in indices]
    effect = abs(attributes.attributes[index].effect)
    if all(abs(one.effect) <= effect for one in every):
        return "most,"
    plausible = all(abs(one.effect) <= effect for one in every if not one.flagged)
    return "most of those not flagged," if plausible else "most of those shown,"


def _effect(attributes: Attributes, index: int) -> str:
    """Mean effect of an attribute with its interval over images, and how many images it moves that way."""
    mean = attributes.attributes[index].effect
    effects = np.zeros(0) if attributes.effects is None else attributes.effects[index]
    finite = effects[np.isfinite(effects)]
    if not len(finite):
        return f"by {signed(mean)}"
    spread = between(Measurement(name="effect", values=finite).interval, signed)
    moved = int((finite < 0).sum() if mean < 0 else (finite > 0).sum())
    of = counted(len(finite), "sample" if attributes.drawn else "image")
    return f"by {signed(mean)}{spread}, {'downwards' if mean < 0 else 'upwards'} in {moved} of {of}"


def _demonstrated(
    attributes: Attributes, context: Context, index: int, anchor: str, at: dict[str, int]
) -> Iterator[Tile]:
    """The first example that is not called so before, else the first, before and after."""
    shown = next(demonstrations(attributes, index), None)
    if shown is None:
        return
    one = attributes.attributes[index]
    chances = None if shown.probabilities is None else shown.probabilities[: context.params.examples]
    fresh = [] if chances is None or attributes.is_of_value else np.flatnonzero(chances[:, 0] < 0.5).tolist()
    example = fresh[0] if fresh else 0
    name = target_name(attributes, context.results, one.target)
    note = "" if chances is None else _change(name, chances[example], attributes.is_of_value)
    yield tile("attribute", anchor, one.name, note, at=at | {"example": example})


def _change(name: str, scores: Sequence[float] | np.ndarray, is_value: bool) -> str:
    """`“smiling”: 12 % to 83 %`."""
    before, after = (plain(float(value)) if is_value else percent(float(value)) for value in scores)
    return f"{noun(name)}: {before} to {after}"


# Changes of single images


def _image_attributes(context: Context, of: dict[str, ImageAttributes]) -> Iterator[Finding]:
    """Number of images that one change alone turns, by every explainer."""
    counts, tiles, moves = Counts(), list[list[Tile]](), list[str]()
    for key, found in of.items():
        rows = [row for row in range(len(found.chosen)) if found.has_answer(row)]
        turning = {row: rank for row in rows if (rank := _turning(found, row)) is not None}
        if rows:
            counts[key] = len(turning), len(rows)
        changed = [row for row in rows if found.chosen[row, 0] >= 0]
        shown = [row for row in (turning or changed) if row < context.count]
        tiles.append([_changed(context, key, found, row, turning.get(row, 0)) for row in shown[:MOST_TILES]])
        if context.regression and changed:
            change = np.abs(found.logits_after[changed, 0, 0] - found.logits_before[changed, 0])
            moves.append(f"{plain(float(np.median(change)))} in {counted(len(changed), 'image')} by {key}")
    if context.regression:
        text = (
            f"The first change of an image moves the value by a median of {some(moves)}."
            if moves
            else "Nothing moves the value."
        )
    elif not counts:
        text = "No image has an answer."
    else:
        drawn = " (of their reconstructions)" if all(found.reconstructions is None for found in of.values()) else ""
        text = f"One change alone turns what the classifier says of {listed(counts, 'images')}{drawn}."
    yield claim(text, "measured", *_cards(context)), _in_turn(tiles)


def _turning(found: ImageAttributes, row: int) -> int | None:
    """Rank of the first change of an image that alone gives another class; None if none does."""
    before = found.logits_before[row].argmax()
    for rank, chosen in enumerate(found.chosen[row]):
        if chosen >= 0 and found.logits_after[row, rank].argmax() != before:
            return rank
    return None


def _changed(context: Context, key: str, found: ImageAttributes, row: int, rank: int) -> Tile:
    name = found.attributes[found.chosen[row, rank]].name
    note = _of_probe(context, row, found.logits_before[row], found.logits_after[row, rank])
    return tile("change", f"image-{row + 1}", f"{key}: {name}", note, image=row, explainer=key, rank=rank)


def _of_probe(context: Context, row: int, before: np.ndarray, after: np.ndarray) -> str:
    """Scores of the class asked about before and after, and the likeliest class where it is neither of the question."""
    probe = int(context.results.targets.probe[row])
    note = _change(
        "value" if context.regression else class_name(context.results, probe),
        [context.scores(logits)[probe] for logits in (before, after)],
        context.regression,
    )
    likeliest = int(after.argmax())
    return (
        note if likeliest in context.sides(row) else f"{note}; {noun(class_name(context.results, likeliest))} likeliest"
    )


def _in_turn(tiles: Sequence[Sequence[Tile]]) -> list[Tile]:
    """The first of each explainer, then the second of each."""
    return [of[place] for place in range(max(map(len, tiles), default=0)) for of in tiles if place < len(of)]


def _counterfactuals(context: Context, of: dict[str, Counterfactual]) -> Iterator[Finding]:
    """Flips, third classes and independent judges."""
    tiles = list[list[Tile]]()
    for key, found in of.items():
        rows = [row for row in range(context.count) if found.converged[row] and found.has_answer(row)]
        tiles.append([_pair(context, key, found, row) for row in rows[:MOST_TILES]])
    if context.regression:
        moves = [
            f"{plain(float(np.median(np.abs(found.logits_after - found.logits_before)[found.converged])))} by {key}"
            for key, found in of.items()
            if found.converged.any()
        ]
        text = f"The changed images move the value by a median of {some(moves)}." if moves else "No search converged."
        yield claim(text, "measured", *_cards(context)), _in_turn(tiles)
        return
    yield claim(_reaching(context, of), "measured", *_cards(context)), _in_turn(tiles)
    third = {key: (_third(context, found), int(found.converged.sum())) for key, found in of.items()}
    if any(hits for hits, _ in third.values()):
        told = listed({key: count for key, count in third.items() if count[0]}, "answers")
        yield claim(f"A class that nobody asked about is likeliest in {told}.", "measured", "measurements"), []
    yield from _judged(context, of)


def _pair(context: Context, key: str, found: Counterfactual, row: int) -> Tile:
    note = _of_probe(context, row, found.logits_before[row], found.logits_after[row])
    return tile("change", f"image-{row + 1}", key, note, image=row, explainer=key, rank=0)


def _reaching(context: Context, of: dict[str, Counterfactual]) -> str:
    """For how many images the class asked about draws level with the predicted one, and for how many it wins."""
    targets = context.results.targets
    counts = listed({key: _reached(context, found) for key, found in of.items()}, "images")
    is_of_predicted = targets.predicted == targets.probe  # what would change the prediction?
    if is_of_predicted.all():
        return f"Changed images give another class for {counts}."
    level = "make the class asked about at least as likely as the predicted one"
    if is_of_predicted.any():
        level += " (or, where that is the same, give another class)"
    won = {
        key: (int((found.converged & ~is_of_predicted & (found.logits_after.argmax(1) == targets.probe)).sum()), count)
        for (key, found), count in zip(of.items(), [int((~is_of_predicted).sum())] * len(of), strict=True)
    }
    return f"Changed images {level} for {counts}. It is the likeliest of all for {listed(won, 'of these')}."


def _reached(context: Context, found: Counterfactual) -> tuple[int, int]:
    """Converged answers whose probe's logit is not below the predicted one's, and all images with an answer or none."""
    targets = context.results.targets
    rows = np.arange(len(found.converged))
    lead = found.logits_after[rows, targets.probe] - found.logits_after[rows, targets.predicted]
    turned = found.logits_after.argmax(1) != targets.predicted
    reached = found.converged & np.where(targets.predicted == targets.probe, turned, lead >= -found.tolerance)
    return int(reached.sum()), len(rows)


def _third(context: Context, found: Counterfactual) -> int:
    likeliest, targets = found.logits_after.argmax(1), context.results.targets
    return int((found.converged & (likeliest != targets.predicted) & (likeliest != targets.probe)).sum())


def _judged(context: Context, of: dict[str, Counterfactual]) -> Iterator[Finding]:
    """Of the answers, how many an independent classifier calls another class than the image."""
    by_judge = dict[str, Counts]()
    for metric, measured in context.results.measurements.items():
        for key in of.keys() & measured.keys():
            answers, judge = measured[key].answers, judge_of(context, metric, key)
            if answers is None or not judge:
                continue
            rows = of[key].converged & np.isfinite(answers).all(axis=(1, 2))
            before, after = (answers[rows][:, side].argmax(1) for side in (0, 1))
            if rows.any():
                by_judge.setdefault(judge, {})[key] = int((before != after).sum()), int(rows.sum())
    for judge, counts in by_judge.items():
        ordered = {key: counts[key] for key in of if key in counts}
        text = (
            f"{judge}, a classifier that took no part, calls {listed(ordered, 'answers')} another class than the image."
        )
        yield claim(text, "measured", *_cards(context)), []


def _interventions(context: Context, of: dict[str, Intervention]) -> Iterator[Finding]:
    """Flips of a layer's code that change the class, and how many bits they take."""
    counts = {key: (int(found.changed.sum()), len(found.changed)) for key, found in of.items()}
    text = (
        f"Flipping bits of a layer's code changes what the rest of the classifier says of {listed(counts, 'images')}."
    )
    bits = dict[str, list[str]]()
    for key, found in of.items():
        if found.changed.any():
            median = np.median(found.flipped[found.changed].sum(1))
            bits.setdefault(f"{median:g} of {found.codes.shape[1]}", []).append(key)
    if bits:
        text += f" Bits flipped, median: {some([f'{count} by {some(keys)}' for count, keys in bits.items()])}."
    tiles = [
        [_flip(context, key, found, row) for row in range(context.count) if found.changed[row]][:MOST_TILES]
        for key, found in of.items()
    ]
    yield claim(text, "measured", *_cards(context)), _in_turn(tiles)
    drawn = "The pictures are drawn from the code by another network; the classifier did not see them."
    yield claim(drawn, "heuristic", *_cards(context)), []


def _flip(context: Context, key: str, found: Intervention, row: int) -> Tile:
    said, became = (int(logits[row].argmax()) for logits in (found.logits_before, found.logits_after))
    note = f"{noun(class_name(context.results, said))} to {noun(class_name(context.results, became))}"
    caption = f"{key}: {counted(int(found.flipped[row].sum()), 'bit')} flipped"
    return tile("change", f"image-{row + 1}", caption, note, image=row, explainer=key, rank=0)


# Concepts and attention graphs


def _concepts(context: Context, of: dict[str, Concepts]) -> Iterator[Finding]:
    """Agreement of the concepts' sum with the classifier, and the strongest concept's share."""
    predicted = context.results.targets.predicted
    agreeing = {
        key: (int((found.logits.argmax(1) == predicted).sum()), len(found.logits))
        for key, found in of.items()
        if found.logits is not None
    }
    if agreeing:
        text = f"The concepts alone give the classifier's class for {listed(agreeing, 'images')}."
        yield claim(text, "measured", *_cards(context)), []
    sections = [key for key, found in of.items() if found.exemplars is not None]
    for key, found in of.items():
        positive = found.contributions.clip(0)
        rows = positive.sum(1) > 0
        if not rows.any():
            continue
        held = float((positive[rows].max(1) / positive[rows].sum(1)).mean())
        first = np.bincount(positive[rows].argmax(1), minlength=len(found.names))
        order = [int(one) for one in np.argsort(-first, kind="stable") if first[one]]
        share_of = (
            f"holds {percent(held)} of what speaks for the class in the mean of {counted(int(rows.sum()), 'image')}"
        )
        is_most = len(order) < 2 or first[order[0]] > first[order[1]]
        often = f"; most often, in {int(first[order[0]])}, it is “{found.names[order[0]]}”" if is_most else ""
        text = f"{key}: the strongest of {len(found.names)} concepts {share_of}{often}."
        tiles = []
        if key in sections:
            section = sections.index(key)
            tiles = [
                tile(
                    "concept",
                    f"concepts-{section + 1}",
                    f"{key}: {found.names[one]}",
                    f"strongest in {int(first[one])} of {int(rows.sum())}",
                    section=section,
                    concept=one,
                )
                for one in order[:MOST_TILES]
            ]
        yield claim(text, "heuristic", *_cards(context)), tiles
        return  # of others that leave a part of the method out, the cards and the measurements tell


def _graphs(context: Context, of: dict[str, AttentionGraph]) -> Iterator[Finding]:
    """Sizes of the smallest sufficient sets of patches, and how many images have several."""
    for key, found in of.items():
        having = [
            row for row, one in enumerate(found.graphs) if one.sufficient and any(node.root for node in one.nodes)
        ]
        graphs = [found.graphs[row] for row in having]
        if not graphs:
            yield claim(f"{key}: no set of patches is enough.", "measured", *_cards(context)), []
            continue
        sizes = [min(map(len, graph.sufficient)) for graph in graphs]
        kept = min(node.confidence for graph in graphs for node in graph.nodes if node.root)
        several = sum(len(graph.sufficient) > 1 for graph in graphs)
        size = f"{np.median(sizes):g} of {found.grid[0] * found.grid[1]} patches ({min(sizes)} to {max(sizes)})"
        text = (
            f"{key}: the smallest set that is enough has a median of {size} and keeps at least {percent(kept)} of the "
            f"class's probability; {len(graphs)} of {len(found.graphs)} images have one, "
            f"{share(several, len(graphs))} several."
        )
        rows = [row for row in having if row < context.count]
        yield claim(text, "measured", *_cards(context)), [_root(found, key, row) for row in rows[:MOST_TILES]]


def _root(found: AttentionGraph, key: str, row: int) -> Tile:
    node = next(node for node in found.graphs[row].nodes if node.root)
    caption = f"{key}: {len(node.patches)} of {found.grid[0] * found.grid[1]} patches"
    note = f"keep {percent(node.confidence)} of the class"
    return tile("map", f"image-{row + 1}", caption, note, image=row, explainers=[key])


# Maps


def _agreement(context: Context) -> Iterator[Finding]:
    """Agreement of an image's maps, beside what two maps of different images have in common."""
    heatmaps = [key for key, found in context.results.explanations.items() if isinstance(found, Heatmap)]
    compared = context.agreement
    if compared is None or not compared.pairs():
        if heatmaps:
            tiles = [_map(context, row, heatmaps) for row in range(min(context.count, MOST_TILES))]
            text = f"Where the classifier looks, by {some(heatmaps)}: the pictures show it; no number sums it up."
            yield claim(text, "heuristic", *_cards(context)), tiles
        return
    values, pairs = compared.of_images, compared.pairs()
    finite = values[np.isfinite(values)]
    spread = between(Measurement(name="agreement", values=finite).interval, correlation)
    text = (
        f"Rank correlation of the {len(compared.names)} maps of an image: {correlation(float(finite.mean()))}{spread}"
    )
    if len(compared.rho) < len(context.results.targets):
        text += f" in the first {len(compared.rho)}"
    if np.isfinite(compared.different):
        text += f"; of maps of different images: {correlation(compared.different)}"
    if len(pairs) > 1:
        (a, b, high), (c, d, low) = pairs[0], pairs[-1]
        text += f"; {a} and {b} agree most ({correlation(high)}), {c} and {d} least ({correlation(low)})"
    tiles = list[Tile]()
    of_cards = values[: context.count]
    if np.isfinite(of_cards).any():
        low_row, high_row = int(np.nanargmin(of_cards)), int(np.nanargmax(of_cards))
        told = {low_row: "maps agree least here", high_row: "maps agree most here"}
        for row, words in told.items():
            pair = compared.least(row)
            note = f"{words}: {correlation(float(of_cards[row]))}"
            tiles.append(_map(context, row, pair) | {"note": note})
    yield claim(f"{text}. Maps can agree and be wrong.", "heuristic", "agreement"), tiles


def _map(context: Context, row: int, names: Sequence[str]) -> Tile:
    note = "" if context.regression else noun(class_name(context.results, int(context.results.targets.predicted[row])))
    caption = " and ".join(names[:2])
    return tile("map", f"image-{row + 1}", caption, note, image=row, explainers=list(names[:2]))


def _ranked(context: Context) -> Iterator[Finding]:
    """The best explanations of the rows of the metric table that rank maps, and whether the images tell them apart."""
    maps = {
        key
        for key, found in context.results.explanations.items()
        if isinstance(found, Heatmap | AttentionGraph | Concepts)
    }
    rows = [
        (name, dict(columns))
        for _, name, columns in measurements.rows(context)
        if {key for key, _ in columns} <= maps and not measurements.incomparable(context, columns)
    ]
    for name, columns in rows[:MOST_METRICS]:
        better = next(iter(columns.values())).better
        first, second, *_ = sorted(columns, key=lambda key: columns[key].value, reverse=better == "higher")
        best, next_best = columns[first], columns[second]
        text = (
            f"{name[:1].upper()}{name[1:]} ({better} is better): {first} is first of {len(columns)} with "
            f"{plain(best.value)}, {second} second with {plain(next_best.value)}; {_apart(best, next_best)}."
        )
        yield claim(text, "measured", "measurements"), []


def _apart(first: Measurement, second: Measurement) -> str:
    """True if the 95 % interval of the paired difference of two numbers over the images leaves out 0."""
    ends = Measurement(name="difference", values=first.values - second.values).interval
    if ends is None:
        return "too few images to tell them apart"
    return f"the images {'' if ends[0] > 0 or ends[1] < 0 else 'do not '}tell them apart"


def _cards(context: Context) -> tuple[str, ...]:
    return (CARDS,) if context.count else ()
