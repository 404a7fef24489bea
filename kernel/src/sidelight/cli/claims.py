"""Claims of a run as lines of the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidelight.cli.host import KernelHost
    from sidelight.engine.results import Run


def write_claims(finished: Run, host: KernelHost) -> None:
    """Print the claims of a run with their verdicts; nothing where it declares none."""
    results = finished.results
    if not results.claims:
        return
    rows = []
    for name, one in results.claims.items():
        late = results.declared_late.get(name, "")
        reason = f"{one.reason}; declared after results were seen (run of {late})" if late else one.reason
        rows.append((name, one.text, one.verdict, reason))
    host.write_table(("CLAIM", "SAYS", "VERDICT", "BECAUSE"), rows)
