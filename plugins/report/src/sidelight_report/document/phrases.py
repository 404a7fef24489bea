"""Questions, classes and changes in words: "Why a 4 and not a 9?"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.results import expected_classes

if TYPE_CHECKING:
    from sidelight_specs.results import Attribute, Results

_AN = ("8", "11", "18")  # numbers that begin with a vowel sound


def class_name(results: Results, index: int) -> str:
    """Name of a class, or its number."""
    return results.class_names[index] if 0 <= index < len(results.class_names) else f"class {index}"


def noun(name: str) -> str:
    """A class name inside a sentence: digits get an article, names are quoted because their grammar is unknown."""
    if not name.isdigit():
        return f"“{name}”"
    return f"an {name}" if name.startswith("8") or name in _AN else f"a {name}"


def question(results: Results, row: int) -> str:
    """Question about one image."""
    if results.predictions.task == "regression":
        return f"Why {float(results.predictions.logits[row, 0]):.3g}?"
    predicted, probe = int(results.targets.predicted[row]), int(results.targets.probe[row])
    if predicted == probe:
        return f"Why {noun(class_name(results, predicted))}?"
    return f"Why {noun(class_name(results, predicted))} and not {noun(class_name(results, probe))}?"


def page_title(results: Results, given: str) -> str:
    """Heading of the page: the one `given` by the renderer's options, else the recipe's, else the question."""
    title = str(results.recipe.get("title", "")).replace("$${", "${")
    return given or title or headline(results)


def headline(results: Results) -> str:
    """Question about all images: the shared one, or its general form."""
    questions = {question(results, row) for row in range(len(results.targets))}
    if len(questions) == 1:
        return questions.pop()
    if results.predictions.task == "regression":
        return "Why this value?"
    if (results.targets.predicted == results.targets.probe).all():
        return "Why this class?"
    if len(set(results.targets.probe.tolist())) == 1 and (results.targets.predicted != results.targets.probe).all():
        return f"Why not {noun(class_name(results, int(results.targets.probe[0])))}?"
    return f"Why this class, and not {_asked(results)}?"


def _asked(results: Results) -> str:
    """The class asked about, in words that hold for every question."""
    explain = results.recipe.get("explain", {})
    target = explain.get("target")
    if explain.get("targets") or target not in ("auto", "expected", "second"):
        return "that one"
    expected = expected_classes(results.split, results.class_names)
    is_expected = (results.targets.probe == expected) & (results.targets.predicted != expected)
    if target == "second" or not is_expected.any():
        return "the second most likely"
    return "the expected one" if is_expected.all() else "the expected or second most likely"


def side(results: Results, row: int, answers: str) -> str:
    """Side of one image's question that an explanation answers."""
    predicted = class_name(results, int(results.targets.predicted[row]))
    probe = class_name(results, int(results.targets.probe[row]))
    if results.predictions.task == "regression":
        return "the predicted value"
    if answers == "any":
        return "the same for every class"
    if answers == "contrast" and predicted != probe:
        return f"{predicted} against {probe}"
    return f"for {probe}" if answers == "probe" else f"for {predicted}"


def where(attribute: Attribute) -> str:
    """Layer and channel of an attribute's coordinate, unless its name has them."""
    if not attribute.layer:
        return "" if str(attribute.coordinate) in attribute.name else f"coordinate {attribute.coordinate}"
    named = attribute.layer in attribute.name and str(attribute.channel) in attribute.name
    return "" if named else f"channel {attribute.channel} of layer {attribute.layer}"


def how_set(attribute: Attribute, seen: tuple[float, float] | None) -> str:
    """Change of an attribute's coordinate, beside its observed range."""
    verb = "raised" if attribute.direction > 0 else "lowered"
    if attribute.value is None:
        return f"{verb} by {plain(abs(attribute.shift))}{_among(None, seen)}"
    return f"{verb} to {plain(attribute.value)}{_among(attribute.value, seen)}"


def how_far(attribute: Attribute) -> str:
    """Shift of an attribute along a direction through the latent space."""
    return f"shifted by {plain(attribute.shift)} along the direction"


def _among(value: float | None, seen: tuple[float, float] | None) -> str:
    if seen is None:
        return ""
    low, high = map(plain, seen)
    if value is not None and plain(value) in (low, high):
        return f", the highest seen (from {low})" if plain(value) == high else f", the lowest seen (up to {high})"
    return f"; {low} to {high} occur"


def plain(value: float) -> str:
    """A number with three significant digits and a true minus sign."""
    return f"{value:.3g}".replace("-", "\u2212")
