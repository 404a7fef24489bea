"""The command against a host that runs nothing, and recipes against the kernel's own check."""

import argparse
import json
from types import SimpleNamespace

import pytest
from sidelight.cli.host import KernelHost
from sidelight_bench import cells, command
from sidelight_bench.methods import FAMILIES, KNOWN, METHODS, Method
from sidelight_bench.suites import SUITES, Model
from sidelight_bench.tables import read_table, tables_of
from sidelight_specs import Cancelled, Need, UserError

QUICK = ["quick", "--suite", "faces", "--method", "captum/saliency"]


def bench(host, tmp_path, *words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([*words, "--out", str(tmp_path / "out")]), host)


def leaders(tmp_path, suite="all"):
    rows = read_table(tmp_path / "out" / "leaderboard.csv")
    return {row["method"]: row for row in rows if (row["suite"], row["factor"]) == (suite, "all")}


def test_who_sees_the_cause_leads_and_random_does_not(host, tmp_path):
    assert bench(host, tmp_path, *QUICK) == 0
    rows = leaders(tmp_path)
    assert rows["bench/oracle"]["auroc"] == rows["captum/saliency"]["auroc"] == 1
    assert rows["bench/random"]["auroc"] < 1
    assert rows["bench/oracle"]["low"] < 0.75, "six models are few"
    assert "captum/saliency" in rows["bench/oracle"]["no_difference_from"]
    assert (rows["bench/oracle"]["users"], rows["bench/oracle"]["others"]) == (3, 3)
    models = read_table(tmp_path / "out" / "models.csv")
    assert len(models) == 6
    assert models[0]["conflicting"] is None


def outcome(dose, effect, flips):
    suite = SUITES["faces"]
    model = Model(suite="faces", architecture="lenet", dose=dose, seed=1)
    numbers = {"effect": effect[1], "low": effect[0], "high": effect[2], "flips": flips[1]}
    row = {"factor": "lip-colour", **numbers, "flips_low": flips[0], "flips_high": flips[2]}
    cell = cells.Cell(suite=suite, model=model, method=None, kind="truth", recipe={})
    return cell, cells.Record(key="", rows=[row])


def test_the_planted_factor_is_used_where_it_moves_more_than_in_the_twin():
    twin = outcome(None, (0.5, 1.0, 1.3), (0.12, 0.2, 0.33))  # hardly knows its classes: anything turns it
    biased = outcome(0.9, (2.8, 3.1, 3.5), (0.29, 0.4, 0.52))
    same = outcome(0.8, (1.2, 1.4, 1.6), (0.29, 0.4, 0.52))
    not_at_all = outcome(0.7, (0.1, 0.2, 0.3), (0.0, 0.0, 0.04))
    rows = tables_of([twin, biased, same, not_at_all]).truth
    assert [row["used"] for row in rows] == [False, True, None, False]
    assert [row["used"] for row in tables_of([biased, not_at_all]).truth] == [None, False], "no twin to compare with"


def test_a_second_run_computes_nothing_and_writes_the_same_bits(host, tmp_path):
    bench(host, tmp_path, *QUICK)
    ran, out = len(host.ran), tmp_path / "out"
    before = {path.name: path.read_bytes() for path in [*out.glob("*.csv"), out / "frozen.json"]}
    bench(host, tmp_path, *QUICK)
    assert len(host.ran) == ran
    assert {path.name: path.read_bytes() for path in [*out.glob("*.csv"), out / "frozen.json"]} == before
    assert set(before) == {
        f"{name}.csv" for name in ("cells", "truth", "readers", "models", "groups", "leaderboard")
    } | {"frozen.json"}


def test_suites_that_share_their_twins_are_one_set_of_clusters():
    suites = [suite for name, suite in SUITES.items() if name.startswith("cutouts-")]
    twins = [next(suite.models(suite.quick)) for suite in suites]
    recipes = [cells._base(suite, twin, "x") | {"name": ""} for suite, twin in zip(suites, twins, strict=True)]
    assert all(recipe == recipes[0] for recipe in recipes), "one model, asked about three planted causes"
    assert len({suite.cluster(twin) for suite, twin in zip(suites, twins, strict=True)}) == 1
    assert len({suite.cluster(next(suite.models(suite.quick))) for suite in SUITES.values()}) == 3


