"""`sidelight plugins`, and every other command, among 300 distributions and five kinds of broken plugin."""

import json

import pytest
from sidelight.cli import main

HOOK = "from sidelight_specs import hookimpl\n@hookimpl\ndef sidelight_explainers():\n    raise KeyError('hook')\n"
BROKEN = {
    "acme-import": ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
    "acme-runtime": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "acme-exit": ("raise SystemExit(7)", "SystemExit: 7"),
    "acme-hook": (HOOK, "KeyError: 'hook'"),
}
"""Distribution to its light module and to what must be said of it. The fifth kind is a file that cannot be read."""

MALFORMED = "acme-malformed"


@pytest.fixture
def crowd(site):
    """300 distributions: 244 that are no plugins, 51 good plugins, five broken ones."""
    for number in range(244):
        points = f"[console_scripts]\ntool{number} = pkg{number}.cli:main\n" if number % 2 else None
        site.install(f"package-{number}", entry_points=points)
    for number in range(51):
        site.plugin(f"plugin-{number}")
    for name, (source, _) in BROKEN.items():
        site.plugin(name, source)
    site.install(MALFORMED, entry_points="sidelight.v1.explainer thing acme_malformed\n")
    assert len(list(site.folder.glob("*.dist-info"))) == 300
    return site


@pytest.mark.processes
def test_the_listing_names_everything_that_is_broken(crowd):
    done = crowd.sidelight("plugins")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for number in range(51):
        assert any(line.startswith(f"plugin-{number}/thing ") and " ok " in line for line in lines)
    for name, (_, why) in BROKEN.items():
        assert any(line.startswith(f"{name}/thing ") and line.endswith(" broken") for line in lines)
        assert any(f'"{name}/thing" is installed ({name} 1.0) but broken' in line and why in line for line in lines)
    assert any(line.startswith(f"  {MALFORMED} (") and "cannot read the entry points" in line for line in lines)
    assert "Traceback" not in done.stdout


@pytest.mark.processes
def test_the_same_as_json(crowd):
    done = crowd.sidelight("plugins", "--json", "--role", "explainer")
    assert (done.returncode, done.stderr) == (0, "")
    listing = json.loads(done.stdout)
    states = {component["use"]: component for component in listing["components"]}
    assert states["plugin-7/thing"] == {
        "use": "plugin-7/thing",
        "role": "explainer",
        "distribution": "plugin-7",
        "version": "1.0",
        "module": "plugin_7",
        "state": "ok",
        "summary": "Covers patches.",
        "why": "",
        "fix": "",
    }
    broken = {use for use, component in states.items() if component["state"] == "broken"}
    assert broken == {f"{name}/thing" for name in BROKEN}
    assert all(why in states[f"{name}/thing"]["why"] for name, (_, why) in BROKEN.items())
    assert [problem["distribution"] for problem in listing["problems"]] == [MALFORMED]


@pytest.mark.processes
def test_metadata_alone_names_what_metadata_shows(crowd):
    done = crowd.sidelight("plugins", "--no-load", "--json")
    listing = json.loads(done.stdout)
    ours = [component for component in listing["components"] if component["distribution"] in BROKEN]
    assert {component["state"] for component in ours} == {"unchecked"}
    assert [problem["distribution"] for problem in listing["problems"]] == [MALFORMED]


GOOD = """
from sidelight_specs import ClassifierDescriptor, DataDescriptor, hookimpl


@hookimpl
def sidelight_data():
    yield DataDescriptor(name="shapes", summary="Shapes.", factory="acme_good.data:Shapes")


@hookimpl
def sidelight_classifiers():
    yield ClassifierDescriptor(
        name="net", summary="A network.", factory="acme_good.net:Net", provides=("differentiable", "classes")
    )
"""
RECIPE = """
recipe: 1
name: crowd
data: {use: acme-good/shapes}
classifier: {use: acme-good/net}
explainers:
  patches: {use: plugin-3/thing}
"""


@pytest.fixture
def recipe(crowd):
    """Writes a recipe whose classifier and first explainer work, with more explainers."""
    points = "[sidelight.v1.data]\nshapes = acme_good\n[sidelight.v1.classifier]\nnet = acme_good\n"
    crowd.install("acme-good", entry_points=points, files={"acme_good.py": GOOD})

    def write(*plugins):
        more = "".join(f"  {name}: {{use: {name}/thing}}\n" for name in plugins)
        (crowd.folder / "recipe.yaml").write_text(RECIPE.lstrip() + more)
        return "recipe.yaml"

    return write


@pytest.mark.processes
def test_every_other_command_works_beside_broken_plugins(crowd, recipe):
    for arguments in (
        ["--help"],
        ["--version"],
        ["describe", "plugin-3/thing"],
        ["check", recipe("plugin-4")],
        ["run", "--help"],
        ["new", "explainer", "acme-mine"],
        ["verify", "--help"],
        ["cache", "path"],
    ):
        done = crowd.sidelight(*arguments)
        assert (arguments, done.returncode, done.stderr) == (arguments, 0, "")
        assert done.stdout


