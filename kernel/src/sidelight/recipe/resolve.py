"""Resolution of a recipe: its components looked up, wired, compared and put in order; and written out in full.

No model is loaded: only the light modules of the plugins that the recipe names are imported.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import ExplainerDescriptor, MetricDescriptor
from sidelight_specs.facts import DataFacts
from sidelight_specs.recipe import TRAINING_SLOT, VERSION, params_plain
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.recipe.fit import Fit
from sidelight.recipe.model import SECTIONS, Candidate, Recipe, Resolved, ResolvedComponent
from sidelight.recipe.wiring import Wiring, installed_hint, look_up
from sidelight.registry.catalog import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight_specs.problems import Problems
    from sidelight_specs.recipe import Explain

    from sidelight.registry.catalog import Catalog

_GIVEN = {name: role.gives for name, role in ROLES.items() if role.verb in ("find", "invert")}
"""Kinds that components other than explainers give for a metric to measure."""


def resolve(recipe: Recipe, catalog: Catalog, problems: Problems, *, finished: bool = False) -> Resolved | None:
    """The resolved recipe, or None when there are problems.

    Args:
        recipe: as written.
        catalog: what is installed.
        problems: gets every mistake, beside those found before.
        finished: neither look for the files that it names nor compare what follows from its parameters.
    """
    # Each step notes what it can and leaves gaps: later ones pass over these, so that one mistake is reported once.
    candidates = recipe.components
    for candidate in candidates:
        look_up(candidate, catalog, finished=finished)
    wiring = Wiring(candidates, catalog)
    wiring.wire()
    questioned = {role: question_about(recipe, role, wiring, problems) for role in ("data", "classifier")}
    written: Any = recipe.explain
    explain = attrs.evolve(written, **{role: one.id if one else None for role, one in questioned.items()})
    fit = Fit(recipe, wiring, questioned["data"], questioned["classifier"], problems)
    facts = DataFacts() if finished else fit.check()
    one_way_to_choose_images(recipe, problems)
    one_main_inverter(candidates, problems)
    metrics_measure_something(candidates, problems)
    one_latent_space(candidates, problems)
    ordered = in_dependency_order(candidates, problems)
    if problems.mistakes:
        return None
    # Only now is nothing missing any more.
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


def _built(candidate: Candidate, built: dict[Candidate, ResolvedComponent]) -> ResolvedComponent:
    """A candidate without mistakes, all of whose needs are built."""
    available = candidate.available
    assert available is not None, "a component that is not available is a problem"
    return ResolvedComponent(
        id=candidate.id,
        role=candidate.role,
        use=candidate.use,
        descriptor=available.descriptor,
        distribution=available.distribution,
        version=available.version,
        params=candidate.params,
        needs={slot: built[other] if other else None for slot, other in candidate.needs.items()},
        trained_on=built[candidate.trained_on] if candidate.trained_on else None,
    )


def question_about(recipe: Recipe, role: str, wiring: Wiring, problems: Problems) -> Candidate | None:
    """The data or the classifier that the recipe's questions are about; None after a mistake."""
    rivals, place = wiring.of_role(role), recipe.place_of(role)
    ids, named = [other.id for other in rivals], getattr(recipe.explain, role)
    if named is None and len(rivals) == 1:
        return rivals[0]
    if named in ids:
        return rivals[ids.index(named)]
    if not ids:
        if role not in wiring.missing:
            message = f"the recipe has no {role}, whose {'images' if role == 'data' else 'answers'} are explained"
            fix = installed_hint(wiring.catalog, role, ())
            problems.add(message, recipe.place, expected=f"a section {quoted(role)}", fix=fix)
    elif named is None:
        several = "sets of data" if role == "data" else "classifiers"
        problems.add(
            f"the recipe has several {several} and does not say which one its questions are about: {listing(ids)}",
            place,
            expected=f"explain: {{{role}: ID}}, naming one of them",
        )
    else:
        message, fix = f"the recipe has no {role} with the id {quoted(named)}", did_you_mean(named, ids)
        problems.add(message, place, expected=f"one of {listing(ids)}", fix=fix)
    return None


def one_way_to_choose_images(recipe: Recipe, problems: Problems) -> None:
    """Images are chosen by position or by label."""
    labels = recipe.explain_items.get("labels")
    if recipe.explain.indices and recipe.explain.labels and labels:
        place = labels.key_place
        problems.add("explain: indices and labels exclude each other", place, fix="take one of them out")


