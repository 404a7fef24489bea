"""Files that lie inside installed packages, found without importing these."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sidelight_specs import UserError


def package_file(package: str, distribution: str, inside: str) -> Path:
    """The path of a file in a top-level package.

    Args:
        package: import name.
        distribution: the name to install it by.
        inside: path below the package's folder.

    Raises:
        UserError: the package is not installed, or the installed version has no such file.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the package {distribution} is not installed; {inside} comes with it", f"pip install {distribution}"
        )
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.is_file():
        raise UserError(
            f"the installed {distribution} has no file {inside}",
            f"install a version that has it: pip install --force-reinstall {distribution}",
        )
    return path
