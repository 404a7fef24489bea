"""Values in the place of components: a live model, an array, a path. Descriptors say what they can stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import UserError
from sidelight_specs.live import Adoption, Live
from sidelight_specs.params import describe
from sidelight_specs.recipe import plain_value
from sidelight_specs.roles import ROLES, SECTIONS
from sidelight_specs.wording import did_you_mean, listing, quoted, show

from sidelight.recipe.compose import is_component
from sidelight.registry.catalog import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import ComponentDescriptor

    from sidelight.registry.catalog import Catalog


_CONTEXT = ("shown",)
"""Hints that the caller gives of itself, and no user."""


@frozen
class Adopted:
    """A recipe without live objects.

    Args:
        recipe: plain values, tokens in the place of live objects.
        live: the objects, which are held as long as this is.
        warnings: sentences about what was assumed of them.
    """

    recipe: dict[str, Any] | None = None
    live: tuple[Live, ...] = ()
    warnings: tuple[str, ...] = ()


def adopt_sections(recipe: Mapping[str, Any], catalog: Catalog) -> Adopted:
    """A recipe given as a dict, every live object in the place of a component replaced by one that wraps it.

    Raises:
        UserError: no installed component takes such an object, or it cannot be used as it is.
    """
    plain, live, warnings = dict(recipe), list[Any](), list[str]()

    def adopted(role: str, value: Any) -> dict[str, Any]:
        section, adoption = adopt(role, value, catalog)
        live.extend(adoption.live)
        warnings.extend(adoption.warnings)
        return section

    for section, role in SECTIONS.items():
        value = recipe.get(section)
        if _is_live(value):
            plain[section] = adopted(role.name, value)
        elif isinstance(value, Mapping) and not is_component(value):
            plain[section] = {key: adopted(role.name, item) if _is_live(item) else item for key, item in value.items()}
    return Adopted(plain, tuple(live), tuple(warnings))


def _is_live(value: Any) -> bool:
    """True for what no recipe can hold; plain values are mistakes that reading the recipe explains."""
    if isinstance(value, (list, tuple)):
        return any(map(_is_live, value))
    return value is not None and not isinstance(value, (Mapping, str, bool, int, float))


def adopt(role: str, value: Any, catalog: Catalog, **hints: Any) -> tuple[dict[str, Any], Adoption]:
    """The component `{use, with}` of a role that stands for a value.

    Args:
        role: the role's name.
        value: a live object, a text that names a file or a model, a component's name, or a component `{use, with}`.
        catalog: what is installed.
        hints: further options; those that the component has as parameters become part of `with`.

    Raises:
        UserError: none takes it, several do, it cannot be used as it is, or the component lacks an option.
    """
    by_name = isinstance(value, str) and any(entry.use == value for entry in catalog.entries(role))
    if by_name or is_component(value):
        return _component({"use": value} if by_name else value, hints), Adoption(params={})
    takers = list(_takers(role, value, catalog, hints))
    particular = [taker for taker in takers if not taker[1].generic]
    if len(particular) != 1 and len(takers) != 1:
        noun, what = with_article(role), _described(value)
        if not takers:
            fix = ROLES[role].live or "write {use: PLUGIN/COMPONENT}"
            if _is_absent(value):
                raise UserError(f"there is no file or folder {what}, nor a component that takes it as {noun}", fix)
            raise UserError(f"no installed component takes {what} as {noun}", fix)
        uses = [use for use, *_ in particular or takers]
        raise UserError(f"{what} as {noun} could be any of {listing(uses)}", f"write {{use: {uses[0]}, with: ...}}")
    use, adoption, options = (particular or takers)[0]
    used = {*adoption.taken, *_CONTEXT}
    given = {name: hint for name, hint in hints.items() if hint is not None and name not in used}
    for name in given:
        if name not in options:
            fix = f"{did_you_mean(name, options)} it has {listing(options, 30)}".lstrip()
            raise UserError(f"{use} has no option {quoted(name)}", fix)
    return {"use": use, "with": plain_value({**adoption.params, **given})}, adoption


def _component(given: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """A component as it was given, with the options of the hints; reading the recipe checks them."""
    options = {name: hint for name, hint in hints.items() if hint is not None and name not in _CONTEXT}
    return {**given, "with": {**given.get("with", {}), **options}}


def _takers(
    role: str, value: Any, catalog: Catalog, hints: dict[str, Any]
) -> Iterator[tuple[str, Adoption, tuple[str, ...]]]:
    particular = False
    for one in sorted(catalog.usable(role), key=lambda one: one.descriptor.adopts_any):
        if particular and one.descriptor.adopts_any:
            return  # it would compute another digest of the model
        adoption = one.descriptor.adopts(value, **hints)
        if adoption is not None:
            particular = not adoption.generic
            yield one.use, adoption, _options(one.descriptor)


def _options(descriptor: ComponentDescriptor) -> tuple[str, ...]:
    return tuple(option.name for option in describe(descriptor.params))


def _is_absent(value: Any) -> bool:
    """True for a text that could be the path of a file, and is none."""
    try:
        return isinstance(value, str) and ":" not in value and not Path(value).expanduser().exists()
    except (OSError, RuntimeError):  # names that no file can have
        return False


def _described(value: Any) -> str:
    if value is None or isinstance(value, (str, bool, int, float)):
        return show(value)
    if isinstance(value, (list, tuple)):
        return f"a list of {_described(value[0])}" if value else "an empty list"
    return f"a {type(value).__module__}.{type(value).__qualname__}"
