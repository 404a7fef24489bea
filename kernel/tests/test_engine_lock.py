"""Locks: what they hold, and that a frozen run names whatever differs, before anything is computed."""

import copy
import importlib.metadata
import json
import os
import shutil
from pathlib import Path

import pytest
import sidelight
from sidelight.engine import frozen, lock
from sidelight.registry import catalog, hashes, requirements
from sidelight_specs import SidelightError, UserError

CONTENT = hashes.known_content.__wrapped__
TOYS = Path(__file__).parent / "toys"
OBSERVER = """
from sidelight_specs import hookimpl


@hookimpl
def sidelight_run_started(run):
    pass
"""


def forget():
    """What this process knows of what distributions require."""
    for known in (requirements.required_with, requirements.requirements):
        known.cache_clear()
    catalog._LOADERS.clear()


def content_of(name):
    """Of the toys as they are; others do not change here, and torch takes seconds (`test_registry_policy` hashes)."""
    return CONTENT(name) if name == "sidelight-toy" else hashes.Content(f"sha256:{name}")


@pytest.fixture
def installed(tmp_path, monkeypatch, toys):
    """A copy of the toys, which may be changed, and a recipe in a file; the working folder is the test's own."""
    site = shutil.copytree(TOYS, tmp_path / "site", ignore=shutil.ignore_patterns("__pycache__"))
    files = [path.relative_to(site).as_posix() for path in site.rglob("sidelight_toy*/*") if path.is_file()]
    (site / "sidelight_toy-1.0.dist-info" / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    monkeypatch.syspath_prepend(site)
    for module in (lock, frozen):
        monkeypatch.setattr(module, "known_content", content_of)
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "extra.txt").write_text("one")
    recipe = copy.deepcopy(toys.RECIPE)
    recipe["data"]["with"] = {"file": str(tmp_path / "extra.txt")}
    (tmp_path / "toys.json").write_text(json.dumps(recipe))  # JSON is YAML
    toys.site = site
    forget()
    yield toys
    forget()


def write(value, path="toys.json.lock"):
    Path(path).write_text(json.dumps(value))
    return value


def refused(**options):
    """Lines of the refusal, without the first and the fix."""
    forget()
    with pytest.raises(UserError) as caught:
        sidelight.run("toys.json", progress=False, **{"frozen": True, **options})
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


def test_a_lock_holds_what_a_run_depends_on(installed):
    locked = sidelight.lock("toys.json")
    assert json.loads(lock.lock_text(locked)) == locked
    assert {"sidelight", "sidelight-specs", "sidelight-toy", "numpy", "attrs"} <= set(locked["distributions"])
    assert "pytest" not in locked["distributions"]  # of an extra with tools for developers
    toy = locked["distributions"]["sidelight-toy"]
    assert (toy["version"], toy["hash"][:7], len(toy["hash"])) == ("1.0", "sha256:", 71)
    assert locked["components"]["classifier"] | {"params": ""} == {
        "use": "toy/mean",
        "role": "classifier",
        "distribution": "sidelight-toy",
        "params": "",
        "files": [],
        "trained": True,
        "weights": None,
    }
    (file,) = locked["components"]["data"]["files"]
    assert file["path"].endswith("extra.txt")
    assert file["sha256"] == "sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # of "one"
    assert locked["recipe"]["resolved"]["explain"]["count"] == 6
    assert locked["policy"] is None


def test_plugins_that_an_extra_brings_together_are_not_locked(installed):
    """`sidelight[all]` names every plugin; a recipe of toys uses none of them."""
    plugins = {name for name in sidelight.lock("toys.json")["distributions"] if name.startswith("sidelight-")}
    watching = {entry.distribution for entry in catalog.index().entries if entry.role == "observer"}
    assert "sidelight-captum" not in plugins
    assert {"sidelight-specs", "sidelight-toy"} <= plugins
    assert watching <= plugins


def test_a_lock_is_the_same_made_twice(installed):
    first = sidelight.lock("toys.json")
    forget()
    assert lock.lock_text(sidelight.lock("toys.json")) == lock.lock_text(first)


def test_a_frozen_run_keeps_its_lock(installed):
    write(sidelight.lock("toys.json"))
    run = sidelight.run("toys.json", progress=False, frozen=True)
    kept = run.manifest["lock"]
    assert kept["differs"] == []
    assert lock.read_lock(run.folder / kept["file"]) == lock.read_lock(Path("toys.json.lock"))
    assert kept["digest"] == "sha256:" + sha256(run.folder / kept["file"])
    assert "lock" not in sidelight.run("toys.json", progress=False).manifest


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_results_of_a_frozen_run_are_those_of_any_other(installed):
    free = sidelight.run("toys.json", progress=False, out="free")
    write(sidelight.lock("toys.json"))
    obeying = sidelight.run("toys.json", progress=False, out="obeying", frozen=True)
    assert obeying.manifest["outputs"]["artifacts"] == free.manifest["outputs"]["artifacts"]


