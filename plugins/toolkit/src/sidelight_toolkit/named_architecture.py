"""Options of networks that are chosen by an architecture's name, as in timm and torchvision. Nothing heavy here."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Protocol

from sidelight_specs import UserError, live
from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RANDOM = "random"
"""Value of `weights` for an untrained network."""


class ArchitectureParams(Protocol):
    """Options that name an architecture and where its weights come from."""

    @property
    def architecture(self) -> str:
        """Name in the library."""

    @property
    def weights(self) -> str:
        """File or folder of weights, or `random`."""

    @property
    def download(self) -> bool:
        """Published weights are wanted."""

    @property
    def num_classes(self) -> int | None:
        """Columns of the scores."""

    @property
    def object(self) -> str:
        """Token of a live model."""


class SetupError(UserError):
    """A mistake in the options, or in a file that they name. `option` is the parameter at fault."""

    def __init__(self, message: str, fix: str, option: str) -> None:
        super().__init__(message, fix)
        self.option = option


def live_model(params: ArchitectureParams) -> Any:
    """The live model that `object` is the token of.

    Raises:
        SetupError: other weights are named beside it, or this process does not hold it.
    """
    if params.weights or params.download or params.architecture:
        raise SetupError("a live model has its weights", "leave architecture, weights and download out", "object")
    if not live.is_held(params.object):
        raise SetupError(*live.GONE, "object")
    return live.get(params.object)


def check_one_source(params: ArchitectureParams) -> None:
    """Raise a SetupError where weights are named twice, or downloaded ones are to have other classes."""
    if params.download and params.weights:
        raise SetupError("both weights and download are given", "leave one of the two out", "download")
    if params.download and params.num_classes:
        raise SetupError(
            "downloaded weights have the classes that they were trained for", "leave `num_classes` out", "num_classes"
        )


def check_any_source(params: ArchitectureParams, source: str) -> None:
    """Raise a SetupError where no weights are named.

    Args:
        params: the options.
        source: the library, as in `timm:NAME`.
    """
    if not params.weights and not params.download:
        name = params.architecture
        raise SetupError(f"no weights are given for {name}", how_to_give_weights(source, name), "weights")


def similar(wrong: str, known: Sequence[str]) -> str:
    """The names that are spelt most alike, or the first ones; a comma between them."""
    return ", ".join(difflib.get_close_matches(wrong.lower(), known, n=4, cutoff=0.5) or known[:4])


def random_weights(params: ArchitectureParams) -> Iterator[Mistake]:
    """A warning that an untrained network is explained."""
    if params.weights == RANDOM:
        message = f"the weights of {params.architecture} are random, and so is what it sees"
        yield Mistake(message, "give `weights: FILE` to explain a model that has learned", "weights", refused=False)


def named_source(text: str) -> dict[str, Any]:
    """Options for `ARCHITECTURE`, `ARCHITECTURE@FILE`, `ARCHITECTURE@random` or `ARCHITECTURE@download`."""
    architecture, _, weights = text.partition("@")
    if weights == "download":
        return {"architecture": architecture, "download": True}
    return {"architecture": architecture, **({"weights": weights} if weights else {})}


def how_to_give_weights(source: str, architecture: str) -> str:
    """Advice where an architecture is given alone."""
    return (
        "give `weights: FILE`, or `download: true` for published ones, or `weights: random` to try things out; in one "
        f"word {source}:{architecture}@FILE, @download or @random"
    )
