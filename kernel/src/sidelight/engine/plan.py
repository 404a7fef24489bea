"""Plan of a run, and the store keys of its steps; both follow from the resolved recipe."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import SidelightError, UserError
from sidelight_specs.digests import digest_of, seed_of
from sidelight_specs.roles import ROLES

from sidelight.engine.machine import DTYPE, arithmetic_in_force, thread_count
from sidelight.recipe.model import ResolvedComponent
from sidelight.registry.code import code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.recipe import Explain

    from sidelight.recipe.model import Resolved


@attrs.frozen
class Step:
    """One step of the plan: a component, and the verb of what it does."""

    verb: str
    component: ResolvedComponent

    @property
    def title(self) -> str:
        """`explain explainers.cdeepex`."""
        return f"{self.verb} {self.component.path}"


def plan(resolved: Resolved) -> tuple[Step, ...]:
    """Read the images, fit what learns (needs first), predict, invert, find, explain, measure, judge, render.

    Images that are chosen by the classifier's answers are read after these. Where a renderer shows the classifier's
    answers about more than the explained images, and the data may have labels, they follow the predictions.

    Raises:
        UserError: the recipe lacks data or a classifier, or finds attributes without an inverter.
    """
    main = resolved.main_inverter
    finders = [one for one in resolved.of_role("attribute_finder") if not {"latents", "samples"} & set(one.provides)]
    inverters = [main, *(finder.needed("inverter") for finder in finders)]  # of those without latents of their own
    takers: dict[str, Sequence[ResolvedComponent | None]] = {
        "data": [resolved.data],  # where the recipe has several, the ones whose images and answers are explained
        "classifier": [resolved.classifier],
        "inverter": list(dict.fromkeys(one for one in inverters if one is not None)),
    }
    steps: list[Step] = []
    for role in ROLES.values():
        for component in takers.get(role.name, resolved.of_role(role.name)) if role.verb else ():
            if component is None:
                raise UserError(f"the recipe has no {role.noun}", f"add a section `{role.section}`")
            steps.append(Step(role.verb, component))
            if role.name == "classifier" and surveyed(resolved):
                steps.append(Step("survey", component))
    fits = [Step("fit", component) for component in resolved.components if component.is_trainable]
    if resolved.explain.choose != "first":
        return (*fits, Step("choose", resolved.classifier), *steps)
    return (*steps[:1], *fits, *steps[1:])


def surveyed(resolved: Resolved) -> int:
    """Images, at most, of which renderers show the classifier's answers; 0 where none does, or there are no labels.

    Raises:
        SidelightError: the code of a renderer's plugin fails.
    """
    if resolved.facts.classes == ():
        return 0
    counts = [0]
    for component in resolved.of_role("renderer"):
        try:
            counts.append(int(component.descriptor.surveys(component.params)))  # type: ignore[attr-defined]
        except Exception as error:
            raise SidelightError(f"{component.title} cannot say how many images it surveys: {error}") from error
    return max(counts)


@attrs.define
class Keys:
    """Store keys of components and of their steps, within one run: a step is a function of its key alone."""

    seed: int
    device_kind: str  # "cpu", "cuda" or "mps"; which of several alike devices computes does not matter
    fingerprint: Callable[[ResolvedComponent], str]  # of a data component
    # another number of threads takes sums in another order, and a training or a search ends elsewhere
    threads: str = attrs.field(factory=thread_count)
    arithmetic: tuple[str, ...] = attrs.field(factory=arithmetic_in_force)
    dtype: str = DTYPE
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
                "code": code_of(component.descriptor, component.distribution),
                "params": attrs.asdict(component.params),
                "needs": {slot: need and self.component(need) for slot, need in component.needs.items()},
                # files may change under one path: data tell their content, descriptors that of files among parameters
                "fingerprint": self.fingerprint(component) if component.role == "data" else "",
                "files": _files(component),
                "trained_on": data and self.component(data),
                "seed": self.seed,
                "dtype": self.dtype,
                "device": self.device_kind,
                "threads": self.threads if component.role != "data" else "",  # data are read in one
                # of data they do not count, nor on a CPU as long as there are none
                **({"arithmetic": self.arithmetic} if component.role != "data" and self._counts_arithmetic else {}),
            }
            self._known[component] = digest_of(facts)
        return self._known[component]

    @property
    def _counts_arithmetic(self) -> bool:
        return bool(self.arithmetic) or self.device_kind == "cuda"

    def step(self, step: Step, inputs: dict[str, Any]) -> str:
        """The key of one step; `inputs` names everything that it is given, anything that `digest_of` takes."""
        return digest_of({"component": self.component(step.component), "step": step.verb, "inputs": inputs})


def images_read(explain: Explain) -> dict[str, Any]:
    """Inputs of the step that reads the explained images, unless they are chosen by the classifier's answers."""
    return {name: getattr(explain, name) for name in ("split", "count", "images", "indices", "labels")}


def stream_seed(seed: int, component: ResolvedComponent, label: str) -> int:
    """A number in [0, 2**63) fixed by the recipe's seed, the component's use and id, and `label`."""
    return seed_of(f"{seed}\n{component.use}\n{component.id}\n{label}")


def _files(component: ResolvedComponent) -> str:
    """The descriptor's fingerprint of the files that the parameters name."""
    try:
        return str(component.descriptor.fingerprint(component.params))
    except SidelightError:
        raise
    except Exception as error:
        raise SidelightError(f"{component.title} cannot say which files it depends on: {error}") from error
