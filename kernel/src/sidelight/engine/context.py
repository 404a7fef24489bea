"""The `Run` that each component gets: the one object through which it talks to the kernel."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sidelight_specs.digests import digest_of

from sidelight.engine.checks import check_valid
from sidelight.engine.device import DTYPE
from sidelight.engine.keys import stream_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from sidelight_specs import Artifact

    from sidelight.engine.session import Session
    from sidelight.recipe.model import ResolvedComponent

T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class ComponentRun:
    """Implements `sidelight_specs.Run` for one component of one run."""

    def __init__(self, session: Session, component: ResolvedComponent) -> None:
        self._session = session
        self._component = component

    @property
    def device(self) -> str:
        """The torch device string to compute on."""
        return self._session.device

    @property
    def dtype(self) -> str:
        """The name of the torch dtype of images and weights."""
        return DTYPE

    def seed(self, label: str) -> int:
        """A number in [0, 2**63) fixed by the recipe's seed, the component's use and id, and `label`."""
        seed = stream_seed(self._session.seed, self._component, label)
        self._session.seeds[f"{self._component.place} {label}"] = seed
        return seed

    def rng(self, label: str) -> np.random.Generator:
        """A fresh stream fixed by the same."""
        import numpy as np

        return np.random.default_rng(self.seed(label))

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `iterable` through while showing progress; raises `Cancelled` between items when asked to stop."""
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        return self._session.progress(iterable, label, total)

    def cached(self, key: Any, make: Callable[[], A]) -> A:
        """The artifact kept under `key` for this component, made by `make()` when there is none."""

        def checked() -> A:
            artifact = make()
            check_valid(artifact, self._component, name=_label(key))
            return artifact

        inputs = {"key": digest_of(key)}
        entry = self._session.keep(self._component, "cached", inputs, checked)
        return cast("A", entry.result)

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product under `component-id/name`."""
        check_valid(artifact, self._component, name=name)
        self._session.record.emit(f"{self._component.id}/{name}", artifact)

    def warn(self, text: str) -> None:
        """Tell the user something once; it is kept in the manifest and with the step's store entry."""
        self._session.warn(f"{self._component.use}: {text}")


def _label(key: Any) -> str:
    """The text that a key begins with, to name what it stands for."""
    first = key[0] if isinstance(key, (tuple, list)) and key else key
    return first if isinstance(first, str) else "cached"
