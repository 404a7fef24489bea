"""A finished run comes back to life for a renderer that serves."""

import copy
import importlib
import json
import shutil
from pathlib import Path

import attrs
import pytest
import sidelight
from sidelight.cli import main
from sidelight.engine.machine import arithmetic_in_force
from sidelight.registry.catalog import Catalog, installed
from sidelight_specs import Cancelled, UserError
from sidelight_specs.stage import Public


def served(toys, **options):
    """What the toy's live renderer was given, and the addresses announced."""
    toys.calls.clear()
    opened = []
    sidelight.serve("runs/toys", announce=opened.append, **options)
    return [call for call in toys.calls if call.startswith(("serve", "provides"))], opened


@pytest.mark.processes
def test_a_run_is_served_with_its_components_alive_and_loops_watched(toys):
    recipe = copy.deepcopy(toys.RECIPE)
    recipe["renderers"]["live"] = {"use": "toy/live"}
    toys.run(recipe)
    said, opened = served(toys, port=1234)
    loop = "('dots', 0, 2), ('dots', 1, 2), ('dots', 2, 2)"
    assert said == [f"serve toys ['bright', 'talk'] [{loop}] True", "provides ('trainable',) ('heatmap',)"]
    assert opened == ["http://127.0.0.1:1234/"]
    assert not [call for call in toys.calls if call.startswith("fit")]


@pytest.mark.processes
def test_a_run_without_a_live_renderer_is_served_by_the_one_named(toys, capsys):
    toys.run()
    assert main(["serve", "runs/toys", "--use", "toy/live", "--port", "8"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "open http://127.0.0.1:8/"
    assert main(["serve", "runs/nothing"]) == 2
    assert main(["serve", "runs/toys", "--use", "toy/lively"]) == 2
    assert 'did you mean "toy/live"' in capsys.readouterr().err


@pytest.mark.processes
def test_relative_paths_of_a_run_are_meant_from_where_it_was_made(toys, tmp_path, monkeypatch):
    made = Path.cwd()
    run = toys.run().folder
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    seen = []
    sidelight.serve(run, use="toy/live", announce=lambda _: seen.append(Path.cwd()))
    assert (seen, Path.cwd()) == ([made], elsewhere)
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "folder": str(tmp_path / "gone")}))
    kept = run.rename(tmp_path / "kept")
    sidelight.serve(kept, use="toy/live", announce=lambda _: seen.append(Path.cwd()))
    assert seen[1] == elsewhere


@pytest.mark.processes
def test_a_run_that_was_moved_finds_what_lies_beside_its_folder(toys, tmp_path, monkeypatch):
    run = toys.run().folder
    moved = tmp_path / "another" / "runs" / run.name
    shutil.copytree(run, moved)
    manifest = json.loads((moved / "run.json").read_text())
    (moved / "run.json").write_text(json.dumps({**manifest, "folder": str(tmp_path / "gone")}))
    monkeypatch.chdir("/")
    seen = []
    sidelight.serve(moved, use="toy/live", announce=lambda _: seen.append(Path.cwd()))
    assert seen == [tmp_path / "another"]


@pytest.mark.processes
def test_a_public_address_and_a_token_reach_the_page_and_mistakes_are_told_before_the_run(
    toys, tmp_path, monkeypatch, capsys
):
    folder, seen = str(toys.run().folder), []
    live = importlib.import_module("sidelight_toy.pages").Live
    monkeypatch.setattr(live, "serve", lambda self, results, stage: seen.append(stage.public))
    (tmp_path / "token").write_text("a-token-of-a-supervisor\n")
    address = ["--port", "8", "--origin", "https://lab.example.org", "--prefix", "/explorer"]
    assert main(["serve", folder, "--use", "toy/live", *address, "--token-file", str(tmp_path / "token")]) == 0
    monkeypatch.setenv("SIDELIGHT_TOKEN", "another-token-of-it")
    assert main(["serve", folder, "--use", "toy/live"]) == 0
    assert seen == [
        Public("https://lab.example.org", "/explorer", "a-token-of-a-supervisor"),
        Public(token="another-token-of-it"),
    ]
    (tmp_path / "token").write_text("short")
    for wrong in (
        ["--origin", "https://lab.example.org"],
        ["--origin", "https://lab.example.org/explorer", "--port", "8"],
        ["--prefix", "explorer/"],
        ["--token-file", "none"],
        ["--token-file", str(tmp_path / "token")],
    ):
        assert main(["serve", folder, "--use", "toy/live", *wrong]) == 2
        assert main(["explore", "nothing.yaml", *wrong]) == 2
        assert "short" not in capsys.readouterr().err.replace("too short", "")
    assert len(seen) == 2


@pytest.mark.processes
def test_a_run_is_served_with_its_arithmetic_where_the_device_has_it(toys, monkeypatch):
    """A page of a run of a GPU opens on a machine without one, and leaves no option in force."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "kept")
    folder, seen = toys.run().folder, []
    manifest = json.loads((folder / "run.json").read_text())
    manifest["facts"]["environment"]["arithmetic"] = "compile, tf32"
    (folder / "run.json").write_text(json.dumps(manifest))
    sidelight.serve(folder, use="toy/live", device="cpu", announce=lambda _: seen.append(arithmetic_in_force()))
    assert seen == [("compile",)]
    assert arithmetic_in_force() == ()


def test_explore_runs_the_recipe_first(toys, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(
        "recipe: 1\nname: small\nexplain: {count: 2}\ndata: {use: toy/squares}\nclassifier: {use: toy/mean}\n"
        "explainers:\n  bright: {use: toy/brightness}\nrenderers:\n  live: {use: toy/live}\n"
    )
    assert main(["explore", "recipe.yaml", "--port", "9"]) == 0
    assert "open http://127.0.0.1:9/" in capsys.readouterr().out
    assert (tmp_path / "runs/small/run.json").is_file()


def test_a_watcher_may_cancel_a_loop():
    from sidelight.engine.progress import Display, watching

    def refuse(label, done, total):
        raise Cancelled("enough")

    with watching(refuse), pytest.raises(Cancelled), Display().loop("dots", 3):
        pass
    with Display().loop("dots", 3) as advance:
        advance()


def test_several_renderers_that_serve_have_to_be_chosen_between(toys, monkeypatch):
    folder, opened = toys.run().folder, []
    live = next(one for one in installed().usable("renderer") if one.use == "toy/live")
    for able, message in (
        ([], "no installed renderer serves a live page"),
        ([live, attrs.evolve(live, use="toy/other")], "several renderers serve a live page: toy/live, toy/other"),
    ):
        monkeypatch.setattr(Catalog, "usable", lambda *_, able=able: able)
        with pytest.raises(UserError, match=message):
            sidelight.serve(folder)
    monkeypatch.setattr(Catalog, "usable", lambda *_: [live])
    sidelight.serve(folder, port=7, announce=opened.append)
    assert opened == ["http://127.0.0.1:7/"]
