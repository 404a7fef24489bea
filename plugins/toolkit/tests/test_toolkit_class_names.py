"""Class names that a source gives, or that are made up."""

from types import SimpleNamespace

import pytest
from sidelight_toolkit.class_names import MOST_CLASSES, distinct, name_mistakes, numbered


@pytest.mark.parametrize(
    ("columns", "names"),
    [(None, ()), (0, ()), (2, ("class 0", "class 1")), (MOST_CLASSES + 1, ()), (10**12, ())],
)
def test_numbered_names_of_a_header_that_claims_any_number(columns, names):
    assert numbered(columns) == names


def test_names_that_come_again_get_their_index():
    assert distinct(["crane", "owl", "crane"]) == ("crane (0)", "owl", "crane (2)")


def test_a_name_for_two_classes_is_warned_of():
    params = SimpleNamespace(task="multiclass", classes=("crane", "owl", "crane"), classes_file="")
    (mistake,) = name_mistakes(params)
    assert not mistake.refused
    assert mistake.message == '"crane": the name of more than one class'
    assert "index" in mistake.fix
