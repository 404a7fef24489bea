"""Observers of a run: plugins that are told what happens, one after the other, each isolated from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy
from sidelight_specs import SidelightError, hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidelight.registry.catalog import Catalog


class Observers:
    """One pluggy manager for all observers; built-in ones are added first and told first.

    Args:
        warn: gets a sentence that names an observer that has failed; it is told nothing further.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._warn = warn

    def add(self, observer: object, name: str) -> None:
        """Register an object or a module with hooks of observers; `name` is how a warning calls it."""
        self._manager.register(observer, name)

    def add_installed(self, catalog: Catalog) -> None:
        """Register the observers of installed plugins; one that does not load is named in a warning."""
        for entry in catalog.extensions(hooks.OBSERVER):
            try:
                module = catalog.load(entry)
            except SidelightError as error:
                self._warn(str(error))
            else:
                if not self._manager.is_registered(module):  # two entry points may name one module
                    self.add(module, f"{entry.use} ({entry.distribution} {entry.version})")

    def tell(self, event: str, **facts: Any) -> None:
        """Call one hook of every observer.

        Args:
            event: the hook without its prefix: `"step_finished"`.
            facts: all arguments of the hook.
        """
        for _ in self._answers(event, facts):
            pass

    def first(self, event: str, **facts: Any) -> Any:
        """The first answer that is not None; observers after it are not called."""
        return next(self._answers(event, facts), None)

    def _answers(self, event: str, facts: dict[str, Any]) -> Iterator[Any]:
        hook = getattr(self._manager.hook, f"sidelight_{event}")
        # pluggy calls the last registered first and ends at an exception; here each is called for itself.
        for implementation in hook.get_hookimpls():
            try:
                answer = implementation.function(*(facts[name] for name in implementation.argnames))
            except (Exception, SystemExit) as error:
                self._manager.unregister(implementation.plugin)
                name = implementation.plugin_name
                self._warn(f"observer {name} raised {type(error).__name__}: {error}; it is told nothing further")
            else:
                if answer is not None:
                    yield answer
