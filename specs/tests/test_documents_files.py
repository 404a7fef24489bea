"""Files that a user wrote, read by a command as the kernel reads recipes."""

from pathlib import Path

import pytest
from sidelight_specs import UserError, param, params
from sidelight_specs.documents import items_of, read_params, read_yaml_file
from sidelight_specs.problems import Problems


@params
class Layout:
    columns: int = param(3, "Pictures in a row.", minimum=1, maximum=9)
    title: str = param("", "Heading of the page.")


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a layout from a file of that content, or from a path."""
    monkeypatch.chdir(tmp_path)

    def reader(content, path="layout.yaml"):
        if content is not None:
            Path(path).write_text(content, encoding="utf-8")
        problems = Problems()
        document = read_yaml_file(Path(path), problems, noun="layout", folder=Path("layouts"))
        items = items_of(document, "the layout", problems)
        layout = read_params(Layout, items, "the layout", document.place, problems)
        problems.raise_if_any()
        return layout

    return reader


def test_what_the_file_says_and_defaults(read):
    assert read("columns: 5\n") == Layout(columns=5)
    assert read("") == Layout()


def test_all_mistakes_at_once(read):
    with pytest.raises(UserError) as caught:
        read("colums: 2\ntitle: [a]\n")
    assert str(caught.value) == (
        'layout.yaml:1:1: the layout has no parameter "colums"\n    colums: 2\n    ^\n'
        '  expected: one of columns, title\n  hint: did you mean "columns"?\n\n'
        'layout.yaml:2:8: "title" of the layout is a list\n    title: [a]\n           ^\n'
        "  expected: text\n  help: Heading of the page."
    )


def test_a_document_that_is_no_mapping(read):
    with pytest.raises(UserError, match="the layout is a list") as caught:
        read("- 3\n")
    assert str(caught.value).endswith("expected: a mapping of names to values")


@pytest.mark.parametrize("named", ["wide", "wide.yaml"])
def test_a_file_that_was_meant(read, named):
    Path("layouts").mkdir()
    Path("layouts/wide.yaml").touch()
    with pytest.raises(UserError) as caught:
        read(None, named)
    assert 'the layout "wide' in str(caught.value)
    assert str(caught.value).endswith(
        'cannot be read: there is no such file\n  hint: did you mean "layouts/wide.yaml"?'
    )


def test_a_file_of_a_similar_name(read):
    Path("layout.yaml").touch()
    with pytest.raises(UserError, match=r'did you mean "layout\.yaml"'):
        read(None, "layuot.yaml")
    with pytest.raises(UserError, match=r"there is no such file$"):
        read(None, "nowhere/at/all.yaml")
