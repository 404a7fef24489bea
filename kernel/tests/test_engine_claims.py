"""Claims: declared in the recipe, judged after everything else, answered on exit."""

import json

import pytest
from sidelight.cli import main
from sidelight.engine.claims import ClaimContradicted, check_claims
from sidelight_specs import SidelightError, UserError

BRIGHT = {"explainers": {"bright": {"use": "toy/brightness"}}}


def claims(toys, **said):
    return toys.small(**BRIGHT, claims=said, renderers={"page": {"use": "toy/text"}})


def test_verdicts_stand_in_results_and_manifest_in_the_order_of_the_recipe(toys):
    run = toys.run(claims(toys, b="it is contradicted", a={"use": "toy/says"}, c="it is not established"))
    assert run.manifest["claims"] == {"b": "contradicted", "a": "supported", "c": "not established"}
    assert [one.verdict for one in run.results.claims.values()] == ["contradicted", "supported", "not established"]
    assert run.manifest["status"] == "done"
    assert run.results.recipe["claims"]["b"]["with"]["verdict"] == "contradicted"


def test_a_run_without_claims_has_none_of_it(toys):
    manifest = toys.run(toys.small(**BRIGHT)).manifest
    assert not {"claims", "declarations"} & manifest.keys()


def test_a_claim_is_judged_once_and_again_when_results_change(toys):
    recipe = claims(toys, a="it is supported")
    toys.run(recipe)
    toys.run(recipe)
    assert toys.calls.count("judge supported") == 1
    toys.run(recipe, set="explainers.bright.with.noise=0.2")
    assert toys.calls.count("judge supported") == 2


def test_claims_are_loaded_with_the_run(toys):
    import sidelight

    run = toys.run(claims(toys, a="it is supported"))
    loaded = sidelight.load_run(run.folder)
    assert loaded.results.claims["a"].digest() == run.results.claims["a"].digest()


def test_a_contradicted_claim_is_named_and_the_run_is_complete(toys, tmp_path, capsys):
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(claims(toys, good="it is supported", bad="it is contradicted")))
    assert main(["run", str(path), "--quiet"]) == 1
    told = capsys.readouterr()
    assert 'error: 1 of 2 claims is contradicted: bad: "it is so", it was told so' in told.err
    assert "supported" in told.out
    assert "open " in told.out


def test_claims_that_hold_or_are_open_are_no_error(toys):
    run = toys.run(claims(toys, good="it is supported", open="it is not established"))
    check_claims(run.results)
    with pytest.raises(ClaimContradicted, match="the claim is contradicted: bad"):
        check_claims(toys.run(claims(toys, bad="it is contradicted")).results)


def test_a_claim_about_what_failed_is_judged_without_it(toys):
    recipe = toys.small(explainers={"fails": {"use": "toy/failing"}}, claims={"a": {"use": "toy/says"}})
    recipe["claims"]["a"]["with"] = {"about": "fails"}
    run = toys.run(recipe, check=False)
    assert run.manifest["claims"] == {"a": "not established"}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "failed in the step `judge`: ValueError: no such thing"),
        ("wrong", "an invalid claim: effects.all: its interval, 0.5 to 2, misses 5"),
        ("change", "changed the results it judges: explanations/bright|read-only"),
    ],
)
def test_a_claim_that_misbehaves_is_named(toys, how, message):
    with pytest.raises(SidelightError, match=rf"claims.a \(toy/says\).*({message})"):
        toys.run(claims(toys, a={"use": "toy/says", "with": {"how": how}}))


# When it was declared


def test_a_claim_that_was_there_before_the_first_run_is_never_late(toys):
    recipe = claims(toys, a="it is supported")
    for _ in range(3):
        assert toys.run(recipe).results.declared_late == {}


def test_a_claim_added_or_changed_after_a_run_bears_its_date_for_good(toys):
    first = toys.run(claims(toys, a="it is contradicted"))
    date = first.manifest["finished"]
    changed = claims(toys, a="it is supported", b="it is supported")
    later = toys.run(changed)
    assert later.results.declared_late == {"a": date, "b": date}
    assert toys.run(changed).results.declared_late == {"a": date, "b": date}


def test_a_claim_that_is_dropped_after_a_run_is_told(toys):
    toys.run(claims(toys, a="it is supported", b="it is contradicted"))
    run = toys.run(claims(toys, a="it is supported"))
    assert any('the claim "b", contradicted in the run of' in text for text in run.manifest["warnings"])
    assert run.results.declared_late == {}


def test_another_recipe_in_the_folder_says_nothing(toys, tmp_path):
    toys.run(claims(toys, a="it is supported"), out=tmp_path / "run")
    other = {**claims(toys, b="it is supported"), "name": "other"}
    assert toys.run(other, out=tmp_path / "run").results.declared_late == {}


def test_a_manifest_that_holds_anything_else_in_its_place_tells_of_no_run(toys, tmp_path):
    recipe, out = claims(toys, a="it is supported"), tmp_path / "run"
    toys.run(recipe, out=out)
    for broken in ({"facts": None}, {"declarations": ["a"]}, {"declarations": {"claims": "a"}}, {"claims": 3}):
        manifest = json.loads((out / "run.json").read_text())
        (out / "run.json").write_text(json.dumps(manifest | broken))
        assert toys.run(recipe, out=out).manifest["claims"] == {"a": "supported"}


# What claims name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"about": "brigth"}, 'an explainer that gives heatmap with the id "brigth".*did you mean "bright"'),
        ({"metric": "totla"}, 'a metric with the id "totla".*did you mean "total"'),
        ({"metric": "total"}, 'the metric "total", which measures several: bright, talk.*total/bright'),
        ({"metric": "total", "of": "brigth"}, 'the metric "total" measures no "brigth".*did you mean "bright"'),
    ],
)
def test_what_a_claim_names_has_to_be_there(toys, options, message):
    recipe = toys.small(
        explainers={"bright": {"use": "toy/brightness"}, "talk": {"use": "toy/talkative"}},
        metrics={"total": {"use": "toy/total"}},
        claims={"a": {"use": "toy/says", "with": options}},
    )
    with pytest.raises(UserError, match=f"(?s){message}"):
        toys.run(recipe)


def test_a_metric_with_one_subject_needs_no_other_name(toys):
    recipe = toys.small(**BRIGHT, metrics={"total": {"use": "toy/total"}})
    recipe["claims"] = {"a": {"use": "toy/says", "with": {"metric": "total"}}}
    assert toys.run(recipe).manifest["claims"] == {"a": "supported"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("it is maybe", "claims.a: maybe is no verdict.*say supported or contradicted"),
        ("the moon is round", 'claims.a: no installed claim reads "the moon is round".*"it is supported"'),
    ],
)
def test_a_sentence_that_nobody_reads_is_a_mistake_with_its_place(toys, text, message):
    with pytest.raises(UserError, match=f"(?s)at claims.a: {message}"):
        toys.run(claims(toys, a=text))


def test_a_section_may_be_one_sentence(toys):
    assert toys.run({**toys.small(**BRIGHT), "claims": "it is supported"}).manifest["claims"] == {"claim": "supported"}


def test_other_sections_take_no_sentences(toys):
    with pytest.raises(UserError, match=r"explainers\.a is"):
        toys.run(toys.small(explainers={"a": "it is supported"}))
