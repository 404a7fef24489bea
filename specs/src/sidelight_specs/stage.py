"""The stage of a live page: the run's components, alive, that a serving renderer gets beside the results."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

from sidelight_specs.errors import UserError
from sidelight_specs.wording import quoted

Watcher: TypeAlias = Callable[[str, int, int | None], None]
"""Told of every item of a loop inside a component: its label, the items done, their number where it is known.

It may raise `Cancelled`, which then comes out of `run.progress` and ends the component's work.
"""


@frozen(eq=False)
class Part:
    """One component of the recipe. `component` and `build` raise a `SidelightError` where it cannot be built.

    Args:
        id: its id; unique among components of its role.
        use: `PLUGIN/COMPONENT`.
        summary: the descriptor's sentence.
        provides: its capabilities; the kind of its explanations among an explainer's.
        component: gives the component itself, built, with what it has learned; the same one each time.
        build: gives the component built anew for another classifier, as by `Need(..., factory=True)`; a new one each
            time.
    """

    id: str
    use: str
    summary: str
    provides: tuple[str, ...]
    component: Callable[[], Any]
    build: Callable[[Any], Any]


_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])*")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,200}")


@frozen
class Public:
    """Public address of a page behind a reverse proxy, and the token that it wants.

    Args:
        origin: scheme and host by which browsers reach the proxy, `https://lab.example.org`; empty without a proxy.
        prefix: path of the page there, `/explorer`; empty for the root. The proxy may pass it on or take it off.
        token: 16 to 200 letters, digits, `.`, `_`, `~`, `-`; empty for a new one at each start.

    Raises:
        UserError: one of them is malformed.
    """

    origin: str = ""
    prefix: str = ""
    token: str = ""

    def __attrs_post_init__(self) -> None:
        if self.origin and not _ORIGIN.fullmatch(self.origin):
            fix = "write scheme and host in small letters, without a path: https://lab.example.org"
            raise UserError(f"{quoted(self.origin)} is no origin of a page", fix)
        if not _PREFIX.fullmatch(self.prefix):
            raise UserError(f"{quoted(self.prefix)} is no prefix of a path", "write it as /explorer")
        if self.token and not _TOKEN.fullmatch(self.token):  # which is not printed
            fix = "take 16 to 200 letters, digits, dots, underscores, tildes or hyphens: `openssl rand -hex 24`"
            raise UserError("the token cannot stand in an address, or is too short", fix)


@frozen(eq=False)
class Stage:
    """Address and components of a page that is served.

    A page has many visitors and components know nothing of threads: whoever serves lets one thread at a time use them.

    Args:
        host: the address of the interface to listen on; the loopback interface unless the user chose another.
        port: the port to listen on; 0 for any free one.
        parts: gives the recipe's components of one role, in recipe order.
        watching: context in which loops inside components that this thread calls tell a watcher how far they are.
        opened: tells the user that the page can be opened at an address now.
        folder: `kept` in the run's folder, where a page may keep what its visitors make, in a subfolder of its own;
            it need not exist yet, and a later run in the same place takes it along. None where nothing can be kept.
        public: how the page is reached behind a reverse proxy, and its token.
    """

    host: str
    port: int
    parts: Callable[[str], tuple[Part, ...]]
    watching: Callable[[Watcher], AbstractContextManager[None]]
    opened: Callable[[str], None]
    folder: Path | None = None
    public: Public = Public()
