"""What MLflow's own client finds in the store."""

import json
import math
import os
from pathlib import Path

import attrs
import pytest
from mlflow import MlflowClient
from PIL import Image
from sidelight_mlflow import RunParams, sidelight_renderers
from sidelight_mlflow.run import DIGEST, MlflowRun, flat
from sidelight_specs import UserError
from sidelight_specs.results import ClaimResult
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


def test_the_recipe_is_parameters_and_warnings_and_limits_are_the_description(logged):
    _, run = logged
    assert run.data.params["explainers.a b.with.steps"] == "5"
    assert run.data.params["explainers.a b.with.title"] == "x" * 497 + "..."
    assert run.data.tags["mlflow.note.content"] == (
        "### Warnings\n\n- careful\n\n### What may not be claimed\n\n- a: Where, not what."
    )
    assert run.data.tags["warnings"] == "1"
    assert run.info.status == "FINISHED"


def test_tables_pictures_and_recipe_are_artifacts(results, logged, monkeypatch):
    client, run = logged
    monkeypatch.chdir(Path(client.tracking_uri.removeprefix("file://")).parent)
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert names == {"recipe.yaml", "facts.json", "answers.csv", "measurements.csv", "pictures"}
    pictures = client.list_artifacts(run.info.run_id, "pictures")
    assert 0 < len(pictures) <= len(results.explanations)
    with Image.open(Path(run.info.artifact_uri, pictures[0].path)) as picture:
        assert picture.height == 3 * (2 * (32 + 2) - 2)  # two images of 32 pixels, each pixel three wide


def test_the_store_may_be_moved(results, tmp_path, monkeypatch):
    """As the kernel does: it renders into a folder beside the run's place, and moves it when all is done."""
    receipt, *_ = render(results, tmp_path / "staging")
    ident = json.loads(receipt.read_text())["run_id"]
    (tmp_path / "staging").rename(tmp_path / "tracking")
    monkeypatch.chdir(tmp_path / "tracking")
    names = {item.path for item in MlflowClient(tracking_uri="mlruns").list_artifacts(ident)}
    assert "measurements.csv" in names
    texts = [path.read_text() for path in (tmp_path / "tracking" / "mlruns").rglob("meta.yaml")]
    assert texts
    assert not any(str(tmp_path) in text for text in texts)


def test_claims_are_tags(results, tmp_path):
    claim = ClaimResult.example(results.split.images, 3)
    claimed = attrs.evolve(results, claims={"corner": claim}, declared_late={"corner": "2026-01-02"})
    receipt, *_ = render(claimed, tmp_path / "run")
    client = MlflowClient(tracking_uri=(tmp_path / "run" / "mlruns").as_uri())
    tags = client.get_run(json.loads(receipt.read_text())["run_id"]).data.tags
    verdict = "supported (declared after results were seen, run of 2026-01-02)"
    assert tags["claim.corner"] == verdict
    assert f"- **{verdict}**: the corner decides; the whole interval lies above 0.5" in tags["mlflow.note.content"]


@pytest.mark.parametrize("uri", ["http://me:secret@host", "https://token@host:5000/x"])
def test_an_address_with_a_password_is_refused(uri):
    (descriptor,) = sidelight_renderers()
    (mistake,) = descriptor.mistakes(RunParams(tracking_uri=uri))
    assert "MLFLOW_TRACKING_PASSWORD" in mistake.fix
    assert "secret" not in mistake.message
    assert not list(descriptor.mistakes(RunParams(tracking_uri="http://host:5000")))


def test_a_run_logged_twice_is_one_run_and_another_result_is_another(results, tmp_path):
    uri, ends = (tmp_path / "store").as_uri(), []
    client = MlflowClient(tracking_uri=uri)
    for name in ("first", "second"):
        receipt, *_ = render(results, tmp_path / name, tracking_uri=uri, experiment="ours")
        ends.append(client.get_run(json.loads(receipt.read_text())["run_id"]).info.end_time)
    assert ends[0] == ends[1]
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
