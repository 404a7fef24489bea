"""Constants of an installed package, computed from its source text without importing it.

`sidelight check` needs a model's input size and class names at once, and importing timm or torchvision takes seconds.
The expressions that their tables are written in are few: literals, sums, `dict(...)`, and calls of one-line functions.
This module imports nothing heavy.
"""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Function: TypeAlias = "Callable[..., Any]"
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitOr: operator.or_,
}
_STATEMENT = re.compile(r"^(?=[A-Za-z_@])", re.MULTILINE)  # a line without indentation that is no closing bracket
_NAMED = re.compile(r"(?:def|class) (\w+)|(\w+)\s*(?::[^=\n]+)?=[^=]")
_BUILTIN: dict[str, Function] = {"dict": dict, "tuple": tuple, "list": list, "float": float}


class NotConstantError(Exception):
    """An expression of a kind that is not computed here."""


class SourceText:
    """Top-level names of a Python file. Only the statements that are asked for are parsed.

    Args:
        path: the file.
        known: values of names that it imports.
        functions: functions that it may call beside its own, by name.
    """

    def __init__(
        self,
        path: Path,
        known: Mapping[str, Any] | None = None,
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        self._known = dict(known or {})
        self._functions = {**_BUILTIN, **(functions or {})}
        self.text = path.read_text(encoding="utf-8")
        self._statements: dict[str, str] = {}
        for statement in _STATEMENT.split(self.text):
            match = _NAMED.match(statement)
            name = (match.group(1) or match.group(2)) if match else ""
            if len(statement) > len(self._statements.get(name, "")):  # of two with one name the longer holds the table
                self._statements[name] = statement

    def value(self, name: str) -> Any:
        """Value of a name.

        Raises:
            NotConstantError: no such name, or none whose value can be computed here.
        """
        if name not in self._known:
            self._known[name] = self.compute(self.expression(name), {})
        return self._known[name]

    def expression(self, name: str) -> ast.expr:
        """Right-hand side of the assignment to a name. Raises NotConstantError where there is none."""
        statement = self._parse(name)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            raise NotConstantError(name)
        return statement.value

    def body(self, name: str) -> list[ast.stmt]:
        """Statements of a class. Raises NotConstantError where there is none of the name."""
        statement = self._parse(name)
        if not isinstance(statement, ast.ClassDef):
            raise NotConstantError(name)
        return statement.body

    def _parse(self, name: str) -> ast.stmt:
        try:
            return ast.parse(self._statements[name]).body[0]
        except (KeyError, SyntaxError, IndexError) as error:
            raise NotConstantError(name) from error

    def compute(self, node: ast.expr | None, local: Mapping[str, Any]) -> Any:
        """Value of an expression.

        Args:
            node: the expression.
            local: values of a function's arguments.

        Raises:
            NotConstantError: it is of a kind that is not computed.
        """
        match node:
            case ast.Constant():
                return node.value
            case ast.Tuple() | ast.List():
                items = self._items(node.elts, local)
                return tuple(items) if isinstance(node, ast.Tuple) else items
            case ast.Dict():
                pairs = [self._pair(key, value, local) for key, value in zip(node.keys, node.values, strict=True)]
                return {key: value for mapping in pairs for key, value in mapping.items()}
            case ast.Name():
                return local[node.id] if node.id in local else self.value(node.id)
            case ast.Attribute():
                return node.attr  # a member of an enumeration stands for itself
            case ast.UnaryOp(op=ast.USub()):
                return -self.compute(node.operand, local)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return _OPERATORS[type(node.op)](self.compute(node.left, local), self.compute(node.right, local))
            case ast.Call(func=ast.Name() as function):
                return self._call(function.id, node, local)
        raise NotConstantError(type(node).__name__)

    def _items(self, nodes: list[ast.expr], local: Mapping[str, Any]) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                items.extend(self.compute(node.value, local))
            else:
                items.append(self.compute(node, local))
        return items

    def _pair(self, key: ast.expr | None, value: ast.expr, local: Mapping[str, Any]) -> dict[Any, Any]:
        computed = self.compute(value, local)
        return dict(computed) if key is None else {self.compute(key, local): computed}  # no key: **mapping

    def _call(self, name: str, node: ast.Call, local: Mapping[str, Any]) -> Any:
        arguments = self._items(node.args, local)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            computed = self.compute(keyword.value, local)
            keywords.update(computed if keyword.arg is None else {keyword.arg: computed})
        if name in self._functions:
            return self._functions[name](*arguments, **keywords)
        return self._call_own(name, arguments, keywords)

    def _call_own(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call of a function in the file whose body is one `return`, after its docstring."""
        function = self._parse(name)
        if not isinstance(function, ast.FunctionDef) or not isinstance(function.body[-1], ast.Return):
            raise NotConstantError(name)
        documented = isinstance(function.body[0], ast.Expr)
        if len(function.body) != 1 + documented:
            raise NotConstantError(name)
        names = [each.arg for each in function.args.args]
        defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
        local = {each: self.compute(default, {}) for each, default in defaults.items()}
        local.update(zip(names, arguments, strict=False))
        local.update({key: value for key, value in keywords.items() if key in names})
        if function.args.kwarg:
            local[function.args.kwarg.arg] = {key: value for key, value in keywords.items() if key not in names}
        return self.compute(function.body[-1].value, local)
