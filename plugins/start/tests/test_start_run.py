"""From `sidelight init` to a finished run, and the quick timing."""

import argparse

import attrs
import numpy as np
import pytest
import yaml
from sidelight.cli.host import KernelHost
from sidelight_specs import UserError
from sidelight_start import init, timing
from sidelight_start.folder import look_at
from sidelight_start.models import model_of
from sidelight_start.plan import LONGEST, REST, SEARCH, SHORTEST, first_plan, timed_plan

pytestmark = pytest.mark.training


def start(*words):
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    return init.run(parser.parse_args([str(word) for word in words]), KernelHost())


@pytest.mark.parametrize("kind", ["heatmaps", "counterfactuals", "stylex"])
def test_what_init_writes_runs_to_a_page(kind, halves, model_file, tmp_path):
    path = tmp_path / f"{kind}.yaml"
    words = ("--images", halves, "--model", model_file, "--size", 48, "--no-timing", "--out", path)
    assert start(kind, *words) == 0
    changes = {
        "heatmaps": ["explain.count=2"],
        "counterfactuals": ["explain.count=3", "generator.with.steps=120", "generator.with.width=8"],
        "stylex": [
            "explain.count=2",
            "generator.with.steps=12",
            "generator.with.widest=8",
            "generator.with.perceptual=none",
            "attribute_finders.attfind.with.attributes=3",
            "attribute_finders.attfind.with.reference=24",
        ],
    }[kind]
    run = KernelHost().run(path, set=changes, out=tmp_path / "run", progress=False)
    run.check()
    assert run.pages[0].is_file()
    explanations = run.results.explanations
    assert explanations
    if kind == "counterfactuals":
        found = explanations["cdeepex"]
        images = run.results.split.images
        change = found.generated[:, 1] - found.generated[:, 0]
        np.testing.assert_allclose(found.images, (images + change).clip(0, 1), atol=1e-5)
        assert found.converged.all()
        assert {row.name for row in run.measurements if row.metric == "kept"} >= {"details kept", "effect alone"}


@pytest.fixture(scope="module")
def plan(halves, model_file):
    host = KernelHost()
    hints = {"classes": ["left", "right"], "height": 48, "width": 48}
    return first_plan("counterfactuals", look_at(str(halves), host), model_of(str(model_file), host, hints), None)


def test_the_estimate_is_steps_and_passes_times_what_was_timed(plan, monkeypatch):
    monkeypatch.setattr(timing, "time_steps", lambda *_, **__: timing.Seconds(0.5, 0.25))
    monkeypatch.setattr(timing, "time_passes", lambda *_: timing.Seconds(0.02, 0.01))
    full = timed_plan(plan, KernelHost(), 30)
    assert full.steps == plan.wanted
    one = full.estimate
    assert one.training == pytest.approx(0.5 * full.steps)
    assert one.explaining == pytest.approx(0.02 * 8 * SEARCH + REST)
    assert one.cpu == pytest.approx(0.25 * full.steps + 0.01 * 8 * SEARCH + REST)
    long = attrs.evolve(plan, folder=attrs.evolve(plan.folder, train=40_000))
    assert long.wanted == LONGEST["counterfactuals"]
    cut = timed_plan(attrs.evolve(long, generator=plan.generator | {"steps": long.wanted}), KernelHost(), 10)
    assert cut.steps == 1200  # 10 minutes of half seconds
    assert timed_plan(plan, KernelHost(), 0.01).steps == SHORTEST


def test_a_training_is_timed_by_its_own_steps(plan):
    host = KernelHost()
    (found,) = host.find("cdeepex/vae", "generator")
    steps = [
        timing.time_steps(found.descriptor, found.descriptor.params(size=size, width=8, batch=16), plan.shape).cpu
        for size in (8, 48)
    ]
    assert 0 < steps[0] < steps[1]


def test_a_model_that_cannot_be_used_is_said_with_what_to_do(halves, tmp_path, capsys):
    broken = tmp_path / "broken.pt2"
    broken.write_bytes(b"no model")
    path = tmp_path / "r.yaml"
    words = ("--images", halves, "--model", broken, "--size", 48, "--out", path)
    with pytest.raises(UserError):
        start("counterfactuals", *words)
    assert f"{path}, which cannot run yet" in capsys.readouterr().out


def test_the_written_recipe_names_its_time(halves, model_file, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "time_steps", lambda *_, **__: timing.Seconds(0.5, 0.25))
    path = tmp_path / "r.yaml"
    start("counterfactuals", "--images", halves, "--model", model_file, "--size", 48, "--out", path)
    assert "# Time: about" in path.read_text()
    assert yaml.safe_load(path.read_text())["generator"]["with"]["steps"] == SHORTEST
