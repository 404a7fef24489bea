"""The text of a recipe, with comments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sidelight_specs.recipe import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sidelight_start.plan import Estimate, Plan

TITLES = {
    "heatmaps": "Where does my model look? Heatmaps of my own images.",
    "counterfactuals": "Why this class and not another? My images, changed until my model would say something else.",
    "stylex": "Which attributes does my model look at? A generator learns to draw and to change them.",
}
COMMENTS = {
    "size": "side in pixels that the networks work at; a larger one draws finer changes and takes longer",
    "latent": "numbers that describe an image",
    "width": "channels of the networks; more of them draw better and take longer",
    "steps": "length of the training; more is better up to a point",
    "variance": "lower draws more sharply, higher changes more naturally",
    "shuffle": "squares of 2x2 pixels become channels, which makes the networks fast",
    "squares": "weight of small details of strong contrast",
}


def recipe_text(plan: Plan, path: Path, explainers: Sequence[tuple[str, str]], with_curves: bool) -> str:
    """The recipe as YAML.

    Args:
        plan: what it says.
        path: file that it will be written to.
        explainers: for heatmaps, ids and uses of the methods.
        with_curves: for heatmaps, the metric of insertion and deletion is installed.
    """
    head = [f"# {TITLES[plan.kind]}", "#", *_commands(path), "#", *_explained(plan), f"# {_takes(plan.estimate)}"]
    parts = {
        "heatmaps": lambda: _heatmaps(explainers, with_curves),
        "counterfactuals": lambda: _counterfactuals(plan),
        "stylex": lambda: _stylex(plan),
    }
    return "\n".join([*head, f"recipe: 1\nname: {path.stem}\nseed: 0\n", *_given(plan), *parts[plan.kind]()]) + "\n"


def _commands(path: Path) -> list[str]:
    return [
        f"#   sidelight check {path}      is anything wrong, and what would be computed?",
        f"#   sidelight run {path}        what is done once is kept: an interrupted run continues",
    ]


def _explained(plan: Plan) -> list[str]:
    """Summary of the recipe in two or three lines."""
    if not plan.generator:
        return [
            "# Each method marks the pixels that speak for the class of an image. All of them see what the model sees."
        ]
    height, width = plan.shape[1:]
    size = plan.generator["size"]
    lines = [f"# A generator learns the {plan.folder.learned:,} training images at {size}x{size} pixels."]
    if size < min(height, width):
        lines.append(
            f"# What it changes is enlarged to {height}x{width} and added to the image itself, which keeps its details;"
        )
        lines.append(
            "# the model judges the image that is shown. The page also shows what the generator draws by itself."
        )
    return lines


def _takes(estimate: Estimate | None) -> str:
    if estimate is None:
        return "Time: not estimated."
    of_memory = "" if estimate.memory is None else f" and {memory(estimate.memory)} of memory,"
    return f"Time: about {duration(estimate.seconds)}, once,{of_memory} by a quick timing."


def _given(plan: Plan) -> list[str]:
    """Data, question and classifier."""
    channels, height, _ = plan.shape
    labelled = bool(plan.folder.classes)
    settings: dict[str, Any] = {"path": plan.folder.path}
    follows = "Height, width, crop and colours follow the model."
    if plan.model.facts.shape is None:
        settings |= {"size": height, "mode": "grey" if channels == 1 else "rgb"}
        follows = "The model does not say which size it takes: set it."
    split = "test" if plan.generator or labelled else "all"
    names = plan.model.facts.classes or ()
    example = f'"{names[-1]}"' if names else "the name of a class"
    lines = [f"# {plan.folder.described()}. {follows}", *_component("data", "images/folder", settings), ""]
    lines += [
        "# Which images are explained, and which class they are asked about: second is the second most likely one;"
    ]
    lines += [f"# or name a class, such as {example}. More images take longer, in proportion."]
    lines += ["explain:", f"  split: {split}", "  count: 8", "  target: second", ""]
    lines += ["# The model that is explained; it is never changed."]
    if plan.model.settings.get("classes") and names == plan.folder.classes:
        lines += ["# Its class names are those of the folders, in their order: change that if the model's is another."]
    return [*lines, *_component("classifier", plan.model.use, plan.model.settings), ""]


def _heatmaps(explainers: Sequence[tuple[str, str]], with_curves: bool) -> list[str]:
    lines = ["explainers:", *(f"  {name}: {{use: {use}}}" for name, use in explainers)]
    if with_curves:
        lines += ["", "# How fast does the class disappear, and return, as the pixels that a method marks go and come?"]
        lines += ["metrics:", "  curves: {use: metrics/insertion-deletion}"]
    return [*lines, "", "renderers:", "  page: {use: report/html}"]


def _counterfactuals(plan: Plan) -> list[str]:
    return [
        "# Learns to draw images like yours; the page shows how well, under `Along the way`.",
        *_component("generator", "cdeepex/vae", plan.generator, COMMENTS),
        "",
        "# Latents of an image: one pass of the generator's encoder.",
        "inverter: {use: cdeepex/encoder}",
        "",
        "explainers:",
        "  # The closest image at which the two classes are equally likely, and no third one is likelier.",
        "  cdeepex: {use: cdeepex/cdeepex}",
        "",
        "metrics:",
        "  flips: {use: metrics/flip-rate}            # does the model agree that the answer is on the boundary?",
        "  kept: {use: metrics/kept-details}          # how much of the answer is the generator's?",
        "  distance: {use: metrics/distance}",
        "  inversion: {use: metrics/inversion}        # how well does the generator draw your images?",
        "",
        "renderers:",
        "  page: {use: report/html}",
    ]


def _stylex(plan: Plan) -> list[str]:
    return [
        "# Learns to draw images like yours so that the model says the same of them.",
        *_component("generator", "stylex/generator", plan.generator, COMMENTS),
        "",
        "inverter: {use: stylex/encoder}",
        "",
        "attribute_finders:",
        "  # Coordinates of the generator that, changed alone, move the model most.",
        "  attfind: {use: stylex/attfind, with: {attributes: 8, mode: screened}}",
        "",
        "# `residual`: changes are added to the image itself, so that it keeps its details.",
        "explainers:",
        "  independent: {use: stylex/independent, with: {residual: true}}   # each attribute alone",
        "  subset: {use: stylex/subset, with: {residual: true}}             # together, until the answer changes",
        "",
        "metrics:",
        "  flips: {use: metrics/flip-rate}",
        "  kept: {use: metrics/kept-details}",
        "  inversion: {use: metrics/inversion}",
        "",
        "renderers:",
        "  page: {use: report/html}",
    ]


def _component(
    section: str, use: str, settings: Mapping[str, Any], comments: Mapping[str, str] | None = None
) -> list[str]:
    """A component with one setting on each line."""
    if not settings:
        return [f"{section}: {{use: {use}}}"]
    lines = [f"{name}: {yaml(value)}" for name, value in settings.items()]
    width = max(map(len, lines)) + 2
    noted = [
        f"    {line:<{width}}# {note}".rstrip() if (note := (comments or {}).get(name)) else f"    {line}"
        for name, line in zip(settings, lines, strict=True)
    ]
    return [f"{section}:", f"  use: {use}", "  with:", *noted]


def yaml(value: Any) -> str:
    """A plain value in YAML's flow style; JSON is YAML."""
    if isinstance(value, str):
        return json.dumps(escape(value), ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(yaml, value))}]"
    return json.dumps(value)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def memory(count: float) -> str:
    """`850 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e7)) * 10} MB"
