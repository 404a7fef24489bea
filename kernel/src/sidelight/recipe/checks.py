"""Rules between the components of a recipe beside their needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ExplainerDescriptor, MetricDescriptor

from sidelight.recipe.wiring import Wiring, a, installed_hint
from sidelight.recipe.wording import did_you_mean, listing, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight.problems import Problems
    from sidelight.recipe.candidates import Candidate
    from sidelight.recipe.model import Recipe, ResolvedComponent

_PATHS = {"attribute_finder": "attributes", "inverter": "inversion"}
"""What components other than explainers give for a metric to measure."""


def question_about(recipe: Recipe, role: str, wiring: Wiring) -> str | None:
    """The id of the data or of the classifier that the recipe's questions are about; None after a mistake."""
    entry = recipe.explain_entries.get(role)
    place = entry.value.place if entry else recipe.place
    ids = [other.choice.id for other in wiring.candidates if other.choice.role == role]
    asked = getattr(recipe.explain, role)
    if asked is None and len(ids) == 1:
        return ids[0]
    if asked in ids:
        return str(asked)
    if not ids:
        if role not in wiring.missing:
            wiring.problems.add(
                f"the recipe has no {role}, whose {'images' if role == 'data' else 'answers'} are explained",
                recipe.place,
                expected=f"a section {quoted(role)}",
                suggestion=installed_hint(wiring.catalog, role, ()),
            )
    elif asked is None:
        wiring.problems.add(
            f"the recipe has several {'sets of data' if role == 'data' else 'classifiers'} and does not say which one "
            f"its questions are about: {listing(ids)}",
            place,
            expected=f"explain: {{{role}: ID}}, naming one of them",
        )
    else:
        wiring.problems.add(
            f"the recipe has no {role} with the id {quoted(asked)}",
            place,
            expected=f"one of {listing(ids)}",
            suggestion=did_you_mean(asked, ids),
        )
    return None


def one_way_to_choose_images(recipe: Recipe, problems: Problems) -> None:
    """Images are chosen by position or by label."""
    entries = recipe.explain_entries
    if recipe.explain.indices and recipe.explain.labels and "labels" in entries:
        place = entries["labels"].key_place
        problems.add("explain: indices and labels exclude each other", place, suggestion="take one of them out")


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
    given = {_PATHS[other.choice.role] for other in everything if other.choice.role in _PATHS}
    given |= {other.descriptor.gives for other in everything if isinstance(other.descriptor, ExplainerDescriptor)}
    for metric in everything:
        descriptor = metric.descriptor
        if isinstance(descriptor, MetricDescriptor) and not given.intersection(descriptor.accepts):
            problems.add(
                f"{metric.choice.use} has nothing to measure: it accepts {listing(descriptor.accepts)}, "
                f"the recipe gives {listing(sorted(given)) or 'no explanation'}",
                metric.choice.use_place,
                suggestion="add an explainer that gives one of these, or take the metric out",
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
                suggestion="name it with needs: {generator: ID}",
            )


def _kind_given(component: ResolvedComponent) -> str:
    """The kind of what a component gives for a metric to measure; empty for none."""
    if isinstance(component.descriptor, ExplainerDescriptor):
        return component.descriptor.gives
    return _PATHS.get(component.role, "")


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
                    expected=f"one generator for both: needs: {{generator: ID}} here or in {a(slot)}",
                )


def in_dependency_order(candidates: tuple[Candidate, ...], problems: Problems) -> tuple[Candidate, ...]:
    """Every candidate after all it needs, in recipe order otherwise; a circle is noted."""
    ordered: list[Candidate] = []
    path: list[Candidate] = []

    def visit(candidate: Candidate) -> None:
        if candidate in ordered:
            return
        if candidate in path:
            circle = [*path[path.index(candidate) :], candidate]
            names = " -> ".join(f"{link.choice.role} {link.choice.id}" for link in circle)
            problems.add(f"components need one another in a circle: {names}", candidate.choice.use_place)
            return
        path.append(candidate)
        for other in (*candidate.needs.values(), candidate.trained_on):
            if other is not None:
                visit(other)
        path.pop()
        ordered.append(candidate)

    for candidate in candidates:
        visit(candidate)
    return tuple(ordered)
