"""Environments of two jobs of CI: `make alone` and `make minimum`.

alone    Each distribution in an environment of its own: its wheel, what the wheel declares, what its tests declare
         (dependency group `test`), the conformance kit, and nothing else. Then its own tests.
minimum  All distributions in one environment, every declared dependency at its lowest version. Then the quick tests.
         Where a neighbour asks for more than a distribution declares, that distribution also runs alone at its lowest.

Packages come from where uv is told to look: UV_INDEX, UV_FIND_LINKS, and UV_TORCH_BACKEND=cpu for the smaller torch.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET  # reads what pytest has just written
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
QUICK = "not (slow or browser or training or processes)"
LOWEST_PYTHON = "3.11"  # requires-python
LINTERS = ("check-jsonschema", "codespell", "coverage", "import-linter", "mypy", "pre-commit", "ruff", "uv")
NO_TESTS = 5  # pytest's exit code when it collects none


class Distribution(NamedTuple):
    """A folder with a pyproject.toml, and what that declares."""

    folder: Path
    project: dict[str, Any]
    groups: dict[str, list[str]]
    build: list[str]

    @property
    def name(self) -> str:
        """Normalised name, such as `sidelight-grad-cam`."""
        return canonicalize_name(self.project["name"])

    @property
    def label(self) -> str:
        """Folder below the root, such as `plugins/captum`."""
        return str(self.folder.relative_to(ROOT))

    def requirements(self, *, extras: bool) -> list[Requirement]:
        """Requirements of the wheel, with those of its extras or without."""
        optional = self.project.get("optional-dependencies", {}).values() if extras else []
        texts = self.project.get("dependencies", []) + [text for texts in optional for text in texts]
        return [Requirement(text) for text in texts]


class Outcome(NamedTuple):
    """Counts of one run of pytest."""

    label: str
    packages: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def good(self) -> bool:
        """True if anything passed and nothing failed."""
        return not self.error and not self.failed and self.passed > 0


def distributions() -> list[Distribution]:
    """All distributions of the checkout, in the order of their folders."""
    found = []
    for path in sorted([*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]):
        tree = tomllib.loads(path.read_text())
        groups = tree.get("dependency-groups", {})
        found.append(Distribution(path.parent, tree["project"], groups, tree["build-system"]["requires"]))
    return found


def external(requirements: list[Requirement], ours: set[str]) -> list[Requirement]:
    """The requirements that are not distributions of this repository."""
    return [requirement for requirement in requirements if canonicalize_name(requirement.name) not in ours]


def lower_bound(requirement: Requirement) -> Version | None:
    """Version behind `>=` or `==`; None where there is none."""
    bounds = [spec.version for spec in requirement.specifier if spec.operator in (">=", "==", "~=")]
    return max(map(Version, bounds), default=None)


def pins(path: Path) -> dict[str, Version]:
    """Versions by normalised name, of a file of lines `name==version`."""
    lines = [line.split("#")[0].split(";")[0].strip() for line in path.read_text().splitlines()]
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name.split("[")[0]): Version(version) for name, version in pairs}


class Workshop:
    """Folder in which the environments are made, and the uv that makes them."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder, self.python = folder.resolve(), python
        self.uv = Path(sys.executable).parent / "uv"
        self.wheels = self.folder / "wheels"
        self.all = distributions()
        self.ours = {distribution.name for distribution in self.all}
        self.folder.mkdir(parents=True, exist_ok=True)

    def run_uv(self, *arguments: object, quiet: bool = True) -> str:
        """Output of a uv command; raises CalledProcessError with what it printed."""
        words = [str(self.uv), *(["--quiet"] if quiet else []), *map(str, arguments)]
        settings = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
        done = subprocess.run(words, cwd=ROOT, env=settings, text=True, check=False, capture_output=True)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        return done.stdout

    def environment(self, name: str) -> Path:
        """Python of a new, empty environment."""
        place = self.folder / name
        self.run_uv("venv", "--clear", "--python", self.python, place)
        return place / "bin" / "python"

    def build(self) -> dict[str, Path]:
        """Wheel of every distribution, by name, from the files as they are now."""
        shutil.rmtree(self.wheels, ignore_errors=True)
        found = {}
        for distribution in self.all:
            out = self.wheels / distribution.name
            out.mkdir(parents=True)
            with contextlib.chdir(distribution.folder):
                found[distribution.name] = out / build_wheel(str(out))
        return found

    def packages(self, python: Path) -> int:
        """Number of packages in an environment."""
        return len(self.run_uv("pip", "list", "--python", python, "--format", "freeze").splitlines())


