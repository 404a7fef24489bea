"""`sidelight verify`: the conformance kit on one installed distribution, which needs no test file for it."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs import SidelightError, UserError
from sidelight_specs.release import distributions, how_to_install

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Host

DONE, FAILED = 0, 1  # exit codes

_NEEDED = ("pytest", "torch")
_TEST = """\
from sidelight_specs.testing import component_tests

test_conformance = component_tests({distribution!r})
"""
_NOTE = """\
from pathlib import Path

def pytest_runtest_logstart(nodeid):
    Path({path!r}).write_text(nodeid, encoding="utf-8")
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight verify`."""
    parser.add_argument("distribution", metavar="DIST", help="an installed distribution, as `pip list` names it")
    parser.add_argument("--traceback", action="store_true", help="show where each failed check failed")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Run every check of every component, kind, command and observer; print what passed and what failed.

    Returns:
        0 when every check passed, 1 when one failed or a component ended the process before the last.

    Raises:
        UserError: the distribution is not installed or announces no component, or pytest or torch is missing.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        install = f"{shlex.quote(sys.executable)} -m pip install {' '.join(missing)}"
        raise UserError(f"the checks need {' and '.join(missing)}", install)
    distribution = installed(arguments.distribution, host)
    host.write(f"checking {distribution} against the contracts, on toy models")
    with tempfile.TemporaryDirectory(prefix="sidelight-verify-") as folder:
        return _pytest(distribution, Path(folder), traceback=arguments.traceback)


def installed(wanted: str, host: Host) -> str:
    """The name of the installed distribution that is meant.

    Raises:
        UserError: there is none, or its metadata cannot be read; it says what to install, or which name is close.
    """
    names = sorted({entry.distribution for entry in host.installed()})
    by_name = {_normalised(name): name for name in names}
    if _normalised(wanted) in by_name:
        return by_name[_normalised(wanted)]
    for problem in host.problems():
        if _normalised(problem.partition(" (")[0]) == _normalised(wanted):
            raise UserError(problem, f"mend the file and install {wanted} again")
    if (Path(wanted) / "pyproject.toml").is_file():
        raise UserError(f"{wanted} is a folder; verify checks what is installed", f"pip install -e {wanted}")
    raise UserError(f'no installed distribution "{wanted}" announces a component', _advice(wanted, names))


def _normalised(distribution: str) -> str:
    """The name as PEP 503 compares it: lower case, runs of `-`, `_` and `.` as one hyphen."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _advice(wanted: str, names: list[str]) -> str:
    same = [name for name in names if _normalised(name).removeprefix("sidelight-") == _normalised(wanted)]
    close = same or difflib.get_close_matches(wanted, names, n=1)
    if close:
        return f"sidelight verify {close[0]}"
    told = how_to_install(wanted) if wanted in distributions() else "install it first"
    return f"{told}; `sidelight plugins` lists what is installed"


def _pytest(distribution: str, folder: Path, *, traceback: bool) -> int:
    """Run the kit in a process and a folder of its own, so that no configuration or conftest of the user's is read.

    Raises:
        SidelightError: the process ended before all checks were run.
    """
    test, settings = folder / "test_conformance.py", folder / "pytest.ini"
    test.write_text(_TEST.format(distribution=distribution), encoding="utf-8")
    settings.write_text("[pytest]\njunit_family = xunit1\n", encoding="utf-8")  # the one that records properties
    under_way = folder / "under-way"
    (folder / "conftest.py").write_text(_NOTE.format(path=str(under_way)), encoding="utf-8")
    options = ["-q", "-rE", "--no-header", "-p", "no:cacheprovider", "-p", "sidelight_specs.testing.plugin"]
    options += ["-c", str(settings), "--tb=short" if traceback else "--tb=no"]
    report = folder / "report.xml"  # written when all checks were run, whatever became of them
    options += [f"--junit-xml={report}"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", *options, str(test)]
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603  (our own words only)
    if not report.is_file():
        raise SidelightError(
            f"{distribution} {_end(code)} {_check(under_way)}\n"
            "  fix: raise an error instead of ending the process; after a crash read the lines of Python above"
        )
    return DONE if code == 0 else FAILED


def _end(code: int) -> str:
    if code < 0:
        return f"crashed the process ({signal.Signals(-code).name})"
    return f"ended the process with status {code}"


def _check(under_way: Path) -> str:
    """Component and check under way when the process ended, as pytest names a test: `FILE::TEST[ROLE/NAME-CHECK]`."""
    if not under_way.is_file():
        return "before the first check"
    return "in the check " + under_way.read_text(encoding="utf-8").partition("[")[2].removesuffix("]")
