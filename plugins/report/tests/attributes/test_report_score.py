"""Scores of a user study, asked of the front end's own module in a browser."""

import pytest
from sidelight_ui.bundle import bundle, reader

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def score(chromium):
    page = chromium.new_page()
    page.add_script_tag(content=bundle("study-score", reader("sidelight_report")))
    yield lambda call: page.evaluate(f"m_study_score.{call}")
    page.close()


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (7, 10, 0.3968, 0.8922), (93, 100, 0.8625, 0.9657), (0, 0, 0.0, 1.0)],
)
def test_wilson_s_interval_is_that_of_the_tables(score, right, of, low, high):
    assert score(f"interval({{ right: {right}, of: {of} }})") == pytest.approx([low, high], abs=1e-4)


def test_wilson_s_interval_ends_at_0_and_1_exactly(score):
    for of in range(1, 60):
        assert score(f"interval({{ right: {of}, of: {of} }})[1]") == 1
        assert score(f"interval({{ right: 0, of: {of} }})[0]") == 0


def test_a_difference_has_newcombe_s_interval(score):
    """Newcombe 1998, table II, method 10."""
    found = score("differenceInterval({ right: 56, of: 70 }, { right: 48, of: 80 })")
    assert found == pytest.approx([0.0524, 0.3339], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("The lips get more RED", ["lip", "red"]),
        ("glasses!", ["glasse"]),
        ("a bit less glass", ["glass"]),
        ("größere Augen", ["größere", "augen"]),
        ("it changes", []),
    ],
)
def test_words_that_say_nothing_are_left_out_and_plurals_are_singular(score, text, stems):
    assert score(f"words({text!r}).keys().toArray()") == stems


def test_the_most_common_word_is_counted_once_for_each_description(score):
    found = score("common(['red lips', 'lips, lips!', 'lip colour', ''])")
    assert (found["words"], found["in"], found["of"]) == (["lips"], 3, 4)
    assert score("common(['red lips', 'wide mouth']).words") == ["red", "lips", "wide", "mouth"]
    assert score("common(['', '']).words") == []


def test_coherence_counts_shared_words_and_attributes_that_are_called_alike(score):
    alike = "[['lips', 'red lips'], ['lips', 'lip colour'], ['hair', 'beard'], ['smile']].map(m_study_score.common)"
    assert score(f"coherence({alike})") == {"of": 3, "shared": 2, "pairs": 1}


def test_people_without_answers_to_a_finder_do_not_count(score):
    study = "{ identify: [{ finder: 0, correct: 1 }, { finder: 1, correct: 0 }] }"
    people = (
        "[{ identify: { 0: { choice: 1 } } }, { identify: { 0: { choice: 0 }, 1: { choice: 0 } } }, { identify: {} }]"
    )
    assert score(f"between({study}, {people}, 0)") == {"people": 2, "mean": 0.5, "deviation": pytest.approx(0.5**0.5)}
    assert score(f"between({study}, {people}, 1)")["people"] == 1
    assert score(f"correct({study}, {people}, () => true)") == {"right": 2, "of": 3}
