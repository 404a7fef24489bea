"""Commands of the documentation site; `make docs` runs all of them.

PYTHONPATH=tools python -m docsite stage   pages and their links into build/docs
PYTHONPATH=tools python -m docsite build   stage, then mkdocs and zensical, both strict, into build/site-NAME
PYTHONPATH=tools python -m docsite blocks  counts of code blocks, and why some are not checked; the tests check them
PYTHONPATH=tools python -m docsite check   links, anchors and addresses of both sites, and their pages in Chromium
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from publishing import is_reserved

from docsite.build import GENERATORS, build
from docsite.built import check_files
from docsite.stage import stage

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"


def main(arguments: list[str]) -> int:
    """Run the commands that are named, in order."""
    if not arguments or set(arguments) - {"blocks", "stage", "build", "check"}:
        print(__doc__)
        return 2
    failed: list[str] = []
    if set(arguments) & {"stage", "build"}:
        print(f"{len(stage(ROOT, BUILD / 'docs', repository()))} files staged in {BUILD / 'docs'}")
    if "build" in arguments:
        failed += [name for name in GENERATORS if build(name, ROOT, BUILD)]
    if "blocks" in arguments:
        from docsite.blocks import survey

        print("\n".join(survey(ROOT)))
    if "check" in arguments:
        failed += [name for name in GENERATORS if check_site(name)]
    return int(bool(failed))


def repository() -> str:
    """Address that paths of the repository are put behind; empty while the repository is a placeholder."""
    if is_reserved():
        return ""
    facts = tomllib.loads((ROOT / "tools" / "publishing.toml").read_text(encoding="utf-8"))
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    return str(facts["file"]).format(repository=facts["repository"], version=version, path="").rstrip("/")


def check_site(name: str) -> bool:
    """True where something is wrong with the site that a generator has built."""
    from docsite.browser import check_pages

    folder = BUILD / f"site-{name}"
    problems = [*check_files(folder), *check_pages(folder)]
    for problem in problems:
        print(f"{name}: {problem}")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
