"""Extension of griffe: constructors of attrs classes, from their annotated fields, without importing them."""

from __future__ import annotations

from typing import Any

from griffe import Attribute, Class, Expr, ExprCall, Extension, Function, Module, Parameter, ParameterKind, Parameters

DECORATORS = {
    *(f"attrs.{name}" for name in ("define", "frozen", "mutable")),
    "sidelight_specs.params.params",
    "sidelight_specs.params",
}
FIELDS = {"attrs.field", "sidelight_specs.params.param", "sidelight_specs.param"}


class AttrsInit(Extension):
    """Adds the missing `__init__` to each attrs class of a package."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Go over the package once all its modules are read, so that base classes resolve."""
        _visit(pkg)


def _visit(scope: Module | Class) -> None:
    for member in list(scope.members.values()):
        if isinstance(member, (Module, Class)):
            _visit(member)
    if isinstance(scope, Class) and "__init__" not in scope.members and _options(scope) is not None:
        me = Parameter("self", kind=ParameterKind.positional_or_keyword)
        init = Function("__init__", parent=scope, parameters=Parameters(me, *_fields(scope).values()), returns="None")
        scope.set_member("__init__", init)


def _options(cls: Class) -> dict[str, str] | None:
    """Options of the attrs decorator, None where the class has none."""
    for decorator in cls.decorators:
        if isinstance(decorator.value, Expr) and decorator.value.canonical_path in DECORATORS:
            return _keywords(decorator.value)
    return None


def _fields(cls: Class) -> dict[str, Parameter]:
    """Parameters of the constructor, those of base classes first."""
    found: dict[str, Parameter] = {}
    try:
        bases = cls.mro()
    except ValueError:  # a base class stands in a package that was not read
        bases = []
    for owner in (*reversed(bases), cls):
        options = _options(owner)
        if options is None:
            continue
        for field in owner.members.values():
            if isinstance(field, Attribute) and field.annotation is not None and "property" not in field.labels:
                _add(found, field, by_keyword=options.get("kw_only") == "True")
    return dict(sorted(found.items(), key=lambda item: item[1].kind is ParameterKind.keyword_only))


def _add(found: dict[str, Parameter], field: Attribute, *, by_keyword: bool) -> None:
    if "ClassVar" in str(field.annotation) or "instance-attribute" not in field.labels:
        return
    options = _keywords(field.value) if _is_field(field.value) else None
    if options and options.get("init") == "False":
        return
    keyword = by_keyword or (options or {}).get("kw_only") == "True"
    default = field.value if options is None else options.get("default") or ("..." if "factory" in options else None)
    kind = ParameterKind.keyword_only if keyword else ParameterKind.positional_or_keyword
    found[field.name] = Parameter(field.name.lstrip("_"), annotation=field.annotation, kind=kind, default=default)


def _is_field(value: Any) -> bool:
    return isinstance(value, ExprCall) and value.canonical_path in FIELDS


def _keywords(value: Any) -> dict[str, str]:
    """Keyword arguments of a call, as text."""
    arguments = value.arguments if isinstance(value, ExprCall) else ()
    return {each.name: str(each.value) for each in arguments if hasattr(each, "name") and hasattr(each, "value")}
