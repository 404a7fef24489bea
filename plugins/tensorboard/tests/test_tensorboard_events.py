"""What TensorBoard's own reader finds in the event file."""

import attrs
import numpy as np
import pytest
from sidelight_specs.results import ClaimResult, State
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.results.table import table_of
from sidelight_specs.testing import ToyRun, toy_results
from sidelight_tensorboard import EventsParams
from sidelight_tensorboard.events import FILE, Events, hyperparameters
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RECIPE = {
    "recipe": 1,
    "name": "toys",
    "claims": {"corner": "the corner decides"},
    "explainers": {"a": {"use": "x/a", "with": {"steps": 5, "sizes": [1, 2], "text": ""}, "needs": {"data": "digits"}}},
    "renderers": {"events": {"use": "tensorboard/events"}},
}


@pytest.fixture(scope="module")
def results():
    curve = np.array([1.0, np.nan, 0.25], np.float32)
    return attrs.evolve(
        toy_results("multiclass"),
        emitted={"vae": State(curves={"error": curve})},
        recipe=RECIPE,
        components=(ComponentRecord(id="a", role="explainer", use="x/a", limits=("Where, not what.",)),),
        warnings=("careful",),
        claims={"corner": ClaimResult.example(toy_results("multiclass").split.images, 3)},
    )


@pytest.fixture(scope="module")
def events(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    files = Events(EventsParams(images=2), run=ToyRun()).render(results, folder)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [FILE] == [path.name for path in files]
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def test_every_finite_mean_and_interval_is_a_scalar(results, events):
    rows = table_of(results)
    assert len(rows) > 0
    for row in rows:
        name = f"{row.metric}/{row.name}/{row.of}"
        expected = {name: row.value}
        if row.interval:
            ends = (f"{row.metric}.interval/{row.name}/{row.of}/{end}" for end in ("low", "high"))
            expected |= dict(zip(ends, row.interval, strict=True))
        for key, value in expected.items():
            if np.isfinite(value):
                assert events.Scalars(key)[0].value == pytest.approx(value, rel=1e-6), key


def test_training_curves_keep_their_steps_and_leave_gaps(events):
    assert [(one.step, one.value) for one in events.Scalars("training/vae/error")] == [(0, 1.0), (2, 0.25)]


def test_pictures_show_the_images_beside_their_explanations(results, events):
    tags = events.Tags()["images"]
    assert tags
    height, width = results.split.images.shape[-2:]
    for tag in tags:
        (image,) = events.Images(tag)
        assert image.height == 2 * (height + 2) - 2
        assert (image.width + 2) % (width + 2) == 0
        assert image.width > width


def test_hyperparameters_and_texts_are_there(events):
    plugins = {tag: events.SummaryMetadata(tag) for tag in events.Tags()["tensors"]}
    texts = {tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in plugins if "text" in tag}
    assert any("careful" in text and "Where, not what." in text for text in texts.values())
    assert any("supported: the corner decides" in text for text in texts.values())
    started = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    assert b"explainers.a.steps" in started
    assert b"[1, 2]" in started


def test_hyperparameters_are_those_of_what_computes_under_short_names():
    assert dict(hyperparameters(RECIPE)) == {
        "explainers.a": "x/a", "explainers.a.steps": 5, "explainers.a.sizes": "[1, 2]",
    }  # fmt: skip
