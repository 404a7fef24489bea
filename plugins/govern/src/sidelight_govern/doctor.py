"""`sidelight doctor`: every plugin loaded in a process of its own, and the machine looked at."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_govern.examination import ORDER, SPECS, Plugin, components_of, examine, installed_twice
from sidelight_govern.machine import advice, facts

if TYPE_CHECKING:
    from sidelight_specs.host import Host

_TIMEOUT = 120.0  # seconds: torch and the largest of our plugins take 5 on an idle machine
_WORKERS = 2  # each imports torch, about 300 MB


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f'"{text}" is not above 0')
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight doctor`."""
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_positive,
        default=_TIMEOUT,
        help=f"for each plugin (default: {_TIMEOUT:g})",
    )


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Examine everything; exit code 1 where something is broken."""
    distributions = {entry.distribution for entry in host.installed()} - {SPECS}
    total, done = len(distributions), list[str]()

    def told(plugin: Plugin) -> None:
        done.append(plugin.distribution)
        if not arguments.quiet:
            host.write(f"[{len(done)}/{total}] {plugin.distribution}: {plugin.state}", error=True)

    plugins = examine(host, arguments.timeout, _WORKERS, told)
    problems, machine = [*host.problems(), *installed_twice(host)], facts(host.cache)
    hints = list(advice(machine))
    is_broken = bool(problems) or any(plugin.state == "broken" for plugin in plugins)
    if arguments.json:
        host.write_json(
            {
                "plugins": [_plain(plugin) for plugin in plugins],
                "problems": problems,
                "machine": machine,
                "advice": [attrs.asdict(hint) for hint in hints],
            }
        )
        return int(is_broken)
    _write_plugins(plugins, host)
    for problem in problems:
        host.write(f"  {problem}")
    _write_machine(machine, host)
    host.write("\nwould be faster or safer:" if hints else "\nnothing would make it faster that is known here")
    for hint in hints:
        host.write(f"  {hint.why}\n    fix: {hint.fix}")
    return int(is_broken)


def _plain(plugin: Plugin) -> dict[str, Any]:
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": plugin.state,
        "announces": [{"role": entry.role, "use": entry.use} for entry in plugin.entries],
        "seconds": {"light": round(plugin.light, 3), "components": round(plugin.heavy, 3)},
        "findings": [attrs.asdict(finding) for finding in plugin.findings],
    }


def _write_plugins(plugins: list[Plugin], host: Host) -> None:
    """The table, and below it the reasons by state."""
    rows = [
        (one.distribution, one.version, one.state, _time(one, one.light), _time(one, one.heavy), components_of(one))
        for one in plugins
    ]
    host.write_table(("PLUGIN", "VERSION", "STATE", "LIST", "LOAD", "ANNOUNCES"), rows)
    host.write("LIST, LOAD: CPU seconds to import what a listing needs, and all components beside torch")
    for state in ORDER[:-1]:
        reasons = [(one, finding) for one in plugins for finding in one.findings if finding.state == state]
        if reasons:
            host.write(f"\n{state}:")
        for one, finding in reasons:
            host.write(f"  {one.distribution} {one.version}: {finding.why}\n    fix: {finding.fix}")
    counts = Counter(one.state for one in plugins)
    host.write("\n" + ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state]))


def _time(plugin: Plugin, seconds: float) -> str:
    return f"{seconds:.2f}" if plugin.examined else ""


def _write_machine(machine: dict[str, Any], host: Host) -> None:
    """Facts of the machine, a line each."""
    torch, cache = machine["torch"], machine["cache"]
    gpus = ", ".join(torch["gpus"]) if torch and torch["gpus"] else "none that torch can use"
    rows = [
        ("python", machine["python"]),
        ("platform", machine["platform"]),
        ("torch", f"{torch['version']}, {torch['capability']}" if torch else "cannot be imported"),
        ("GPU", gpus),
        ("cores", f"{machine['cores']}; a run computes with {machine['threads']} unless --threads says more"),
        ("cache", f"{cache['folder']}: {cache['bytes'] / 1e9:.2f} GB, {machine['free'] / 1e9:.1f} GB left on its disk"),
        *((f"weights of {name}", folder) for name, folder in machine["weights"].items()),
    ]
    host.write()
    host.write_table(("MACHINE", ""), rows)
