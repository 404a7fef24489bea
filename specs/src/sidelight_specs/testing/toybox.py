"""The toy components with which the kit fills what a component needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.errors import UserError
from sidelight_specs.roles.classifier import Task

if TYPE_CHECKING:
    from sidelight_specs.descriptors import Need

CAPABILITIES = {
    "data": {"factors.render"},
    "classifier": {"differentiable", "activations", "module", "classes"},
    "generator": {"differentiable", "encoder", "latent.z", "latent.w", "latent.style"},
    "attribute_finder": {"coordinates"},
    "explainer": {"heatmap"},
}


@attrs.frozen
class Toys:
    """Toys that one component is tested with. Pass other values, or a subclass, where the defaults do not suit it.

    Args:
        shape: (C, H, W) of the toy images; square, H a multiple of 16.
        task: the toy classifier's task.
        count: how many images are explained or inverted; 3 at least, so that each class is there once.
        tolerance: how far two answers may lie apart that should agree up to rounding, relative to the largest value.
        example: parameters that only a test can know, such as the path of a file that it writes into the folder it
            is given; they are added to the descriptor's `example`.
    """

    shape: tuple[int, int, int] = (1, 32, 32)
    task: Task = "multiclass"
    count: int = 3
    tolerance: float = 1e-3
    example: Callable[[Path], dict[str, Any]] | None = None

    def fill(self, need: Need) -> Any:
        """A toy of the need's role with the capabilities asked for, or where it asks for a factory, that.

        Raises:
            UserError: no toy can have them.
        """
        missing = set(need.capabilities) - CAPABILITIES.get(need.role, set())
        both = {"latent.z", "latent.w"} <= set(need.capabilities)
        if missing or both or need.role not in _MAKERS or (need.factory and need.role != "explainer"):
            wanted = ", ".join(sorted(missing or need.capabilities)) or "any"
            raise UserError(
                f"no toy {need.role} can fill the slot {need.slot!r} (wanted: {wanted})",
                "Subclass sidelight_specs.testing.Toys, override fill(need), and pass it to component_tests as `toys`.",
            )
        if need.factory:
            from sidelight_specs.testing.toys import ToyExplainer

            return ToyExplainer  # built with a classifier
        return _MAKERS[need.role](self, need)


def _data(toys: Toys, _: Need) -> Any:
    from sidelight_specs.testing.toys import ToyData

    return ToyData(toys.shape, toys.task, lazy=True)


def _classifier(toys: Toys, _: Need) -> Any:
    from sidelight_specs.testing.toys import ToyClassifier

    return ToyClassifier(toys.shape, toys.task)


def _generator(toys: Toys, need: Need) -> Any:
    from sidelight_specs.testing.toys import ToyGenerator

    return ToyGenerator(toys.shape, "w" if "latent.w" in need.capabilities else "z")


def _inverter(toys: Toys, need: Need) -> Any:
    from sidelight_specs.testing.toys import ToyInverter

    return ToyInverter(_generator(toys, need))


def _explainer(toys: Toys, need: Need) -> Any:
    from sidelight_specs.testing.toys import ToyExplainer

    return ToyExplainer(_classifier(toys, need))


def _attribute_finder(toys: Toys, need: Need) -> Any:
    from sidelight_specs.testing.finder import ToyFinder

    return ToyFinder(_classifier(toys, need), _generator(toys, need))


_MAKERS = {
    "data": _data,
    "classifier": _classifier,
    "generator": _generator,
    "inverter": _inverter,
    "attribute_finder": _attribute_finder,
    "explainer": _explainer,
}