def test_other_data_are_named_and_nothing_is_computed(installed, tmp_path):
    write(sidelight.lock("toys.json"))
    (tmp_path / "extra.txt").write_text("two")
    installed.calls.clear()
    (line,) = refused()
    assert line.startswith(
        f"data {tmp_path / 'extra.txt'} of data (toy/squares): locked sha256:7692c3ad3540, now sha256:"
    )
    assert installed.calls == []
    assert not Path("runs").exists()


def test_a_folder_counts_with_every_file_in_it(installed, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a").write_text("a")
    first = lock._file_digest(folder)
    (folder / "b").write_text("")
    assert lock._file_digest(folder) != first
    (folder / "b").unlink()
    assert lock._file_digest(folder) == first


def test_a_newer_plugin_is_named(installed):
    write(sidelight.lock("toys.json"))
    info = installed.site / "sidelight_toy-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sidelight-toy\nVersion: 1.1\n")
    info.rename(info.with_name("sidelight_toy-1.1.dist-info"))
    importlib.invalidate_caches()
    line, more = refused()
    assert line == "distribution sidelight-toy: locked 1.0, installed 1.1"
    assert more.startswith("the recipe and its files were not compared")


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_other_files_of_the_same_version_are_named(installed, change):
    write(sidelight.lock("toys.json"))
    package = installed.site / "sidelight_toy"
    if change == "changed":
        (package / "pages.py").write_text((package / "pages.py").read_text() + "\n")
    elif change == "added":
        (package / "weights.bin").write_bytes(b"")
    else:
        (package / "vandals.py").unlink()
    line, _ = refused()
    assert line.startswith("distribution sidelight-toy 1.0: its files differ, locked sha256:")


def test_a_distribution_that_is_gone_is_named(installed):
    locked = sidelight.lock("toys.json")
    locked["distributions"]["acme-gone"] = {"version": "2.0", "hash": None}
    write(locked)
    assert refused()[0] == "distribution acme-gone: locked 2.0, it is not installed"


def test_a_distribution_that_was_not_there_is_named(installed):
    locked = sidelight.lock("toys.json")
    del locked["distributions"]["numpy"]
    write(locked)
    assert refused() == ["distribution numpy: the run would use it, and the lock has none of that name"]


def test_other_values_of_the_recipe_are_named_each_by_its_path(installed):
    write(sidelight.lock("toys.json"))
    assert refused(set=["explain.count=5", "explainers.bright.with.noise=0.5", "seed=8"]) == [
        "recipe: seed is 7 in the lock, 8 now",
        "recipe: explain.count is 6 in the lock, 5 now",
        "recipe: explainers.bright.with.noise is 0.1 in the lock, 0.5 now",
    ]
    assert refused(swap="explainers.talk=toy/gradient")[0] == (
        'recipe: explainers.talk.use is "toy/talkative" in the lock, "toy/gradient" now'
    )


def test_a_component_that_the_lock_leaves_out_is_named(installed):
    locked = sidelight.lock("toys.json")
    del locked["components"]["data"]  # with the digests of its files
    write(locked)
    assert refused() == ["component data: the run has it, and the lock has none of that path"]


def test_who_computes_does_not_count(installed):
    write(sidelight.lock("toys.json"))
    run = sidelight.run("toys.json", progress=False, frozen=True, executor="local")
    assert run.manifest["lock"]["differs"] == []


def test_another_policy_is_named(installed, tmp_path, monkeypatch):
    write(sidelight.lock("toys.json"))
    (tmp_path / "policy.yaml").write_text("deny: [acme-rise]\n")
    monkeypatch.setenv("SIDELIGHT_POLICY", str(tmp_path / "policy.yaml"))
    assert refused()[0].startswith("policy: locked none, now sha256:")
    write(sidelight.lock("toys.json"))
    (tmp_path / "policy.yaml").write_text("# the same\ndeny: ['acme-rise']\n")
    assert sidelight.run("toys.json", progress=False, frozen=True).manifest["lock"]["differs"] == []


def test_an_observer_that_was_not_there_is_named(installed, tmp_path):
    write(sidelight.lock("toys.json"))
    info = tmp_path / "site" / "acme_watch-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-watch\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sidelight.v1.observer]\nwatch = acme_watch\n")
    (tmp_path / "site" / "acme_watch.py").write_text(OBSERVER)
    importlib.invalidate_caches()
    assert (
        "observer acme-watch/watch (acme-watch): it would watch the run, and the lock has none of that name"
        in refused()
    )


@pytest.mark.parametrize(
    ("facts", "strict", "said"),
    [
        ({"version": "3.11.99"}, False, ""),
        ({"version": "3.11.99"}, True, "Python version: locked"),
        ({"version": "3.99.0"}, False, "Python version: locked"),
        ({"implementation": "PyPy"}, False, "Python implementation: locked"),
    ],
)
def test_another_patch_of_python_is_warned_of_unless_the_lock_is_strict(installed, monkeypatch, facts, strict, said):
    major_minor = ".".join(map(str, __import__("sys").version_info[:2]))
    facts = {name: value.replace("3.11", major_minor) for name, value in facts.items()}
    write(sidelight.lock("toys.json", strict=strict))
    monkeypatch.setattr(frozen, "python_facts", lambda: {**lock.python_facts(), **facts})
    if said:
        assert refused()[0].startswith(said)
    else:
        warnings = sidelight.run("toys.json", progress=False, frozen=True).manifest["warnings"]
        assert any(text.startswith("Python version: locked") for text in warnings)


