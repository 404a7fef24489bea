"""A real run, packed and audited: an honest bundle matches to the bit, a forged one does not."""

import argparse
import json
import shutil
import zipfile
from contextlib import suppress

import attrs
import numpy as np
import pytest
import sidelight
from rocrate.rocrate import ROCrate
from sidelight.cli.host import KernelHost
from sidelight_evidence import audit, bundle
from sidelight_evidence.archive import MANIFEST, manifest_text
from sidelight_evidence.archive import _digest as sha256
from sidelight_evidence.compare import DIFFERS, MATCHED, WITHIN
from sidelight_evidence.recompute import Verdicts
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.digests import digest_file
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.table import table_of

pytestmark = pytest.mark.training
RECIPE = {
    "recipe": 1,
    "name": "honest",
    "seed": 0,
    "data": {"use": "images/digits", "with": {"size": 28}},
    "explain": {"split": "test", "count": 6, "target": "auto", "shard": 3},
    "classifier": {"use": "classifiers/lenet", "with": {"steps": 3}},
    "explainers": {"saliency": {"use": "captum/saliency"}},
    "metrics": {"areas": {"use": "metrics/insertion-deletion", "with": {"step": 0.25, "baselines": ["black"]}}},
    "claims": {
        "area": "areas/saliency/deletion <= 0.9",
        "box": {"use": "claims/decides", "with": {"winner": "8", "loser": "3", "box": [2, 2, 6, 6], "controls": 19}},
    },
}


def command(module, *arguments):
    """Run a command in this process; gives its exit code."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([str(one) for one in arguments]), KernelHost())


def audited(path, *arguments, tmp_path):
    """Exit code and report of an audit."""
    code = command(audit, path, "--quiet", "--out", tmp_path / "report.json", *arguments)
    return code, json.loads((tmp_path / "report.json").read_text())


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with `honest`, a bundle with weights as a folder, made in a cache of its own."""
    place = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDELIGHT_CACHE", str(place / "cache"))
        patch.chdir(place)
        sidelight.run(RECIPE, progress=False)
        assert command(bundle, "runs/honest", "--out", "honest", "--with-weights") == 0
        assert command(bundle, "runs/honest", "--out", "honest.zip", "--with-weights") == 0
        assert command(bundle, "runs/honest", "--out", "again.zip", "--with-weights") == 0
        assert command(bundle, "runs/honest", "--out", "without.zip") == 0
    shutil.rmtree(place / "cache")  # whoever audits has none of it
    return place


@pytest.mark.parametrize(
    ("sample", "verdict", "images"), [(["1", "--allow-missing"], "incomplete", 3), (["6"], "matched", 6)]
)
def test_an_honest_bundle_matches_to_the_bit(packed, tmp_path, monkeypatch, capsys, sample, verdict, images):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    code, report = audited(packed / "honest.zip", "--seed", 5, "--sample", *sample, tmp_path=tmp_path)
    assert (code, report["verdict"], report["installation"], report["recipe"]) == (0, verdict, [], [])
    results = {one["result"]: one for one in report["results"]}
    assert results["explanations of saliency"][MATCHED] == images  # those drawn, and others of their shards
    assert results["measurements areas/saliency"][MATCHED] == images
    assert results["claim area"][MATCHED] == 1  # from the stored numbers of all images
    assert results["claim box"][MATCHED] == (images == 6)  # by the classifier, which all images are shown to
    left_out = [name for name, one in results.items() if one["not computed again"]]
    assert left_out == (["claim box"] if verdict == "incomplete" else [])
    assert results["weights of classifier"][MATCHED] == results["images, by the recipe's choice"][MATCHED] / 6 == 1
    assert not any(one[DIFFERS] for one in results.values())
    assert report["manifest"] in capsys.readouterr().out
    assert not list((tmp_path / "cache").rglob("entry.json"))  # nothing of a stranger's stays


def test_the_same_run_gives_the_same_archive(packed):
    assert (packed / "honest.zip").read_bytes() == (packed / "again.zip").read_bytes()


