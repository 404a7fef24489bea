"""`sidelight recipes`: the list, what is lacking, one printed, one copied with the files that it names."""

import argparse
import json
from pathlib import Path

import pytest
from sidelight.cli.host import KernelHost
from sidelight_specs import UserError
from sidelight_specs.host import Installed
from sidelight_specs.recipe_files import Outline
from sidelight_specs.release import install_command
from sidelight_start import listing

ROOT = Path(__file__).parents[3] / "recipes"


def recipes(*words, host=None):
    parser = argparse.ArgumentParser()
    listing.add_arguments(parser)
    return listing.run(parser.parse_args([str(word) for word in words]), host or KernelHost())


def refused(*words):
    with pytest.raises(UserError) as caught:
        recipes(*words)
    return f"{caught.value.message}; {caught.value.fix}"


class Bare(KernelHost):
    """A host that has our recipes and of the plugins `images` alone."""

    def installed(self):
        return tuple(
            one for one in super().installed() if one.role == "recipe" or one.distribution == "sidelight-images"
        )


def test_every_recipe_of_the_checkout_is_listed_with_its_question(capsys):
    assert recipes("--json") == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(told) >= {path.stem for path in ROOT.glob("*.yaml")}
    assert told["quickstart"]["title"] == "Why this digit and not the second choice?"
    assert told["quickstart"]["missing"] == []


def test_what_is_missing_is_named_with_the_command_that_installs_it(capsys):
    recipes(host=Bare())
    lines = capsys.readouterr().out.splitlines()
    (quickstart,) = (line for line in lines if line.startswith("quickstart "))
    assert "needs sidelight-classifiers, sidelight-cdeepex, sidelight-captum" in quickstart
    assert "sidelight-images" not in quickstart
    assert lines[-1].startswith(f"install what is missing: {install_command('sidelight-')}")


def test_a_strangers_plugin_is_named_and_not_taken_for_one_of_ours():
    entries = (Installed("data", "acme/fruit", "acme", "1", "acme"),)
    recipe = Outline("?", (("data", "acme/fruit"), ("data", "acme/nut"), ("metric", "nobody/x")), ())
    assert listing.lacking(recipe, entries) == ["acme/nut", "nobody"]


def test_a_recipe_is_printed(capsys):
    recipes("quickstart")
    assert capsys.readouterr().out == (ROOT / "quickstart.yaml").read_text()


def test_a_copy_takes_along_what_lies_beside_the_recipe(tmp_path, capsys):
    recipes("interactivity", "--copy", tmp_path / "mine")
    names = ["interactivity-session.json", "interactivity.yaml"]
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == names
    assert all((tmp_path / "mine" / name).read_bytes() == (ROOT / name).read_bytes() for name in names)
    assert f"sidelight run {tmp_path}/mine/interactivity.yaml" in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "interactivity-session.json").touch()
    assert "is there already" in refused("interactivity", "--copy", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["interactivity-session.json"]


def test_an_unknown_name_is_told_the_nearest():
    assert refused("quickstar") == 'no recipe "quickstar" is installed; did you mean "quickstart"?'
    assert "--copy needs the name of a recipe" in refused("--copy")
