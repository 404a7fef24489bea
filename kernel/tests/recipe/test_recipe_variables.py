"""`vars:` and `${name}`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs.documents import read_plain, to_plain
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import escape
from sidelight_specs.variables import fill_in


def fill(recipe):
    """The filled recipe and the problems."""
    problems = Problems()
    filled = fill_in(read_plain(recipe, problems), problems)
    return to_plain(filled), [problem.message for problem in problems.mistakes]


@pytest.mark.parametrize("value", [3, 0.5, True, None, "text", [1, 2], {"a": [None]}])
def test_a_value_that_is_a_variable_keeps_its_type(value):
    assert fill({"vars": {"v": value}, "a": "${v}", "b": ["${v}"]}) == ({"a": value, "b": [value]}, [])


def test_inside_text_the_value_is_written():
    recipe = {"vars": {"n": 3, "f": 0.5, "b": True, "s": "x"}, "a": "${n}-${f}/${b}${s}", "k": "${n} "}
    assert fill(recipe) == ({"a": "3-0.5/truex", "k": "3 "}, [])


def test_keys_are_left_alone():
    assert fill({"vars": {"n": 3}, "${n}": 1}) == ({"${n}": 1}, [])


def test_variables_may_refer_to_others():
    assert fill({"vars": {"a": "${b}/x", "b": "${c}", "c": "root"}, "p": "${a}"}) == ({"p": "root/x"}, [])


def test_dollars_that_mean_themselves():
    assert fill({"a": "$${n}", "b": "5$", "c": "$n", "d": "$$", "e": "$$${n}", "f": "{n}"}) == (
        {"a": "${n}", "b": "5$", "c": "$n", "d": "$$", "e": "$${n}", "f": "{n}"},
        [],
    )


@given(st.text(alphabet="$${}n ab", max_size=20) | st.text())
def test_escaped_text_comes_back(text):
    if "\0" not in text and text.isprintable():
        assert fill({"vars": {"n": 1}, "a": escape(text)}) == ({"a": text}, [])


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"a": "${size}", "vars": {"siez": 1}}, 'no variable "size" is defined'),
        ({"a": "x${size}"}, 'no variable "size" is defined'),
        ({"a": "${}"}, 'no variable "" is defined'),
        ({"a": "${HOME}"}, 'no variable "HOME" is defined'),
        ({"a": "${size"}, '"${" is not closed'),
        ({"vars": {"l": [1]}, "a": "x${l}"}, 'the variable "l" is a list and cannot stand inside text'),
        ({"vars": {"l": None}, "a": "x${l}"}, 'the variable "l" is null and cannot stand inside text'),
        ({"vars": [1]}, "vars is a list"),
        ({"vars": {"1x": 1}}, '"1x" cannot name a variable'),
        ({"vars": {"a": "${b}", "b": "${a}"}, "k": "${a}"}, "circle or too long a chain: a -> b -> a"),
        ({"vars": {"a": "${a}"}, "k": "${a}"}, "circle or too long a chain: a -> a"),
        ({"vars": {f"v{n}": f"${{v{n + 1}}}" for n in range(99)}, "k": "${v0}"}, "too long a chain: v0 -> v1"),
        ({"vars": {"v0": "x" * 99, **{f"v{n}": f"${{v{n - 1}}}" * 9 for n in range(1, 9)}}, "k": "${v8}"}, "too big"),
        ({"vars": {"v0": 1, **{f"v{n}": [f"${{v{n - 1}}}"] * 9 for n in range(1, 9)}}, "k": "${v8}"}, "too big"),
    ],
)
def test_mistakes(recipe, message):
    found = fill(recipe)[1]
    assert len(found) == 1
    assert message in found[0]


def test_an_undefined_variable_is_reported_once_and_nothing_follows_from_it(mistake, working):
    text = working.replace("{use: shop/digits}", '{use: shop/digits, with: {size: "${siez}"}}') + "vars: {size: 9}\n"
    assert mistake(text) == (
        'recipe.yaml:4:39: no variable "siez" is defined\n'
        '    data: {use: shop/digits, with: {size: "${siez}"}}\n' + " " * 42 + "^\n"
        "  expected: one of size\n"
        '  hint: did you mean "size"?'
    )


def test_a_wrong_variable_is_reported_where_it_is_used(mistake, working):
    text = working.replace("{use: shop/digits}", '{use: shop/digits, with: {size: "${big}"}}') + "vars: {big: 900}\n"
    assert mistake(text).startswith('recipe.yaml:4:39: "size" of shop/digits is 900\n')


@pytest.mark.parametrize(
    "section", ["explainers: ${all}", 'explainers: {a: "${one}"}', 'explainers: {a: {use: "a${x}"}}']
)
def test_a_variable_cannot_stand_for_components(mistake, working, section):
    assert "a variable cannot choose a component" in mistake(
        f"{working}{section}\nvars: {{all: {{}}, one: {{}}, x: b}}\n"
    )


def test_a_variable_cannot_choose_a_component(mistake, working):
    assert mistake("vars: {net: lenet}\n" + working.replace("shop/lenet", '"shop/${net}"')) == (
        'recipe.yaml:6:19: a variable cannot choose a component: "shop/${net}"\n'
        '    classifier: {use: "shop/${net}"}\n' + " " * 22 + "^\n"
        "  hint: write the component out; --swap exchanges it"
    )