def tested(python: Path, label: str, packages: int, *arguments: str) -> Outcome:
    """Outcome of the quick tests under `python`; their output goes to the terminal."""
    report = python.parent.parent / "report.xml"
    words = [str(python), "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "-m", QUICK, *arguments]
    start = time.monotonic()
    done = subprocess.run(words, cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    if not report.is_file() or done.returncode not in (0, 1):
        error = "no tests" if done.returncode == NO_TESTS else f"pytest ended with exit code {done.returncode}"
        return Outcome(label, packages, seconds=seconds, error=error)
    suite = ET.parse(report).getroot().find("testsuite")
    tests, failures, errors, skipped = (int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped"))
    failed = failures + errors
    return Outcome(label, packages, tests - failed - skipped, failed, skipped, seconds)


def loaded(python: Path, label: str, packages: int, tests: str) -> Outcome:
    """Outcome of loading what distributions of ours announce, for one that has no tests of its own."""
    print(f"{tests} is not there: the entry points are loaded instead", flush=True)
    code = (
        "from importlib.metadata import entry_points as all\n"
        "ours = [one for group in all().groups if group.startswith('sidelight.') for one in all(group=group)]\n"
        "print(len([one.load() for one in ours]))"
    )
    start = time.monotonic()
    done = subprocess.run([str(python), "-c", code], cwd=python.parent, check=False, text=True, capture_output=True)
    seconds = time.monotonic() - start
    if done.returncode:
        return Outcome(label, packages, seconds=seconds, error=done.stderr.strip().rpartition("\n")[2])
    return Outcome(label, packages, int(done.stdout), seconds=seconds)


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Lines of the table of outcomes."""
    yield f"{'distribution':<24}{'packages':>9}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"
    for one in outcomes:
        counts = f"{one.packages:>9}{one.passed:>8}{one.failed:>8}{one.skipped:>9}{one.seconds:>9.0f}"
        yield f"{one.label:<24}{counts}  {one.error or ('' if one.good else 'FAILED')}".rstrip()


def alone(shop: Workshop, one: Distribution, wheels: dict[str, Path], *, lowest: bool) -> Outcome:
    """Outcome of the tests of one distribution in an environment of its own, which is removed afterwards."""
    python = shop.environment(one.name)
    try:
        # the conftest.py at the root needs hypothesis, whose lowest version nobody can build
        hypothesis = f"hypothesis=={pins(ROOT / 'constraints.txt')['hypothesis']}"
        asked = [f"{one.name} @ {wheels[one.name].as_uri()}", "sidelight-specs[testing]", hypothesis]
        limits = [f"{name} @ {wheel.as_uri()}" for name, wheel in wheels.items() if name != one.name]
        if lowest:
            asked += [str(requirement) for requirement in external(one.requirements(extras=False), shop.ours)]
        else:
            limits += (ROOT / "constraints.txt").read_text().splitlines()
        wanted, constraints = python.parent / "wanted.txt", python.parent / "constraints.txt"
        wanted.write_text("\n".join([*asked, *one.groups.get("test", [])]))
        constraints.write_text("\n".join(limits))
        resolution = "lowest-direct" if lowest else "highest"
        options = ["--resolution", resolution, "--constraint", constraints, "--requirement", wanted]
        shop.run_uv("pip", "install", "--python", python, *options)
        run = tested if (one.folder / "tests").is_dir() else loaded
        return run(python, one.label, shop.packages(python), str(one.folder / "tests"))
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return Outcome(one.label, 0, error="could not be installed")
    finally:
        shutil.rmtree(python.parent.parent, ignore_errors=True)


def all_alone(shop: Workshop, names: list[str], *, lowest: bool = False) -> list[Outcome]:
    """Outcomes of the named distributions, or of all."""
    wheels = shop.build()
    chosen = [one for one in shop.all if not names or {one.name, one.label, one.folder.name} & set(names)]
    outcomes = []
    for one in chosen:
        print(f"\n== {one.label} alone{' at its lowest' if lowest else ''}", flush=True)
        outcomes.append(alone(shop, one, wheels, lowest=lowest))
    return outcomes


def lowest_versions(shop: Workshop) -> Path:
    """File of the lowest versions that satisfy all distributions; of what they do not name, what constraints.txt says.

    uv keeps what the file held before wherever it fits, so constraints.txt is put there first.
    """
    wanted, chosen = shop.folder / "wanted.txt", shop.folder / "lowest.txt"
    direct = [one for each in shop.all for one in external(each.requirements(extras=True), shop.ours)]
    names = {canonicalize_name(one.name) for one in direct}
    tools = [line for line in (ROOT / "requirements-dev.txt").read_text().splitlines() if line not in LINTERS]
    groups = [Requirement(text) for each in shop.all for text in each.groups.get("test", [])]
    builds = [text for each in shop.all for text in each.build]  # tests build wheels
    wanted.write_text("\n".join([*map(str, direct), *map(str, external(groups, shop.ours)), *builds, *tools]))
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    kept = [line for line in pinned if "==" in line and canonicalize_name(line.split("==")[0]) not in names]
    chosen.write_text("\n".join(kept) + "\n")
    options = ["--resolution", "lowest-direct", "--python", shop.python, "--output-file", chosen]
    shop.run_uv("pip", "compile", *options, wanted)
    return chosen


def raised(shop: Workshop, chosen: dict[str, Version]) -> dict[str, list[str]]:
    """Bounds that the common environment does not reach, because a neighbour asks for more; by distribution."""
    found: dict[str, list[str]] = {}
    for one in shop.all:
        for requirement in external(one.requirements(extras=True), shop.ours):
            bound, version = lower_bound(requirement), chosen.get(canonicalize_name(requirement.name))
            if bound is not None and version is not None and Version(version.public) > bound:
                found.setdefault(one.name, []).append(f"{requirement.name} {bound}, here {version}")
    return found


def minimum(shop: Workshop, names: list[str]) -> list[Outcome]:
    """Outcomes of the quick tests at the lowest versions: all together, then those that a neighbour raised, alone."""
    versions = lowest_versions(shop)
    chosen = pins(versions)
    direct = {canonicalize_name(one.name) for each in shop.all for one in each.requirements(extras=True)}
    print("lowest versions:", ", ".join(f"{name} {chosen[name]}" for name in sorted(direct & chosen.keys())))
    builds = {str(Requirement(text)): Requirement(text) for each in shop.all for text in each.build}.values()
    floor = shop.folder / "build.txt"
    floor.write_text("\n".join(f"{one.name}=={lower_bound(one)}" for one in builds))
    python = shop.environment("environment")
    shop.run_uv("pip", "install", "--python", python, "--requirement", versions)
    editable = [word for one in shop.all for word in ("--editable", one.folder)]
    shop.run_uv("pip", "install", "--python", python, "--no-deps", "--build-constraints", floor, *editable)
    workers = ("--numprocesses", os.environ.get("WORKERS", "2"), "--dist", "loadfile")
    outcomes = [tested(python, "all together", shop.packages(python), *workers, *names)]
    shutil.rmtree(python.parent.parent)
    above = raised(shop, chosen)
    for name, bounds in above.items():
        print(f"{name} declares less than its neighbours let it have: {'; '.join(bounds)}")
    return outcomes + (all_alone(shop, sorted(above), lowest=True) if above and not names else [])


def main() -> int:
    """Exit code 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["alone", "minimum"])
    parser.add_argument("names", nargs="*", help="alone: distributions, all without; minimum: test files")
    parser.add_argument("--folder", type=Path, required=True, help="where the environments are made")
    parser.add_argument("--python", help="Python of the environments; this one, or for minimum the lowest declared")
    parser.add_argument("--lowest", action="store_true", help="alone: declared dependencies at their lowest versions")
    args = parser.parse_args()
    python = args.python or (LOWEST_PYTHON if args.job == "minimum" else sys.executable)
    shop = Workshop(args.folder, python)
    job = minimum if args.job == "minimum" else partial(all_alone, lowest=args.lowest)
    outcomes = job(shop, args.names)
    print("\n" + "\n".join(table(outcomes)))
    return 0 if outcomes and all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
