"""Questions in words: "Why a 4 and not a 9?"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidelight_specs.results import Attribute, Results

_AN = ("8", "11", "18")


def class_name(results: Results, index: int) -> str:
    """The classifier's name of a class, or its number where it has none."""
    return results.class_names[index] if 0 <= index < len(results.class_names) else f"class {index}"


def noun(name: str) -> str:
    """A class name inside a sentence: digits get an article, names are quoted because their grammar is unknown."""
    if not name.isdigit():
        return f"“{name}”"
    return f"an {name}" if name.startswith("8") or name in _AN else f"a {name}"


def question(results: Results, row: int) -> str:
    """What is asked of one image."""
    if results.predictions.task == "regression":
        return f"Why {float(results.predictions.logits[row, 0]):.3g}?"
    predicted, probe = int(results.targets.predicted[row]), int(results.targets.probe[row])
    if predicted == probe:
        return f"Why {noun(class_name(results, predicted))}?"
    return f"Why {noun(class_name(results, predicted))} and not {noun(class_name(results, probe))}?"


def headline(results: Results) -> str:
    """What is asked of all images: their question where they share one, its general form where not."""
    asked = {question(results, row) for row in range(len(results.targets))}
    if len(asked) == 1:
        return asked.pop()
    if results.predictions.task == "regression":
        return "Why this value?"
    if (results.targets.predicted == results.targets.probe).all():
        return "Why this class?"
    if len(set(results.targets.probe.tolist())) == 1 and (results.targets.predicted != results.targets.probe).all():
        return f"Why not {noun(class_name(results, int(results.targets.probe[0])))}?"
    asked_for = results.recipe.get("explain", {})
    if asked_for.get("target") == "second" and not asked_for.get("targets"):
        return "Why this class, and not the second most likely?"
    return "Why this class, and not that one?"


def side(results: Results, row: int, answers: str) -> str:
    """Which side of one image's question an explanation answers."""
    predicted = class_name(results, int(results.targets.predicted[row]))
    probe = class_name(results, int(results.targets.probe[row]))
    if results.predictions.task == "regression":
        return "the predicted value"
    if answers == "contrast" and predicted != probe:
        return f"{predicted} against {probe}"
    return f"for {probe}" if answers == "probe" else f"for {predicted}"


def where(attribute: Attribute) -> str:
    """The place of an attribute's coordinate in the network, where its name does not say it already."""
    if not attribute.layer:
        return "" if str(attribute.coordinate) in attribute.name else f"coordinate {attribute.coordinate}"
    named = attribute.layer in attribute.name and str(attribute.channel) in attribute.name
    return "" if named else f"channel {attribute.channel} of layer {attribute.layer}"


def how_set(attribute: Attribute, seen: tuple[float, float] | None) -> str:
    """What is done to an attribute's coordinate, held against the values of it that were seen."""
    verb = "raised" if attribute.direction > 0 else "lowered"
    if attribute.value is None:
        return f"{verb} by {plain(abs(attribute.shift))}{_among(None, seen)}"
    return f"{verb} to {plain(attribute.value)}{_among(attribute.value, seen)}"


def how_far(attribute: Attribute) -> str:
    """How far an attribute moves along a direction through the latent space, which is no single coordinate."""
    return f"shifted by {plain(attribute.shift)} along the direction"


def _among(value: float | None, seen: tuple[float, float] | None) -> str:
    if seen is None:
        return ""
    low, high = map(plain, seen)
    if value is not None and plain(value) in (low, high):
        return f", the highest seen (from {low})" if plain(value) == high else f", the lowest seen (up to {high})"
    return f"; {low} to {high} occur"


def plain(value: float) -> str:
    """Three significant digits, with a true minus sign."""
    return f"{value:.3g}".replace("-", "\u2212")
