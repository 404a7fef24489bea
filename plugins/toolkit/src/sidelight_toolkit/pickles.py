"""Pickles read as data: a stack machine for the pickle opcodes that never looks a name up in Python.

Python's own unpickler imports what a pickle names and calls it, so reading a pickle can run any code. This reader
makes numbers, texts, lists, dicts and records; for the few names that a caller lists it calls the caller's own
function. Every other name is refused before anything is made with it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from typing import BinaryIO

Maker = Callable[..., Any]
Makers = Mapping[str, "Maker | None"]
"""Name in the file to the function that is called in its place; None where a `Record` is enough."""


class RefusedError(Exception):
    """Content of a file that is not read, as the end of "the file has ..."."""


@attrs.frozen
class Name:
    """Module and name of a class or function in a pickle: text alone, never looked up."""

    text: str


@attrs.define(eq=False)
class Record:
    """An object of a class that has no maker: its name, constructor arguments and state."""

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None


_MARK = object()  # on the stack, the start of a container's items
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
_IGNORED = {"PROTO", "FRAME"}  # the protocol, and lengths for reading ahead
_SIZED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Reader:
    """Reads one pickle.

    Args:
        makers: the names that may occur, with the functions called in their place.
        persistent: function of a persistent id (a tensor's storage); None where there may be none.
    """

    def __init__(self, makers: Makers, persistent: Maker | None = None) -> None:
        self._makers, self._persistent = makers, persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, file: BinaryIO | bytes) -> Any:
        """The object, from the current position up to the end of its pickle.

        Raises:
            RefusedError: a name that is not listed, or an operation that plain data does not need.
            ValueError, IndexError, KeyError, TypeError: a damaged pickle.
        """
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return self._stack.pop()
            self._apply(opcode.name, argument)
        raise ValueError("the pickle has no end")

    def _apply(self, operation: str, argument: Any) -> None:
        if operation in _LITERALS:
            self._stack.append(argument)
        elif operation in _CONSTANTS:
            self._stack.append(_CONSTANTS[operation]())
        elif operation in _SIZED_TUPLES:
            self._push(tuple(self._take(_SIZED_TUPLES[operation])))
        elif operation not in _IGNORED:
            method = getattr(self, f"_op_{operation.lower()}", None)
            if method is None:
                raise RefusedError(f"the pickle operation {operation}")
            method(argument)

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _take(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError("the pickle takes more than it has made")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return items

    def _to_mark(self) -> list[Any]:
        mark = len(self._stack) - 1 - next(i for i, value in enumerate(reversed(self._stack)) if value is _MARK)
        items = self._stack[mark + 1 :]
        del self._stack[mark:]
        return items

    # containers

    def _op_tuple(self, _: Any) -> None:
        self._push(tuple(self._to_mark()))

    def _op_list(self, _: Any) -> None:
        self._push(self._to_mark())

    def _op_dict(self, _: Any) -> None:
        items = self._to_mark()
        self._push(plain_dict(zip(items[::2], items[1::2], strict=True)))

    def _op_frozenset(self, _: Any) -> None:
        self._push(frozenset(plain_set(self._to_mark())))

    def _op_append(self, _: Any) -> None:
        (item,) = self._take(1)
        _expect(self._stack[-1], list).append(item)

    def _op_appends(self, _: Any) -> None:
        items = self._to_mark()
        _expect(self._stack[-1], list).extend(items)

    def _op_setitem(self, _: Any) -> None:
        key, value = self._take(2)
        _expect(self._stack[-1], dict).update(plain_dict([(key, value)]))

    def _op_setitems(self, _: Any) -> None:
        items = self._to_mark()
        _expect(self._stack[-1], dict).update(plain_dict(zip(items[::2], items[1::2], strict=True)))

    def _op_additems(self, _: Any) -> None:
        items = self._to_mark()
        _expect(self._stack[-1], set).update(plain_set(items))

    # the stack and the memo

    def _op_pop(self, _: Any) -> None:
        self._take(1)

    def _op_pop_mark(self, _: Any) -> None:
        self._to_mark()

    def _op_dup(self, _: Any) -> None:
        self._push(self._stack[-1])

    def _op_memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _op_put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    _op_binput = _op_long_binput = _op_put

    def _op_get(self, index: int) -> None:
        self._push(self._memo[index])

    _op_binget = _op_long_binget = _op_get

    # names and objects

    def _op_global(self, text: str) -> None:
        self._push(self._name(*text.split(" ", 1)))

    def _op_stack_global(self, _: Any) -> None:
        module, name = self._take(2)
        self._push(self._name(_expect(module, str), _expect(name, str)))

    def _name(self, module: str, name: str) -> Name:
        text = f"{module}.{name}"
        if text not in self._makers:  # refused here, before anything is called with it
            raise RefusedError(f"the name {text!r}")
        return Name(text)

    def _op_reduce(self, _: Any) -> None:
        name, arguments = self._take(2)
        self._push(self._make(name, arguments))

    _op_newobj = _op_reduce

    def _op_newobj_ex(self, _: Any) -> None:
        name, arguments, _keywords = self._take(3)
        self._push(self._make(name, arguments))

    def _make(self, name: Any, arguments: Any) -> Any:
        if not isinstance(name, Name):
            raise RefusedError(f"a call of something that is no name but {type(name).__name__}")
        maker = self._makers[name.text]
        arguments = _expect(arguments, tuple)
        return Record(name.text, arguments) if maker is None else maker(*arguments)

    def _op_build(self, _: Any) -> None:
        (state,) = self._take(1)
        target = self._stack[-1]
        if isinstance(target, Record):
            target.state = state  # data, where Python would call __setstate__
        elif not isinstance(target, dict):  # attributes of a dict, such as `_metadata` of a state dict, are left out
            raise RefusedError(f"attributes for a {type(target).__name__}")

    def _op_binpersid(self, _: Any) -> None:
        (identity,) = self._take(1)
        if self._persistent is None:
            raise RefusedError("a reference to something outside the pickle")
        self._push(self._persistent(identity))


def plain_dict(items: Any = ()) -> dict[Any, Any]:
    """A dict whose keys are numbers and texts: hashing nested keys could take for ever."""
    pairs = list(items.items() if isinstance(items, dict) else items)
    plain_set([key for key, _ in pairs])
    return dict(pairs)


def plain_set(items: Any = ()) -> set[Any]:
    """A set of numbers and texts."""
    values = list(items)
    for item in values:
        if not isinstance(item, (str, bytes, int, float, type(None))):
            raise RefusedError(f"a {type(item).__name__} as a key")
    return set(values)


def plain_bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    """Bytes, as protocols below 3 write them: a text whose characters are their values."""
    if encoding != "latin1":
        raise RefusedError("bytes in another encoding than Latin-1")
    return bytes(_expect(text, str).encode("latin1"))


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"the pickle has a {type(value).__name__} where a {kind.__name__} belongs")
    return value


DEEPEST = 100  # levels of nested objects; recursive readers crash far beyond


def check_nesting(value: Any, deepest: int = DEEPEST) -> list[Any]:
    """All objects that a value holds, each once.

    Raises:
        ValueError: it is nested more than `deepest` deep, or lies in itself.
    """
    depth: dict[int, int] = {}
    objects: list[Any] = []
    stack: list[tuple[Any, bool]] = [(value, False)]  # with True, its children are done
    open_: set[int] = set()  # the ancestors of the current object
    while stack:
        item, done = stack.pop()
        children = _children(item)
        if done:
            open_.discard(id(item))
            depth[id(item)] = 1 + max((depth.get(id(child), 0) for child in children), default=0)
            if depth[id(item)] > deepest:
                raise ValueError(f"objects that are nested more than {deepest} deep")
        elif id(item) in open_:
            raise ValueError("an object that lies in itself")
        elif id(item) not in depth:
            objects.append(item)
            open_.add(id(item))
            stack.append((item, True))
            stack.extend((child, False) for child in children)
    return objects


def _children(value: Any) -> list[Any]:
    if isinstance(value, Record):
        return [value.arguments, value.state]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []
