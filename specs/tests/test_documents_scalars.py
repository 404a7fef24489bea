"""What an unquoted word means."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs.documents import MAX_DIGITS, explain_text, plain_scalar, read_yaml, to_plain
from sidelight_specs.problems import Problems

WORDS = """
yes no on off True TRUE False Null NULL y n 010 08 0x1F 0o17 0b1 1_000 1:30 190:20:30 1,5 2001-01-01 = . - + e5 1e 1e+
00.5 .Inf inf nan NaN 12px 1.2.3 << ٣ ¹
"""


def read(text):
    problems = Problems()
    value = to_plain(read_yaml(text, "t", problems))
    problems.raise_if_any()
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("12", 12),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-2.5e+2", -250.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
    ],
)
def test_numbers_booleans_and_null(text, value):
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


@pytest.mark.parametrize("text", [*WORDS.split(), "1\u00a0", " 1"])
def test_everything_else_is_text(text):
    assert plain_scalar(text) == text


def test_not_a_number_is_a_float():
    assert math.isnan(plain_scalar(".nan"))


@pytest.mark.parametrize("text", ["9" * (MAX_DIGITS + 1), "1." + "0" * MAX_DIGITS])
def test_a_number_too_long_to_compute_with_is_refused(text):
    with pytest.raises(ValueError, match="too long"):
        plain_scalar(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("yes", "write true"),
        ("Off", "write false"),
        ("True", "write true"),
        ("None", "written null"),
        ("010", "write 10"),
        ("-007", "write -7"),
        ("0x1F", "write 31"),
        ("0o17", "write 15"),
        ("1_000", "write 1000"),
        ("1,5", "write 1.5"),
        ("1:30", "base-60"),
    ],
)
def test_text_that_resembles_a_number_is_explained(text, hint):
    assert hint in explain_text(text)


@pytest.mark.parametrize("text", ["hello", "conv1", "0x", "0b2", "1e", "", "v1:2x", "9" * 400])
def test_other_text_needs_no_explanation(text):
    assert explain_text(text) == ""


@given(st.integers(-(10**40), 10**40) | st.floats(allow_nan=False))
def test_numbers_survive_being_written_and_read(number):
    text = yaml.safe_dump(number).removesuffix("...\n").strip()
    assert read(text) == number


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_quoted_text_stays_text(text):
    value = read("k: " + yaml.dump(text, default_style='"', allow_unicode=False))
    assert value == {"k": text}


@given(st.text(alphabet="0123456789+-.eE_xob:", min_size=1, max_size=8))
def test_a_word_is_a_number_only_if_python_reads_the_same_number(text):
    value = plain_scalar(text)
    if isinstance(value, (int, float)):
        assert value == (int(text) if isinstance(value, int) else float(text))
        assert not text.lstrip("+-").startswith("0") or text.lstrip("+-")[1:2] in ("", ".", "e", "E")
        assert "_" not in text
