"""Files: what cannot be read, and what extends what."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from sidelight_specs.problems import RecipeError

BASE = """\
recipe: 1
name: base
data: {use: shop/digits, with: {size: 16}}
classifier: {use: shop/lenet}
explainers:
  heat: {use: shop/occlusion, with: {patch: 4, weights: {a: 0.5, b: 0.5}}}
  grad: {use: shop/gradient}
"""


def bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def device(path):
    Path(path).symlink_to("/dev/zero")


@pytest.fixture
def base(load):
    """A recipe to extend, beside recipe.yaml."""
    Path("base.yaml").write_text(BASE, encoding="utf-8")


def test_a_missing_file(mistake):
    Path("quickstart.yaml").touch()
    assert mistake(Path("quickstat.yaml")) == (
        'quickstat.yaml: the recipe "quickstat.yaml" cannot be read: there is no such file\n'
        '  hint: did you mean "quickstart.yaml"?'
    )
    assert "no such file" in mistake(Path("nowhere/at/all.yaml"))


def test_a_folder(mistake, tmp_path):
    assert "it is a folder, not a file" in mistake(tmp_path)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize(("make", "said"), [(os.mkfifo, "a pipe"), (bind, "a socket"), (device, "a device")])
def test_what_never_ends_is_refused(mistake, make, said, extended):
    make("odd.yaml")
    wrong = mistake("extends: odd.yaml\n" if extended else Path("odd.yaml"))
    assert wrong.startswith("recipe.yaml:1:10: " if extended else "odd.yaml: ")
    assert f'the recipe "odd.yaml" cannot be read: it is {said}, not a file' in wrong
    assert 'did you mean "odd.yaml"?' not in wrong


@pytest.mark.parametrize("asked", ["quickstart", "recipes/quickstart", "quickstart.yaml", "recipes/quickstart.yml"])
def test_a_recipe_without_its_folder_or_suffix_is_meant(mistake, asked):
    Path("recipes").mkdir()
    Path("recipes/quickstart.yaml").touch()
    assert mistake(Path(asked)).endswith('hint: did you mean "recipes/quickstart.yaml"?')


def test_a_file_without_permission(mistake, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    Path("secret.yaml").touch()
    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    assert "Permission denied" in mistake(Path("secret.yaml"))


def test_names_that_no_file_has(mistake):
    assert "cannot be read" in mistake(Path("a\0b"))
    assert "cannot be read" in mistake(Path("x" * 5000))


@pytest.mark.parametrize("content", [b"", b"\n", b"# only a comment\n", b"---\n", b"null\n", b"\xef\xbb\xbf"])
def test_an_empty_file(mistake, content):
    Path("empty.yaml").write_bytes(content)
    assert "the recipe is empty" in mistake(Path("empty.yaml"))


@pytest.mark.parametrize(("text", "kind"), [("- 1\n", "a list"), ("hello\n", '"hello"'), ("7\n", "7")])
def test_a_file_that_is_no_mapping(mistake, text, kind):
    assert f"a recipe is a mapping, this is {kind}" in mistake(text)


def test_bytes_that_are_no_text(mistake):
    Path("latin.yaml").write_bytes("recipe: 1\nname: café\n".encode("latin-1"))
    assert mistake(Path("latin.yaml")) == (
        "latin.yaml:2:10: the byte 0xe9 is not UTF-8\n    name: caf\ufffd\n             ^\n"
        "  hint: save the file as UTF-8 text"
    )
    Path("utf16.yaml").write_bytes("recipe: 1\n".encode("utf-16"))
    assert "utf16.yaml:1:1: the byte 0xff is not UTF-8" in mistake(Path("utf16.yaml"))


def test_a_byte_order_mark_is_no_mistake(load, working):
    Path("bom.yaml").write_bytes(b"\xef\xbb\xbf" + working.encode())
    assert load(Path("bom.yaml")).name == "digits"


def test_a_huge_file(mistake):
    Path("huge.yaml").write_bytes(b"#" * 300_000)
    assert "larger than 256 KiB" in mistake(Path("huge.yaml"))


def test_the_file_names_the_recipe_that_has_no_name(load, working):
    Path("my digits!.yaml").write_text(working.replace("name: digits\n", ""))
    assert load(Path("my digits!.yaml")).name == "my-digits"
    assert load({"recipe": 1, "data": {"use": "shop/digits"}, "classifier": {"use": "shop/lenet"}}).name == "recipe"


def test_extending_merges_key_by_key(load, base):
    recipe = load("extends: base.yaml\nseed: 7\nexplainers: {heat: {with: {weights: {b: 1.0}, fill: black}}}\n")
    heat = next(component for component in recipe.components if component.id == "heat")
    assert (recipe.name, recipe.seed, recipe.of_role("data")[0].params.size) == ("base", 7, 16)
    assert (heat.params.patch, heat.params.fill, heat.params.weights) == (4, "black", {"a": 0.5, "b": 1.0})
    assert [component.id for component in recipe.of_role("explainer")] == ["heat", "grad"]


def test_a_component_whose_use_changes_starts_from_its_defaults(load, base):
    recipe = load("extends: base.yaml\nexplainers: {heat: {use: shop/gradient}}\n")
    assert [component.use for component in recipe.of_role("explainer")] == ["shop/gradient", "shop/gradient"]
    again = load("extends: base.yaml\ndata: {use: shop/digits, with: {root: x}}\n").of_role("data")[0].params
    assert (again.size, again.root) == (16, "x")


def test_null_takes_a_component_out(load, base):
    recipe = load("extends: base.yaml\nexplainers: {grad: null}\n")
    assert [component.id for component in recipe.of_role("explainer")] == ["heat"]
    assert load("extends: base.yaml\nexplainers: null\n").of_role("explainer") == ()


def test_a_section_may_change_its_shape(load, base):
    one = load("extends: base.yaml\nexplainers: {use: shop/gradient}\n")
    assert [component.id for component in one.of_role("explainer")] == ["explainer"]
    several = load("extends: base.yaml\nclassifier: {a: {use: shop/lenet}}\n")
    assert [component.id for component in several.of_role("classifier")] == ["a"]


def test_extends_is_relative_to_the_file_that_says_it(load, working):
    Path("sub/deep").mkdir(parents=True)
    Path("sub/base.yaml").write_text(working)
    Path("sub/deep/middle.yaml").write_text("extends: ../base.yaml\nname: middle\n")
    assert load("extends: sub/deep/middle.yaml\nseed: 9\n").plain["name"] == "middle"
    assert load({"extends": "sub/base.yaml"}).name == "digits"


def test_a_mistake_in_the_other_file_names_that_file(mistake, base):
    Path("base.yaml").write_text(BASE.replace("patch: 4", "patch: 0"))
    assert mistake("extends: base.yaml\n").startswith('base.yaml:6:45: "patch" of shop/occlusion is 0\n')


def test_a_missing_base_is_reported_where_it_is_asked_for(mistake, base):
    assert mistake("recipe: 1\nextends: bse.yaml\n") == (
        'recipe.yaml:2:10: the recipe "bse.yaml" cannot be read: there is no such file\n'
        "    extends: bse.yaml\n             ^\n"
        '  hint: did you mean "base.yaml"?'
    )


def test_a_broken_base_is_the_only_report(mistake):
    Path("base.yaml").write_text("a: [\n")
    assert mistake("extends: base.yaml\n").startswith("base.yaml:2:1: this is not valid YAML")


def test_circles(mistake):
    assert "extends goes round in a circle: recipe.yaml -> recipe.yaml" in mistake("extends: recipe.yaml\n")
    Path("a.yaml").write_text("extends: b.yaml\n")
    Path("b.yaml").write_text("extends: ./a.yaml\n")
    assert "a.yaml -> b.yaml -> a.yaml" in mistake("extends: a.yaml\n")


def test_a_long_chain(mistake):
    for number in range(12):
        Path(f"r{number}.yaml").write_text(f"extends: r{number + 1}.yaml\n")
    assert "more than 8 files" in mistake("extends: r0.yaml\n")


@pytest.mark.parametrize("value", ["[a.yaml]", "3", "{a: b}", "true"])
def test_extends_names_one_file(mistake, value):
    found = mistake(f"extends: {value}\n")
    assert found.startswith("recipe.yaml:1:10: extends is ")
    assert "expected: the path of a recipe file, as text" in found


def test_extends_that_cannot_be_read_is_one_mistake(mistakes):
    assert len(mistakes("extends: !file base.yaml\n")) == 1


def test_the_error_is_for_the_user(load):
    with pytest.raises(RecipeError) as caught:
        load("a: 1\n")
    assert str(caught.value) == "\n\n".join(problem.render() for problem in caught.value.problems)
