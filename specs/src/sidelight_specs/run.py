"""The one object through which a component talks to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import State

T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class Checkpoint(Protocol):
    """Store of a long work's newest state; what continues from a state has to end with the same bits."""

    def load(self) -> State | None:
        """The newest whole state that an interrupted run left; None where the work begins."""

    def is_due(self) -> bool:
        """True when it is time to save; asked between steps. Saving whenever it is takes at most a percent."""

    def save(self, state: State) -> None:
        """Keep a state in place of the one before. Its arrays may change afterwards."""


class NoCheckpoint:
    """A `Checkpoint` that keeps nothing, for a `Run` that keeps nothing."""

    def load(self) -> None:
        """None."""

    def is_due(self) -> bool:
        """False."""
        return False

    def save(self, state: State) -> None:
        """Nothing."""


class Run(Protocol):
    """Services of the kernel for a component: the keyword argument `run` of its constructor.

    It may gain members; a member never changes its meaning within a major version of the contract.
    """

    @property
    def device(self) -> str:
        """The torch device string to compute on: `"cpu"`, `"cuda:0"`, `"mps"`."""

    @property
    def dtype(self) -> str:
        """The name of the torch dtype of images and weights: `"float32"`."""

    @property
    def compile(self) -> bool:
        """True where the user asks for `torch.compile`; a component may compile what it likes, or nothing."""

    def seed(self, label: str) -> int:
        """A number in [0, 2**63) fixed by the recipe's seed, the component and `label`.

        For generators that are not numpy's: `torch.Generator().manual_seed(run.seed("noise"))`.
        """

    def rng(self, label: str) -> np.random.Generator:
        """A fresh random stream fixed by the recipe's seed, the component and `label`.

        Two calls with one label give the same numbers. An explainer draws what it needs once and shares it
        between the images of a batch, so that an image's explanation does not depend on its neighbours.
        """

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `iterable` through while showing progress. Raises `Cancelled` between items when asked to stop.

        Args:
            iterable: items, passed through one by one.
            label: one or two words: `"training"`, `"optimising"`.
            total: the number of items where `len(iterable)` is not known.
        """

    def cached(self, key: Any, make: Callable[[], A]) -> A:
        """The artifact kept under `key` for this component, made by `make()` when there is none.

        Nothing is kept of a component that is built for another classifier than the recipe's.

        `run.cached(("inverted", images, steps), invert)`: arrays and tensors count by their content.

        Args:
            key: plain values, numpy arrays, torch tensors and objects with a `digest()`, such as artifacts, in tuples,
                lists and dicts of any depth; `sidelight_specs.digests.digest_of` is what tells them apart. The
                component's own identity, parameters, needs and the recipe's seed are added by the kernel.
            make: builds the artifact; not called on a hit.

        Raises:
            SidelightError: the key holds something whose content cannot be told, such as a set or a path.
        """

    def checkpoint(self, key: Any) -> Checkpoint:
        """The newest state of long work under way, from which a killed run continues.

        It goes when the step, or the artifact of `cached`, that the work is part of is kept.

        Args:
            key: tells pieces of work of one component apart; as for `cached`.
        """

    def map(self, function: Callable[[Any], A], items: Iterable[Any], label: str) -> list[A]:
        """Results of `function` for each item, each kept as soon as it is made; spread over a run's workers.

        `run.map(self.effects_of, shards, "images")`. A worker builds the component anew, from its parameters, needs
        and what it has learned: the answer may depend on these and on the item alone. A component that maps announces
        the capability `maps`.

        Args:
            function: a method of the component itself that takes one item and gives an artifact; it is called by name.
            items: arrays, artifacts and plain values, nested as for `sidelight_specs.packing.pack`; tuples may arrive
                as lists.
            label: one or two words for the progress.

        Raises:
            SidelightError: the function is no method of the component, or an item cannot go to another process.
        """

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product (a learning curve, a sample sheet) with the run's results under `name`."""

    def warn(self, text: str) -> None:
        """Tell the user something once; it is kept in the manifest."""