def test_the_dose_counts_for_the_planted_factor_alone(host, tmp_path):
    bench(host, tmp_path, "full", "--suite", "faces", "--suite", "cutouts-mark", "--method", "captum/saliency")
    rows = read_table(tmp_path / "out" / "leaderboard.csv")
    mine = {(row["suite"], row["factor"]): row for row in rows if row["method"] == "captum/saliency"}
    assert mine["faces", "lip-colour"]["dose_response"] > 0.8
    assert mine["cutouts-mark", "background"]["dose_response"] is None, "the dose is that of the mark"


def test_a_method_that_fails_is_named_and_the_rest_goes_on(host, tmp_path):
    host.fail.add("captum/saliency")
    assert bench(host, tmp_path, *QUICK) == 0
    rows = leaders(tmp_path)
    assert "it broke" in rows["captum/saliency"]["failed"]
    assert rows["captum/saliency"]["auroc"] is None
    assert rows["bench/oracle"]["auroc"] == 1
    assert any("captum/saliency" in line for line in host.lines)
    host.fail.clear()
    ran = len(host.ran)
    bench(host, tmp_path, *QUICK)
    assert len(host.ran) - ran == 6, "what failed is tried again, and nothing else"
    assert leaders(tmp_path)["captum/saliency"]["auroc"] == 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), Cancelled("stopped as asked")])
def test_ctrl_c_keeps_what_is_done(host, tmp_path, interrupt):
    host.end.add("captum/saliency")
    host.interrupt = interrupt
    with pytest.raises(type(interrupt)):
        bench(host, tmp_path, *QUICK)
    done = len(host.ran) - 1
    assert not list((tmp_path / "out").rglob("captum-saliency.json"))
    host.end.clear()
    bench(host, tmp_path, *QUICK)
    assert len(host.ran) == done + 1 + (3 * 8 + 3 * 9 - done), "six methods and two or three more of each model"


