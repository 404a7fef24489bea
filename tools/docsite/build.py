"""Builds of the site by mkdocs and by zensical, from one configuration."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GENERATORS = ("mkdocs", "zensical")
QUIET = {"DISABLE_MKDOCS_2_WARNING": "true", "NO_MKDOCS_2_WARNING": "1"}  # advertisements for successors of mkdocs
WARNING = re.compile(r"^\s*(WARNING|ERROR|Warning:|Error:|griffe:)", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build(name: str, root: Path, target: Path) -> bool:
    """Build the site into `target/site-NAME`.

    Args:
        name: one of `GENERATORS`.
        root: folder of `mkdocs.yml`.
        target: folder of what is built.

    Returns:
        True where the generator failed or warned.
    """
    folder = target / f"site-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", name, "build", "--strict", "--clean"]
    before = _seconds()
    done = subprocess.run(command, cwd=root, env=os.environ | QUIET, capture_output=True, text=True, check=False)
    text = COLOUR.sub("", done.stdout + done.stderr)
    warnings = len(WARNING.findall(text))
    if done.returncode == 0:
        (target / "site").rename(folder)  # zensical takes the folder from the configuration alone
    if done.returncode or warnings:
        print(text)
    print(f"{name}: exit {done.returncode}, {warnings} warnings, {_seconds() - before:.0f} s of processor time")
    return bool(done.returncode or warnings)


def _seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
