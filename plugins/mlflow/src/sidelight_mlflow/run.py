"""Logging of a finished run by MLflow's client.

A run of Sidelight becomes one MLflow run, found again by the tag `sidelight.digest` of its recipe and results: rendered
once more, it is updated and not doubled.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.table import table_of
from sidelight_specs.roles import Renderer
from sidelight_ui.stills import sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlflow import MlflowClient
    from sidelight_specs import Run
    from sidelight_specs.results import Results

    from sidelight_mlflow import RunParams

DIGEST = "sidelight.digest"
STORE = "mlruns"
_LONGEST, _LONGEST_KEY = 500, 250  # characters of a value and of a key that every version of MLflow takes
_LONGEST_NOTE = 5000  # of a tag, likewise
_NOTE = "mlflow.note.content"  # Markdown that MLflow shows as the run's description
_SMALLEST = 112  # pixels of a tile; smaller images are enlarged, each pixel to a square
_MOST = 100  # entities that one request may hold
_SWITCHES = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}  # MLflow's own seven take minutes where no server answers


class MlflowRun(Renderer):
    """Logs the run; `mlflow.json` in the renderer's folder says where it is."""

    def __init__(self, params: RunParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Log the run, and write what was logged into `folder`.

        Raises:
            UserError: the tracking server cannot be reached.
        """
        files = [*_tables(results, folder), *_pictures(results, folder, self._params.images)]
        uri = self._params.tracking_uri or (folder / STORE).resolve().as_uri()
        experiment = self._params.experiment or results.name
        with _without_telemetry(), _same_random():
            import mlflow
            from mlflow.exceptions import MlflowException

            try:
                client = mlflow.MlflowClient(tracking_uri=uri)
                logged = _log(client, experiment, results, folder, files)
            except MlflowException as error:
                fix = "start the server, or leave tracking_uri out for a file store beside the run"
                raise UserError(f"MLflow cannot log to {uri}: {str(error).strip().splitlines()[0]}", fix) from error
        if not self._params.tracking_uri:
            _make_movable(folder / STORE)
        receipt = folder / "mlflow.json"
        where = self._params.tracking_uri or STORE  # relative: the run's folder may move
        text = json.dumps({"tracking_uri": where, "experiment": experiment, "run_id": logged}, indent=2)
        receipt.write_text(text + "\n", encoding="utf-8")
        store = [path for path in sorted((folder / STORE).rglob("*")) if path.is_file() and path.stat().st_size]
        return [receipt, *files, *store]


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """MLflow's usage reports are off while it is imported and used; a file store is allowed where it asks."""
    switches = {name: value for name, value in _PATIENCE.items() if name not in os.environ} | _SWITCHES
    before = {name: os.environ.get(name) for name in switches}
    os.environ.update(switches)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _same_random() -> Iterator[None]:
    """Python's random stream is afterwards as it was: MLflow draws from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _log(client: MlflowClient, experiment: str, results: Results, folder: Path, files: Sequence[Path]) -> str:
    """The id of the MLflow run that holds these results now."""
    from mlflow.entities import Metric, Param, RunTag

    found = client.get_experiment_by_name(experiment)
    where = found.experiment_id if found else client.create_experiment(experiment)
    digest = digest_of(json.dumps([results.recipe, results.digests()], sort_keys=True, default=str))
    earlier = client.search_runs([where], filter_string=f"tags.`{DIGEST}` = '{digest}'")
    run = earlier[0] if earlier else client.create_run(where, run_name=results.name, tags={DIGEST: digest})
    logged, ident = set(run.data.metrics), run.info.run_id
    metrics = [Metric(name, value, run.info.start_time, 0) for name, value in numbers(results) if name not in logged]
    chosen = [Param(_key(name), _short(value)) for name, value in flat(results.recipe)]
    tags = [RunTag(_key(name), _short(text)) for name, text in _tags(results).items()]
    tags.append(RunTag(_NOTE, _short(description(results), _LONGEST_NOTE)))
    for start in range(0, max(len(metrics), len(chosen), len(tags)), _MOST):
        chunk = slice(start, start + _MOST)
        client.log_batch(ident, metrics=metrics[chunk], params=chosen[chunk], tags=tags[chunk])
    for file in files:
        client.log_artifact(ident, str(file), artifact_path=file.parent.name if file.parent != folder else None)
    client.set_terminated(ident, end_time=run.info.end_time)  # of a run that is updated, as it was
    return str(ident)


def _make_movable(store: Path) -> None:
    """Addresses of artifacts relative to the folder that holds the store, since the run's folder is moved when done."""
    for meta in store.rglob("meta.yaml"):
        text = meta.read_text(encoding="utf-8")
        meta.write_text(text.replace(store.resolve().as_uri(), STORE), encoding="utf-8")


def numbers(results: Results) -> Iterator[tuple[str, float]]:
    """`METRIC/SUBJECT/NUMBER` and its mean, then the ends of its 95 % interval as `NAME.low` and `NAME.high`.

    A file store keeps a metric as a file, so that no name may be a folder of another.
    """
    for row in table_of(results):
        ends = row.interval or (math.nan, math.nan)
        for suffix, value in zip(("", ".low", ".high"), (row.value, *ends), strict=True):
            if math.isfinite(value):
                yield (
                    "/".join(_key(part.replace("/", "_")) for part in (row.metric, row.of, row.name + suffix)),
                    float(value),
                )


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A recipe's values under dotted names: `explainers.cdeepex.with.steps`; a list of plain values is one of them."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _tags(results: Results) -> dict[str, str]:
    """Verdicts and versions, short enough to be read whole where MLflow lists tags and filters runs by them."""
    tags = {f"claim.{name}": verdict_of(results, name) for name in results.claims}
    tags |= {name: str(text) for name, text in results.environment.items()}
    return tags | {"warnings": str(len(results.warnings)), "mlflow.source.name": "sidelight"}


def verdict_of(results: Results, name: str) -> str:
    """The verdict on a claim, and when it was declared where that was too late."""
    late = results.declared_late.get(name, "")
    return results.claims[name].verdict + (f" (declared after results were seen, run of {late})" if late else "")


def description(results: Results) -> str:
    """Claims with verdicts and reasons, warnings, and what may not be claimed, in Markdown."""
    parts = {
        "Claims": [
            f"**{verdict_of(results, name)}**: {one.text}; {one.reason}" for name, one in results.claims.items()
        ],
        "Warnings": list(results.warnings),
        "What may not be claimed": [f"{one.id}: {text}" for one in results.components for text in one.limits],
    }
    return "\n\n".join(
        "\n".join([f"### {title}", "", *(f"- {' '.join(line.split())}" for line in lines)])
        for title, lines in parts.items()
        if lines
    )


def _tables(results: Results, folder: Path) -> list[Path]:
    """The resolved recipe, the facts of the run, and both tables."""
    recipe, facts = folder / "recipe.yaml", folder / "facts.json"
    recipe.write_text(recipe_text(results.recipe), encoding="utf-8")
    facts.write_text(json.dumps(results.facts(), indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    tables = {"answers.csv": answers_of(results), "measurements.csv": table_of(results).columns}
    for name, columns in tables.items():
        columns.write(folder / name)
    return [recipe, facts, *(folder / name for name in tables)]


def _pictures(results: Results, folder: Path, most: int) -> list[Path]:
    """`pictures/EXPLAINER.png` of each explanation that has pictures."""
    from PIL import Image

    files = []
    for number, (name, explanation) in enumerate(results.explanations.items(), 1):
        drawn = sheet(results, explanation, most)
        if drawn is not None:
            files.append(folder / "pictures" / f"{number}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.png")
            files[-1].parent.mkdir(exist_ok=True)
            picture = Image.fromarray(drawn.transpose(1, 2, 0))
            factor = max(1, _SMALLEST // min(results.split.images.shape[-2:]))  # MLflow shows a pixel as a pixel
            picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST).save(files[-1])
    return files


def _key(name: str) -> str:
    """A name in the characters that MLflow takes."""
    return re.sub(r"[^\w\-./ ]", "_", name, flags=re.ASCII)[:_LONGEST_KEY]


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