def test_it_is_a_research_object_crate(packed):
    crate = ROCrate(packed / "honest")
    names = {
        path.relative_to(packed / "honest").as_posix() for path in (packed / "honest").rglob("*") if path.is_file()
    }
    described = {entity.id for entity in crate.data_entities}
    assert described == names - {"ro-crate-metadata.json"}
    assert crate.root_dataset["datePublished"]
    (action,) = (entity for entity in crate.contextual_entities if entity.type == "CreateAction")
    assert {"#sidelight", "#captum", "#torch"} <= {one.id for one in action["instrument"]}
    assert "run/run.json" in {one.id for one in action["result"]}


def test_cards_and_licences_say_what_is_known(packed):
    card = json.loads((packed / "honest/cards/classifier.json").read_text())
    assert card["weights"].startswith("sha256:")
    assert card["card"]["origin"] == "not stated"
    assert any("accuracy" in report["name"] for report in card["reports"])
    data = json.loads((packed / "honest/cards/data.json").read_text())
    assert (data["explained"]["images"], sum(data["explained"]["questions by label"].values())) == (6, 6)
    methods = json.loads((packed / "honest/cards/methods.json").read_text())
    assert len(methods["explainers.saliency"]["limits"]) > 1
    assert methods["explainers.saliency"]["limits"][0] in (packed / "honest/cards/methods.md").read_text()
    assert "## Explained images" in (packed / "honest/cards/data.md").read_text()
    licences = json.loads((packed / "honest/licences/licences.json").read_text())["distributions"]
    torch = next(one for one in licences if one["name"] == "torch")
    assert torch["licence"]
    assert all((packed / "honest" / text).stat().st_size for text in torch["texts"])