def test_another_platform_is_warned_of_unless_the_lock_is_strict(installed):
    locked = sidelight.lock("toys.json")
    locked["platform"]["machine"] = "sparc"
    write(locked)
    warnings = sidelight.run("toys.json", progress=False, frozen=True).manifest["warnings"]
    assert any(text.startswith("platform: locked sparc, here ") for text in warnings)
    write(locked | {"strict": True})
    assert refused()[0].startswith("platform: locked sparc")


def test_the_lock_of_a_run_has_its_weights_and_images(installed):
    run = sidelight.run("toys.json", progress=False)
    locked = write(sidelight.lock(run.folder))
    assert locked["components"]["classifier"]["weights"] == run.manifest["digests"]["weights"]["classifier"]
    assert len(locked["run"]["images"]) == 6
    assert locked["run"]["threads"] == run.manifest["facts"]["environment"]["threads"]
    again = sidelight.run("toys.json", progress=False, frozen=True)
    assert (again.manifest["status"], again.manifest["lock"]["differs"]) == ("done", [])


def test_weights_that_come_out_otherwise_fail_the_run_by_name(installed):
    run = sidelight.run("toys.json", progress=False)
    locked = sidelight.lock(run.folder)
    locked["components"]["classifier"]["weights"] = "sha256:" + "0" * 64
    write(locked)
    with pytest.raises(SidelightError, match=r"weights of classifier \(toy/mean\): locked sha256:000000000000, now"):
        sidelight.run("toys.json", progress=False, frozen=True)
    manifest = json.loads((run.folder / "run.json").read_text())
    assert manifest["status"] == "failed"
    assert manifest["lock"]["differs"][0].startswith("weights of classifier (toy/mean)")


def test_images_that_differ_are_named(installed):
    run = sidelight.run("toys.json", progress=False)
    locked = sidelight.lock(run.folder)
    first = locked["run"]["images"][0]
    first["pixels"], locked["run"]["data"] = "sha256:" + "0" * 64, "sha256:other"
    write(locked)
    with pytest.raises(SidelightError, match=f"explained images: changed {first['id']}"):
        sidelight.run("toys.json", progress=False, frozen=True)


def test_a_run_of_other_versions_is_not_locked(installed):
    run = sidelight.run("toys.json", progress=False)
    manifest = json.loads((run.folder / "run.json").read_text())
    for component in manifest["facts"]["components"]:
        component["version"] = "0.9"
    (run.folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"the run was made with other versions: sidelight-toy 0\.9"):
        sidelight.lock(run.folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no lock"),
        ("", "cannot be read"),
        ("[]", "it is no JSON object"),
        ("{}", "is a lock of format null"),
        ('{"sidelight_lock": 2}', "is a lock of format 2: this version of Sidelight reads locks of format 1"),
        ('{"sidelight_lock": 1}', "recipe is missing or of another type"),
    ],
)
def test_what_is_no_lock_is_refused(tmp_path, text, said):
    path = tmp_path / "some.lock"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        lock.read_lock(path)


@pytest.mark.parametrize(
    "change",
    [
        {"distributions": {"numpy": "2.0"}},
        {"components": {"data": []}},
        {"components": {"data": {"files": ["x"]}}},
        {"components": {"data": {"files": [{"path": 1}]}}},
        {"run": {"images": {}}},
        {"observers": {}},
        {"strict": "no"},
        {"policy": 3},
        {"python": None},
    ],
)
def test_a_lock_of_another_form_is_refused(tmp_path, change):
    sound = {key: {} for key in ("recipe", "python", "platform", "distributions", "components")}
    sound |= {"sidelight_lock": 1, "policy": None, "observers": [], "run": None, "strict": False}
    write(sound, tmp_path / "sound.lock")
    assert lock.read_lock(tmp_path / "sound.lock") == sound
    write(sound | change, tmp_path / "bad.lock")
    with pytest.raises(UserError, match="is no lock: "):
        lock.read_lock(tmp_path / "bad.lock")


def test_a_pipe_is_no_lock(tmp_path):
    os.mkfifo(tmp_path / "pipe.lock")
    with pytest.raises(UserError, match="it is a pipe, not a file"):
        lock.read_lock(tmp_path / "pipe.lock")


def test_a_recipe_that_is_no_file_needs_a_named_lock(installed):
    with pytest.raises(UserError, match="a recipe that is no file has no lock beside it"):
        sidelight.run(installed.RECIPE, progress=False, frozen=True)
    write(sidelight.lock(installed.RECIPE), "named.lock")
    assert sidelight.run(installed.RECIPE, progress=False, frozen="named.lock").manifest["lock"]["differs"] == []
