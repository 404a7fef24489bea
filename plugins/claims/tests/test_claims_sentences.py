import pytest
from sidelight_claims.sentences import read_decides, read_measured, read_top
from sidelight_specs import UserError


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("flips >= 0.9", {"metric": "flips", "comparison": ">=", "threshold": 0.9}),
        ("flips/cdeepex<5 %", {"metric": "flips", "explanation": "cdeepex", "comparison": "<", "threshold": 0.05}),
        (
            "judge/a/gain of p ≥ -1e-2",
            {"metric": "judge", "explanation": "a", "number": "gain of p", "comparison": ">=", "threshold": -0.01},
        ),
    ],
)
def test_a_number_against_a_threshold(text, options):
    assert read_measured(text) == options
    assert read_top(text) is read_decides(text) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("flips == 0.9", '"==" is no comparison'),
        ("flips >= many", '"many" is no number'),
        (">= 0.9", "names no metric"),
        ("flips//a > 1", "leaves a name between slashes out"),
    ],
)
def test_a_comparison_that_cannot_be_read(text, part):
    with pytest.raises(UserError, match=part) as caught:
        read_measured(text)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("lips in the top 3 attributes", {"factor": "lips", "top": 3}),
        (
            "lip-colour is in the top 1 attribute of attfind towards not smiling",
            {"factor": "lip-colour", "top": 1, "finder": "attfind", "towards": "not smiling"},
        ),
    ],
)
def test_a_rank(text, options):
    assert read_top(text) == options
    assert read_measured(text) is read_decides(text) is None


@pytest.mark.parametrize("text", ["lips in the top three attributes", "lips in the top 0 attributes", "a in the top k"])
def test_a_rank_that_cannot_be_read(text):
    with pytest.raises(UserError, match="does not say"):
        read_top(text)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("the square decides 8 over 9", {"mask": "square", "winner": "8", "loser": "9"}),
        ("mask lips decides a b over c", {"mask": "lips", "winner": "a b", "loser": "c"}),
        ("box 0, 1,2,3 decides 8 over 9", {"box": (0, 1, 2, 3), "winner": "8", "loser": "9"}),
        (
            "the top 2.5% of cam decides 8 over 9 under black, counterfactual/x",
            {
                "explainer": "cam",
                "share": 2.5,
                "winner": "8",
                "loser": "9",
                "replacements": ("black", "counterfactual/x"),
            },
        ),
    ],
)
def test_a_region(text, options):
    assert read_decides(text) == options
    assert read_measured(text) is read_top(text) is None


@pytest.mark.parametrize("text", ["the square decides 8", "box 1,2,3 decides 8 over 9", "top 5 of a decides 8 over 9"])
def test_a_region_that_cannot_be_read(text):
    with pytest.raises(UserError):
        read_decides(text)


@pytest.mark.parametrize("read", [read_measured, read_top, read_decides])
def test_other_sentences_are_nobodys(read):
    assert read("the moon is round") is None
