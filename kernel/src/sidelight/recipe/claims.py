"""Claims of a recipe: sentences that stand for components, and the components that claims name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs import MetricDescriptor, UserError
from sidelight_specs.documents import UNREADABLE, Item, Value
from sidelight_specs.facts import Reference
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.recipe.compose import is_component
from sidelight.recipe.fit import kind_given
from sidelight.registry.catalog import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.problems import Place, Problems
    from sidelight_specs.roles import Role

    from sidelight.recipe.model import Candidate, Recipe
    from sidelight.registry.catalog import Catalog

_ROLES_OF_SUBJECTS = ("explainer", "attribute_finder", "inverter")


# Sentences


def spelled_out(value: Value, role: Role, section: str, catalog: Catalog, problems: Problems) -> Value:
    """A section of a role with `sentences`, in which each sentence is replaced by the component that reads it."""
    if isinstance(value.data, str):
        return _component(value, role, section, catalog, problems)
    if not isinstance(value.data, dict) or is_component(value.data):
        return value
    items = {
        name: Item(item.key_place, _component(item.value, role, f"{section}.{name}", catalog, problems))
        if isinstance(item.value.data, str)
        else item
        for name, item in value.data.items()
    }
    return Value(items, value.place)


def _component(value: Value, role: Role, path: str, catalog: Catalog, problems: Problems) -> Value:
    """The component `{use, with}` that reads a sentence; an unreadable one, after a problem, where none does."""
    readers, examples = list[tuple[str, dict[str, Any]]](), list[str]()
    for one in catalog.usable(role.name):
        sentence: str = getattr(one.descriptor, "sentence", "")  # of roles whose components read one
        examples += [quoted(sentence)] if sentence else []
        try:
            adoption = one.descriptor.adopts(value.data)
        except UserError as error:
            problems.add(f"{path}: {error.message}", value.place, fix=error.fix)
            return Value(UNREADABLE, value.place)
        except Exception as error:  # a plugin's own code may raise anything
            problems.add(f"{path}: {one.use} cannot read it: {error or type(error).__name__}", value.place)
            return Value(UNREADABLE, value.place)
        if adoption is not None:
            readers.append((one.use, dict(adoption.params)))
    if len(readers) == 1:
        use, params = readers[0]
        return _as_value({"use": use, "with": params}, value.place)
    if readers:
        message = f"{path}: {quoted(value.data)} could be any of {listing(use for use, _ in readers)}"
        problems.add(message, value.place, fix="write {use: PLUGIN/COMPONENT, with: ...}")
    else:
        known = f"write {listing(examples)}" if examples else f"install a plugin with {with_article(role.name)}"
        message = f"{path}: no installed {role.noun} reads {quoted(value.data)}"
        problems.add(message, value.place, fix=f"{known}, or {{use: PLUGIN/COMPONENT}}")
    return Value(UNREADABLE, value.place)


def _as_value(data: Any, place: Place) -> Value:
    if isinstance(data, dict):
        return Value({key: Item(place, _as_value(item, place)) for key, item in data.items()}, place)
    if isinstance(data, (list, tuple)):
        return Value(tuple(_as_value(item, place) for item in data), place)
    return Value(data, place)


# References


def check_references(recipe: Recipe) -> None:
    """Note what claims name and the recipe lacks."""
    for one in recipe.components:
        if not hasattr(one.descriptor, "refers"):
            continue
        for reference in one.ask("references", _references) or ():
            _check(recipe, one, reference)


def _references(descriptor: Any, params: Any) -> list[Reference]:
    references = list(descriptor.refers(params))
    wrong = [type(one).__name__ for one in references if not isinstance(one, Reference)]
    if wrong:
        raise TypeError(f"a Reference was expected, not a {wrong[0]}")
    return references


def _check(recipe: Recipe, one: Candidate, reference: Reference) -> None:
    rivals = [other for other in recipe.of_role(reference.role) if _gives_one_of(other, reference.kinds)]
    ids, place = [other.id for other in rivals], one.place_of(reference.option)
    what = with_article(reference.role)
    if reference.kinds:
        what += f" that gives {listing(reference.kinds)}"
    fix = f"add one to {quoted(ROLES[reference.role].section)}, or take the claim out"
    if reference.id is None:
        if not rivals:
            one.refuse(f"{one.use} is about {what}, and the recipe has none", place, fix=fix)
        elif len(rivals) > 1:
            message = f"{one.use} is about {what}, and the recipe has several: {listing(ids)}"
            one.refuse(message, place, fix="name one of them")
        named = rivals[0] if len(rivals) == 1 else None
    else:
        named = next((other for other in rivals if other.id == reference.id), None)
        if named is None:
            message = f"{one.use} is about {what} with the id {quoted(reference.id)}, and the recipe has none"
            expected = f"one of {listing(ids)}" if ids else ""
            one.refuse(message, place, expected=expected, fix=did_you_mean(reference.id, ids) or ("" if ids else fix))
    if named is not None and reference.subject != "":
        _check_subject(recipe, one, named, reference, place)


def _check_subject(recipe: Recipe, one: Candidate, metric: Candidate, reference: Reference, place: Place) -> None:
    """The explanation that a metric measures: it has to be there, or where none is named, the only one."""
    subjects = list(dict.fromkeys(_subjects(recipe, metric)))
    if reference.subject is None and len(subjects) > 1:
        message = f"{one.use} is about the metric {quoted(metric.id)}, which measures several: {listing(subjects)}"
        one.refuse(message, place, fix=f"name one of them: {metric.id}/{subjects[0]}")
    elif reference.subject is not None and reference.subject not in subjects:
        message = f"{one.use}: the metric {quoted(metric.id)} measures no {quoted(reference.subject)}"
        expected = f"one of {listing(subjects)}" if subjects else ""
        one.refuse(message, place, expected=expected, fix=did_you_mean(reference.subject, subjects))


def _subjects(recipe: Recipe, metric: Candidate) -> Iterator[str]:
    """Names under which a run keeps what a metric measures (`Steps.measure`)."""
    accepts = metric.descriptor.accepts if isinstance(metric.descriptor, MetricDescriptor) else ()
    taken = set[str]()
    for role in _ROLES_OF_SUBJECTS:
        for other in recipe.of_role(role):
            if role == "inverter" and other is not recipe.main_inverter:
                continue
            name = other.id if role != "inverter" else "inversion"
            name = name if name not in taken else f"{ROLES[role].section}.{name}"
            taken.add(name)
            if kind_given(other) in accepts:
                yield name


def _gives_one_of(other: Candidate, kinds: tuple[str, ...]) -> bool:
    """True for a component that gives one of these kinds, or cannot tell because of an earlier mistake."""
    return not kinds or other.descriptor is None or kind_given(other) in kinds