def one_main_inverter(candidates: Iterable[Candidate], problems: Problems) -> None:
    """The explained images are inverted by the only inverter, or by the one whose id is `inverter`."""
    inverters = [other for other in candidates if other.role == "inverter"]
    if len(inverters) > 1 and all(one.id != "inverter" for one in inverters):
        problems.add(
            f"the recipe has several inverters: {listing(one.id for one in inverters)}",
            inverters[0].start,
            expected="the id inverter for the one that inverts the explained images; needs may name the others",
        )


def metrics_measure_something(candidates: Iterable[Candidate], problems: Problems) -> None:
    """Every metric accepts the kind of at least one explanation of the recipe."""
    everything = tuple(candidates)
    if any(other.role == "explainer" and other.descriptor is None for other in everything):
        return
    given = {_GIVEN[other.role] for other in everything if other.role in _GIVEN}
    given |= {other.descriptor.gives for other in everything if isinstance(other.descriptor, ExplainerDescriptor)}
    for metric in everything:
        descriptor = metric.descriptor
        if isinstance(descriptor, MetricDescriptor) and not given.intersection(descriptor.accepts):
            metric.refuse(
                f"{metric.use} has nothing to measure: it accepts {listing(descriptor.accepts)}, "
                f"the recipe gives {listing(sorted(given)) or 'no explanation'}",
                fix="add an explainer that gives one of these, or take the metric out",
            )


def metrics_share_a_generator(built: Mapping[Candidate, ResolvedComponent], problems: Problems) -> None:
    """Warn of metrics that pass over everything of their kind, which was made with another generator than theirs."""
    for candidate, metric in built.items():
        if not isinstance(metric.descriptor, MetricDescriptor):
            continue
        subjects = [one for one in built.values() if _kind_given(one) in metric.descriptor.accepts]
        if subjects and all(metric.has_other_generator(one) for one in subjects):
            problems.warn(
                f"{metric.use} measures nothing: {listing(one.use for one in subjects)} used another generator",
                candidate.place,
                fix="name it with needs: {generator: ID}",
            )


def _kind_given(component: ResolvedComponent) -> str:
    """The kind of what a component gives for a metric to measure; empty for none."""
    if isinstance(component.descriptor, ExplainerDescriptor):
        return component.descriptor.gives
    return _GIVEN.get(component.role, "")


def one_latent_space(candidates: Iterable[Candidate], problems: Problems) -> None:
    """A component and those it needs use one generator: the latents of another mean nothing to it."""
    for candidate in candidates:
        own = candidate.needs.get("generator")
        for slot, other in candidate.needs.items():
            theirs = other.needs.get("generator") if other else None
            if own and theirs and own is not theirs:
                candidate.refuse(
                    f"{candidate.use} gets the generator {quoted(own.id)}, "
                    f"but its {slot} uses the latents of {quoted(theirs.id)}",
                    expected=f"one generator for both: needs: {{generator: ID}} here or in {with_article(slot)}",
                )


def in_dependency_order(candidates: tuple[Candidate, ...], problems: Problems) -> tuple[Candidate, ...]:
    """Every candidate after all it needs, in recipe order otherwise; a circle is noted."""
    graph = {one: [other for other in (*one.needs.values(), one.trained_on) if other] for one in candidates}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[Candidate] = error.args[1][::-1]  # it gives each before the one that needs it
        names = " -> ".join(f"{link.role} {link.id}" for link in circle)
        circle[0].refuse(f"components need one another in a circle: {names}")
        return candidates
    ordered: dict[Candidate, None] = {}

    def visit(candidate: Candidate) -> None:  # depth first: graphlib's own order would not keep that of the recipe
        if candidate not in ordered:
            for other in graph[candidate]:
                visit(other)
            ordered[candidate] = None

    for candidate in candidates:
        visit(candidate)
    return tuple(ordered)


def write_out(name: str, seed: int, explain: Explain, components: Iterable[ResolvedComponent]) -> dict[str, Any]:
    """The recipe as plain values, every default and every need written out; reading it again resolves to the same.

    Args:
        name: of the recipe.
        seed: of the recipe.
        explain: which images are explained.
        components: in recipe order.
    """
    plain = {"recipe": VERSION, "name": name, "seed": seed, "explain": params_plain(explain)}
    every = tuple(components)
    for section, role in SECTIONS.items():
        own = [component for component in every if component.role == role]
        if [component.id for component in own] == [role]:
            plain[section] = _component(own[0])
        elif own:
            plain[section] = {component.id: _component(component) for component in own}
    return plain


def _component(component: ResolvedComponent) -> dict[str, Any]:
    needs = {slot: other.id if other else None for slot, other in component.needs.items()}
    if component.trained_on:
        needs.setdefault(TRAINING_SLOT, component.trained_on.id)
    parts = {"use": component.use, "with": params_plain(component.params), "needs": needs}
    return {key: value for key, value in parts.items() if value}
