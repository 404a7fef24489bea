"""A whole run of toy components: what is made once is never made again, and every part gets what it was promised."""

import json

import numpy as np
import pytest
import sidelight
import torch
from sidelight_specs import SidelightError, UserError


@pytest.mark.training
def test_every_role_takes_part(toys):
    results = toys.run().results
    assert list(results.explanations) == ["bright", "talk"]
    assert results.split.ids == tuple(f"test/{index}" for index in range(6))
    assert results.class_names == ("a", "b", "c")
    assert results.predictions.logits.argmax(1).tolist() == results.targets.predicted.tolist() == [0, 1, 2, 0, 1, 2]
    assert (results.targets.probe != results.targets.predicted).all()
    np.testing.assert_allclose(results.inversion.reconstructions, results.split.images / 2)
    assert [item.target for item in results.attributes["axes"].attributes] == [0, 1, 2]
    assert results.attributes["axes"].effects.shape == (3, 6)
    assert set(results.measurements["total"]) == {"bright", "talk", "axes", "inversion"}
    assert [record.use for record in results.components if record.role == "explainer"] == [
        "toy/brightness",
        "toy/talkative",
    ]
    assert next(record for record in results.components if record.id == "bright").params == {"noise": 0.1}
    assert results.recipe["explainers"]["bright"]["use"] == "toy/brightness"
    assert results.environment["device"] == "cpu"
    assert {"python", "torch", "sidelight", "platform", "threads"} <= set(results.environment)


def test_an_explainer_gets_shards_and_gives_one_explanation(toys):
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}})
    in_shards = toys.run(recipe)
    assert toys.calls.count("explain 2") == 3
    recipe["explain"]["shard"] = 64
    whole = toys.run(recipe)
    assert toys.calls.count("explain 6") == 1
    assert whole.results.explanations["bright"].digest() == in_shards.results.explanations["bright"].digest()


def test_of_lazy_images_those_alone_are_read_that_are_explained(toys):
    recipe = toys.small(data={"use": "toy/squares", "with": {"lazy": True, "broken": 3}})
    chosen = toys.run(recipe, set=["explain.indices=[5, 0]"]).results.split
    before_training = toys.calls[: toys.calls.index("split train")]
    assert [call for call in before_training if call.startswith("read")] == ["read 5", "read 0"]
    assert chosen.ids == ("test/5", "test/0")
    assert isinstance(chosen.images, np.ndarray)


@pytest.mark.parametrize(("task", "warned"), [("multiclass", 0), ("binary", 1), ("regression", 0)])
def test_labels_whose_names_the_classifier_does_not_know_are_warned_of(toys, task, warned):
    """Neither tells its class names before the run, so that `check` cannot say it."""
    run = toys.run(toys.small(classifier={"use": "toy/mean", "with": {"task": task}}))
    said = [
        text for text in run.manifest["warnings"] if "no class of the data (a, b, c) is one of the classifier" in text
    ]
    assert len(said) == warned


def test_images_are_explained_by_their_names(toys):
    run = toys.run(toys.small(), set=["explain.images=[test/4, '1']"])
    assert run.results.split.ids == ("test/4", "test/1")


def test_the_next_image_is_explained_in_the_place_of_a_broken_one(toys):
    recipe = toys.small(data={"use": "toy/squares", "with": {"lazy": True, "broken": 3}})
    run = toys.run(recipe, set=["explain.count=4"])
    assert run.results.split.ids == ("test/0", "test/1", "test/2", "test/4")
    assert toys.calls.count("left out") == 2  # in the test and in the training split
    few = toys.run(recipe, set=["explain.count=9"])
    assert len(few.results.split) == 8
    assert any("9 images were asked for, and there are only 8" in text for text in few.manifest["warnings"])


@pytest.mark.training
def test_the_second_run_makes_nothing(toys):
    first = toys.run()
    made = len(toys.calls)
    second = toys.run(out="again")
    assert len(toys.calls) == made
    assert second.manifest["cache"]["made"] == 0
    assert 0 < second.manifest["cache"]["found"] <= first.manifest["cache"]["made"], "shards were joined"
    assert toys.hashes(second) == toys.hashes(first)
    assert all(step["made"] == 0 for step in second.manifest["steps"])


@pytest.mark.training
def test_a_changed_parameter_makes_its_component_anew_and_nothing_before_it(toys):
    toys.run()
    toys.calls.clear()
    toys.run(set="explainers.bright.with.noise=0.2")
    assert sorted(set(toys.calls)) == [
        *("explain 2", "load_state", "measure heatmap 2", "render"),
        *("scores 1", "scores 2"),  # the one image is the guard's
    ]


def test_more_questions_reuse_the_shards_that_are_there(toys):
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}})
    toys.run(recipe, set=["explain.count=4"])
    toys.calls.clear()
    toys.run(recipe, set=["explain.count=6"])
    assert toys.calls.count("explain 2") == 1


