"""Live objects in a recipe: a model or images that exist in this process alone.

A recipe is plain data, so a live object stands in it as a token, `live:DIGEST`, under which it is held here. The digest
tells its content (weights, class, source; pixels), so that keys follow from it as from any other parameter. An object
whose content cannot be told gets a token that never occurs again, and nothing that depends on it outlives the run.
A model may be trained further, or images written to, under a token that tells what they were: who comes with a token
alone has the content compared with it (`Live.has_changed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import attrs

from sidelight_specs.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "live:"
_UNKEPT = PREFIX + "unkept:"


@attrs.define(eq=False, slots=False)  # with slots it could not be referred to weakly
class Live:
    """A live object under its token; it is held as long as somebody refers to this."""

    value: Any
    token: str
    _digest: Callable[[Any], str] | None = None

    def has_changed(self) -> bool:
        """True if the object's content is no longer what the token tells; it is read anew for that."""
        return self._digest is not None and self.token != PREFIX + self._digest(self.value)


@attrs.frozen(eq=False, kw_only=True)
class Adoption:
    """Answer of a descriptor that can stand for a value: the parameters of a component that wraps it.

    Args:
        params: the component's `with:`; live objects by their tokens.
        live: what the tokens stand for.
        generic: the component takes anything of the kind (any module, any array); a particular one comes first.
        warnings: sentences about what was assumed, or cannot be kept.
        taken: hints that are used up, so that they need be no parameters.
        shape: (C, H, W) of images in memory.
    """

    params: Mapping[str, Any]
    live: tuple[Live, ...] = ()
    generic: bool = False
    warnings: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None


_held: WeakValueDictionary[str, Live] = WeakValueDictionary()
_lock = Lock()  # two runs in two threads may come with equal objects


def hold(value: Any, digest: Callable[[Any], str] | None) -> Live:
    """Hold an object under a token. Nobody but its user may write to it.

    Args:
        value: the object.
        digest: tells all that its answers depend on, as a short text; None where that cannot be told.
    """
    token = _UNKEPT + token_hex(16) if digest is None else PREFIX + digest(value)
    with _lock:
        live = _held.setdefault(token, Live(value, token, digest))
        live.value = value  # that of an earlier call may have changed since
    return live


def find(token: str) -> Live | None:
    """The object held under a token; None where this process holds nothing under it, or the text is no token."""
    return _held.get(token)


def get(token: str) -> Any:
    """The object behind a token.

    Raises:
        UserError: this process does not hold it.
    """
    live = _held.get(token)
    if live is None:
        raise UserError(*GONE)
    return live.value


GONE = (
    "the recipe was run with a live object, which this process does not hold",
    "give the object again, from Python: sidelight.explain(model, images), or `classifier: model` in a dict",
)
"""Message and fix for a token without its object."""
CHANGED = (
    "the live object has changed since the recipe was made: trained further, or written to",
    "give the object again: sidelight.explain(model, images), or `classifier: model` in a dict",
)
"""Message and fix for a token whose object has another content now."""


def is_held(token: str) -> bool:
    """True if this process holds the object behind a token."""
    return token in _held


def is_kept(values: Iterable[Any]) -> bool:
    """False if a parameter is the token of an object whose content cannot be told."""
    return not any(isinstance(value, str) and value.startswith(_UNKEPT) for value in values)
