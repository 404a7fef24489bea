"""`sidelight recipes`: installed recipes by name, each with its question and what it lacks; one printed, or copied.

Recipes are read as data: nothing that they use is imported, so that the list comes at once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.entry_points import PREFIX, plugin_name
from sidelight_specs.files import read_regular
from sidelight_specs.hooks import RECIPE
from sidelight_specs.problems import Problems
from sidelight_specs.recipe_files import FOLDER, Outline, outline, recipe_file
from sidelight_specs.release import distributions, how_to_install
from sidelight_specs.wording import did_you_mean, quoted

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Host, Installed

_BESIDE = re.compile(rf"(?<!\$)\$\{{{FOLDER}\}}/(?P<file>[\w.-]+)")  # a file of the recipe's folder
HOME = "sidelight-recipes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight recipes`."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="print this recipe")
    parser.add_argument("--copy", metavar="DIR", nargs="?", const=".", help="write it to a folder, to be edited there")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """List the installed recipes, print one, or copy one with the files that it names.

    Raises:
        UserError: there is no such recipe, or a file would be overwritten.
    """
    if arguments.name is None:
        if arguments.copy is not None:
            raise UserError("--copy needs the name of a recipe", "sidelight recipes NAME --copy")
        _list(host, as_json=arguments.json)
        return 0
    path = _find(arguments.name, host)
    if arguments.copy is None:
        host.write(path.read_text(encoding="utf-8").rstrip("\n"))
        picture = path.parent / "pictures" / f"{path.stem}.webp"
        if picture.is_file():
            host.write(f"picture of its page: {picture}", error=True)
        return 0
    written = _copy(path, Path(arguments.copy))
    host.write("\n".join((*(f"wrote {file}" for file in written), f"run it: sidelight run {written[0]}")))
    return 0


def announced(host: Host) -> list[tuple[Installed, Path]]:
    """Entry and file of every recipe that is there."""
    found = []
    for entry in host.installed():
        if entry.role == RECIPE and not entry.flaw:
            try:
                found.append((entry, recipe_file(entry)))
            except FileNotFoundError as error:
                host.write(f"warning: {entry.use} ({entry.distribution} {entry.version}): {error}", error=True)
    return found


def lacking(recipe: Outline, installed: tuple[Installed, ...]) -> list[str]:
    """Distributions or components that a recipe uses and that nothing installed announces."""
    plugins = {plugin_name(entry.distribution) for entry in installed}
    uses = {(entry.role, entry.use) for entry in installed}
    absent = dict[str, None]()
    for role, use in recipe.uses:
        plugin = use.partition("/")[0]
        if plugin not in plugins:
            own = f"{PREFIX}{plugin}"
            absent[own if own in distributions() else plugin] = None
        elif (role, use) not in uses:
            absent[use] = None
    return list(absent)


def _list(host: Host, *, as_json: bool) -> None:
    installed, rows, wanted = host.installed(), [], dict[str, None]()
    for entry, path in announced(host):
        problems = Problems()
        recipe = outline(path, problems)
        missing = lacking(recipe, installed)
        wanted.update(dict.fromkeys(name for name in missing if name in distributions()))
        state = f"needs {', '.join(missing)}: not installed" if missing else ""
        rows.append((entry, recipe.title, "cannot be read" if problems.mistakes else state, missing))
    if as_json:
        keys = ("name", "title", "distribution", "version", "missing")
        told = [(one.name, title, one.distribution, one.version, missing) for one, title, _, missing in rows]
        host.write_json([dict(zip(keys, row, strict=True)) for row in told])
    elif not rows:
        host.write(f"no recipe is installed; {how_to_install(HOME)}")
    else:
        several = len({entry.distribution for entry, *_ in rows}) > 1
        cells = [(entry.name, title, entry.distribution if several else "", state) for entry, title, state, _ in rows]
        host.write_table(("RECIPE", "QUESTION", "DISTRIBUTION", "LACKS"), cells)
        more = [f"install what is missing: {how_to_install(*wanted)}"] if wanted else []
        host.write("\n".join(("", "sidelight run NAME runs one, sidelight recipes NAME prints it", *more)))


def _find(name: str, host: Host) -> Path:
    found = {entry.name: path for entry, path in reversed(announced(host))}
    if name not in found:
        hint = did_you_mean(name, found) or "`sidelight recipes` lists them"
        raise UserError(f"no recipe {quoted(name)} is installed", hint if found else how_to_install(HOME))
    return found[name]


def _copy(path: Path, folder: Path) -> list[Path]:
    """Write a recipe, what it extends and the files beside it that it names; gives the new paths, its own first."""
    names = [one.name for one in outline(path, Problems()).files if one.parent == path.parent]
    text = "".join((path.parent / name).read_text(encoding="utf-8") for name in names)
    names += [match["file"] for match in _BESIDE.finditer(text)]
    targets = [folder / name for name in dict.fromkeys(names)]
    for target in targets:
        if os.path.lexists(target):
            raise UserError(f"{target} is there already", "name another folder: --copy DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            with target.open("xb") as stream:
                stream.write(read_regular(path.parent / target.name))
    except OSError as error:
        raise UserError(
            f"the recipe cannot be written to {folder}: {error.strerror or error}", "name another folder"
        ) from error
    return targets