def test_changed_data_trains_again(toys, tmp_path):
    (tmp_path / "content").write_text("one")
    recipe = toys.small(data={"use": "toy/squares", "with": {"file": str(tmp_path / "content")}})
    toys.run(recipe)
    toys.calls.clear()
    toys.run(recipe)
    assert toys.calls == []
    (tmp_path / "content").write_text("two")
    toys.run(recipe)
    assert "fit step 0" in toys.calls


@pytest.mark.training
def test_two_seeds_give_two_answers_and_one_seed_the_same(toys, monkeypatch, tmp_path):
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}})
    first = toys.run(recipe)
    other = toys.run({**recipe, "seed": 8})
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "fresh"))
    again = toys.run(recipe)
    assert toys.hashes(again) == toys.hashes(first)
    assert (
        toys.hashes(other)["artifacts"]["explanations/bright"] != toys.hashes(first)["artifacts"]["explanations/bright"]
    )


@pytest.mark.training
def test_another_number_of_threads_has_keys_of_its_own_and_is_served_again(toys, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    before = torch.get_num_threads()
    try:
        one, two = (toys.run(threads=threads) for threads in (1, 2))
        assert [run.results.environment["threads"] for run in (one, two)] == ["1", "2"]
        assert two.manifest["cache"]["found"] == 1, "the images"
        assert toys.run(threads=2).manifest["cache"]["made"] == 0
        torch.set_num_threads(1)
        toys.calls.clear()
        sidelight.serve(two.folder, use="toy/live", announce=lambda _: None)
        assert not [call for call in toys.calls if call.startswith("fit")]
    finally:
        torch.set_num_threads(before)


def test_components_draw_from_streams_of_their_own(toys):
    use = {"use": "toy/brightness"}
    results = toys.run(toys.small(explainers={"one": use, "two": use})).results
    assert not np.allclose(results.explanations["one"].values, results.explanations["two"].values)


def test_warnings_and_by_products_come_back_on_a_hit(toys, capfd):
    recipe = toys.small(explainers={"talk": {"use": "toy/talkative"}})
    first = toys.run(recipe).results
    second = toys.run(recipe).results
    expected = ("toy/talkative: built", "toy/talkative: said", "toy/talkative: made")
    assert first.warnings == second.warnings == expected
    assert list(second.emitted) == ["classifier/training", "talk/numbers"]
    assert second.emitted["talk/numbers"].digest() == first.emitted["talk/numbers"].digest()
    assert second.emitted["classifier/training"].curves["loss"].shape == (5,)
    assert toys.calls.count("make") == 1


def test_a_warning_is_said_once(toys, capfd):
    toys.run(toys.small(explainers={"talk": {"use": "toy/talkative"}}), progress=True)
    lines = capfd.readouterr().err.splitlines()
    assert lines.count("warning: toy/talkative: said") == 1


@pytest.mark.training
def test_what_a_component_keeps_for_itself_survives_the_loss_of_the_step(toys):
    recipe = toys.small(explainers={"talk": {"use": "toy/talkative"}})
    toys.run(recipe)
    toys.run(recipe, set=["explain.count=3"])
    assert toys.calls.count("make") == 1


@pytest.mark.training
def test_all_asks_every_image_about_every_other_class(toys):
    recipe = toys.small(
        explainers={"bright": {"use": "toy/brightness"}},
        generator={"use": "toy/pixels"},
        inverter={"use": "toy/flatten"},
    )
    results = toys.run(recipe, set=["explain.target=all"]).results
    assert len(results.targets) == len(results.split) == len(results.explanations["bright"].values) == 12
    assert results.split.ids[:3] == ("test/0", "test/0", "test/1")
    assert len(results.inversion.latents) == len(results.predictions.logits) == 12
    assert toys.calls.count("invert 2") == 3, "an image is inverted once, however often it is asked about"


@pytest.mark.parametrize(("task", "columns"), [("binary", 2), ("regression", 1)])
def test_other_tasks(toys, task, columns):
    recipe = toys.small(
        classifier={"use": "toy/mean", "with": {"task": task}}, explainers={"bright": {"use": "toy/brightness"}}
    )
    results = toys.run(recipe).results
    assert results.predictions.task == task
    assert results.predictions.logits.shape == (6, columns)
    assert set(results.targets.probe.tolist()) <= {0, 1}


@pytest.mark.training
def test_images_of_another_shape_than_the_generators_are_not_inverted(toys):
    recipe = toys.small(
        generator={"use": "toy/pixels", "with": {"size": 8}},
        inverter={"use": "toy/flatten"},
        attribute_finders={"axes": {"use": "toy/axes"}},
        metrics={"total": {"use": "toy/total"}},
    )
    for _ in range(2):
        results = toys.run(recipe).results
        assert results.inversion is None
        assert any("no inversion" in text for text in results.warnings)
        assert any("nothing to find" in text for text in results.warnings)
        assert results.measurements == {"total": {}}


@pytest.mark.training
def test_parts_of_two_generators_keep_to_their_own(toys):
    two = {"generator": {"use": "toy/pixels"}, "faint": {"use": "toy/pixels"}}
    recipe = toys.small(
        explainers={"bright": {"use": "toy/brightness"}},
        generator=two,
        inverter={
            "inverter": {"use": "toy/flatten", "needs": {"generator": "generator"}},
            "faint": {"use": "toy/flatten", "needs": {"generator": "faint"}, "with": {"share": 0.25}},
        },
        attribute_finders={
            "axes": {"use": "toy/axes", "needs": {"inverter": "inverter"}},
            "faint-axes": {"use": "toy/axes", "needs": {"inverter": "faint"}},
        },
        metrics={name: {"use": "toy/total", "needs": {"generator": name}} for name in two},
    )
    results = toys.run(recipe).results
    np.testing.assert_allclose(results.inversion.latents, results.split.images.reshape(6, -1) / 2)
    np.testing.assert_allclose(results.attributes["faint-axes"].effects, results.attributes["axes"].effects / 2)
    assert set(results.measurements["generator"]) == {"bright", "axes", "inversion"}
    assert set(results.measurements["faint"]) == {"bright", "faint-axes"}


def test_a_split_that_the_data_does_not_have(toys):
    with pytest.raises(UserError, match='no split "tset"'):
        toys.run(toys.small(), set=["explain.split=tset"])


@pytest.mark.training
def test_the_manifest(toys):
    finished = toys.run()
    manifest = json.loads((finished.folder / "run.json").read_text())
    assert manifest == finished.manifest
    assert manifest["facts"]["recipe"]["seed"] == 7
    assert manifest["seeds"]["recipe"] == 7
    assert "classifier weights" in manifest["seeds"]
    assert manifest["device"] == "cpu"
    steps = {step["step"]: step for step in manifest["steps"]}
    assert steps["explain explainers.bright"]["made"] == 3
    assert steps["fit classifier"]["seconds"] >= steps["fit classifier"]["inside"] > 0
    seconds = manifest["seconds"]
    assert seconds["total"] == pytest.approx(seconds["components"] + seconds["kernel"])
    assert seconds["components"] >= sum(step["inside"] for step in manifest["steps"]) - 1e-6
    assert "page/index.html" in manifest["outputs"]["files"]
    assert "explanations/bright" in manifest["outputs"]["artifacts"]


@pytest.mark.training
def test_a_run_is_read_back_as_it_was(toys):
    finished = toys.run()
    again = sidelight.load_run("runs/toys")
    assert again.manifest == finished.manifest
    for name in ("name", "class_names", "components", "recipe", "environment", "warnings"):
        assert getattr(again.results, name) == getattr(finished.results, name)
    for name in ("split", "predictions", "targets", "inversion"):
        assert getattr(again.results, name).digest() == getattr(finished.results, name).digest()
    for name in ("explanations", "attributes", "emitted"):
        one, other = getattr(again.results, name), getattr(finished.results, name)
        assert {key: item.digest() for key, item in one.items()} == {key: item.digest() for key, item in other.items()}
    assert again.measurements == finished.measurements
    assert again.pages == finished.pages
    assert again.pages[0].read_text().startswith("toys")


@pytest.mark.training
def test_a_run_that_is_moved_is_still_a_run(toys, tmp_path):
    toys.run()
    (tmp_path / "runs" / "toys").rename(tmp_path / "elsewhere")
    assert sidelight.load_run(tmp_path / "elsewhere").pages[0].exists()


@pytest.mark.training
def test_damage_to_a_runs_folder_is_named(toys, tmp_path):
    folder = toys.run(toys.small()).folder
    (folder / "results" / "split" / "arrays.npz").write_bytes(b"")
    with pytest.raises(SidelightError, match="split"):
        sidelight.load_run(folder)
    with pytest.raises(UserError, match="no finished run"):
        sidelight.load_run(tmp_path)


def test_a_manifest_that_points_outside_its_folder_is_refused(toys):
    folder = toys.run(toys.small()).folder
    manifest = json.loads((folder / "run.json").read_text())
    manifest["results"][0]["folder"] = "../../cache"
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(SidelightError, match="outside"):
        sidelight.load_run(folder)


def test_a_factory_builds_the_recipes_component_for_another_classifier(toys):
    via = {"use": "toy/delegating", "needs": {"method": "bright"}}
    results = toys.run(toys.small(explainers={"bright": {"use": "toy/brightness"}, "via": via})).results
    bright, via = (results.explanations[name].values for name in ("bright", "via"))
    np.testing.assert_array_equal(bright, via, err_msg="its random streams are those of the component")
