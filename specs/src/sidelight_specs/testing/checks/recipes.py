"""Promises of the recipes of a distribution. `sidelight check NAME` looks closer, and needs all that a recipe uses."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from sidelight_specs.entry_points import PREFIX, plugin_name, read_entry_points
from sidelight_specs.hooks import RECIPE
from sidelight_specs.host import Installed
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import USE
from sidelight_specs.recipe_files import outline
from sidelight_specs.testing.checks.registry import check

if TYPE_CHECKING:
    from sidelight_specs.testing.case import ExtensionCase

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@check(RECIPE)
def recipe_is_described(case: ExtensionCase) -> None:
    """The recipe can be named on the command line, is read strictly with all that it extends, and has a title."""
    problems = Problems()
    found = outline(case.announced.descriptor, problems)
    assert not problems.mistakes, "\n".join(problem.render() for problem in problems.ordered)
    assert found.title, "it has no title; write the question that it answers: `title: Why this class?`"
    assert found.uses, "it names no component"
    name = case.announced.name
    assert _NAME.fullmatch(name), f"{name!r} is no name of a recipe: letters, digits, _ and -"


@check(RECIPE)
def recipe_uses_what_exists(case: ExtensionCase) -> None:
    """Every component that it uses is announced in its role, or the plugin that would bring it is not installed."""
    entries = [one for each in metadata.distributions() for one in read_entry_points(each)]
    announced = {(one.role, one.use) for one in entries if isinstance(one, Installed)}
    plugins = {plugin_name(one.distribution) for one in entries}
    for role, use in outline(case.announced.descriptor, Problems()).uses:
        assert USE.fullmatch(use), f"{use!r} is no PLUGIN/COMPONENT"
        plugin = use.partition("/")[0]
        known = (role, use) in announced or plugin not in plugins
        assert known, f"{PREFIX}{plugin} is installed and has no {role.replace('_', ' ')} {use}"