def test_a_cell_that_ended_the_process_twice_is_given_up(host, tmp_path, monkeypatch):
    bench(host, tmp_path, *QUICK)
    path = next((tmp_path / "out").rglob("captum-saliency.json"))
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "failure": "the process ended", "crashes": 2, "rows": []}))
    ran = len(host.ran)
    bench(host, tmp_path, *QUICK)
    assert len(host.ran) == ran
    failed = [row for row in read_table(tmp_path / "out" / "cells.csv") if row["failed"]]
    assert {row["failed"] for row in failed} == {"the process ended"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quick", "--suite", "moon"], "there is no suite"),
        (["quick", "--method", "moon"], "there is no method"),
        (["quick", "--seeds", "0"], "leaves no model"),
        (["quick", "--with", "captum/lime"], "already"),
        (["quick", "--with", "cdeepex/pda"], "needs data"),
        (["quick", "--with", "moon/beam"], "moon/beam"),
    ],
)
def test_mistakes_are_told(host, tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        bench(host, tmp_path, *words)


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_passes_the_kernels_check(name, tmp_path):
    suite = SUITES[name]
    *_, model = suite.models(suite.full)
    kernel = KernelHost()
    installed = {entry.use for entry in kernel.installed()}
    methods = [method for method in METHODS.values() if command._uses(method) <= installed]
    try:
        for cell in cells.cells_of(suite, model, methods, suite.full, kernel):
            cells.write_recipe(cell, tmp_path)
            kernel.check(cell.recipe_path(tmp_path))
    except UserError as error:
        if "is installed" not in str(error) and "tuxpaint" not in str(error):
            raise
        pytest.skip(str(error))


def test_a_suite_whose_components_are_not_installed_keeps_no_other_from_running(host, tmp_path, monkeypatch):
    find = host.find

    def find_all_but_the_zoo(use, role=""):
        if use.startswith("zoo/"):
            raise UserError(f'no {role} "{use}" is installed', "install it")
        return find(use, role)

    monkeypatch.setattr(host, "find", find_all_but_the_zoo)
    assert bench(host, tmp_path, *QUICK, "--suite", "digits-square", "--method", "cdeepex/xgems") == 0
    assert {row["suite"] for row in read_table(tmp_path / "out" / "models.csv")} == {"digits-square"}
    assert 'left out: faces: no classifier "zoo/stylex-faces-classifier" is installed fix: install it' in host.lines


def test_a_plugin_that_is_installed_later_makes_no_cell_stale(host):
    suite = SUITES["faces"]
    model = next(iter(suite.models(suite.quick)))
    cell = cells.cells_of(suite, model, [METHODS["captum/saliency"]], suite.quick, host)[-1]
    versions = {"captum/saliency": "sidelight-captum 1.0"}
    key = cells.key_of(cell, versions)
    assert cells.key_of(cell, {**versions, "acme/rise": "acme-rise 1.0"}) == key
    assert cells.key_of(cell, {"captum/saliency": "sidelight-captum 1.1"}) != key


def test_a_fragment_may_bring_helpers_and_options_but_no_data(host, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "explainers:\n  ours: {use: captum/saliency, with: {noise: smoothgrad_sq}}\n"
        "  mine: {use: cdeepex/contrastive, needs: {explainer: ours}}\n"
    )
    assert bench(host, tmp_path, *QUICK, "--with", str(path)) == 0
    assert leaders(tmp_path)["mine/mine"]["family"] == "yours"
    recipe = next(recipe for recipe in host.ran if "mine" in recipe["name"])
    assert list(recipe["explainers"]) == ["ours", "contrastive"]
    path.write_text("data: {use: images/faces}\nexplainers:\n  mine: {use: captum/saliency}\n")
    with pytest.raises(UserError, match="no fragment of a recipe: data"):
        bench(host, tmp_path, *QUICK, "--with", str(path))


def test_a_fragment_cannot_wrap_the_oracle(host, tmp_path):
    path = tmp_path / "mine.yaml"
    for text in (
        "explainers:\n  mine: {use: bench/oracle, with: {split: test}}\n",
        "explainers:\n  o: {use: bench/oracle}\n  mine: {use: cdeepex/contrastive, needs: {explainer: o}}\n",
    ):
        path.write_text(text)
        with pytest.raises(UserError, match="bench/oracle needs data"):
            bench(host, tmp_path, *QUICK, "--with", str(path))


@pytest.mark.parametrize("text", ["mine: acme/rise", "mine: {with: {a: 1}}", "mine: {use: 3}"])
def test_a_fragment_without_a_component_is_told(host, tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(f"explainers:\n  {text}\n")
    with pytest.raises(UserError, match="no fragment of a recipe"):
        bench(host, tmp_path, *QUICK, "--with", str(path))


def test_a_guest_cannot_take_the_row_of_another(host, tmp_path):
    path = tmp_path / "captum.yaml"
    path.write_text("explainers:\n  saliency: {use: bench/random}\n")
    with pytest.raises(UserError, match="captum/saliency: it is on the leaderboard already"):
        bench(host, tmp_path, *QUICK, "--with", str(path))


def test_what_learns_from_the_data_is_refused(host):
    learner = Method(name="x", family="yours", use="structured/xnn")
    with pytest.raises(UserError, match="learns from the data"):
        cells.refuse_cheats(learner, host, frozenset())
    cells.refuse_cheats(learner, host, KNOWN)
    cells.refuse_cheats(Method(name="x", family="yours", use="captum/lime"), host, frozenset())


@pytest.mark.parametrize("role", ["data", "metric", "renderer"])
def test_what_would_be_given_the_data_is_refused(role):
    descriptor = SimpleNamespace(needs=(Need("classifier"), Need(role, optional=True)), provides=())
    host = SimpleNamespace(find=lambda use, role: (SimpleNamespace(descriptor=descriptor),))
    with pytest.raises(UserError, match=f"acme/x needs {role}, in which"):
        cells.refuse_cheats(Method(name="x", family="yours", use="acme/x"), host, KNOWN)


def test_there_are_twenty_methods_of_five_families():
    families = {method.family for method in METHODS.values()} - {"baseline", "ceiling"}
    assert len(families) >= 5
    assert families < set(FAMILIES)
    assert sum(method.family not in ("baseline", "ceiling") for method in METHODS.values()) >= 20


def test_models_of_one_seed_share_their_id_and_all_explain_the_same_images(host):
    suite = SUITES["faces"]
    models = list(suite.models(suite.quick))
    made = [cells.cells_of(suite, model, [METHODS["captum/saliency"]], suite.quick, host)[-1] for model in models]
    assert len({json.dumps(cell.recipe["explain"] | {"classifier": ""}) for cell in made}) == 1
    assert {cell.recipe["explain"]["classifier"] for cell in made} == {"seed-1", "seed-2", "seed-3"}
    assert len({cell.name for cell in made}) == len(models)
