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
            writer.add_text("to know", _listed(results))
            settings = dict(hyperparameters(results.recipe))
            if settings and scores:
                writer.add_hparams(settings, {name: scores[name] for name in _means(scores)}, run_name=".")
        finally:
            writer.close()
        return [_joined(folder)]


def numbers(results: Results) -> Iterator[tuple[str, float]]:
    """`METRIC/NUMBER/SUBJECT` and its mean, then the ends of its 95 % interval as `.../low` and `.../high`."""
    for row in table_of(results):
        ends = row.interval or (math.nan, math.nan)
        for suffix, value in zip(("", "/low", "/high"), (row.value, *ends), strict=True):
            if math.isfinite(value):
                yield f"{row.metric}/{row.name}/{row.of}{suffix}", float(value)


def curves(results: Results) -> Iterator[tuple[str, np.ndarray]]:
    """Courses of trainings: `training/BY-PRODUCT/CURVE` and its (T,) values."""
    for name, item in results.emitted.items():
        if isinstance(item, State):
            yield from ((f"training/{name}/{curve}", values) for curve, values in item.curves.items())


def hyperparameters(value: Any, name: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """A recipe's values under dotted names: `explainers.cdeepex.with.steps`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from hyperparameters(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, (bool, int, float, str)) else json.dumps(value)


def _means(scores: dict[str, float]) -> list[str]:
    return [name for name in scores if not name.endswith(("/low", "/high"))]


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
