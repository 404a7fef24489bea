"""Examination of installed plugins: each loaded in its own process, its requirements compared with what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, frozen
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion
from sidelight_specs.entry_points import normalise
from sidelight_specs.hooks import EXTENSIONS, RECIPE
from sidelight_specs.host import Installed
from sidelight_specs.problems import Problems
from sidelight_specs.recipe_files import outline, recipe_file
from sidelight_specs.release import distributions, how_to_install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sidelight_specs.host import Health, Host

SLOW_LIGHT = 0.5  # CPU seconds: every listing waits for it
SLOW = 4.0  # CPU seconds beside torch: every run that uses the plugin waits for it
SPECS = "sidelight-specs"
_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sidelight_govern.probe import answer; answer()"
ORDER = ("broken", "blocked", "outdated", "slow", "ok")


@frozen
class Finding:
    """One thing about a plugin: its state, the reason, and what to do."""

    state: str
    why: str
    fix: str = ""


@define
class Plugin:
    """A distribution that announces something.

    Args:
        distribution, version: its name and version.
        entries: what it announces, in order.
        findings: what is not in order.
        light: CPU seconds of its light modules.
        heavy: CPU seconds of the code behind its components, beside torch.
        examined: False where policy or metadata forbid to load anything of it.
    """

    distribution: str
    version: str
    entries: list[Installed] = Factory(list)
    findings: list[Finding] = Factory(list)
    light: float = 0.0
    heavy: float = 0.0
    examined: bool = False

    @property
    def state(self) -> str:
        """The gravest state among its findings."""
        states = {finding.state for finding in self.findings}
        blocked = [finding for finding in self.findings if finding.state == "blocked"]
        if "broken" not in states and blocked and self.examined:  # some of its components
            states.discard("blocked")
        return next((state for state in ORDER if state in states), "ok")

    def add(self, state: str, why: str, fix: str = "") -> None:
        """Note a finding, once."""
        finding = Finding(state, why, fix)
        if finding not in self.findings:
            self.findings.append(finding)


def examine(host: Host, timeout: float, workers: int, told: Callable[[Plugin], None]) -> list[Plugin]:
    """Examine every plugin.

    Args:
        host: of the command.
        timeout: seconds for each plugin.
        workers: how many are loaded at a time.
        told: is given each plugin when it is done.

    Returns:
        all of them, by name.
    """
    plugins: dict[str, Plugin] = {}
    loadable: dict[str, list[Installed]] = {}
    for state in host.health(load=False):
        entry = state.entry
        if entry.distribution == SPECS:
            continue
        plugin = plugins.setdefault(entry.distribution, Plugin(entry.distribution, entry.version))
        plugin.entries.append(entry)
        if state.state == "unchecked" and entry.role == RECIPE:
            _read(plugin, entry)
        elif state.state == "unchecked":
            loadable.setdefault(entry.distribution, []).append(entry)
        else:
            plugin.add(*_known(state))

    def one(plugin: Plugin) -> Plugin:
        for why, fix in unmet(plugin.distribution):
            plugin.add("outdated", why, fix)
        if plugin.distribution in loadable:
            _load(plugin, loadable[plugin.distribution], timeout)
        told(plugin)
        return plugin

    with ThreadPoolExecutor(workers) as pool:
        return sorted(pool.map(one, plugins.values()), key=lambda plugin: plugin.distribution)


def _read(plugin: Plugin, entry: Installed) -> None:
    """Note what is wrong with a recipe's file; it is data, and nothing is imported for it."""
    plugin.examined, problems = True, Problems()
    try:
        outline(recipe_file(entry), problems)
        why = next((one.sentence for one in problems.ordered), "")
    except OSError as error:
        why = str(error)
    if why:
        plugin.add("broken", f"recipe {entry.use}: {why}", f"reinstall {plugin.distribution}, or tell its authors")


def _known(state: Health) -> tuple[str, str, str]:
    """State by metadata and policy of an entry that is not to be loaded."""
    return state.state, state.why, state.fix


