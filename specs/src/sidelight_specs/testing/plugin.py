"""A pytest plugin, active wherever sidelight-specs is installed: says how many conformance checks were run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROPERTY = "sidelight_conformance"


def pytest_configure(config: Any) -> None:
    """Register the marker that checks of trainable components bear."""
    config.addinivalue_line("markers", "training: trains a network, or searches for seconds")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print, for each component, how many checks passed, and each that failed with its reason."""
    rows = list(_checks(terminalreporter.stats))
    if not rows:
        return
    terminalreporter.section("sidelight conformance")
    for line in summary(rows):
        terminalreporter.line(line)


def summary(rows: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """One line for each component and failed check.

    Args:
        rows: (outcome, distribution, component, text), where text is the check's name and why it failed.
    """
    rows = list(rows)
    for distribution in sorted({row[1] for row in rows}):
        mine = [row for row in rows if row[1] == distribution]
        for component in dict.fromkeys(row[2] for row in mine):
            counts = Counter(row[0] for row in mine if row[2] == component)
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items(), reverse=True))
            yield f"{component:<40} {told}"
            yield from (f"  FAILED {row[3]}" for row in mine if row[2] == component and row[0] == "failed")
        yield f"{distribution}: {len(mine)} conformance checks were run"


def _checks(stats: dict[str, list[Any]]) -> Iterator[tuple[str, str, str, str]]:
    for reports in stats.values():
        for report in reports:
            named = dict(getattr(report, "user_properties", ()))
            if _PROPERTY not in named or (report.when != "call" and report.passed):
                continue
            distribution, component, check = named[_PROPERTY].split(" ")
            outcome = "expected to fail" if hasattr(report, "wasxfail") else report.outcome
            yield outcome, distribution, component, f"{check}: {_reason(report)}"


def _reason(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).removeprefix("AssertionError: ").split("\nassert ")[0]