def test_without_weights_what_was_trained_is_named(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, report = audited(packed / "without.zip", tmp_path=tmp_path)
    assert (code, report["verdict"]) == (1, "failed")
    reasons = {one["result"]: one["not computed again"] for one in report["results"]}
    gone = {"classifier", "explainers.saliency", "metrics.areas"}
    assert {name for name, why in reasons.items() if "use --retrain" in why} == gone
    assert reasons.keys() - gone == {"claim area", "claim box"}
    assert not reasons["claim area"]  # the stored numbers tell


def test_a_sample_of_none_verifies_alone(packed, tmp_path):
    code, report = audited(packed / "without.zip", "--sample", 0, tmp_path=tmp_path)
    assert (code, report["verdict"]) == (0, "intact")


def rewrite(folder):
    """A manifest that fits, as a forger writes it."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    digests = {name: sha256(folder / name) for name in names if name != MANIFEST}
    (folder / MANIFEST).write_bytes(manifest_text(digests).encode())


def change_result(folder, path, change):
    """Change an artifact of a run, and the digests that the run has of it."""
    place = folder / "run/results" / path
    artifact = change(Artifact.load(place))
    for file in place.iterdir():
        file.unlink()
    artifact.save(place)
    document = json.loads((folder / "run/run.json").read_text())
    document["outputs"]["artifacts"][path] = artifact.digest()
    document["outputs"]["files"] |= {f"results/{path}/{file.name}": digest_file(file) for file in place.iterdir()}
    (folder / "run/run.json").write_text(json.dumps(document, indent=1) + "\n")


@pytest.fixture
def forged(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(packed / "honest", tmp_path / "forged")
    return tmp_path / "forged"


def brighter(explanation):
    values = explanation.values.copy()
    values[:, 3:5, 3:5] += 0.5 * values.max()
    return attrs.evolve(explanation, values=values)


def test_a_forged_explanation_whose_digests_fit_is_found_by_computing_it(forged, tmp_path):
    change_result(forged, "explanations/saliency", brighter)
    rewrite(forged)
    code, report = audited(forged, "--sample", 6, tmp_path=tmp_path)
    assert (code, report["verdict"], report["faults"]) == (1, "failed", [])
    (found,) = [one for one in report["results"] if one[DIFFERS]]
    assert (found["result"], found[DIFFERS], found["where"]) == ("explanations of saliency", 6, "values")


def test_images_that_the_recipe_does_not_choose_are_found(forged, tmp_path):
    document = json.loads((forged / "run/run.json").read_text())
    document["facts"]["recipe"]["explain"]["indices"] = [20, 1, 2, 3, 4, 5]  # the first was picked by hand
    (forged / "run/run.json").write_text(json.dumps(document, indent=1) + "\n")
    (forged / "recipe-resolved.yaml").write_text(recipe_text(document["facts"]["recipe"]), encoding="utf-8")
    rewrite(forged)
    code, report = audited(forged, "--sample", 1, tmp_path=tmp_path)
    assert (code, report["faults"]) == (1, [])
    images = next(one for one in report["results"] if one["result"] == "images, by the recipe's choice")
    assert (images[MATCHED], images[DIFFERS]) == (5, 1)


def test_a_manifest_that_fits_does_not_hide_what_does_not_belong_together(forged, tmp_path):
    table = forged / "answers.csv"
    table.write_text(table.read_text().replace("0", "1"))
    state = Artifact.load(forged / "weights/classifier")
    name = next(iter(state.arrays))
    attrs.evolve(state, arrays={**state.arrays, name: state.arrays[name] + 1}).save(forged / "weights/classifier")
    (forged / "recipe-resolved.yaml").write_text("recipe: 1\n")
    rewrite(forged)
    code, report = audited(forged, tmp_path=tmp_path)
    assert code == 1
    assert [fault.split(" is not ")[0].split(" are not ")[0].split(" does not ")[0] for fault in report["faults"]] == [
        "recipe-resolved.yaml",
        "answers.csv",
        "the weights of classifier",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("facts",), None),
        (("facts", "metrics"), None),
        (("facts", "environment"), "cpu"),
        (("facts", "recipe", "classifier"), "classifiers/lenet"),
        (("facts", "recipe", "explain"), []),
        (("outputs",), {}),
        (("outputs", "artifacts"), ["split"]),
        (("digests", "images"), [{"id": "digit-0"}]),
        (("digests", "weights"), None),
    ],
)
def test_a_manifest_of_another_shape_is_damaged(forged, tmp_path, path, value):
    document = json.loads((forged / "run/run.json").read_text())
    section = document
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    (forged / "run/run.json").write_text(json.dumps(document))
    rewrite(forged)
    with suppress(SidelightError):  # told as one, or in the report
        code, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
        assert (code, bool(report["faults"])) == (1, True)


def test_verdicts_that_no_claim_gave_are_found(forged, tmp_path):
    (forged / "claims.json").write_text('{"square": "supported"}\n')
    rewrite(forged)
    code, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
    assert (code, report["faults"]) == (1, ["claims.json does not follow from the results"])
    document = json.loads((forged / "run/run.json").read_text())
    (forged / "run/run.json").write_text(json.dumps({**document, "claims": {"square": "supported"}}))
    rewrite(forged)
    _, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
    assert "the verdicts that run.json holds are not those of the claims' results" in report["faults"]


def change_claim(folder, name, **changes):
    """Change an answer, and all that tells its verdict."""
    change_result(folder, f"claims/{name}", lambda one: attrs.evolve(one, **changes))
    verdicts = {one: Artifact.load(folder / "run/results/claims" / one).verdict for one in ("area", "box")}
    document = json.loads((folder / "run/run.json").read_text())
    (folder / "run/run.json").write_text(json.dumps({**document, "claims": verdicts}, indent=1) + "\n")
    (folder / "claims.json").write_text(json.dumps(verdicts))
    rewrite(folder)


def area_of(folder):
    """The answer to the claim about the area, and its one effect."""
    answer = Artifact.load(folder / "run/results/claims/area")
    return answer, answer.effects["all images"]


def test_a_forged_verdict_whose_files_fit_is_found_in_the_stored_numbers(forged, tmp_path):
    answer, _ = area_of(forged)
    assert answer.verdict == "supported"
    change_claim(forged, "area", verdict="contradicted")
    code, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
    assert code == 1
    assert report["faults"] == ["the answer to the claim area does not follow from the results: verdict"]


@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_a_forged_estimate_or_bound_is_found_in_the_stored_numbers(forged, tmp_path, field):
    _, effect = area_of(forged)
    step = {"value": 0.5, "low": -1, "high": 1}[field] * (effect.high - effect.value)
    other = attrs.evolve(effect, **{field: getattr(effect, field) + step})
    change_claim(forged, "area", effects={"all images": other})
    code, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
    where = f"effects.all images.{field}"
    assert (code, report["faults"]) == (1, [f"the answer to the claim area does not follow from the results: {where}"])


def remove_result(folder, path):
    """A bundle as if a result had never been, and all that names it."""
    document = json.loads((folder / "run/run.json").read_text())
    place = folder / "run/results" / path
    shutil.rmtree(place)
    if not list(place.parent.iterdir()):
        place.parent.rmdir()
    section, _, name = path.partition("/")
    document.get(section, {}).pop(name, None)  # claims are listed with their verdicts
    del document["outputs"]["artifacts"][path]
    document["results"] = [one for one in document["results"] if "/".join(one["path"]) != path]
    files = document["outputs"]["files"]
    document["outputs"]["files"] = {name: one for name, one in files.items() if f"/{path}/" not in f"/{name}"}
    (folder / "run/run.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "claims.json").write_text(json.dumps(document["claims"]))
    rewrite(folder)


def test_a_claim_that_the_bundle_left_out_is_found(forged, tmp_path):
    remove_result(forged, "claims/area")
    code, report = audited(forged, "--sample", 0, tmp_path=tmp_path)
    assert (code, report["faults"]) == (
        1,
        ["the answer to the claim area does not follow from the results: missing from the bundle"],
    )


def test_explanations_of_the_true_class_that_the_bundle_left_out_are_found(forged, tmp_path):
    remove_result(forged, "counterparts/saliency")
    code, report = audited(forged, "--sample", 6, tmp_path=tmp_path)
    assert (code, report["faults"]) == (1, [])
    (found,) = [one for one in report["results"] if one[DIFFERS]]
    assert (found["result"], found["where"]) == ("explanations of saliency, other side", "missing from the bundle")


def better(numbers):
    """Deletion of the first image forged, by more than any tolerance."""
    items = {one.name: one for one in numbers.items}
    values = items["deletion"].values.copy()
    values[0] /= 2
    items["deletion"] = attrs.evolve(items["deletion"], values=values)
    return attrs.evolve(numbers, items=tuple(items.values()))


def test_forged_numbers_and_answers_are_found_by_computing_them(forged, tmp_path):
    change_result(forged, "measurements/areas/saliency", better)
    finished = KernelHost().load_run(forged / "run")
    table_of(finished.results).columns.write(forged / "measurements.csv")
    answers_of(finished.results).write(forged / "answers.csv")
    fitting = KernelHost().judge(forged / "recipe-resolved.yaml", finished.results)["area"]
    change_claim(forged, "area", effects=fitting.effects, reason=fitting.reason, p=fitting.p)
    was = Artifact.load(forged / "run/results/claims/box").verdict
    change_claim(forged, "box", verdict="supported" if was != "supported" else "contradicted")
    code, report = audited(forged, "--sample", 6, tmp_path=tmp_path)
    assert (code, report["faults"]) == (1, [])
    found = {one["result"]: (one[DIFFERS], one["where"]) for one in report["results"] if one[DIFFERS]}
    assert found == {"measurements areas/saliency": (1, "items.1.values"), "claim box": (1, "verdict")}


@pytest.mark.parametrize(
    ("why", "allowed", "outcome"),
    [("", False, ("matched", 0)), ("no weights", False, ("incomplete", 1)), ("no weights", True, ("incomplete", 0))],
)
def test_results_that_were_left_out_are_no_success_unless_the_auditor_says_so(why, allowed, outcome, capsys):
    verdicts = [Verdicts("images", {MATCHED: 1, WITHIN: 0, DIFFERS: 0}), Verdicts("explanations of xgem", why=why)]
    arguments, report = argparse.Namespace(tolerance=0.0, allow_missing=allowed), {}
    code = audit._summed_up(verdicts, ["a"], ["a"], 1, 0, arguments, KernelHost(), report)
    assert (report["verdict"], code) == outcome
    assert ("incomplete, not computed again: explanations of xgem" in capsys.readouterr().out) == bool(why)


@pytest.mark.parametrize(
    ("text", "threads"), [("2", 2), ("128", 128), ("0", None), ("", None), ("all", None), ("9" * 5000, None)]
)
def test_a_bundle_cannot_ask_for_any_number_of_threads(text, threads):
    assert audit._threads(text) == threads


def test_a_report_that_cannot_be_written_is_refused_before_anything(packed, tmp_path, capsys):
    with pytest.raises(UserError, match="there is no such folder"):
        command(audit, packed / "honest.zip", "--out", tmp_path / "nowhere/report.json")
    assert capsys.readouterr().out == ""


def test_another_digest_than_the_given_one_fails(packed, tmp_path):
    code, report = audited(packed / "honest.zip", "--digest", "sha256:" + "0" * 64, "--sample", 0, tmp_path=tmp_path)
    assert (code, len(report["faults"])) == (1, 1)


def test_a_changed_byte_fails_and_nothing_else_is_looked_at(packed, tmp_path):
    content = bytearray((packed / "honest.zip").read_bytes())
    with zipfile.ZipFile(packed / "honest.zip") as archive:
        info = archive.getinfo("run/results/explanations/saliency/arrays.npz")
    content[info.header_offset + 200] ^= 1
    (tmp_path / "changed.zip").write_bytes(content)
    code, report = audited(tmp_path / "changed.zip", tmp_path=tmp_path)
    assert (code, "damaged" in report["faults"][0] or "changed" in report["faults"][0]) == (1, True)


def test_a_recipe_that_names_files_of_the_auditor_is_refused(forged, tmp_path):
    document = json.loads((forged / "bundle.json").read_text())
    (forged / "bundle.json").write_text(json.dumps({**document, "given": {"data.classes": ["/etc/passwd"]}}))
    rewrite(forged)
    with pytest.raises(UserError, match="leads out of the bundle"):
        audited(forged, tmp_path=tmp_path)


def test_nothing_is_overwritten(packed, monkeypatch):
    monkeypatch.chdir(packed)
    with pytest.raises(UserError, match="is there already"):
        command(bundle, "runs/honest", "--out", "honest.zip")


def test_inputs_stand_for_the_paths_of_the_recipe(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for number in range(4):
        (tmp_path / "photos/cat").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (28, 28), np.uint8)).save(tmp_path / f"photos/cat/{number}.png")
    data = {"use": "images/folder", "with": {"path": str(tmp_path / "photos"), "size": 28, "mode": "grey"}}
    classifier = {"classifier": {"use": "classifiers/lenet", "with": {"steps": 2}, "needs": {"data": "digits"}}}
    sets = {"data": data, "digits": {"use": "images/digits"}}
    recipe = {**RECIPE, "data": sets, "classifier": classifier, "explain": {"split": "all", "count": 2}}
    sidelight.run(recipe, progress=False)
    assert command(bundle, "runs/honest", "--out", "own.zip", "--with-weights", "--with-inputs") == 0
    shutil.rmtree(tmp_path / "photos")
    with zipfile.ZipFile("own.zip") as archive:
        inputs = [name for name in archive.namelist() if name.startswith("inputs/")]
        given = json.loads(archive.read("bundle.json"))["given"]
    assert len(inputs) == 2
    assert given == {"data.path": "inputs/data/path"}
    code, report = audited(tmp_path / "own.zip", tmp_path=tmp_path)
    assert (code, report["verdict"]) == (0, "matched")
