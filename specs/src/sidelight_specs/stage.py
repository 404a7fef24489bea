"""The stage of a live page: the run's components, alive, that a serving renderer gets beside the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

Watcher: TypeAlias = "Callable[[str, int, int | None], None]"
"""Told of every item of a loop inside a component: its label, the items done, their number where it is known.

It may raise `Cancelled`, which then comes out of `run.progress` and ends the component's work.
"""


class Part(Protocol):
    """One component of the recipe."""

    @property
    def id(self) -> str:
        """Its id; unique among components of its role."""

    @property
    def use(self) -> str:
        """`PLUGIN/COMPONENT`."""

    @property
    def summary(self) -> str:
        """The descriptor's sentence."""

    @property
    def provides(self) -> tuple[str, ...]:
        """Its capabilities; the kind of its explanations among an explainer's."""

    def component(self) -> Any:
        """The component itself, built, with what it has learned; the same one each time.

        Raises:
            SidelightError: it cannot be built; the message says why.
        """

    def build(self, classifier: Any) -> Any:
        """The component built anew for another classifier, as by `Need(..., factory=True)`; a new one each time.

        Raises:
            SidelightError: it cannot be built; the message says why.
        """


class Stage(Protocol):
    """Address and components of a page that is served.

    A page has many visitors and components know nothing of threads: whoever serves lets one thread at a time use them.
    """

    @property
    def host(self) -> str:
        """The address of the interface to listen on; the loopback interface unless the user chose another."""

    @property
    def port(self) -> int:
        """The port to listen on; 0 for any free one."""

    def parts(self, role: str) -> tuple[Part, ...]:
        """The recipe's components of one role, in recipe order."""

    def watching(self, watcher: Watcher) -> AbstractContextManager[None]:
        """Within the context, loops inside components that this thread calls tell `watcher` how far they are."""

    def opened(self, address: str) -> None:
        """Tell the user that the page can be opened at `address` now."""
