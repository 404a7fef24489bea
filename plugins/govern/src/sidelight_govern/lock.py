"""`sidelight lock`: the lock of a recipe or of a finished run, and a requirements file of hashes made from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight_govern.wheels import add_origins, requirement_lines

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Host

SUFFIX = ".lock"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight lock`."""
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe, or the folder of a finished run")
    change: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--set", metavar="KEY=VALUE", help="change one value: explain.count=20", **change)
    parser.add_argument("--swap", metavar="ROLE=USE", help="exchange a component: data=PLUGIN/COMPONENT", **change)
    parser.add_argument("--out", metavar="FILE", type=Path, help="the lock (default: RECIPE.lock)")
    parser.add_argument(
        "--strict", action="store_true", help="refuse another patch version of Python, or another platform"
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="take URLs and hashes of wheels from `pip install --report FILE`",
        **change,
    )
    parser.add_argument(
        "--requirements", metavar="FILE", type=Path, help="also write these for `pip install --require-hashes -r FILE`"
    )


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Write the lock, and say what it holds and what it cannot hold."""
    target = arguments.out or beside(arguments.recipe)
    host.write("hashing what the recipe depends on; what is unchanged since the last time is known ...", error=True)
    lock = host.lock(arguments.recipe, set=arguments.set, swap=arguments.swap, strict=arguments.strict)
    for report in arguments.report:
        add_origins(lock, report)
    lines = requirement_lines(lock) if arguments.requirements else []
    write_whole(target, json.dumps(lock, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if arguments.requirements:
        write_whole(arguments.requirements, "".join(f"{line}\n" for line in lines))
    _tell(lock, target, arguments.requirements, host)
    return 0


def beside(recipe: str) -> Path:
    """The lock of a recipe or a run, unless another is named: beside it, `.lock` added to its name.

    Raises:
        UserError: nothing lies beside it.
    """
    path = Path(recipe)
    path = path if path.name not in ("", "..") else path.resolve()  # `.` within the folder of a run
    if not path.name:
        raise UserError(f"{path} is no recipe and no run", "give a YAML file, a name, or the folder of a run")
    return path.with_name(path.name + SUFFIX)


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror or error}", "name another file") from error


def _tell(lock: dict[str, Any], target: Path, requirements: Path | None, host: Host) -> None:
    """Say what is locked, and what is not."""
    distributions, components = lock["distributions"], lock["components"]
    files = sum(len(one["files"]) for one in components.values())
    weights = [path for path, one in components.items() if one["weights"]]
    counts = f"{len(distributions)} distributions, {len(components)} components, {files} files and folders they read"
    host.write(f"wrote {target}: {counts}, weights of {len(weights)}")
    if requirements:
        host.write(f"wrote {requirements}: `pip install --require-hashes --no-deps -r {requirements}`")
    for note in notes(lock):
        host.write(f"note: {note}")
    host.write(f"run it with `sidelight run RECIPE --frozen {target}`")


def notes(lock: dict[str, Any]) -> list[str]:
    """Sentences on what the lock cannot hold."""
    texts = []
    open_weights = [path for path, one in lock["components"].items() if one["trained"] and not one["weights"]]
    if open_weights:
        texts.append(
            f"{', '.join(open_weights)} learn{'s' if len(open_weights) == 1 else ''} in the run, and the lock holds no "
            "digest of the weights; run the recipe, then lock the run's folder"
        )
    editable = [name for name, one in lock["distributions"].items() if one.get("editable")]
    if editable:
        few = ", ".join(editable[:3]) + (f" and {len(editable) - 3} more" if len(editable) > 3 else "")
        texts.append(f"installed as editable, so that no wheel has what the lock digests: {few}")
    unhashed = [name for name, one in lock["distributions"].items() if not one["hash"]]
    if unhashed:
        texts.append(f"{', '.join(unhashed)} cannot be hashed: their versions alone are locked")
    unknown = [path for path, one in lock["components"].items() if one.get("unnamed")]
    if unknown:
        texts.append(f"{', '.join(unknown)} depend on files that their plugins do not name: these are not locked")
    return texts
