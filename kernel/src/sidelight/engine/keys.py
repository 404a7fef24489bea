"""Store keys: a step is a function of its key alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import SidelightError
from sidelight_specs.digests import digest_of

from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from sidelight_specs.recipe import Explain


@attrs.define
class Keys:
    """Keys of components and of their steps, within one run.

    Args:
        seed: the recipe's.
        dtype: name of the torch dtype.
        device_kind: `"cpu"`, `"cuda"` or `"mps"`; which of several alike devices computes does not matter.
        fingerprint: `Data.fingerprint` of a data component.
        threads: of the numeric libraries: with another number sums are taken in another order, and a training or a
            search ends elsewhere. Data are read in one.
    """

    seed: int
    dtype: str
    device_kind: str
    fingerprint: Callable[[ResolvedComponent], str]
    threads: str = "1"
    _known: dict[ResolvedComponent, str] = attrs.field(factory=dict, init=False)

    def component(self, component: ResolvedComponent) -> str:
        """The key of all that a component's answers depend on, beside the question."""
        if component not in self._known:
            data = component.trained_on
            facts = {
                "specs": version("sidelight-specs"),
                "role": component.role,
                "id": component.id,  # random streams depend on it
                "use": component.use,
                "distribution": component.distribution,
                "version": component.version,
                "code": component.code,  # digest of the sources behind its module
                "params": attrs.asdict(component.params),
                "needs": {slot: need and self.component(need) for slot, need in component.needs.items()},
                # files may change under one path: data tell their content, descriptors that of files among parameters
                "fingerprint": self.fingerprint(component) if component.role == "data" else "",
                "files": _files(component),
                "trained_on": data and self.component(data),
                "seed": self.seed,
                "dtype": self.dtype,
                "device": self.device_kind,
                "threads": self.threads if component.role != "data" else "",
            }
            self._known[component] = digest_of(facts)
        return self._known[component]

    def step(self, component: ResolvedComponent, step: str, inputs: dict[str, Any]) -> str:
        """The key of one step.

        Args:
            component: the component that takes it.
            step: its verb: `"explain"`.
            inputs: name to everything that it is given: anything that `digest_of` takes.
        """
        return digest_of({"component": self.component(component), "step": step, "inputs": inputs})


def images_read(explain: Explain) -> dict[str, Any]:
    """Inputs of the step that reads the explained images."""
    return {"split": explain.split, "count": explain.count, "indices": explain.indices, "labels": explain.labels}


def trained_by(keys: Keys, data: ResolvedComponent) -> dict[str, Any]:
    """Inputs of the step that fits a trainable component to data."""
    return {"data": keys.component(data)}


def stream_seed(seed: int, component: ResolvedComponent, label: str) -> int:
    """A number in [0, 2**63) fixed by the recipe's seed, the component's use and id, and `label`."""
    facts = f"{seed}\n{component.use}\n{component.id}\n{label}"
    return int.from_bytes(hashlib.blake2b(facts.encode(), digest_size=8).digest(), "big") >> 1


def _files(component: ResolvedComponent) -> str:
    """The descriptor's fingerprint of the files that the parameters name.

    Raises:
        SidelightError: it cannot tell; `UserError`s pass.
    """
    try:
        return str(component.descriptor.fingerprint(component.params))
    except SidelightError:
        raise
    except Exception as error:
        raise SidelightError(f"{component.title} cannot say which files it depends on: {error}") from error
