"""Strict YAML: places, duplicate keys, tags, aliases, limits, and what is no YAML at all."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sidelight_specs.documents import MAX_DEPTH, UNREADABLE, read_plain, read_yaml, to_plain
from sidelight_specs.problems import Problems


def read(text):
    """The plain value and the problems of a document."""
    problems = Problems()
    return to_plain(read_yaml(text, "r.yaml", problems)), [problem.render() for problem in problems.mistakes]


def problem(text):
    found = read(text)[1]
    assert len(found) == 1, found
    return found[0]


TEXT = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF, exclude_characters="\0\x7f"), max_size=20)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([None, 2]))
def test_plain_values_survive_being_written_as_json_and_read(value, indent):
    assert read(json.dumps(value, indent=indent)) == (value, [])


@given(PLAIN)
def test_plain_values_survive_being_read_as_a_dict(value):
    problems = Problems()
    assert to_plain(read_plain({"k": value}, problems)) == {"k": value}
    assert not problems.mistakes


def test_every_value_and_key_knows_its_place():
    value = read_yaml("a:\n  - x\n  - {b: 2}\n", "r.yaml", Problems())
    entry = value.data["a"]
    inner = entry.value.data[1].data["b"]
    places = [entry.key_place, entry.value.place, entry.value.data[0].place, inner.key_place, inner.value.place]
    assert [str(place) for place in places] == [f"r.yaml:{at}" for at in ("1:1", "2:3", "2:5", "3:6", "3:9")]
    assert inner.value.place.text == "  - {b: 2}"


def test_a_key_given_twice():
    value, found = read("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n")
    assert value == {"a": 1, "b": {"c": 2}}
    assert [text.splitlines()[0] for text in found] == [
        'r.yaml:4:3: the key "c" is given twice; it stands in line 3 already',
        'r.yaml:5:1: the key "a" is given twice; it stands in line 1 already',
    ]


def test_tags_are_not_read():
    for tag in ("!!python/object/apply:os.system", "!x", "!!str", "!", "!!binary", "!<tag:yaml.org,2002:int>"):
        assert "the tag" in problem(f"a: {tag} 1\n"), tag
    assert "the tag" in problem("a: !x [1, 2]\n")
    assert "the tag" in problem("a: !x {b: 2}\n")
    assert read("a: !x 1\nb: 2\n")[0] == {"a": UNREADABLE, "b": 2}


def test_keys_are_text():
    assert problem("1: x\n") == 'r.yaml:1:1: the key 1 is not text\n    1: x\n    ^\n  hint: write "1"'
    assert "a key must be text" in problem("? [a]\n: b\n")
    assert "a key must be text" in problem("? \n: b\n")
    assert "merge keys" in problem("c: {<<: {b: 1}}\n")
    assert read("'1': x\n<: y\n'<<': z\n") == ({"1": "x", "<": "y", "<<": "z"}, [])


def test_an_anchor_is_refused_once_with_a_way_out():
    assert problem("b: 1\na: &x [1, 2]\nc: *x\nd: [*x, *x]\n") == (
        'r.yaml:2:4: anchors and aliases are not read: "&x"\n    a: &x [1, 2]\n       ^\n'
        "  hint: write the value out, or give it a name under vars"
    )
    assert read("a: &x [1, 2]\nb: *x\n")[0] == {"a": [1, 2], "b": UNREADABLE}
    assert 'not read: "*x"' in problem("a: *x\n")
    assert 'not read: "&x"' in problem("k: &x v\n*x : 2\n")
    assert len(read("a: &x 1\nb: &y {c: 1, c: 2}\n")[1]) == 3, "reading goes on behind it"


def test_aliases_multiply_nothing():
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    value, mistakes = read("\n".join(lines))
    assert value["a9"] == [UNREADABLE] * 9
    assert len(mistakes) == 10


def test_depth_is_limited():
    assert read("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH)[1] == []
    assert "nested more than" in problem("[" * 100_000)
    assert "nested more than" in problem("".join(" " * n + "a:\n" for n in range(100)))


def test_the_number_of_values_is_limited():
    assert "more than 20000 values" in problem("- 1\n" * 20_001)


def test_a_second_document():
    found = problem("a: 1\n---\nb: 2\n")
    assert found.startswith("r.yaml:2:1: only one document is read")


def test_characters_and_escapes_that_no_text_has():
    assert problem("a: \x1b[31m\n").startswith("r.yaml:1:4: the character U+001B is not allowed")
    assert "null character" in problem('a: "\\0"\n')
    assert "surrogate" in problem('a: "\\ud800"\n')
    assert "not valid YAML" in problem('a: "\\U00110000"\n')


def test_syntax_mistakes_have_a_place_and_a_hint():
    assert problem("a: 1\n\tb: 2\n") == ("r.yaml:2:1: a tab cannot indent a line\n     b: 2\n    ^\n  hint: use spaces")
    assert problem("a: b: c\n") == (
        "r.yaml:1:5: this is not valid YAML: mapping values are not allowed here\n    a: b: c\n        ^\n"
        '  hint: text that contains ": " needs quotes; or the line is indented wrongly'
    )
    assert problem("a: {b: ${c}}\n") == (
        "r.yaml:1:8: a variable inside braces or brackets needs quotes\n    a: {b: ${c}}\n           ^\n"
        '  hint: write "${name}"'
    )
    assert "a quote or bracket is not closed" in problem("a: [1, 2\n")
    assert "a quote or bracket is not closed" in problem('a: "x\n')
    assert "in quotes" in problem("a: @x\n")
    assert "indented differently" in problem("a:\n  b: 1\n c: 2\n")


def test_line_breaks_of_every_kind_count():
    value = read_yaml("a: 1\r\nb: 2\rc: 3\nd: 4", "r.yaml", Problems())
    assert [(str(value.data[key].key_place), value.data[key].key_place.text) for key in "abcd"] == [
        ("r.yaml:1:1", "a: 1"),
        ("r.yaml:2:1", "b: 2"),
        ("r.yaml:3:1", "c: 3"),
        ("r.yaml:4:1", "d: 4"),
    ]


def test_long_and_wide_lines_keep_the_caret_under_the_mistake():
    _, line, caret = read("x: {" + "k: 1, " * 100 + "}\n")[1][-1].splitlines()[:3]
    assert len(line) < 120
    assert line[caret.index("^")] == "k"
    wide = problem("日本: !x 1\n").splitlines()
    assert wide[2] == "    " + " " * 6 + "^"


@settings(max_examples=300)
@given(st.text(alphabet="ab:,-[]{}&*!|>'\"%@`#?\\ \n\t0123.~<=$U", max_size=40) | st.text(max_size=30))
@example('"\\x"')
@example("%YAML 9.9\n---\na")
@example("&a &b c")
@example("? ? ?")
def test_no_text_breaks_the_reader(text):
    _, found = read(text)
    assert all(line.startswith("r.yaml:") for line in found)


@given(
    st.recursive(
        st.none() | st.integers() | st.binary(max_size=3) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_object_breaks_the_dict_reader(value):
    problems = Problems()
    read_plain({"k": value}, problems)
    assert all(str(problem.place).startswith("the recipe given as a dict, at k") for problem in problems.mistakes)


def test_a_dict_with_what_no_recipe_holds():
    problems = Problems()
    read_plain({"a": {1: 2}, "b": [b"x", {3}], "c": 10**400, "d": "\0"}, problems)
    assert [f"{problem.place}: {problem.message}" for problem in problems.mistakes] == [
        "the recipe given as a dict, at a: the key 1 is not text",
        'the recipe given as a dict, at b.0: a value of type "builtins.bytes" is not read',
        'the recipe given as a dict, at b.1: a value of type "builtins.set" is not read',
        "the recipe given as a dict, at c: a number of more than 300 digits is not read",
        "the recipe given as a dict, at d: text must not contain the null character",
    ]


def test_a_dict_that_holds_itself():
    loop: dict = {}
    loop["again"] = loop
    problems = Problems()
    assert read_plain(loop, problems).data is UNREADABLE
    assert "nested more than" in next(iter(problems.mistakes)).message