@pytest.mark.processes
def test_the_schema_holds_what_works_and_names_what_does_not(crowd):
    done = crowd.sidelight("schema")
    assert done.returncode == 0
    assert "plugin-3/thing" in json.dumps(json.loads(done.stdout))
    for name, (_, why) in BROKEN.items():
        assert name not in done.stdout
        assert any(f'"{name}/thing"' in line and why in line for line in done.stderr.splitlines())
    assert f"left out: {MALFORMED} (" in done.stderr


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.processes
def test_a_recipe_that_names_broken_ones_is_told_which_and_why(crowd, recipe, command):
    done = crowd.sidelight(command, recipe(*BROKEN, MALFORMED))
    assert (done.returncode, done.stdout) == (2, "")
    for line, (name, (_, why)) in enumerate(BROKEN.items(), 7):
        said = next(text for text in done.stderr.splitlines() if text.startswith(f"recipe.yaml:{line}:"))
        assert f'"{name}/thing" is installed ({name} 1.0) but broken' in said
        assert why in said
    assert f"recipe.yaml:11:25: {MALFORMED} (" in done.stderr


@pytest.mark.processes
def test_verify_names_a_plugin_that_exits(crowd):
    done = crowd.sidelight("verify", "acme-exit")
    assert done.returncode == 1
    assert "FAILED entry-point: SystemExit: 7" in done.stdout


@pytest.mark.processes
def test_verify_names_a_file_that_cannot_be_read(crowd):
    done = crowd.sidelight("verify", MALFORMED)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {MALFORMED} (")


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.processes
def test_a_command_that_is_asked_for_a_broken_one_says_so(crowd, name):
    done = crowd.sidelight("describe", f"{name}/thing")
    assert (done.returncode, done.stdout) == (2, "")
    assert f'"{name}/thing" is installed ({name} 1.0) but broken' in done.stderr
    assert BROKEN[name][1] in done.stderr


@pytest.mark.processes
def test_a_command_that_is_asked_for_an_unreadable_one_says_so(crowd):
    done = crowd.sidelight("describe", f"{MALFORMED}/thing")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {MALFORMED} (")


@pytest.fixture
def alone(monkeypatch, site):
    """Only the fake distributions are installed."""
    from sidelight.registry import catalog

    monkeypatch.setattr(catalog, "index", lambda: catalog.scan([str(site.folder)]))
    return site


def test_nothing_installed(alone, capsys):
    assert main(["plugins"]) == 0
    expected = "no component is installed; plugins are packages whose names usually begin with sidelight-\n"
    assert capsys.readouterr().out == expected


def test_the_table(alone, capsys, monkeypatch):
    alone.plugin("acme-shapes", version="1.2")
    alone.plugin("acme-secret", "raise RuntimeError")
    alone.install("acme-next", entry_points="[sidelight.v2.data]\nthing = acme_next\n")
    odd = alone.install("acme-odd", entry_points="[sidelight.v1.wizard]\nthing = acme_odd\n")
    policy = alone.folder / "policy.yaml"
    policy.write_text("deny: [acme-secret]\n")
    monkeypatch.setenv("SIDELIGHT_POLICY", str(policy))
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out == TABLE.format(odd=odd / "entry_points.txt", policy=policy)


TABLE = """\
COMPONENT          ROLE       DISTRIBUTION  VERSION  STATE    SUMMARY
acme-next/thing    data       acme-next     1.0      broken
acme-secret/thing  explainer  acme-secret   1.0      blocked
acme-shapes/thing  explainer  acme-shapes   1.2      ok       Covers patches.

broken:
  "acme-next/thing" is installed (acme-next 1.0) but broken: it is written for version 2 \
of the plugin contract, this Sidelight knows 1
    fix: install the versions of Sidelight and of this plugin that belong together

blocked:
  "acme-secret/thing" (acme-secret 1.0) is blocked by the policy: deny "acme-secret" ({policy}, line 1)
    fix: use another component, or change the policy if it is yours to change

problems with installed distributions:
  acme-odd ({odd}): unknown entry point group "sidelight.v1.wizard"; known are sidelight.v1.ROLE \
with ROLE one of data, classifier, generator, inverter, attribute_finder, explainer, metric, claim, renderer, executor

1 broken, 1 blocked, 1 ok
"""


def test_control_characters_in_metadata_cannot_drive_the_terminal(alone, capsys):
    alone.install("acme", entry_points="[sidelight.v1.data]\nbad\x1b[2Jname = acme_not_there\n")
    assert main(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "acme/bad\\x1b[2Jname" in text


def test_a_broken_policy_stops_what_would_load_plugins(site, capsys, monkeypatch):
    policy = site.folder / "policy.yaml"
    policy.write_text("forbid: [acme]\n")
    monkeypatch.setenv("SIDELIGHT_POLICY", str(policy))
    assert main(["plugins"]) == 2
    assert f'{policy}:1:1: the policy has no parameter "forbid"' in capsys.readouterr().err
    assert main(["--help"]) == 0
