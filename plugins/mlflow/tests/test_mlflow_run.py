"""What MLflow's own client finds in the store."""

import json
import math
import os

import attrs
import pytest
from mlflow import MlflowClient
from sidelight_mlflow import RunParams
from sidelight_mlflow.run import DIGEST, MlflowRun, flat
from sidelight_specs import UserError
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.results.table import table_of
from sidelight_specs.testing import ToyRun, toy_results

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # of the tests' own client


@pytest.fixture(scope="module")
def results():
    return attrs.evolve(
        toy_results("multiclass"),
        recipe={"recipe": 1, "name": "toys", "explainers": {"a b": {"with": {"steps": 5, "title": "x" * 900}}}},
        components=(ComponentRecord(id="a", role="explainer", use="x/a", limits=("Where, not what.",)),),
        warnings=("careful",),
    )


def render(results, folder, **options):
    folder.mkdir()
    return MlflowRun(RunParams(images=2, **options), run=ToyRun()).render(results, folder)


@pytest.fixture(scope="module")
def logged(results, tmp_path_factory):
    """The client of the store beside the run, and the run in it."""
    folder = tmp_path_factory.mktemp("mlflow") / "run"
    receipt, *_ = render(results, folder)
    told = json.loads(receipt.read_text())
    assert told["tracking_uri"] == "mlruns"
    client = MlflowClient(tracking_uri=(folder / "mlruns").as_uri())
    return client, client.get_run(told["run_id"])


def test_every_measurement_is_a_metric_with_its_interval(results, logged):
    _, run = logged
    rows = [row for row in table_of(results) if math.isfinite(row.value)]
    for row in rows:
        name = f"{row.metric}/{row.of}/{row.name}"
        assert run.data.metrics[name] == pytest.approx(row.value)
        if row.interval:
            assert [run.data.metrics[f"{name}.{end}"] for end in ("low", "high")] == pytest.approx(list(row.interval))
    assert len(run.data.metrics) >= len(rows) > 0


def test_the_recipe_is_parameters_and_warnings_and_limits_are_tags(logged):
    _, run = logged
    assert run.data.params["explainers.a b.with.steps"] == "5"
    assert run.data.params["explainers.a b.with.title"] == "x" * 497 + "..."
    assert run.data.tags["sidelight.warning.1"] == "careful"
    assert run.data.tags["sidelight.limits.a"] == "Where, not what."
    assert run.info.status == "FINISHED"


def test_tables_pictures_and_recipe_are_artifacts(results, logged):
    client, run = logged
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert names == {"recipe.yaml", "facts.json", "answers.csv", "measurements.csv", "pictures"}
    pictures = client.list_artifacts(run.info.run_id, "pictures")
    assert 0 < len(pictures) <= len(results.explanations)
    assert all(item.file_size > 0 for item in pictures)


def test_a_run_logged_twice_is_one_run_and_another_result_is_another(results, tmp_path):
    uri = (tmp_path / "store").as_uri()
    for name in ("first", "second"):
        render(results, tmp_path / name, tracking_uri=uri, experiment="ours")
    client = MlflowClient(tracking_uri=uri)
    where = [client.get_experiment_by_name("ours").experiment_id]
    (run,) = client.search_runs(where)
    metric = next(iter(run.data.metrics))
    assert len(client.get_metric_history(run.info.run_id, metric)) == 1
    render(attrs.evolve(results, recipe={"name": "other"}), tmp_path / "third", tracking_uri=uri, experiment="ours")
    assert len({run.data.tags[DIGEST] for run in client.search_runs(where)}) == 2


def test_settings_of_the_process_are_as_they_were(results, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "no")
    before = dict(os.environ)
    render(results, tmp_path / "run")
    assert dict(os.environ) == before


def test_a_server_that_cannot_be_reached_is_named(results, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    with pytest.raises(UserError, match=r"MLflow cannot log to http://127\.0\.0\.1:9"):
        render(results, tmp_path / "run", tracking_uri="http://127.0.0.1:9")


def test_a_recipe_is_flat():
    nested = {"a": {"b": 1, "c": [1, 2]}, "d": "x", "e": {}, "f": None}
    assert dict(flat(nested)) == {"a.b": "1", "a.c": "[1, 2]", "d": "x", "e": "{}", "f": "null"}
