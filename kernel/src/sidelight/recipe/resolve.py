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
from sidelight.recipe.model import SECTIONS, Recipe, Resolved, ResolvedComponent
from sidelight.recipe.wiring import Candidate, Wiring, installed_hint, look_up
from sidelight.registry.catalog import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight_specs.recipe import Explain

    from sidelight.problems import Problems
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
    candidates = tuple(look_up(choice, catalog, problems, finished=finished) for choice in recipe.choices)
    wiring = Wiring(candidates, catalog, problems)
    wiring.wire()
    written: Any = recipe.explain
    explain = attrs.evolve(
        written, data=question_about(recipe, "data", wiring), classifier=question_about(recipe, "classifier", wiring)
    )
    data, classifier = (_with_id(candidates, role, getattr(explain, role)) for role in ("data", "classifier"))
    facts = DataFacts() if finished else Fit(recipe, wiring, data, classifier).check()
    one_way_to_choose_images(recipe, problems)
    one_main_inverter(candidates, problems)
    metrics_measure_something(candidates, problems)
    one_latent_space(candidates, problems)
    ordered = in_dependency_order(candidates, problems)
    if problems.mistakes:
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
        params=candidate.params,
        needs={slot: built[other] if other else None for slot, other in candidate.needs.items()},
        trained_on=built[candidate.trained_on] if candidate.trained_on else None,
    )


def question_about(recipe: Recipe, role: str, wiring: Wiring) -> str | None:
    """The id of the data or of the classifier that the recipe's questions are about; None after a mistake."""
    place = recipe.place_of(role)
    ids = [other.choice.id for other in wiring.candidates if other.choice.role == role]
    named = getattr(recipe.explain, role)
    if named is None and len(ids) == 1:
        return ids[0]
    if named in ids:
        return str(named)
    if not ids:
        if role not in wiring.missing:
            wiring.problems.add(
                f"the recipe has no {role}, whose {'images' if role == 'data' else 'answers'} are explained",
                recipe.place,
                expected=f"a section {quoted(role)}",
                fix=installed_hint(wiring.catalog, role, ()),
            )
    elif named is None:
        wiring.problems.add(
            f"the recipe has several {'sets of data' if role == 'data' else 'classifiers'} and does not say which one "
            f"its questions are about: {listing(ids)}",
            place,
            expected=f"explain: {{{role}: ID}}, naming one of them",
        )
    else:
        wiring.problems.add(
            f"the recipe has no {role} with the id {quoted(named)}",
            place,
            expected=f"one of {listing(ids)}",
            fix=did_you_mean(named, ids),
        )
    return None


def one_way_to_choose_images(recipe: Recipe, problems: Problems) -> None:
    """Images are chosen by position or by label."""
    labels = recipe.explain_items.get("labels")
    if recipe.explain.indices and recipe.explain.labels and labels:
        place = labels.key_place
        problems.add("explain: indices and labels exclude each other", place, fix="take one of them out")


def one_main_inverter(candidates: Iterable[Candidate], problems: Problems) -> None:
    """The explained images are inverted by the only inverter, or by the one whose id is `inverter`."""
    inverters = [other.choice for other in candidates if other.choice.role == "inverter"]
    if len(inverters) > 1 and all(choice.id != "inverter" for choice in inverters):
        problems.add(
            f"the recipe has several inverters: {listing(choice.id for choice in inverters)}",
            inverters[0].place,
            expected="the id inverter for the one that inverts the explained images; needs may name the others",
        )


def metrics_measure_something(candidates: Iterable[Candidate], problems: Problems) -> None:
    """Every metric accepts the kind of at least one explanation of the recipe."""
    everything = tuple(candidates)
    if any(other.choice.role == "explainer" and other.descriptor is None for other in everything):
        return
    given = {_GIVEN[other.choice.role] for other in everything if other.choice.role in _GIVEN}
    given |= {other.descriptor.gives for other in everything if isinstance(other.descriptor, ExplainerDescriptor)}
    for metric in everything:
        descriptor = metric.descriptor
        if isinstance(descriptor, MetricDescriptor) and not given.intersection(descriptor.accepts):
            problems.add(
                f"{metric.choice.use} has nothing to measure: it accepts {listing(descriptor.accepts)}, "
                f"the recipe gives {listing(sorted(given)) or 'no explanation'}",
                metric.choice.use_place,
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
                candidate.choice.use_place,
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
                problems.add(
                    f"{candidate.choice.use} gets the generator {quoted(own.choice.id)}, "
                    f"but its {slot} uses the latents of {quoted(theirs.choice.id)}",
                    candidate.choice.use_place,
                    expected=f"one generator for both: needs: {{generator: ID}} here or in {with_article(slot)}",
                )


def in_dependency_order(candidates: tuple[Candidate, ...], problems: Problems) -> tuple[Candidate, ...]:
    """Every candidate after all it needs, in recipe order otherwise; a circle is noted."""
    graph = {one: [other for other in (*one.needs.values(), one.trained_on) if other] for one in candidates}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[Candidate] = error.args[1][::-1]  # it gives each before the one that needs it
        names = " -> ".join(f"{link.choice.role} {link.choice.id}" for link in circle)
        problems.add(f"components need one another in a circle: {names}", circle[0].choice.use_place)
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
