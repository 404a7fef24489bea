"""`sidelight describe`: what a component says of itself, on a page and as JSON."""

import json
import types
from typing import Literal, get_args

import pytest
import yaml
from sidelight.cli import main
from sidelight_dev.describe import ANSWERS, snippet
from sidelight_specs.descriptors import Answers
from sidelight_specs.documents import read_yaml, to_plain
from sidelight_specs.params import ParamType
from sidelight_specs.problems import Problems
from sidelight_specs.roles import SECTIONS
from sidelight_specs.variables import fill_in

from .conftest import EXPLAINER

PAGE = """\
acme-shapes/thing   explainer, acme-shapes 1.0
  Covers patches.

parameters
  patch: int; between 1 and 64 pixels; default 8
      Side of the square.

needs
  classifier
    with differentiable: gradients flow from what the component gives back to what it gets

gives
  heatmap: why the predicted class

paper
  Nobody 2026

in a recipe
  explainers:
    thing:
      use: acme-shapes/thing
      with:
        patch: 4

may not be claimed
  Squares alone.
  Nothing else, and so on and so on and so on and so on and so on and so on and so on and so on and
  so on (Nobody 2026).
"""

TWO_ROLES = """
from sidelight_specs import DataDescriptor, MetricDescriptor, hookimpl, param, params


@params
class Options:
    '''Options.'''

    path: str = param(..., "Where it lies.")
    scale: float | None = param(None, "How much.", minimum=0)
    sides: tuple[int, ...] = param((1, 2), "Which sides.", choices=(1, 2, 3))


@hookimpl
def sidelight_data():
    provides = ("acme.depth", "classes")
    yield DataDescriptor(name="both", summary="Data.", params=Options, factory="m:C", provides=provides)


@hookimpl
def sidelight_metrics():
    yield MetricDescriptor(name="both", summary="A metric.", factory="m:C", accepts=("heatmap", "counterfactual"))
"""


@pytest.fixture
def two_roles(site):
    points = "[sidelight.v1.data]\nboth = acme_two\n[sidelight.v1.metric]\nboth = acme_two\n"
    site.install("acme-two", entry_points=points, files={"acme_two.py": TWO_ROLES})


def test_the_page(site, capsys):
    site.plugin("acme-shapes")
    assert main(["describe", "acme-shapes/thing"]) == 0
    assert capsys.readouterr().out == PAGE


