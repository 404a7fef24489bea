"""Pages of the Python API: directives for mkdocstrings, which reads docstrings without importing anything."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "reference/api"
KERNEL = """# sidelight

Everything that a script or a notebook needs. [Your model](../../how-to/own-model.md) explains `explain` by examples,
[Run recipes](../../how-to/running.md) what a run leaves.

::: sidelight.explain

::: sidelight.run

::: sidelight.load_run

::: sidelight.Run

::: sidelight.serve
"""
PACKAGES = {  # package: its sources, and who needs it
    "sidelight_specs": ("specs/src", "Contracts for authors of plugins"),
    "sidelight_toolkit": ("plugins/toolkit/src", "Library of the torch plugins; a convenience, not a contract"),
}


def api_pages(root: Path) -> dict[str, str]:
    """Texts of the pages by their place: an overview, one for the kernel, and one for each module of the packages."""
    pages = {f"{FOLDER}/sidelight.md": KERNEL}
    overview = [
        "# Python API",
        "",
        "Written from the docstrings.",
        "",
        "- [`sidelight`](sidelight.md): scripts and notebooks",
    ]
    for package, (sources, use) in PACKAGES.items():
        overview += ["", f"## {package}", "", f"{use}.", "", "| Module | Contents |", "|---|---|"]
        for module, summary in modules(root / sources, package):
            pages[f"{FOLDER}/{module}.md"] = f"# {module}\n\n::: {module}\n    options: {{show_root_heading: false}}\n"
            overview.append(f"| [`{module}`]({module}.md) | {summary.replace('|', chr(92) + '|')} |")
    pages[f"{FOLDER}/index.md"] = "\n".join(overview) + "\n"
    return pages


def modules(sources: Path, package: str) -> Iterator[tuple[str, str]]:
    """Public modules of a package and the first lines of their docstrings, in alphabetical order."""
    for file in sorted((sources / package).rglob("*.py")):
        parts = file.relative_to(sources).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts) or "checks" in parts:
            continue  # private, or a check of the conformance kit, which is run and not called
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        yield ".".join(part for part in parts if part != "__init__"), docstring.partition("\n")[0]
