"""The recipe of a bundle, cut down to what an auditor computes again. It comes from strangers, and is plain data.

Paths are meant from the bundle's folder, which the auditor works in. One that leads out of it is refused unless the
auditor has set it: a recipe from elsewhere names no files of this machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.roles import ROLES

from sidelight_evidence.archive import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sidelight_specs.host import Host

_LEFT_OUT = ("renderer", "executor")  # roles that nothing that is compared depends on
_FRAME = ("recipe", "name", "title", "seed", "explain")
_OUTSIDE = re.compile(r"~|[/\\]|[A-Za-z]:|file:|.*(^|[/\\])\.\.([/\\]|$)", re.IGNORECASE)
_CHOOSING = ("count", "choose", "indices", "labels", "images")  # keys of `explain` that say which images


def restricted(recipe: Mapping[str, Any], *, explainers: bool, claims: bool = False) -> dict[str, Any]:
    """Data and classifier, where asked for explainers and metrics with all that they need, and claims; no pages."""
    roles = [role for role in ROLES.values() if role.name not in _LEFT_OUT and (claims or role.name != "claim")]
    wanted = {role.section for role in roles} if explainers else {"data", "classifier", "generator"}
    return {key: value for key, value in recipe.items() if key in _FRAME or key in wanted}


def for_images(recipe: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The same recipe about some images, by their names."""
    explain = {key: value for key, value in recipe["explain"].items() if key not in _CHOOSING}
    return {**recipe, "explain": {**explain, "images": list(names)}}


def path_of(role: str, name: str) -> str:
    """Path of a component, by its id: `explainers.cdeepex`; the section alone for one that is called like its role."""
    section = ROLES[role].section
    return section if name == role else f"{section}.{name}"


def components(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, role and content of each component of a resolved recipe."""
    for role in ROLES.values():
        section = recipe.get(role.section)
        if not isinstance(section, dict):
            continue
        if isinstance(section.get("use"), str):
            yield role.section, role.name, section
            continue
        for name, one in section.items():
            yield path_of(role.name, name), role.name, one


def check_shape(recipe: Mapping[str, Any]) -> None:
    """Raise `Damaged` where a resolved recipe is not built as one; the strict reader sees it later, with values."""
    if not isinstance(recipe.get("explain"), dict):
        raise Damaged("the recipe of run.json has no section explain")
    for role in ROLES.values():
        if not isinstance(recipe.get(role.section, {}), dict):
            raise Damaged(f"{role.section} of the recipe of run.json is no mapping")
    for path, _, one in components(recipe):
        values = one.get("with", {}) if isinstance(one, dict) and isinstance(one.get("use"), str) else None
        if not isinstance(values, dict) or not isinstance(one.get("needs") or {}, dict):
            raise Damaged(f"{path} of the recipe of run.json is no component with use, with and needs")


def with_values(recipe: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with parameters exchanged, `PATH.PARAMETER` to value; those of absent components do not count."""
    for path, _, one in components(recipe):
        for key, value in values.items():
            if key.rpartition(".")[0] == path:
                one["with"] = {**one.get("with", {}), key.rpartition(".")[2]: value}
    return recipe


def refuse_outside(recipe: Mapping[str, Any], settings: Iterable[str]) -> None:
    """Raise a UserError where a parameter leads out of the bundle and the auditor has not set it."""
    chosen = {setting.partition("=")[0] for setting in settings}
    for path, _, one in components(recipe):
        for name, value in one.get("with", {}).items():
            key = f"{path}.with.{name}"
            is_chosen = any(f"{key}.".startswith(f"{own}.") for own in chosen)
            if not is_chosen and any(_OUTSIDE.match(text) for text in _texts(value)):
                raise UserError(
                    f"{key} of the bundle's recipe leads out of the bundle: {_shortened(value)}",
                    f"name your own by `--set {key}=...`",
                )


def untrained(recipe: Mapping[str, Any], host: Host, given: Iterable[str]) -> set[str]:
    """Paths of components that have to be trained, as no weights of them are given."""
    return {
        path
        for path, role, one in components(recipe)
        if "trainable" in _provided(_descriptor(host, one["use"], role), one.get("with", {})) and path not in given
    }


def joint_metrics(recipe: Mapping[str, Any], host: Host) -> set[str]:
    """Paths of metrics that look at all images together."""
    metrics = [(path, one) for path, role, one in components(recipe) if role == "metric"]
    return {path for path, one in metrics if not _descriptor(host, one["use"], "metric").per_image}


def closures(recipe: Mapping[str, Any], host: Host) -> dict[str, set[str]]:
    """Path of each component of a resolved recipe to those of all that it needs, itself among them."""
    known = list(components(recipe))
    places = {(role, role if path == ROLES[role].section else path.rpartition(".")[2]): path for path, role, _ in known}
    direct: dict[str, set[str]] = {}
    for path, role, one in known:
        roles = {need.slot: need.role for need in _descriptor(host, one["use"], role).needs}
        named = [(roles.get(slot, slot), name) for slot, name in (one.get("needs") or {}).items() if name]
        direct[path] = {places[key] for key in named if key in places}
    return {path: _closure(path, direct) for path, _, _ in known}


def without(recipe: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The recipe without some components, and without sections that are empty then."""
    result, gone = dict(recipe), set(paths)
    for role in ROLES.values():
        section = recipe.get(role.section)
        if not isinstance(section, dict):
            continue
        if isinstance(section.get("use"), str):
            kept: Any = {} if role.section in gone else section
        else:
            names = {name: path_of(role.name, name) for name in section}
            kept = {name: section[name] for name, path in names.items() if path not in gone}
        result[role.section] = kept
        if not kept:
            del result[role.section]
    return result


def _closure(path: str, direct: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [path]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += direct.get(one, ())
    return found


def _descriptor(host: Host, use: str, role: str) -> Any:
    (found,) = host.find(use, role)
    return found.descriptor


def _provided(descriptor: Any, values: Mapping[str, Any]) -> Iterable[str]:
    """Capabilities with these parameters; those in any case where the parameters are not understood."""
    try:
        return tuple(descriptor.provided_by(descriptor.params(**values)))
    except Exception:  # a plugin's own code; the run will tell of it
        return tuple(descriptor.provides)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
