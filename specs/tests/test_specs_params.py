"""Params: every field typed, documented, bounded; wrong ones are named."""

from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs import param, params
from sidelight_specs.params import NoParams, ParamType, bounds_text, describe, out_of_bounds


@params
class Options:
    """Options."""

    steps: int = param(5, "Steps.", unit="steps", minimum=1, maximum=10)
    rate: float = param(0.5, "Rate.", minimum=0)
    mode: Literal["fast", "slow"] = param("fast", "Mode.", choices=("fast", "slow"))
    path: str = param(..., "A file.")
    layers: tuple[int, ...] = param((), "Layers.", minimum=0)
    weights: dict[str, float] = param({}, "Weights.", maximum=1)
    limit: int | None = param(None, "Limit.", minimum=0)


def test_describe_gives_every_field_in_order():
    fields = {field.name: field for field in describe(Options)}
    assert list(fields) == ["steps", "rate", "mode", "path", "layers", "weights", "limit"]
    assert fields["steps"].unit == "steps"
    assert (fields["steps"].minimum, fields["steps"].maximum, fields["steps"].default) == (1, 10, 5)
    assert fields["path"].default is attrs.NOTHING
    assert fields["limit"].type == ParamType.of(int | None, unit="", minimum=0, maximum=None, choices=())


def test_no_params_has_no_fields():
    assert describe(NoParams) == ()