def unmet(distribution: str) -> Iterator[tuple[str, str]]:
    """Reason and fix of each requirement that what is installed does not meet."""
    try:
        texts = metadata.requires(distribution) or []
    except (metadata.PackageNotFoundError, OSError, UnicodeDecodeError):
        return
    for text in texts:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            yield f'it requires "{text}", which is no requirement', "tell its authors"
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        wanted, fix = f"{need.name}{need.specifier}", f"pip install {distribution}"
        try:
            there = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            is_ours = need.name in distributions()
            yield f"it requires {wanted}, which is not installed", how_to_install(need.name) if is_ours else fix
            continue
        if not _is_within(need, there):
            yield f"it requires {wanted}, and {need.name} {there} is installed", fix


def _is_within(need: Requirement, version: str) -> bool:
    """True for a version in the range; a version that is none of PEP 440's is in no range but that of all."""
    try:
        return need.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return not need.specifier


def _load(plugin: Plugin, entries: Sequence[Installed], timeout: float) -> None:
    """Load entries in a child process, and note what happened."""
    lines, end = _ask(entries, timeout)
    plugin.examined, doing = True, "starting"
    reinstall = f"reinstall or upgrade {plugin.distribution}, or tell its authors"
    for line in lines:
        doing = line.get("doing", doing)
        stage = line.get("done", "")
        if stage == "heavy":
            for module in line["modules"]:
                plugin.add("slow", f"it imports {module} when it is only listed", "tell its authors: verify says where")
        if stage in ("light", "component"):
            _note(plugin, line, reinstall)
    if not any(line.get("done") == "all" for line in lines):
        plugin.add("broken", f"{doing} {end}", reinstall)
    if plugin.light > SLOW_LIGHT:
        plugin.add("slow", f"its light modules take {plugin.light:.1f} CPU seconds to import", "tell its authors")
    if plugin.heavy > SLOW:
        plugin.add("slow", f"its components take {plugin.heavy:.1f} CPU seconds to import", "tell its authors")


def _note(plugin: Plugin, line: dict[str, Any], reinstall: str) -> None:
    """Note the times of one stage, and its error if it had one."""
    if line["done"] == "light":
        plugin.light += line["cpu"]
    else:
        plugin.heavy += line["cpu"]
    if line["error"]:
        subject = f"{line['role']} {line['use']}" if line["done"] == "component" else f"importing {line['module']}"
        missing = line["missing"]
        fix = (
            f"it needs {missing}: `pip install {plugin.distribution}` brings what it declares" if missing else reinstall
        )
        plugin.add("broken", f"{subject}: {line['error']}", fix)


def _ask(entries: Sequence[Installed], timeout: float) -> tuple[list[dict[str, Any]], str]:
    """The child's lines, as far as it came, and how it ended."""
    question = json.dumps([[entry.role, entry.use, entry.module] for entry in entries])
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path)]
    try:
        child = subprocess.run(command, input=question.encode(), capture_output=True, timeout=timeout, check=False)  # noqa: S603
        output, end = child.stdout, f"ended the Python process with status {child.returncode}"
    except subprocess.TimeoutExpired as late:
        output, end = late.stdout or b"", f"took more than {timeout:g} seconds"
    whole = (line for line in output.decode(errors="replace").splitlines(keepends=True) if line.endswith("\n"))
    return [json.loads(line) for line in whole], end


def installed_twice(host: Host) -> list[str]:
    """Sentences on plugins of which there are several copies on the search path."""
    copies: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        name = normalise(distribution.metadata["Name"] or "")
        place = str(distribution.locate_file(""))
        if f"{distribution.version} in {place}" not in copies.setdefault(name, []):
            copies[name].append(f"{distribution.version} in {place}")
    plugins = {normalise(entry.distribution) for entry in host.installed()}
    return [
        f"{name} is installed {len(found)} times: {'; '.join(found)}; the first counts"
        for name, found in copies.items()
        if name in plugins and len(found) > 1
    ]


def components_of(plugin: Plugin) -> str:
    """`3 components, 1 command`."""
    counts = {"component": sum(entry.role not in EXTENSIONS for entry in plugin.entries)}
    counts |= {role: sum(entry.role == role for entry in plugin.entries) for role in EXTENSIONS}
    return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for noun, count in counts.items() if count)
