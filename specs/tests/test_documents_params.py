"""From `with:` to an instance of a component's params class."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs import param, params
from sidelight_specs.documents import read_params, read_plain
from sidelight_specs.problems import Place, Problems


@params
class Every:
    flag: bool = param(True, "A flag.")
    count: int = param(1, "A count.", minimum=-5, maximum=5)
    ratio: float = param(0, "A ratio.", minimum=0, maximum=1)
    floats: tuple[float, ...] = param((1, 2), "Numbers.", minimum=0, maximum=9)
    nested: tuple[tuple[int, ...], ...] = param(((1,),), "Lists of numbers.", minimum=0, maximum=9)
    table: dict[str, float | None] = param({"a": 1}, "A table.", minimum=0, maximum=9)
    either: int | float | None = param(None, "A number.", minimum=0, maximum=9)
    words: str | tuple[str, ...] = param("all", "Words.")
    size: int = param(2, "A power of two.", choices=(2, 4, 8))
    mode: str = param("fast", "A mode.", choices=("fast", "slow"))


def read(given, cls=Every):
    """The params instance and the problems."""
    problems = Problems()
    entries = read_plain(given, problems).data
    return read_params(cls, entries, "x/y", Place("here"), problems), list(problems.mistakes)


def test_defaults_are_read_as_a_recipe_would_give_them():
    instance, found = read({})
    assert not found
    assert instance == Every()
    kinds = [type(value) for value in (instance.ratio, *instance.floats, *instance.table.values())]
    assert kinds == [float] * 4
    assert (instance.either, instance.words) == (None, "all")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("flag", False, False),
        ("count", -5, -5),
        ("ratio", 1, 1.0),
        ("floats", [], ()),
        ("floats", [0, 0.5], (0.0, 0.5)),
        ("nested", [[1, 2], []], ((1, 2), ())),
        ("table", {"k": 2, "n": None}, {"k": 2.0, "n": None}),
        ("either", 3, 3),
        ("either", 3.5, 3.5),
        ("either", None, None),
        ("words", "one", "one"),
        ("words", ["one", "two"], ("one", "two")),
        ("size", 8, 8),
        ("mode", "slow", "slow"),
    ],
)
def test_values(name, given, value):
    instance, found = read({name: given})
    assert not found
    assert getattr(instance, name) == value
    assert repr(getattr(instance, name)) == repr(value)  # 1 and 1.0 and True are different


@pytest.mark.parametrize(
    ("name", "given", "message", "expected", "hint"),
    [
        ("flag", 1, '"flag" of x/y is 1', "true or false", ""),
        ("flag", "on", '"flag" of x/y is "on"', "true or false", "only true and false are booleans; write true"),
        ("flag", "true", '"flag" of x/y is "true"', "true or false", "write true without quotes"),
        ("flag", None, '"flag" of x/y is null', "true or false", ""),
        ("count", 6, '"count" of x/y is 6', "a whole number between -5 and 5", ""),
        ("count", 1.0, '"count" of x/y is 1.0', "a whole number between -5 and 5", ""),
        ("count", True, '"count" of x/y is true', "a whole number between -5 and 5", ""),
        ("count", "3", '"count" of x/y is "3"', "a whole number between -5 and 5", "write 3 without quotes"),
        ("count", [3], '"count" of x/y is a list', "a whole number between -5 and 5", ""),
        ("ratio", float("nan"), '"ratio" of x/y is nan', "a number between 0 and 1", ""),
        ("ratio", float("inf"), '"ratio" of x/y is inf', "a number between 0 and 1", ""),
        ("ratio", 10**200, '"ratio" of x/y is 1', "a number between 0 and 1", ""),
        ("ratio", "0,5", '"ratio" of x/y is "0,5"', "a number between 0 and 1", "numbers are decimal, without leading"),
        ("floats", 3, '"floats" of x/y is 3', "a list, each item a number between 0 and 9", "write a list: [3]"),
        ("floats", [1, "x"], '"floats.1" of x/y is "x"', "a list, each item a number between 0 and 9", ""),
        ("nested", [[1], [10]], '"nested.1.0" of x/y is 10', "a list, each item a list, each item a whole", ""),
        ("table", [], '"table" of x/y is a list', "a mapping, each value a number between 0 and 9 or null", ""),
        ("table", {"a": {"b": 1}}, '"table.a" of x/y is a mapping', "a mapping, each value a number", ""),
        ("either", "x", '"either" of x/y is "x"', "a whole number between 0 and 9 or a number between 0 and 9 or", ""),
        ("words", 3, '"words" of x/y is 3', "text or a list, each item text", 'write it in quotes: "3"'),
        ("size", 3, '"size" of x/y is 3', "one of 2, 4, 8", ""),
        ("mode", "fats", '"mode" of x/y is "fats"', 'one of "fast", "slow"', 'did you mean "fast"?'),
        ("coutn", 3, 'x/y has no parameter "coutn"', "one of flag, count, ratio", 'did you mean "count"?'),
    ],
)
def test_mistakes(name, given, message, expected, hint):
    instance, (problem,) = read({name: given})
    assert instance is None
    assert problem.message.startswith(message)
    assert problem.expected.startswith(expected)
    assert problem.fix.startswith(hint)
    assert bool(problem.fix) == bool(hint)
    assert problem.help == next(
        (one.metadata["sidelight"]["help"] for one in attrs.fields(Every) if one.name == name), ""
    )


def test_every_mistake_is_reported():
    assert len(read({"flag": 1, "floats": ["a", 1, "b"], "nope": 2, "size": 3})[1]) == 5


@params
class Required:
    file: str = param(..., "The model file.")


def test_a_parameter_without_default_must_be_given():
    instance, (problem,) = read({}, Required)
    assert instance is None
    assert problem.render() == 'here: x/y needs the parameter "file"\n  expected: text\n  help: The model file.'


@params
class Picky:
    low: int = param(1, "Low.", minimum=0, maximum=9)
    high: int = param(2, "High.", minimum=0, maximum=9)

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high")


def test_what_the_class_itself_refuses_is_a_mistake_of_the_recipe():
    _, (problem,) = read({"low": 3}, Picky)
    assert problem.message == "x/y refuses these parameters: low must not be above high"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"), max_size=5)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)


@given(st.dictionaries(st.sampled_from([one.name for one in attrs.fields(Every)] + ["other"]), ANY))
def test_whatever_is_given_it_is_either_valid_or_explained(given):
    instance, found = read(given)
    assert (instance is None) == bool(found)
    if instance is not None:
        assert read({name: getattr(instance, name) for name in given})[0] == instance
