"""From a recipe to wired components: looked up, parametrised, matched by role and capability, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs.facts import DataFacts

from sidelight.recipe.candidates import Candidate, look_up
from sidelight.recipe.checks import (
    in_dependency_order,
    metrics_measure_something,
    metrics_share_a_generator,
    one_latent_space,
    one_main_inverter,
    one_way_to_choose_images,
    question_about,
)
from sidelight.recipe.fit import Fit
from sidelight.recipe.model import Recipe, Resolved, ResolvedComponent
from sidelight.recipe.wiring import Wiring
from sidelight.recipe.written import write_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.problems import Problems
    from sidelight.registry.catalog import Catalog


def resolve(recipe: Recipe, catalog: Catalog, problems: Problems, *, finished: bool = False) -> Resolved | None:
    """Wire a recipe. No model is loaded: only the light modules of the plugins that it names are imported.

    Args:
        recipe: as written.
        catalog: what is installed.
        problems: gets every mistake, beside those found before.
        finished: neither look for the files that it names nor compare what follows from its parameters.

    Returns:
        the resolved recipe, or None when there are problems.
    """
    candidates = tuple(look_up(choice, catalog, problems, finished=finished) for choice in recipe.choices)
    wiring = Wiring(candidates, catalog, problems)
    wiring.wire()
    written: Any = recipe.explain
    explain = attrs.evolve(
        written,
        data=question_about(recipe, "data", wiring),
        classifier=question_about(recipe, "classifier", wiring),
    )
    data, classifier = (_with_id(candidates, role, getattr(explain, role)) for role in ("data", "classifier"))
    facts = DataFacts() if finished else Fit(recipe, wiring, data, classifier).check()
    one_way_to_choose_images(recipe, problems)
    one_main_inverter(candidates, problems)
    metrics_measure_something(candidates, problems)
    one_latent_space(candidates, problems)
    ordered = in_dependency_order(candidates, problems)
    if problems.found:
        return None
    built: dict[Candidate, ResolvedComponent] = {}
    for candidate in ordered:
        built[candidate] = _built(candidate, built)
    metrics_share_a_generator(built, problems)
    return Resolved(
        name=recipe.name,
        seed=recipe.seed,
        explain=explain,
        components=tuple(built.values()),
        plain=write_out(recipe.name, recipe.seed, explain, (built[candidate] for candidate in candidates)),
        source=recipe.source,
        facts=facts,
        warnings=problems.warnings,
    )


def _with_id(candidates: Iterable[Candidate], role: str, id: str | None) -> Candidate | None:
    return next((one for one in candidates if (one.choice.role, one.choice.id) == (role, id)), None)


def _built(candidate: Candidate, built: dict[Candidate, ResolvedComponent]) -> ResolvedComponent:
    """A candidate without mistakes, all of whose needs are built."""
    choice, available = candidate.choice, candidate.available
    assert available is not None, "a component that is not available is a problem"
    return ResolvedComponent(
        id=choice.id,
        role=choice.role,
        use=choice.use,
        descriptor=available.descriptor,
        distribution=available.distribution,
        version=available.version,
        code=available.code,
        params=candidate.params,
        needs={slot: built[other] if other else None for slot, other in candidate.needs.items()},
        trained_on=built[candidate.trained_on] if candidate.trained_on else None,
    )
