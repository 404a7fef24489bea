"""Choices for a recipe: size of the generator, length of its training, and what the whole is estimated to take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from sidelight_start.folder import Folder
from sidelight_start.models import Model, params_of

if TYPE_CHECKING:
    from sidelight_specs.host import Host

Kind = Literal["heatmaps", "counterfactuals", "stylex"]
GENERATORS = {"counterfactuals": "cdeepex/vae", "stylex": "stylex/generator"}
COUNT = 8  # images explained
PASSES = 400  # of the model for an image's heatmaps: iGOS++ takes most of them
LEARNABLE = 50  # images below which a generator learns each by heart
EPOCHS = 40  # times that a training sees each image, if the budget allows
SHORTEST = 300  # steps; fewer leave blobs
LONGEST = {"counterfactuals": 3000, "stylex": 4000}  # steps, after which little is gained (docs/explanation/stylex.md)
SEARCH = 100  # steps of a search of CDeepEx, of at most 400, as a mean over images: see docs/how-to/own-images.md
REST = 20  # seconds of starting, reading and writing the page
ATTFIND = 20  # images that AttFind measures every coordinate on, in passes of generator and classifier


@attrs.frozen(kw_only=True)
class Estimate:
    """Estimated cost of a run.

    Args:
        training: seconds of the generator's training; 0 without one.
        explaining: seconds of everything after it.
        memory: bytes at the peak; None where the system does not tell, on Windows.
        cpu: seconds of one processor in all.
        pass_: seconds of one image forward and backward through the model.
        step: seconds of one step of the training.
    """

    training: float
    explaining: float
    memory: float | None
    cpu: float
    pass_: float
    step: float

    @property
    def seconds(self) -> float:
        """Wall time in all."""
        return self.training + self.explaining


@attrs.frozen(kw_only=True)
class Plan:
    """A recipe to be written.

    Args:
        kind: what it is for.
        folder: of the images.
        model: to be explained.
        shape: (C, H, W) of the images as the model gets them.
        generator: `with:` of the generator; empty without one.
        estimate: of the run; None where nothing was timed.
    """

    kind: Kind
    folder: Folder
    model: Model
    shape: tuple[int, int, int]
    generator: dict[str, Any] = attrs.field(factory=dict)
    estimate: Estimate | None = None

    @property
    def wanted(self) -> int:
        """Steps in which the training sees each image `EPOCHS` times, within limits; 0 without a training."""
        if not self.generator:
            return 0
        steps = round_steps(EPOCHS * self.folder.learned / int(self.generator["batch"]))
        return min(LONGEST[self.kind], max(SHORTEST, steps))

    @property
    def steps(self) -> int:
        """Of the training."""
        return int(self.generator.get("steps", 0))


def shape_for(folder: Folder, model: Model) -> tuple[int, int, int]:
    """(C, H, W): what the model was made for; where that is not known, the images' own size up to 224."""
    if model.facts.shape:
        return model.facts.shape
    side = min(folder.side or 224, 224)
    return (1 if folder.grey else 3, side, side)


def first_plan(kind: Kind, folder: Folder, model: Model, size: int | None) -> Plan:
    """The plan before anything was timed, with a training of `EPOCHS`.

    Args:
        kind: what it is for.
        folder: of the images.
        model: to be explained.
        size: side of the generator's networks that the user asked for.
    """
    shape = shape_for(folder, model)
    plan = Plan(kind=kind, folder=folder, model=model, shape=shape)
    if kind == "heatmaps":
        return plan
    side = min(shape[1:])
    detail = min(side, folder.side or side)  # a generator draws nothing finer than the images have
    if kind == "counterfactuals":
        size = size or min(64, detail)
        batch = max(2, min(64, folder.learned // 4))
        settings = {"size": size, "latent": 64, "width": 32, "batch": batch, "variance": 0.02}
    else:
        size = size or (64 if detail >= 64 else 32)
        settings = {"size": size, "batch": 8, "shuffle": 2 if size >= 64 else 1, "squares": 10}
    plan = attrs.evolve(plan, generator=settings)
    return attrs.evolve(plan, generator=settings | {"steps": plan.wanted})


def round_steps(steps: float) -> int:
    """To hundreds."""
    return max(100, round(steps / 100) * 100)


def timed_plan(plan: Plan, host: Host, minutes: float) -> Plan:
    """The plan with what it takes, and a training cut to a budget.

    Args:
        plan: by `first_plan`.
        host: the kernel.
        minutes: the budget of the training.

    Raises:
        UserError: the model cannot be loaded, or not be asked about such images.
    """
    from sidelight_start.timing import Seconds, build, peak_memory, time_passes, time_steps

    classifier = build(plan.model.descriptor, plan.model.params)
    one_pass = time_passes(classifier, plan.shape)
    step, images = Seconds(0, 0), plan.folder.learned if plan.generator else COUNT
    if plan.generator:
        use = GENERATORS[plan.kind]
        (found,) = host.find(use, "generator")
        params = params_of(found.descriptor.params, plan.generator, use)
        needs = {need.slot: classifier for need in found.descriptor.needs if need.role == "classifier"}
        step = time_steps(found.descriptor, params, plan.shape, **needs)
        affordable = int(60 * minutes / max(step.wall, 1e-6) / 100) * 100
        steps = min(plan.steps, max(SHORTEST, affordable))
        plan = attrs.evolve(plan, generator=plan.generator | {"steps": steps})
    channels, height, width = plan.shape
    size = plan.generator.get("size", 0)
    # float32; generators keep reduced images, which are put together from parts
    data = 2 * 4 * images * channels * (min(size, height) * min(size, width) if size else height * width)
    training, explaining = step.scaled(plan.steps), one_pass.scaled(passes(plan))
    peak = peak_memory()
    estimate = Estimate(
        training=training.wall,
        explaining=explaining.wall + REST,
        memory=None if peak is None else peak + data,
        cpu=training.cpu + explaining.cpu + REST,
        pass_=one_pass.wall,
        step=step.wall,
    )
    return attrs.evolve(plan, estimate=estimate)


def passes(plan: Plan) -> float:
    """Images forward and backward through the model that explaining takes; the generator's share is small beside."""
    if plan.kind == "counterfactuals":
        return COUNT * SEARCH
    if plan.kind == "stylex":
        # the training images are classified once, forward alone; two changes of a few hundred coordinates follow
        coordinates = 600
        return plan.folder.learned / 3 + ATTFIND * 2 * coordinates / 3
    return COUNT * PASSES
