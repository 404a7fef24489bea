"""Digest of a live object: all that its answers depend on, as far as it can be told.

A module is its class, its weights and its plain attributes. A class or a function is the source file that it comes from
or, where there is none (a notebook, an interactive session), its compiled code with the globals that this names. What
has no content that can be read, such as a connection or an extension's own object, has no identity, and neither has
anything that holds it.
"""

from __future__ import annotations

import enum
import functools
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sidelight_specs.digests import digest_file, digest_of
from torch import nn

_HIDDEN = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
"""Attributes of a module that `_module` reads by themselves."""
_NAMED = (torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, np.dtype, slice, range, Path)
"""Types whose text is their content."""
_MOST = 100_000  # values; a network of a thousand layers has some ten thousand


class NoIdentity(Exception):
    """An object's content cannot be told; the message names it."""


def identity(value: Any) -> str:
    """Digest of an object's content, 64 hexadecimal digits.

    Raises:
        NoIdentity: it holds something whose content cannot be told.
    """
    try:
        return digest_of(_Reader().read(value))
    except RecursionError as error:
        raise NoIdentity("objects that are nested too deeply") from error


class _Reader:
    """One walk over an object; what occurs again is written as the number under which it was met first."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no id is used twice

    def read(self, value: Any) -> Any:
        """Plain values that tell the content."""
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return [type(value).__name__, value]
        if isinstance(value, (complex, *_NAMED)):
            return [type(value).__name__, str(value)]
        if id(value) in self._met:
            return ["again", self._met[id(value)]]
        if len(self._met) > _MOST:
            raise NoIdentity(f"more than {_MOST} values")
        self._met[id(value)] = len(self._met)
        self._alive.append(value)
        return [_name_of(type(value)), self._content(value)]

    def _content(self, value: Any) -> Any:
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
            return self._array(value)
        if isinstance(value, (list, tuple)):
            return [self.read(item) for item in value]
        if isinstance(value, dict):
            return [[self.read(key), self.read(item)] for key, item in value.items()]
        if isinstance(value, (set, frozenset)):
            return sorted(digest_of(_Reader().read(item)) for item in value)
        if isinstance(value, enum.Enum):
            return value.name
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.ModuleType):
            return _file_of(value.__name__) or value.__name__
        if isinstance(value, nn.Module):
            return self._module(value)
        return self._function(value) if callable(value) else self._object(value)

    def _array(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and (value.is_sparse or value.is_quantized or value.is_meta):
            return (
                [str(value.layout), str(value)] if value.is_meta else [str(value.layout), digest_of(value.to_dense())]
            )
        try:
            return digest_of(value)
        except Exception as error:  # an array of objects
            raise NoIdentity(f"an array of {getattr(value, 'dtype', 'objects')}") from error

    def _module(self, module: nn.Module) -> Any:
        """Class, state and attributes, with those of its submodules."""
        tensors = {**dict(module._parameters), **dict(module._buffers)}
        return [
            self.read(type(module)),
            [[name, self.read(tensor)] for name, tensor in tensors.items()],
            [[name, self.read(below)] for name, below in module._modules.items()],
            [
                [name, self.read(item)]
                for name, item in sorted(vars(module).items())  # a copy may have them in another order
                if name not in (*_HIDDEN, "training")
            ],
        ]

    def _function(self, function: Any) -> Any:
        """A function by its code, its defaults and closure, and what it names; a callable object by its attributes."""
        if isinstance(function, functools.partial):
            return [self.read(part) for part in (function.func, function.args, function.keywords)]
        if isinstance(function, types.MethodType):
            return [self.read(function.__func__), self.read(function.__self__)]
        if isinstance(function, types.FunctionType):
            return self._code(function)
        if isinstance(function, (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)):
            owner = getattr(function, "__self__", None)
            bound = [] if owner is None or isinstance(owner, (types.ModuleType, type)) else [self.read(owner)]
            return [function.__qualname__, *bound]
        return self._object(function)

    def _code(self, function: types.FunctionType) -> Any:
        own = [self.read(part) for part in (function.__defaults__, function.__kwdefaults__)]
        try:
            own += [self.read(cell.cell_contents) for cell in function.__closure__ or ()]
        except ValueError:  # a cell that is not filled yet
            own.append("empty")
        file = _file_of(function.__module__)
        if file:
            return [function.__qualname__, file, own]
        named = sorted(_names(function.__code__) & function.__globals__.keys())
        return [_plain_code(function.__code__), own, [[name, self.read(function.__globals__[name])] for name in named]]

    def _class(self, value: type) -> Any:
        """The files of a class and of those that it derives from; methods one by one where there is no file."""
        content: list[Any] = []
        for base in value.__mro__:
            file = _file_of(base.__module__)
            if file or base.__module__ == "builtins":
                content.append([_name_of(base), file, self._patched(base)])
                continue
            members = [item for item in vars(base).items() if item[0] not in ("__dict__", "__weakref__", "__module__")]
            content.append([base.__qualname__, [[name, self.read(_unwrapped(item))] for name, item in members]])
        return content

    def _patched(self, base: type) -> Any:
        """Methods that another module than the class's own has put there."""
        functions = [item for item in vars(base).items() if isinstance(item[1], types.FunctionType)]
        return [[name, self.read(item)] for name, item in functions if item.__module__ != base.__module__]

    def _object(self, value: Any) -> Any:
        """Class and attributes of any other object."""
        attributes = dict(getattr(value, "__dict__", {}))
        for base in type(value).__mro__:
            slots = vars(base).get("__slots__", ())
            names = [slots] if isinstance(slots, str) else slots
            attributes |= {name: getattr(value, name) for name in names if hasattr(value, name) and name[:2] != "__"}
        if not all(map(_is_python, type(value).__mro__[:-1])):
            raise NoIdentity(f"a {_name_of(type(value))}")
        return [self.read(type(value)), [[name, self.read(item)] for name, item in attributes.items()]]


def _unwrapped(item: Any) -> Any:
    """The functions in a property, static method or class method."""
    if isinstance(item, property):
        return [item.fget, item.fset]
    return item.__func__ if isinstance(item, (staticmethod, classmethod)) else item


def _is_python(base: type) -> bool:
    """True for a class written in Python, whose objects show all that they hold."""
    file = getattr(sys.modules.get(base.__module__), "__file__", None)
    return base.__module__ == "__main__" or str(file).endswith(".py")


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(code: types.CodeType) -> set[str]:
    """Names of globals and attributes in a code object and those nested in it."""
    below = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*below)


def _plain_code(code: types.CodeType) -> Any:
    """A code object without the places in its file."""
    constants = [_plain_code(item) if isinstance(item, types.CodeType) else repr(item) for item in code.co_consts]
    return [code.co_code, list(code.co_names), list(code.co_varnames), constants]


@cache
def _file_of(module: str | None) -> str:
    """Digest of the file of a module; of torch, numpy and Python their version; empty where there is none."""
    if module is None:  # of code that another program wrote, such as torch.fx
        return ""
    top = module.partition(".")[0]
    if top in ("torch", "numpy"):
        return f"{top} {sys.modules[top].__version__}"
    if top in sys.stdlib_module_names and top != "__main__":
        return f"python {sys.version_info[:3]}"
    file = getattr(sys.modules.get(module), "__file__", None)
    if top == "__main__" or not file:
        return ""
    try:
        return digest_file(Path(file))
    except OSError:
        return ""
