"""`sidelight new`: a plugin from a tree of templates; it works and passes the conformance kit as it stands.

Paths and texts of the templates name `$package`, `$module`, `$use`, ...: the tree `templates/shared` and that of the
role are copied with these filled in, and `templates/private` for a plugin that is published on a private index.
"""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Host

TEMPLATES = Path(__file__).parent / "templates"
_PRIVATE = '\nclassifiers = ["Private :: Do Not Upload"]  # PyPI refuses it'
_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight new`."""
    parser.add_argument(
        "role",
        metavar="ROLE",
        type=lambda text: text.replace("-", "_"),
        choices=ROLES,
        help=f"one of {', '.join(ROLES)}",
    )
    parser.add_argument("name", metavar="NAME", help="the distribution's name, such as acme-occlusion")
    private = "for an index of your own: with CI that uploads there, a policy, and a guard against public upload"
    parser.add_argument("--private", action="store_true", help=private)
    parser.add_argument("--folder", metavar="DIR", type=Path, help="where to write it (default: ./NAME)")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Write the plugin and print what to do next."""
    names = names_of(arguments.name, arguments.role)
    folder = arguments.folder or Path(arguments.name)
    for path in write_plugin(names, folder, private=arguments.private):
        host.write(f"  {path}")
    host.write(f"\n{names['use']} works as it stands; replace its method by your own. Next:")
    host.write(f"  pip install -e {folder}\n  sidelight verify {arguments.name}\n  sidelight describe {names['use']}")
    return 0


def names_of(distribution: str, role: str) -> dict[str, str]:
    """Values of the templates' variables.

    Args:
        distribution: `acme-occlusion`; the component is the part after the first hyphen, or all of it.
        role: the component's role.

    Raises:
        UserError: the name cannot be one, or its package exists already.
    """
    if not _WORDS.fullmatch(distribution):
        raise UserError(
            f'"{distribution}" is no name for a plugin',
            "use lower-case words joined by hyphens, beginning with a letter: acme-occlusion",
        )
    component = distribution.partition("-")[2] or distribution
    package, module = distribution.replace("-", "_"), component.replace("-", "_")
    if not _WORDS.fullmatch(component) or keyword.iskeyword(module):
        raise UserError(f'"{component}" is no name for a component', "choose another word after the hyphen")
    if package in sys.stdlib_module_names or keyword.iskeyword(package) or find_spec(package):
        raise UserError(f"the package {package} exists already", f"choose another name, such as my-{distribution}")
    return {
        "distribution": distribution,
        "component": component,
        "package": package,
        "module": module,
        "title": "".join(word.capitalize() for word in component.split("-")),
        "role": role,
        "use": f"{distribution.removeprefix('sidelight-')}/{component}",
    }


def write_plugin(names: dict[str, str], folder: Path, *, private: bool = False) -> list[Path]:
    """Fill in the templates; gives the files.

    Args:
        names: the templates' variables.
        folder: where to write the plugin.
        private: add what a plugin needs that is published on an index of its organisation alone.

    Raises:
        UserError: the folder is not empty, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UserError(f"{folder} exists already", "choose another --folder, or empty this one yourself")
    trees = ("shared", names["role"], *(("private",) if private else ()))
    templates: dict[Path, Path] = {}  # a later tree's file takes the place of an earlier one's
    for root in (TEMPLATES / tree for tree in trees):
        templates |= {one.relative_to(root).with_suffix(""): one for one in sorted(root.rglob("*.template"))}
    values, written = {**names, "private": _PRIVATE if private else ""}, []
    for place, template in templates.items():
        path = folder / Template(str(place)).substitute(values)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}", "choose another --folder") from error
        written.append(path)
    return written
