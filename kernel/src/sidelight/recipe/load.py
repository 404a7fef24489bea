"""Reading a recipe: composed, its structure checked, its components looked up, wired, compared and put in order.

`load_recipe` is the one way in. No model is loaded: only the light modules of the plugins that it names are imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import live
from sidelight_specs.documents import SOURCE, UNREADABLE, Item, Value, items_of, read_params, refuse
from sidelight_specs.facts import DataFacts, Mistake
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import (
    COMPONENT_KEYS,
    ID,
    MAX_SEED,
    NAME,
    TITLE,
    TRAINING_SLOT,
    USE,
    VERSION,
    Explain,
    escape,
    params_plain,
)
from sidelight_specs.roles import SECTIONS
from sidelight_specs.wording import did_you_mean, listing, quoted, show

from sidelight.recipe.adopt import Adopted, adopt_sections
from sidelight.recipe.claims import check_references, spelled_out
from sidelight.recipe.compose import compose, is_component
from sidelight.recipe.fit import check_combination, choose_split, compare_facts, fit_data, warn_of_idle_metrics
from sidelight.recipe.model import Candidate, Recipe, Resolved, ResolvedComponent, facts_of
from sidelight.recipe.named import find_recipe
from sidelight.recipe.wiring import check_connections, in_dependency_order, installed_hint, look_up, wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    from sidelight_specs.live import Live

    from sidelight.registry.catalog import Catalog

KEYS = ("recipe", "name", "title", "seed", "extends", "vars", "explain", *SECTIONS)
MAX_COMPONENTS = 500  # wiring compares each with each


def load_recipe(
    source: Path | str | Mapping[str, Any],
    *,
    set: Sequence[str] = (),
    swap: Sequence[str] = (),
    catalog: Catalog,
    finished: bool = False,
    held: tuple[Live, ...] = (),
    called: str = SOURCE,
) -> Resolved:
    """Read a recipe, check all that can be known without loading a model, and wire its components.

    Args:
        source: the path of a YAML file, the name of an installed recipe, or the recipe as plain Python values.
        set: settings such as `explainers.occlusion.with.patch=8`, the value in YAML.
        swap: components to exchange, such as `generator=cdeepex/gan`; applied before `set`.
        catalog: what is installed.
        finished: the recipe has been run already; files that it names may be gone since.
        held: live objects that it names by their tokens, held a moment ago; of others it is seen whether they changed.
        called: what plain values are called in messages.

    Raises:
        RecipeError: lists every mistake, each with its place.
    """
    problems = Problems()
    if not isinstance(source, Mapping):
        source = find_recipe(source, catalog)
    adopted = Adopted() if isinstance(source, Path) else adopt_sections(source, catalog)
    root = compose(adopted.recipe or source, set, swap, problems, called)
    if root.data is UNREADABLE:
        problems.raise_if_any()
    recipe = _Structure(root, problems).recipe(source if isinstance(source, Path) else None, catalog)
    # Each step notes what it can and leaves gaps: later ones pass over these, so that one mistake is reported once.
    for one in recipe.components:
        look_up(one, catalog, finished=finished)
        if not finished:
            check_connections(one, set)
    held += adopted.live
    if not finished:
        held += _recalled(recipe, {one.token for one in held})
    wire(recipe)
    recipe.data, recipe.classifier = _asked_about(recipe, "data"), _asked_about(recipe, "classifier")
    if not finished:
        fit_data(recipe)
    choose_split(recipe)
    for other in recipe.of_role("executor")[1:]:
        other.refuse("a run has one executor, and the recipe names several", other.start, fix="leave one")
    if not finished:
        compare_facts(recipe)
    check_combination(recipe)
    check_references(recipe)
    ordered = in_dependency_order(recipe.components)
    problems.raise_if_any()
    facts = facts_of(None if finished else recipe.data, DataFacts)
    return attrs.evolve(_resolved(recipe, ordered, facts), live=held, assumed=adopted.warnings)


def _recalled(recipe: Recipe, known: Set[str]) -> tuple[Live, ...]:
    """The live objects of earlier calls that a recipe names by tokens alone; notes those that have changed since."""
    recalled = []
    for one in recipe.components:
        for option, value in params_plain(one.params).items() if one.params is not None else ():
            found = live.find(value) if isinstance(value, str) and value not in known else None
            if found is not None:
                recalled.append(found)
                if found.has_changed():
                    one.note([Mistake(*live.CHANGED, option)])
    return tuple(recalled)


def _asked_about(recipe: Recipe, role: str) -> Candidate | None:
    """The data or the classifier that the recipe's questions are about; None after a mistake."""
    rivals, named, add = recipe.of_role(role), getattr(recipe.explain, role), recipe.problems.add
    ids = [other.id for other in rivals]
    if named in ids:
        return rivals[ids.index(named)]
    if named is None and (chosen := recipe.usual(role)):
        return chosen
    if not ids and role not in recipe.missing:
        message = f"the recipe has no {role}, whose {'images' if role == 'data' else 'answers'} are explained"
        if role == "data" and any("samples" in (one.provides or ()) for one in recipe.of_role("attribute_finder")):
            message += "; what is found in samples moves the classes that are asked about for these images"
        fix = installed_hint(recipe.catalog, role)
        add(message, recipe.place, expected=f"a section {quoted(role)}", fix=fix)
    elif ids and named is None:
        several = "sets of data" if role == "data" else "classifiers"
        add(
            f"the recipe has several {several} and does not say which one its questions are about: {listing(ids)}",
            recipe.place_of(role),
            expected=f"explain: {{{role}: ID}}, naming one of them",
        )
    elif ids:
        message, fix = f"the recipe has no {role} with the id {quoted(named)}", did_you_mean(named, ids)
        add(message, recipe.place_of(role), expected=f"one of {listing(ids)}", fix=fix)
    return None


