"""The certificate of screened and raced searches: its interval, and what counts as missed."""

from math import comb

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from sidelight_stylex import AttFindParams, sidelight_attribute_finders
from sidelight_stylex.attfind.attfind import AttFind, as_released, by_paper
from sidelight_stylex.attfind.recall import certificate, misses_interval, turns_of, would_win

SMALL = {"examples": 1, "frames": 2, "reference": 0, "attributes": 2}


@pytest.mark.parametrize(("left_out", "sampled"), [(1, 1), (12, 5), (30, 12), (60, 59), (60, 3)])
def test_the_interval_covers_in_95_per_cent_of_all_draws(left_out, sampled):
    """By the whole distribution, for every number of misses."""
    intervals = [misses_interval(left_out, sampled, missed) for missed in range(sampled + 1)]
    for misses in range(left_out + 1):
        chances = [comb(misses, h) * comb(left_out - misses, sampled - h) for h in range(sampled + 1)]
        covered = sum(p for p, (low, high) in zip(chances, intervals, strict=True) if low <= misses <= high)
        assert covered / comb(left_out, sampled) >= 0.95, misses


def test_the_interval_is_the_shortest_of_its_kind():
    """One miss more, or fewer, and one of the two tests rejects; without a miss, the rule of three to four."""
    assert misses_interval(1000, 1000, 7) == (7, 7)
    assert misses_interval(1000, 0, 0) == (0, 1000)
    low, high = misses_interval(1000, 100, 0)
    assert (low, high) == (0, 34)
    assert comb(1000 - high, 100) / comb(1000, 100) > 0.025 >= comb(1000 - high - 1, 100) / comb(1000, 100)


@pytest.mark.parametrize(("left_out", "sampled", "missed"), [(9000, 4500, 2000), (8700, 1000, 600), (50, 20, 20)])
def test_the_interval_of_large_samples_is_scipys(left_out, sampled, missed):
    low, high = misses_interval(left_out, sampled, missed)
    law = [hypergeom(left_out, misses, sampled) for misses in (low - 1, low, high, high + 1)]
    assert law[0].sf(missed - 1) <= 0.025 < law[1].sf(missed - 1)
    assert law[2].cdf(missed) > 0.025
    assert high == left_out - (sampled - missed) or law[3].cdf(missed) <= 0.025


def test_the_recall_of_a_sample():
    told = certificate(3, found=10, left_out=1000, sampled=100, missed=1)
    assert told.recall == pytest.approx(10 / (10 + 10))
    assert told.low < told.recall < told.high <= 10 / 11  # one was missed for certain
    whole = certificate(3, found=10, left_out=40, sampled=40, missed=2)
    assert whole.low == whole.recall == whole.high == pytest.approx(10 / 12)
    assert certificate(0, found=10, left_out=0, sampled=0, missed=0).low == 1
    nothing = certificate(0, found=0, left_out=50, sampled=10, missed=0)
    assert (nothing.low, nothing.recall, nothing.high) == (0, 1, 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), released=st.booleans(), threshold=st.sampled_from([0.3, 0.8, np.inf]))
def test_what_would_win_a_turn_is_what_is_chosen_once_it_is_measured(seed, released, threshold):
    """Each coordinate left out is given to the search by itself: it is chosen, or changes nothing."""
    rng = np.random.default_rng(seed)
    delta = rng.normal(0, 0.5, (9, 7, 2)) + rng.normal(-0.2, 0.5, (7, 2))
    if released:
        delta = delta.clip(0)
    left_out, rule = [1, 3, 4, 6], as_released if released else by_paper
    known = delta.copy()
    known[:, left_out] = np.nan
    found = rule(lambda rows: known[rows], 9, 3, threshold)
    pairs = [delta[:, one.coordinate, one.direction] for one in found.choices]
    turns = turns_of(np.array(pairs).reshape(-1, 9), found.explained, 3)
    winners = would_win(delta[:, left_out], turns, either_direction=released).any(axis=1)
    for coordinate, wins in zip(left_out, winners, strict=True):
        more = known.copy()
        more[:, coordinate] = delta[:, coordinate]
        again = rule(lambda rows, more=more: more[rows], 9, 3, threshold)
        assert (coordinate in [one.coordinate for one in again.choices]) == wins


def finder(run, **params):
    options = AttFindParams(**{**SMALL, **params})
    return AttFind(options, classifier=ToyClassifier(), generator=ToyGenerator(), run=run)


@pytest.fixture(scope="module")
def latents():
    return ToyGenerator().sample(24, np.random.default_rng(0))


