"""A new plugin distribution from templates: one that works and passes the conformance kit as it stands."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from importlib.util import find_spec
from string import Template
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@frozen
class Names:
    """How the parts of a new plugin are called.

    Args:
        distribution: `acme-occlusion`.
        component: what comes after the first hyphen, `occlusion`; all of it where there is none.
        role: the component's role.
    """

    distribution: str
    component: str
    role: str

    @classmethod
    def of(cls, name: str, role: str) -> Names:
        """Names for a distribution.

        Raises:
            UserError: the name cannot be one, or its package exists already.
        """
        if not _WORDS.fullmatch(name):
            raise UserError(
                f"{name!r} is no name for a plugin",
                "use lower-case words joined by hyphens, beginning with a letter: acme-occlusion",
            )
        names = cls(name, name.partition("-")[2] or name, role)
        names.check()
        return names

    def check(self) -> None:
        """Raise a UserError where Python already uses the name of the package or could not import the module."""
        if not _WORDS.fullmatch(self.component) or keyword.iskeyword(self.module):
            raise UserError(f"{self.component!r} is no name for a component", "choose another word after the hyphen")
        if self.package in sys.stdlib_module_names or keyword.iskeyword(self.package) or find_spec(self.package):
            raise UserError(
                f"the package {self.package} exists already", f"choose another name, such as my-{self.distribution}"
            )

    @property
    def package(self) -> str:
        """`acme_occlusion`."""
        return self.distribution.replace("-", "_")

    @property
    def module(self) -> str:
        """The behaviour module, `occlusion`."""
        return self.component.replace("-", "_")

    @property
    def title(self) -> str:
        """The class, `Occlusion`."""
        return "".join(word.capitalize() for word in self.component.split("-"))

    @property
    def use(self) -> str:
        """What a recipe writes, `acme-occlusion/occlusion`."""
        return f"{self.distribution.removeprefix('sidelight-')}/{self.component}"


def write_plugin(names: Names, folder: Path) -> list[Path]:
    """Write a plugin distribution.

    Args:
        names: what to call its parts.
        folder: where to write; new or empty.

    Returns:
        the files written.

    Raises:
        UserError: the folder holds something already, or cannot be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already", "choose another --folder, or empty this one yourself")
    written = []
    for target, template in _templates(names):
        path = folder / target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(template, names), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}", "choose another --folder") from error
        written.append(path)
    return written


def _templates(names: Names) -> Iterator[tuple[str, Traversable]]:
    """Where each file goes, and its template: those of the role, and those that all roles share."""
    root = resources.files(__package__) / "templates"
    package = f"src/{names.package}"
    yield "pyproject.toml", root / "pyproject.toml.template"
    yield "README.md", root / "README.md.template"
    yield f"{package}/__init__.py", root / names.role / "light.py.template"
    yield f"{package}/{names.module}.py", root / names.role / "behaviour.py.template"
    yield "tests/test_conformance.py", root / "test_conformance.py.template"


def _filled(template: Traversable, names: Names) -> str:
    return Template(template.read_text(encoding="utf-8")).substitute(
        distribution=names.distribution,
        package=names.package,
        component=names.component,
        module=names.module,
        title=names.title,
        role=names.role,
        use=names.use,
    )
