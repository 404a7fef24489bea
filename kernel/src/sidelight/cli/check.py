"""`sidelight check`: everything that can be known of a recipe without loading a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight.cli.run import add_recipe_arguments
from sidelight.engine.api import forecast
from sidelight.recipe.load import load_recipe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from sidelight_specs.recipe import Explain

    from sidelight.cli.host import KernelHost
    from sidelight.engine.api import Forecast
    from sidelight.recipe.model import Resolved, ResolvedComponent

_TARGETS = {
    "second": "why the predicted class and not the second most likely one",
    "predicted": "why the predicted class",
    "all": "why the predicted class and not each of the others",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight check`."""
    add_recipe_arguments(parser)


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Check a recipe; say how its components are wired, and what a run would write and compute.

    Raises:
        RecipeError: it has mistakes; all of them are listed.
        UserError: the run's folder holds something else.
    """
    recipe = load_recipe(arguments.recipe, set=arguments.set, swap=arguments.swap, catalog=host.catalog)
    ahead = forecast(recipe, arguments.out)
    host.write(f"{recipe.name} ({arguments.recipe}), seed {recipe.seed}: no mistakes found\n")
    host.write_table(("COMPONENT", "USE", "VERSION", "GETS", "GIVES"), [_row(one) for one in recipe.components])
    host.write()
    for line in (*_facts(recipe, ahead), *_ahead(ahead)):
        host.write(line)
    for warning in recipe.warnings:
        host.write(f"\nwarning: {warning.render()}")
    return 0


def _row(component: ResolvedComponent) -> tuple[str, ...]:
    gets = [f"{slot}: {other.path if other else 'none'}" for slot, other in component.needs.items()]
    return (component.path, component.use, component.version, ", ".join(gets), ", ".join(_gives(component)))


def _gives(component: ResolvedComponent) -> tuple[str, ...]:
    """Kinds that a metric accepts, then the capabilities, of which an explanation's kind is the first."""
    descriptor = component.descriptor
    accepts = getattr(descriptor, "accepts", ())
    measured = [f"numbers about {' or '.join(accepts)}"] if accepts else []
    return (*measured, *descriptor.provided_by(component.params))


def _facts(recipe: Resolved, ahead: Forecast) -> Iterator[str]:
    yield f"explains  {_explained(recipe.explain, recipe.facts.splits or {})}"
    named = f"why the predicted class and not {recipe.explain.target}"
    each = "; ".join(f"why {predicted} and not {probe}" for predicted, probe in recipe.explain.targets.items())
    yield f"asks      {each or _TARGETS.get(str(recipe.explain.target), named)}"
    for component in recipe.components:
        if component.trained_on:
            yield f"trains    {component.path} on {component.trained_on.path}{_cached(component, ahead)}"


def _cached(component: ResolvedComponent, ahead: Forecast) -> str:
    title = f"fit {component.path}"
    if title in ahead.stored:
        return ": done, in the cache"
    return "" if title in ahead.computed else ", unless the cache holds it"


def _ahead(ahead: Forecast) -> Iterator[str]:
    """Lines about the folder that a run writes and the steps that it takes."""
    yield f"writes    {ahead.out}" + (f", over the run finished {ahead.overwrites}" if ahead.overwrites else "")
    if ahead.stored:
        yield f"cached    {', '.join(ahead.stored)} (on the {ahead.device})"
    least = ", ".join(ahead.computed)
    most = f"at most {ahead.open} {'further ' if least else ''}steps, looked up on the way" if ahead.open else ""
    yield f"computes  {'; '.join(filter(None, (least, most))) or 'nothing'}"


def _explained(explain: Explain, splits: Mapping[str, int | None]) -> str:
    """The explained images, in words."""
    size = splits.get(explain.split)
    chosen = f"of the classes {', '.join(map(str, explain.labels))} " if explain.labels else ""
    if explain.indices:
        return f"images {', '.join(map(str, explain.indices))} {chosen}of the split {explain.split}"
    if size is not None and not explain.labels:
        count = size if explain.count is None else min(size, explain.count)
        return f"{count} of the {size} images of the split {explain.split}"
    most = "every image" if explain.count is None else f"up to {explain.count} images"
    return f"{most} {chosen}of the split {explain.split}"