@pytest.mark.parametrize(("mode", "candidates"), [("screened", 1), ("screened", 2), ("raced", 48)])
def test_all_that_was_left_out_gives_the_recall_itself(latents, mode, candidates):
    run = ToyRun()
    found = finder(run, mode=mode, candidates=candidates, certificate=100, threshold=1e6).find(latents, 1)
    whole = finder(ToyRun(), threshold=1e6, attributes=6).find(latents, 1)
    chosen = {one.coordinate for one in found.attributes}
    last = min(one.effect for one in found.attributes) if len(chosen) == 2 else 0.0
    missed = [one for one in whole.attributes if one.effect > last and one.coordinate not in chosen]
    (told,) = found.certificates
    assert told.sampled == told.left_out <= 6 - len(chosen)
    assert told.missed == len(missed)
    assert told.low == told.recall == told.high == pytest.approx(len(chosen) / (len(chosen) + len(missed)))
    assert run.emitted["recall-" + ToyClassifier().class_names[1]].items[0].value == pytest.approx(told.recall)
    assert any("would have been chosen" in text for text in run.warnings) == bool(missed)


def test_the_certificate_changes_nothing_that_is_found(latents):
    plain, certified = (
        finder(ToyRun(), mode="screened", candidates=2, certificate=count).find(latents, 1) for count in (0, 3)
    )
    assert plain.certificates == ()
    assert certified.certificates[0].sampled == 3
    assert attrs.evolve(certified, certificates=()).digest() == plain.digest()


def test_a_certificate_of_the_exact_mode_is_refused():
    (attfind, _) = sidelight_attribute_finders()
    mistakes = [mistake.option for mistake in attfind.mistakes(AttFindParams(certificate=100))]
    assert mistakes == ["certificate"]
    assert not list(attfind.mistakes(AttFindParams(certificate=100, mode="screened")))


def test_a_sweep_of_hours_is_warned_of(latents, monkeypatch):
    monkeypatch.setattr("sidelight_stylex.attfind.attfind.MOST_PASSES", 100)
    for mode in ("exact", "screened"):
        run = ToyRun()
        finder(run, mode=mode).find(latents, 1)
        assert any("mode: screened" in text for text in run.warnings) == (mode == "exact")


def test_the_warning_counts_what_the_rule_searches(latents, monkeypatch):
    """The notebook's rule leaves to-RGB layers out."""
    monkeypatch.setattr("sidelight_stylex.attfind.attfind.MOST_PASSES", 0)
    first, second = ToyGenerator.style_layers
    monkeypatch.setattr(ToyGenerator, "style_layers", (first, attrs.evolve(second, kind="to-rgb")))
    passes = {}
    for rule in ("paper", "released"):
        run = ToyRun()
        finder(run, rule=rule, threshold=1e6).find(latents, 1)
        (text,) = [text for text in run.warnings if "mode: screened" in text]
        passes[rule] = int(text.partition("draws ")[2].partition(" ")[0].replace(",", ""))
    assert passes["paper"] == 2 * passes["released"] > 0


def test_regressions_are_certified_in_both_directions(latents):
    classifier, generator = ToyClassifier(task="regression"), ToyGenerator()
    params = AttFindParams(**SMALL, mode="screened", candidates=2, certificate=50)
    found = AttFind(params, classifier=classifier, generator=generator, run=ToyRun()).find(latents, 0)
    (told,) = found.certificates
    assert told.found == len({one.coordinate for one in found.attributes})
    assert told.sampled == told.left_out
    assert torch.isfinite(torch.tensor([told.low, told.recall, told.high])).all()


def test_what_the_search_the_other_way_alone_measured_is_left_out(monkeypatch):
    """A coordinate that the search for lower values measured on all images was not seen by that for higher ones."""

    def search(**params):
        options = AttFindParams(**{**SMALL, "threshold": 1e6, **params})
        latents = ToyGenerator().sample(8, np.random.default_rng(0))  # so few are never raced
        classifier = ToyClassifier(task="regression")
        return AttFind(options, classifier=classifier, generator=ToyGenerator(), run=ToyRun()).find(latents, 0)

    whole = search(attributes=6).attributes
    raises, lowers = ([one.coordinate for one in whole if one.effect * sign > 0] for sign in (1, -1))
    strongest, missed = raises
    assert strongest == lowers[0]
    (nothing, *_) = set(range(6)) - {*raises, *lowers}
    candidates = iter(([nothing], [strongest, missed]))  # upwards, and downwards
    monkeypatch.setattr("sidelight_stylex.attfind.attfind.screen", lambda *_: np.sort(next(candidates)))
    (told,) = search(mode="screened", attributes=1, certificate=50).certificates
    assert (told.found, told.left_out, told.missed) == (1, 4, 1)
