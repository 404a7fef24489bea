"""Event files of a finished run, by the writer of torch and TensorBoard.

Equal results give equal events but for the times at which they are written.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results import State
from sidelight_specs.results.table import table_of
from sidelight_specs.roles import Renderer
from sidelight_ui.stills import sheet
from torch.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sidelight_specs import Run
    from sidelight_specs.results import Results

    from sidelight_tensorboard import EventsParams

FILE = (
    "events.out.tfevents.sidelight"  # TensorBoard asks for "tfevents" in it; the writer's name tells host and process
)
_INTERVAL = ".interval"
_NO_SETTINGS = ("recipe", "name", "title", "claims", "renderers", "executor")  # sections of a recipe


class Events(Renderer):
    """Writes one event file."""

    def __init__(self, params: EventsParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write the event file into `folder`."""
        writer = SummaryWriter(str(folder))
        try:
            scores = dict(numbers(results))
            for name, value in scores.items():
                writer.add_scalar(name, value)
            for name, curve in curves(results):
                for step in np.flatnonzero(np.isfinite(curve)):
                    writer.add_scalar(name, float(curve[step]), int(step))
            for name, explanation in results.explanations.items():
                drawn = sheet(results, explanation, self._params.images)
                if drawn is not None:
                    writer.add_image(f"explanations/{name}", drawn)
            writer.add_text("recipe", _preformatted(recipe_text(results.recipe)))
            writer.add_text("claims and limits", _listed(results))  # sorts before the recipe
            settings = dict(hyperparameters(results.recipe))
            if settings and scores:
                writer.add_hparams(settings, {name: scores[name] for name in _means(scores)}, run_name=".")
        finally:
            writer.close()
        return [_joined(folder)]


def numbers(results: Results) -> Iterator[tuple[str, float]]:
    """`METRIC/NUMBER/SUBJECT` and its mean, and `METRIC.interval/NUMBER/SUBJECT/low` and `/high`.

    TensorBoard makes a section of what stands before the first slash: the means of all explainers are together.
    """
    for row in table_of(results):
        low, high = row.interval or (math.nan, math.nan)
        of, within = f"{row.name}/{row.of}", f"{row.metric}{_INTERVAL}"
        named = {f"{row.metric}/{of}": row.value, f"{within}/{of}/low": low, f"{within}/{of}/high": high}
        yield from ((name, float(value)) for name, value in named.items() if math.isfinite(value))


def curves(results: Results) -> Iterator[tuple[str, np.ndarray]]:
    """Courses of trainings: `training/BY-PRODUCT/CURVE` and its (T,) values."""
    for name, item in results.emitted.items():
        if isinstance(item, State):
            yield from ((f"training/{name}/{curve}", values) for curve, values in item.curves.items())


def hyperparameters(recipe: dict[str, Any]) -> Iterator[tuple[str, bool | int | float | str]]:
    """What a run computes, under names that fit a column: `explainers.cdeepex` and `explainers.cdeepex.steps`.

    TensorBoard makes a column of each: what is empty, and sections that compute nothing, are left to the text `recipe`.
    """
    computing = {key: value for key, value in recipe.items() if key not in _NO_SETTINGS}
    yield from _flat(computing, "")


def _flat(value: Any, name: str) -> Iterator[tuple[str, bool | int | float | str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("use", "with"):
                yield from _flat(item, name)
            elif key != "needs" or "use" not in value:
                yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif value not in (None, "", [], ()):
        yield name, value if isinstance(value, (bool, int, float, str)) else json.dumps(value)


def _means(scores: dict[str, float]) -> list[str]:
    return [name for name in scores if not name.partition("/")[0].endswith(_INTERVAL)]


def _listed(results: Results) -> str:
    """Claims with their verdicts, warnings, and what may not be claimed of each component, as a list in Markdown."""
    claims = [f"{one.verdict}: {one.text}; {one.reason}" for one in results.claims.values()]
    late = [f"{name} was declared after results were seen (run of {of})" for name, of in results.declared_late.items()]
    limits = [f"may not be claimed of {one.id}: {text}" for one in results.components for text in one.limits]
    return "\n".join(f"- {text}" for text in (*claims, *late, *results.warnings, *limits)) or "nothing"


def _preformatted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _joined(folder: Path) -> Path:
    """One file of all that the writer wrote, as hyperparameters come in a file of their own."""
    parts, result = sorted(folder.glob("events.out.tfevents.*")), folder / FILE
    content = b"".join(part.read_bytes() for part in parts)
    for part in parts:
        part.unlink()
    result.write_bytes(content)
    return result