def test_json(site, capsys):
    site.plugin("acme-shapes")
    assert main(["describe", "acme-shapes/thing", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert yaml.safe_load(facts.pop("example")) == {
        "explainers": {"thing": {"use": "acme-shapes/thing", "with": {"patch": 4}}}
    }
    assert facts == {
        "use": "acme-shapes/thing",
        "role": "explainer",
        "distribution": "acme-shapes",
        "version": "1.0",
        "summary": "Covers patches.",
        "parameters": [
            {
                "name": "patch",
                "type": "int",
                "required": False,
                "default": 8,
                "minimum": 1,
                "maximum": 64,
                "choices": [],
                "unit": "pixels",
                "help": "Side of the square.",
            }
        ],
        "needs": [
            {
                "slot": "classifier",
                "role": "classifier",
                "capabilities": ["differentiable"],
                "optional": False,
                "factory": False,
                "named": False,
            }
        ],
        "provides": [],
        "gives": "heatmap",
        "answers": "predicted",
        "paper": "Nobody 2026",
        "limits": ["Squares alone.", "Nothing else, " + "and so on " * 9 + "(Nobody 2026)."],
        "card": {},
    }


def test_a_model_card_stands_below_the_paper(site, capsys):
    source = EXPLAINER.format(module="m").replace("summary=", "card={'origin': 'x ' * 90, 'licence': 'MIT'}, summary=")
    site.plugin("acme-shapes", source)
    assert main(["describe", "acme-shapes/thing"]) == 0
    lines = capsys.readouterr().out.partition("\nmodel card\n")[2].splitlines()
    assert lines[0].startswith("  origin: x x")
    assert lines[1].startswith("  x x")
    assert "  licence: MIT" in lines
    assert main(["describe", "acme-shapes/thing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["licence"] == "MIT"


def test_a_name_in_two_roles_is_described_in_both(two_roles, capsys):
    assert main(["describe", "acme-two/both"]) == 0
    text = capsys.readouterr().out
    assert "acme-two/both   data, acme-two 1.0" in text
    assert "acme-two/both   metric, acme-two 1.0" in text


def test_role_chooses_one_of_them(two_roles, capsys):
    assert main(["describe", "acme-two/both", "--role", "data"]) == 0
    text = capsys.readouterr().out
    assert "metric" not in text
    for line in (
        "  path: str; required",
        "  scale: float or null; at least 0; default null",
        "  sides: list of int; one of 1, 2, 3; default [1, 2]",
        "  acme.depth",
        "  classes: scores are class logits, so that two classes can be contrasted",
    ):
        assert f"\n{line}\n" in text


def test_what_a_metric_measures(two_roles, capsys):
    main(["describe", "acme-two/both", "--role", "metric"])
    text = capsys.readouterr().out
    assert "\nno parameters\n" in text
    assert "\nmeasures\n  heatmap, counterfactual\n" in text


REFUSED = {
    "unknown": (
        "acme-shapes/thin",
        'error: no component "acme-shapes/thin" is installed\n  fix: did you mean "acme-shapes/thing"?\n',
    ),
    "broken": (
        "acme-broken/thing",
        'error: "acme-broken/thing" is installed (acme-broken 1.0) but broken: importing acme_broken raised '
        "RuntimeError: no licence (acme_broken/__init__.py, line 1)\n"
        "  fix: reinstall or upgrade acme-broken, or tell its authors; `pip uninstall acme-broken` removes it\n",
    ),
}


@pytest.mark.parametrize(("use", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_the_users_to_mend(site, capsys, use, text):
    site.plugin("acme-shapes")
    site.plugin("acme-broken", "raise RuntimeError('no licence')")
    assert main(["describe", use]) == 2
    assert capsys.readouterr() == ("", text)


def test_a_plugin_alone_shows_all_that_it_has(site, capsys):
    names = [f"thing{number}" for number in range(9)]
    lines = "".join(f"{name} = acme_shapes\n" for name in names)
    site.install("acme-shapes", entry_points=f"[sidelight.v1.explainer]\n{lines}")
    site.plugin("acme-shape")
    assert main(["describe", "acme-shapes"]) == 2
    told = capsys.readouterr().err
    assert all(f"acme-shapes/{name}" in told for name in names)


def test_json_cannot_drive_the_terminal(site, capsys):
    source = EXPLAINER.format(module="m")
    site.plugin("acme-odd", source.replace("Covers patches", "Covers \\x9b31m patches\\x7f"))
    assert main(["describe", "acme-odd/thing", "--json"]) == 0
    out = capsys.readouterr().out
    assert "\x9b" not in out
    assert "\x7f" not in out
    assert "\x9b31m patches\x7f" in json.loads(out)["summary"]


def test_blocked(site, capsys, monkeypatch):
    site.plugin("acme-shapes")
    policy = site.folder / "policy.yaml"
    policy.write_text("deny: [acme-shapes]\n")
    monkeypatch.setenv("SIDELIGHT_POLICY", str(policy))
    assert main(["describe", "acme-shapes/thing"]) == 2
    assert f'is blocked by the policy: deny "acme-shapes" ({policy}, line 1)\n' in capsys.readouterr().err


def test_debug_shows_what_a_broken_plugin_raised(site, capsys):
    site.plugin("acme-broken", "raise RuntimeError('no licence')")
    assert main(["describe", "acme-broken/thing", "--debug"]) == 2
    assert "\nRuntimeError: no licence\n" in capsys.readouterr().err


@pytest.mark.parametrize("section", SECTIONS)
def test_a_snippet_is_a_section_of_a_recipe(section):
    example = {"name": "on", "rate": 1e-5, "sides": (1, 2), "label": "${name}"}
    text, problems = snippet("acme/thing", SECTIONS[section].name, example), Problems()
    held = to_plain(fill_in(read_yaml(text, "recipe.yaml", problems), problems))[section]
    assert not problems.mistakes
    choice = held if "use" in held else held["thing"]
    assert choice == {"use": "acme/thing", "with": {**example, "sides": [1, 2]}}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (Literal["a", "b"], "one of a, b"),
        (Literal["auto", True], "one of auto, true"),
        (str | None, "str or null"),
        (tuple[float, ...], "list of float"),
        (dict[str, int], "mapping to int"),
        (tuple[int, ...] | types.NoneType, "list of int or null"),
    ],
)
def test_types_are_named_as_recipes_hold_them(annotation, text):
    assert str(ParamType.of(annotation)) == text


def test_every_side_of_a_question_has_words():
    assert set(ANSWERS) == set(get_args(Answers))