def _resolved(recipe: Recipe, ordered: Sequence[Candidate], facts: DataFacts) -> Resolved:
    """A recipe without mistakes, its components in an order that puts each after all it needs."""
    built: dict[Candidate, ResolvedComponent] = {}
    for one in ordered:
        available = one.available
        assert available is not None, "a component that is not available is a problem"
        built[one] = ResolvedComponent(
            **attrs.asdict(available, recurse=False),
            id=one.id,
            params=one.params,
            needs={slot: built[other] if other else None for slot, other in one.needs.items()},
            trained_on=built[one.trained_on] if one.trained_on else None,
        )
    warn_of_idle_metrics(recipe, built)
    assert recipe.data, "a recipe without data is a problem"
    assert recipe.classifier, "a recipe without a classifier is a problem"
    written: Any = recipe.explain
    explain = attrs.evolve(written, data=recipe.data.id, classifier=recipe.classifier.id)
    plain: dict[str, Any] = {"recipe": VERSION, "name": recipe.name}
    plain |= {"title": escape(recipe.title)} if recipe.title else {}
    plain |= {"seed": recipe.seed, "explain": params_plain(explain)}
    for section, role in SECTIONS.items():
        own = {one.id: _plain_component(built[one]) for one in recipe.of_role(role.name)}
        if own:
            plain[section] = own[role.name] if list(own) == [role.name] else own
    return Resolved(
        name=recipe.name,
        seed=recipe.seed,
        explain=explain,
        components=tuple(built.values()),
        plain=plain,
        source=recipe.source,
        facts=facts,
        warnings=recipe.problems.warnings,
        data=built[recipe.data],
        classifier=built[recipe.classifier],
        main_inverter=built[recipe.main_inverter] if recipe.main_inverter else None,
    )


def _plain_component(component: ResolvedComponent) -> dict[str, Any]:
    """A component as a recipe writes it, every default and every need written out."""
    needs = {slot: other.id if other else None for slot, other in component.needs.items()}
    if component.trained_on:
        needs.setdefault(TRAINING_SLOT, component.trained_on.id)
    parts = {"use": component.use, "with": params_plain(component.params), "needs": needs}
    return {key: value for key, value in parts.items() if value}


