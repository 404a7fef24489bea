"""Every check fails for the component that breaks its promise, and for no other reason."""

import inspect
import sys
from pathlib import Path

import pytest

BROKEN = Path(__file__).parent / "broken"
sys.path.insert(0, str(BROKEN))

import broken_promises  # noqa: E402
from broken_promises import kinds  # noqa: E402
from sidelight_specs import hooks  # noqa: E402
from sidelight_specs.testing.checks import CHECKS, extensions  # noqa: E402
from sidelight_specs.testing.kit import planned  # noqa: E402

DISTRIBUTION = "broken-promises-for-tests"
EXTENSIONS = {
    "kind": {kind.kind: "broken_promises" for kind in kinds.ALL},
    "command": {
        command.name: "broken_promises" for command in (broken_promises.COMMAND, *broken_promises.BAD_COMMANDS)
    },
    "observer": {
        "good": "observer_good",
        "observer-takes-every-event": "observer_raises",
        "observer-changes-nothing": "observer_meddles",
    },
}
GOOD = [(item.role, item.name) for item in broken_promises.GOOD]
GOOD += [("kind", "broken.good"), ("command", "good"), ("observer", "good")]
BAD = [(item.role, item.name) for item in broken_promises.BAD]
BAD += [("explainer", "light-import"), ("explainer", "import-changes-nothing"), ("explainer", "entry-point")]
BAD += [(group, name) for group, entries in EXTENSIONS.items() for name in entries if (group, name) not in GOOD]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The planned checks of every component, by (role, name), of a distribution that is on the path."""
    site = tmp_path_factory.mktemp("site")
    write_distribution(site)
    sys.path.insert(0, str(site))
    try:
        found = {}
        for case, check in planned(DISTRIBUTION):
            found.setdefault((case.announced.role, case.announced.name), []).append((case, check))
        yield found
    finally:
        sys.path.remove(str(site))


def write_distribution(site):
    info = site / "broken_promises_for_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1.0\n")
    groups = {}
    for item in broken_promises.GOOD + broken_promises.BAD:
        groups.setdefault(item.role, []).append(f"{item.name} = broken_promises")
    groups["explainer"] += ["light-import = heavy_on_import", "import-changes-nothing = changes_on_import"]
    groups["explainer"] += ["entry-point = broken_promises"]
    groups |= {
        group: [f"{name} = {module}" for name, module in entries.items()] for group, entries in EXTENSIONS.items()
    }
    text = "".join(f"[sidelight.v1.{role}]\n" + "\n".join(lines) + "\n" for role, lines in groups.items())
    (info / "entry_points.txt").write_text(text)


def failures(pairs):
    failed = {}
    for case, check in pairs:
        try:
            check.function(case)
        except AssertionError as error:
            failed[check.name] = str(error)
    return failed


@pytest.mark.parametrize(("role", "name"), GOOD)
def test_a_good_component_passes_every_check(plan, role, name):
    assert failures(plan[role, name]) == {}


@pytest.mark.parametrize(("role", "name"), BAD)
def test_a_broken_component_fails_its_own_check_only(plan, role, name):
    failed = failures(plan[role, name])
    assert list(failed) == [name], failed
    assert len(failed[name]) > 10  # the message says what is wrong


def test_an_example_is_refused_in_the_words_of_the_recipe_reader(plan):
    text = failures(plan["explainer", "example"])["example"]
    assert text.startswith('the example, at with.label: "label" of example is 5\n')
    assert 'hint: write it in quotes: "5"' in text


def test_every_check_has_a_component_that_fails_it():
    of_recipes = {"recipe-is-described", "recipe-uses-what-exists"}  # tests/test_recipes_kit.py breaks those
    assert sorted(set(CHECKS) - of_recipes) == sorted(name for _, name in BAD)


def test_every_check_says_what_it_promises():
    assert all(check.promise.endswith(".") and len(check.promise) > 20 for check in CHECKS.values())


def test_the_events_of_the_kit_have_the_arguments_of_the_hooks(tmp_path):
    events = dict(extensions._events(tmp_path))
    assert tuple(events) == hooks.OBSERVER_HOOKS
    for name, facts in events.items():
        assert facts.keys() == {*inspect.signature(getattr(hooks, name)).parameters}