@given(value=st.integers(-100, 100))
def test_bounds_are_inclusive(value):
    if 1 <= value <= 10:
        assert Options(path="x", steps=value).steps == value
    else:
        with pytest.raises(ValueError, match="steps must be between 1 and 10"):
            Options(path="x", steps=value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": -0.1}, "rate must be at least 0, got -0.1"),
        ({"rate": float("nan")}, "rate must be at least 0, got nan"),
        ({"rate": float("inf")}, "rate must be at least 0, got inf"),
        ({"mode": "other"}, "mode must be one of fast, slow, got 'other'"),
        ({"layers": (1, -1)}, "layers must be at least 0, got -1"),
        ({"weights": {"a": 2.0}}, "weights must be at most 1, got 2.0"),
        ({"limit": -1}, "limit must be at least 0"),
    ],
)
def test_values_out_of_bounds_are_named(wrong, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Options(path="x", **wrong)


def test_none_has_no_bounds():
    assert Options(path="x", limit=None).limit is None


def test_params_are_frozen_and_keyword_only():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Options(path="x").steps = 3
    with pytest.raises(TypeError):
        Options(5)
    with pytest.raises(TypeError):
        Options()


def declared(annotation, **facts):
    namespace = {
        "__annotations__": {"field": annotation},
        "__doc__": "x",
        "field": param(**{"default": 1, "help": "h", **facts}),
    }
    return params(type("Wrong", (), namespace))


@pytest.mark.parametrize(
    ("annotation", "facts", "message"),
    [
        (int, {}, "is a number without minimum or maximum"),
        (tuple[float, ...], {}, "is a number without minimum or maximum"),
        (int, {"help": "  ", "minimum": 0}, "has no help text"),
        (list, {}, "recipes cannot hold"),
        (Any, {}, "recipes cannot hold"),
        (tuple[int, str], {"minimum": 0}, "recipes cannot hold"),
        (dict[int, str], {}, "recipes cannot hold"),
        (Literal[1, 2], {}, "recipes cannot hold"),
        (int | list[str], {"minimum": 0}, "recipes cannot hold"),
    ],
)
def test_a_field_that_recipes_cannot_hold_is_named(annotation, facts, message):
    with pytest.raises(TypeError, match=rf"Wrong\.field:? ?.*{message}"):
        describe(declared(annotation, **facts))


def test_a_class_that_is_no_params_class_is_refused():
    with pytest.raises(TypeError, match="int is not a params class"):
        describe(int)

    @attrs.frozen
    class Plain:
        field: int = 1

    with pytest.raises(TypeError, match=r"Plain\.field is not declared"):
        describe(Plain)


def read(annotation, data, **limits):
    """The value read, and the path, value and outermost kind of every refusal."""
    refused = []
    return ParamType.of(annotation, **limits).read(data, lambda *why: refused.append(why)), refused


@pytest.mark.parametrize(
    ("annotation", "data", "value"),
    [
        (float, 1, 1.0),
        (float | None, None, None),
        (int | float, 1, 1),
        (float | int, 1, 1),
        (tuple[float, ...], [1, 2], (1.0, 2.0)),
        (dict[str, tuple[int, ...]], {"a": [1]}, {"a": (1,)}),
        (str | tuple[str, ...], ["a"], ("a",)),
        (Literal["a", True], True, True),
    ],
)
def test_reading(annotation, data, value):
    result, refused = read(annotation, data, minimum=0)
    assert (repr(result), refused) == (repr(value), [])  # 1, 1.0 and True are different
    assert ParamType.of(annotation).fits(data)


@pytest.mark.parametrize(
    ("annotation", "data", "paths"),
    [
        (int, True, [()]),
        (int, 1.0, [()]),
        (bool, 1, [()]),
        (Literal["a", "b"], "c", [()]),
        (Literal["a", True], 1, [()]),
        (tuple[int, ...], [1, "x", None], [(1,), (2,)]),
        (dict[str, int], {"a": {}, "b": 1}, [("a",)]),
        (tuple[tuple[int, ...], ...], [[1], 2], [(1,)]),
    ],
)
def test_values_of_another_type_are_refused_where_they_stand(annotation, data, paths):
    assert [path for path, _, _ in read(annotation, data)[1]] == paths
    assert not ParamType.of(annotation).fits(data)


def test_bounds_are_read_but_are_no_part_of_the_type():
    for data in (-1, float("nan"), [0, -1]):
        assert read(tuple[float, ...] | float, data, minimum=0)[1]
        assert ParamType.of(tuple[float, ...] | float, minimum=0).fits(data)
    assert read(int | None, 3, choices=(2, 4))[1]
    assert read(int | None, None, choices=(2, 4))[1] == []


@pytest.mark.parametrize(
    ("annotation", "limits", "words", "text", "schema"),
    [
        (bool, {}, "true or false", "bool", {"type": "boolean"}),
        (int, {"minimum": 1, "unit": "steps"}, "a whole number of steps at least 1", "int",
         {"type": "integer", "minimum": 1}),
        (str | None, {}, "text or null", "str or null", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (Literal["a", False], {}, 'one of "a", false', "one of a, false", {"enum": ["a", False]}),
        (tuple[str, ...], {}, "a list, each item text", "list of str", {"type": "array", "items": {"type": "string"}}),
        (dict[str, float], {"maximum": 1}, "a mapping, each value a number at most 1", "mapping to float",
         {"type": "object", "additionalProperties": {"type": "number", "maximum": 1}}),
        (int | None, {"choices": (2, 4)}, "one of 2, 4 or null", "int or null",
         {"anyOf": [{"type": "integer", "enum": [2, 4]}, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_a_type_in_words_and_as_a_schema(annotation, limits, words, text, schema):
    kind = ParamType.of(annotation, **limits)
    assert (kind.words(), str(kind), kind.schema()) == (words, text, schema)


def test_a_variable_may_stand_for_anything_but_text():
    variable = {"$ref": "#/v"}
    assert ParamType.of(str).schema(variable) == {"type": "string"}
    assert ParamType.of(int).schema(variable) == {"anyOf": [{"type": "integer"}, variable]}


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 1, "between 0 and 1"), (0, None, "at least 0"), (None, 9, "at most 9"), (None, None, "finite")],
)
def test_bounds_text(low, high, text):
    assert bounds_text(low, high) == text


def test_booleans_are_not_numbers():
    assert out_of_bounds(True, 2, 3) == ""
