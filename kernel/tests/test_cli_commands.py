"""Commands of plugins: found by entry points, given the kernel's facade, and named when they fail."""

import signal

import pytest
from sidelight.cli import supervise

LIGHT = """
from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

@hookimpl
def sidelight_commands():
    for name in ("count", "run"):
        module = "acme_count.command"
        yield Command(name=name, summary=f"{name} components", example=f"sidelight {name} 3", module=module)
"""
COMMAND = """
import os

def add_arguments(parser):
    parser.add_argument("number", type=int, help="how many")

def run(arguments, host):
    if arguments.number > 9:
        os._exit(0)
    uses = [one.use for one in host.installed() if one.role == "explainer" and one.use.startswith("acme")]
    host.write_table(("USE",), [(use,) for use in uses[: arguments.number]])
    host.write(host.find(uses[0])[0].descriptor.summary)
    return 3
"""
POINTS = "[sidelight.v1.command]\ncount = acme_count\nrun = acme_count\n"


@pytest.fixture
def acme(site):
    site.plugin("acme-shapes")
    files = {"acme_count/__init__.py": LIGHT, "acme_count/command.py": COMMAND}
    site.install("acme-count", entry_points=POINTS, files=files)
    return site


def test_a_strangers_command_uses_the_facade(acme):
    done = acme.sidelight("count", "2")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "USE\nacme-shapes/thing\nCovers patches.\n"


def test_its_help_is_that_of_any_command(acme):
    done = acme.sidelight("count", "--help")
    assert done.stdout.startswith("usage: sidelight count [-h] [--debug] number\n\nCount components.\n")
    assert "Commands of acme-count: count\n" in acme.sidelight("--help").stdout
    assert acme.sidelight("count", "many").returncode == 2
    assert 'did you mean "count"?' in acme.sidelight("cuont").stderr


def test_a_built_in_command_wins_and_the_other_is_listed_as_broken(acme):
    assert "run a recipe" in acme.sidelight("run", "--help").stdout.lower()
    told = acme.sidelight("plugins", "--role", "command").stdout
    rows = {line.split()[0]: line.split()[4] for line in told.splitlines() if line.startswith("acme-count/")}
    assert rows == {"acme-count/count": "ok", "acme-count/run": "broken"}
    assert 'the command "run" of acme-count 1.0 is taken by sidelight\n    fix: tell its authors' in told


def test_of_two_strangers_the_first_in_the_list_has_the_name(acme):
    files = {"zeta.py": LIGHT.replace("acme_count", "zeta")}
    acme.install("zeta-count", entry_points="[sidelight.v1.command]\ncount = zeta\n", files=files)
    assert acme.sidelight("count", "1").returncode == 3
    told = acme.sidelight("plugins", "--role", "command").stdout
    assert 'the command "count" of zeta-count 1.0 is taken by acme-count' in told


def test_a_command_that_ends_the_process_or_does_not_import_is_named(acme):
    done = acme.sidelight("count", "10")
    assert done.returncode == 1
    assert 'the command "count" (acme_count.command) ended the Python process with status 0' in done.stderr
    (acme.folder / "acme_count" / "command.py").write_text("import os\nos._exit(0)")
    done = acme.sidelight("count", "1")
    assert done.returncode == 1
    assert 'the command "count" (acme_count.command) ended the Python process with status 0' in done.stderr
    (acme.folder / "acme_count" / "__init__.py").write_text("import nothing_such")
    done = acme.sidelight("count", "1")
    assert done.returncode == 1
    assert '"acme-count/count" is installed (acme-count 1.0) but broken' in done.stderr


ANEW = """
import sys
from sidelight.cli import main, supervise
supervise._EXEC = True
sys.argv[1:] = ["count", sys.argv[1]]
sys.exit(main())
"""


def test_where_a_forked_process_is_not_enough_the_child_is_started_anew(acme):
    done = acme.python("-c", ANEW, "2")
    assert (done.returncode, done.stderr) == (3, "")
    done = acme.python("-c", ANEW, "10")
    assert done.returncode == 1
    assert 'the command "count" (acme_count.command) ended the Python process with status 0' in done.stderr


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs sigtimedwait")
def test_what_sigtimedwait_gives_after_a_stop_is_no_signal(monkeypatch):
    """Ctrl-Z past the timeout, then fg: CPython breaks off its wait and returns a siginfo that nobody has filled."""
    unfilled = signal.struct_siginfo((-445277616, 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(signal, "sigtimedwait", lambda *_: unfilled)
    assert supervise._next_signal(0.1) == (0, False)