class _Structure:
    """Typed access to the keys of a recipe whose variables are filled in; what is wrong is noted and left out."""

    def __init__(self, root: Value, problems: Problems) -> None:
        self.root, self.problems = root, problems

    def recipe(self, path: Path | None, catalog: Catalog) -> Recipe:
        data, place = self.root.data, self.root.place
        self.refuse_unknown(data, KEYS, "a recipe has")
        self.check_version(data["recipe"].value if "recipe" in data else None)
        explained, components = data.get("explain"), tuple(self.components(catalog))
        items = items_of(explained, "explain", self.problems)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem if path else "").strip("-._")
        if len(components) > MAX_COMPONENTS:
            self.problems.add(f"the recipe names more than {MAX_COMPONENTS} components", place)
        return Recipe(
            name=self.name(data["name"].value) if "name" in data else stem[:100] or "recipe",
            title=self.title(data["title"].value) if "title" in data else "",
            seed=self.seed(data["seed"].value) if "seed" in data else 0,
            explain=read_params(Explain, items, "explain", explained.value.place if explained else place, self.problems)
            or Explain(),
            components=components[:MAX_COMPONENTS],
            source=path,
            place=place,
            explain_items=items,
            catalog=catalog,
            problems=self.problems,
        )

    def refuse_unknown(self, items: dict[str, Item], known: tuple[str, ...], whose: str) -> None:
        for key, item in items.items():
            if key not in known:
                expected, fix = f"{whose} {listing(known, 20)}", did_you_mean(key, known)
                self.problems.add(f"unknown key {quoted(key)}", item.key_place, expected=expected, fix=fix)

    def check_version(self, value: Value | None) -> None:
        expected = f"recipe: {VERSION}"
        if value is None:
            self.problems.add("the recipe does not say which version it is", self.root.place, expected=expected)
        elif value.data is not UNREADABLE and (type(value.data), value.data) != (int, VERSION):
            message = f"this version of Sidelight does not read recipes of version {show(value.data)}"
            self.problems.add(message, value.place, expected=expected)

    def name(self, value: Value) -> str:
        if isinstance(value.data, str) and NAME.fullmatch(value.data):
            return value.data
        if value.data is not UNREADABLE:
            expected = "up to 100 letters, digits, dots, _ and -, for it also names a folder"
            self.problems.add(f"{show(value.data)} cannot name a recipe", value.place, expected=expected)
        return ""

    def title(self, value: Value) -> str:
        if isinstance(value.data, str) and TITLE.fullmatch(value.data):
            return value.data
        refuse(
            value,
            "the title",
            self.problems,
            expected="1 to 160 characters on one line, the first no space: it heads the report",
        )
        return ""

    def seed(self, value: Value) -> int:
        if type(value.data) is int and 0 <= value.data <= MAX_SEED:
            return value.data
        refuse(value, "the seed", self.problems, expected=f"a whole number between 0 and {MAX_SEED}")
        return 0

    def components(self, catalog: Catalog) -> Iterator[Candidate]:
        for section, role in SECTIONS.items():
            value = self.root.data[section].value if section in self.root.data else None
            if value is None or value.data is None:
                continue
            value = spelled_out(value, role, section, catalog, self.problems) if role.sentences else value
            if not isinstance(value.data, dict) or is_component(value.data):
                yield self.component(role.name, role.name, value, section)
                continue
            for name, item in value.data.items():
                if not ID.fullmatch(name):
                    message = f"{quoted(name)} cannot be the id of a component"
                    self.problems.add(message, item.key_place, expected="up to 64 letters, digits, _, + and -")
                elif item.value.data is not None:  # null takes a component out
                    yield self.component(name, role.name, item.value, f"{section}.{name}", tuple(value.data))

    def component(self, name: str, role: str, value: Value, path: str, ids: tuple[str, ...] = ()) -> Candidate:
        """One component; an empty `use` says that it could not be read, which is no reason to miss it."""
        items = value.data if isinstance(value.data, dict) else {}
        if value.data is not items:
            expected = "a component {use: PLUGIN/COMPONENT}, or in a section a mapping of ids to components"
            fix = did_you_mean(name, COMPONENT_KEYS) or (f"write {{use: {value.data}}}" if _is_use(value.data) else "")
            refuse(value, path, self.problems, expected=expected, fix=fix)
        self.refuse_unknown(items, COMPONENT_KEYS, "a component has")
        use = items["use"].value if "use" in items else None
        if use is None and value.data is items:
            fix = did_you_mean(name, [other for other in ids if other != name])
            message = f"{path} does not say which component to use"
            self.problems.add(message, value.place, expected="use: PLUGIN/COMPONENT", fix=fix)
        elif use is not None and not _is_use(use.data):
            expected = "PLUGIN/COMPONENT; `sidelight plugins` lists what is installed"
            refuse(use, f"use of {path}", self.problems, expected=expected)
        return Candidate(
            id=name,
            role=role,
            use=use.data if use and _is_use(use.data) else "",
            place=use.place if use else value.place,
            start=value.place,
            given=items_of(items.get("with"), f"with of {path}", self.problems),
            named=dict(self.needs(items.get("needs"), path)),
            problems=self.problems,
        )

    def needs(self, item: Item | None, path: str) -> Iterator[tuple[str, Value]]:
        for slot, named in items_of(item, f"needs of {path}", self.problems).items():
            if named.value.data is None or isinstance(named.value.data, str):
                yield slot, named.value
            else:
                subject = f"the need {quoted(slot)} of {path}"
                refuse(named.value, subject, self.problems, expected="the id of a component of this recipe")


def _is_use(data: Any) -> bool:
    return isinstance(data, str) and USE.fullmatch(data) is not None
