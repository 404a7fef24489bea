"""The cost of a recipe's run, estimated from trials (`trial`) with one, two and four images.

A step has costs once and costs per image:

    t(N) = t(1) + (N - 1) s       s = max((t(4) - t(2)) / 2, (t(4) - t(1)) / 3)

t(1) also counts imports, which a run has too; they would make the second slope alone too small. Attribute finders take
that for each class that is asked about; of those that draw samples, N counts the classes.

What a component keeps for itself (`run.cached`) under a key without arrays is about no image: the attributes of a
class, the styles of training images. Its time is counted apart: once, or where trials that ask about more classes make
more of it, for each class.

The times are kept, so that a run says them before it begins. Memory of larger batches than four images is not in the
estimate.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import attrs

from sidelight.engine.machine import Cancellation, peak_memory, resolve_device
from sidelight.engine.store import Store
from sidelight.engine.timings import Timings
from sidelight.engine.trial import Asked, Shared, Trial, TrialStore, try_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight.recipe.model import Resolved

COUNTS = (1, 2, 4)
"""Images of the trials."""
TRIALS = 60.0
"""CPU seconds of the trials with one and two images after which there is none with four."""


@attrs.frozen
class StepCost:
    """Expected cost of a step.

    Args:
        title: of the step.
        seconds: wall time; of a model that the store holds, of reading it.
        most: the same where its searches do not stop early.
        is_least: it costs at least as much.
        is_stored: it is a model that the store holds.
        why: what kept the estimate from being whole; empty otherwise.
    """

    title: str
    seconds: float
    most: float
    is_least: bool = False
    why: str = ""
    is_stored: bool = False


@attrs.frozen
class Cost:
    """Expected cost of a run.

    Args:
        images: that are explained.
        steps: in their order.
        memory: bytes of this process at its peak, with the images and results of a whole shard; None where the system
            does not tell, on Windows.
        disk: bytes that the cache and the run's folder grow by.
        device: that the trial ran on.
    """

    images: int
    steps: tuple[StepCost, ...]
    memory: int | None
    disk: int
    device: str


def estimate(
    resolved: Resolved,
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
    cancellation: Cancellation | None = None,
) -> Cost:
    """Estimate what a run costs on this machine, by a trial that takes some seconds to minutes.

    Args:
        resolved: the recipe.
        device: as for `sidelight.run`.
        say: told which trial is under way.
        cancellation: lets another thread ask to stop.

    Raises:
        UserError: the recipe, its data or the device cannot be used.
        SidelightError: data or classifier failed.
    """
    device, cancellation = resolve_device(device), cancellation or Cancellation()
    with tempfile.TemporaryDirectory(prefix="sidelight-cost-") as folder:
        root, trials, begun, asked = Path(folder), list[Trial](), process_time(), Asked(1, 1, 1)
        with (
            closing(Store(root / "models")) as models,
            closing(Store()) as users,
            closing(Shared()) as shared,
        ):
            for most in COUNTS:
                count = min(most, asked.images) if trials else most
                if trials and count == trials[-1].count:
                    break
                if len(trials) > 1 and process_time() - begun >= TRIALS:
                    break
                say(f"trial with {count} of {asked.images} images" if trials else "trial with 1 image")
                own = root / str(count)
                own.mkdir()
                with closing(TrialStore(own / "store", models, users, shared.clock)) as store:
                    trial, known = try_images(resolved, count, device, store, own / "run", cancellation, shared)
                asked = known if not trials or known.classes else asked
                trial.apart, trial.written = store.apart, _size(own) - store.apart
                trials.append(trial)
            cost = _total(trials, resolved, asked, device, _size(root / "models"))
            timed = {step.title: step.seconds for step in cost.steps if not (step.is_least or step.is_stored)}
            Timings(users.root, resolved, device.split(":")[0]).keep(timed, cost.images)
        return cost


def _size(folder: Path) -> int:
    """Bytes below a folder, but for a run's results, which are links to the store."""
    results = folder / "run" / "results"
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(results))
    return sum(path.stat().st_size for path in files)


def _total(trials: list[Trial], resolved: Resolved, asked: Asked, device: str, models: int) -> Cost:
    """t(N) of every step, and bytes by the same rule."""
    first, last, images = trials[0], trials[-1], asked.images
    finders = {f"find {one.path}": "samples" in one.provides for one in resolved.of_role("attribute_finder")}
    steps = []
    for title in first.steps:
        tried = [trial.steps[title] for trial in trials]
        seconds, most = (
            _seconds(trials, title, images, classes, finders.get(title), which)
            for which, classes in enumerate((asked.classes, asked.most_classes))
        )
        why = next((each.why for each in tried if each.why), "")
        is_least, is_stored = any(each.is_least for each in tried), first.steps[title].is_stored
        steps.append(StepCost(title, seconds, max(seconds, most), is_least, why, is_stored))
        if title == (predicts := f"predict {resolved.classifier.path}") and asked.surveyed:
            parts = [one for one in (f"read {resolved.data.path}", predicts) if one in first.steps]
            spent = sum(_seconds(trials, part, asked.surveyed, 1, None, 0) for part in parts)
            steps.append(StepCost(f"survey {resolved.classifier.path}", spent, spent, is_least, why))
    written = _at(trials, lambda trial: float(trial.written), images, lambda trial: trial.count)
    stretches = sum(_stretches(trials, title, images, asked.classes) for title in first.steps)
    kept = _at(trials, lambda trial: float(trial.apart), stretches, lambda trial: trial.stretches)
    # a shard of the results is in memory, as it is computed and as it is read: of at most so many images
    shard, peak = min(resolved.explain.shard, images), peak_memory()
    grown = 2 * max(0.0, written - first.written) / max(1, images - 1) * max(0, shard - last.count)
    memory = None if peak is None else int(peak + grown)
    return Cost(images, tuple(steps), memory, int(written + kept) + models, device)


def _at(trials: list[Trial], value: Callable[[Trial], float], whole: float, work: Callable[[Trial], int]) -> float:
    """A value for the `whole` work, from trials with less of it."""
    first, last = trials[0], trials[-1]
    if whole <= work(first):
        return value(first)
    less = [trial for trial in trials[:-1] if work(trial) < work(last)]
    if not less:
        return value(first) * whole / max(1, work(first))
    slope = max((value(last) - value(trial)) / (work(last) - work(trial)) for trial in less)
    return value(first) + max(0.0, slope) * (whole - work(first))


def _seconds(
    trials: list[Trial], title: str, images: int, classes: int, draws_samples: bool | None, which: int
) -> float:
    """Seconds of a step in the whole run, as expected (`which` 0) or at most (1), from those of the trials.

    Of attribute finders `draws_samples` says what they work on; it is None for all other steps.
    """

    def spent(trial: Trial) -> float:  # (seconds, most)[which]
        return (trial.steps[title].seconds, trial.steps[title].most)[which]

    def apart(trial: Trial) -> float:
        return trial.steps[title].apart[which]

    def by_image(trial: Trial) -> float:
        return spent(trial) - apart(trial)

    if title.startswith("fit "):
        return spent(trials[0])
    stretches = _stretches(trials, title, images, classes)
    once = _at(trials, apart, stretches, lambda trial: trial.steps[title].stretches) if stretches else 0.0
    if draws_samples:  # as many in a trial as in the run, for each class
        return once + _at(trials, by_image, classes, lambda trial: trial.classes)
    if draws_samples is not None:  # images for each class
        each = _at(trials, lambda trial: by_image(trial) / max(1, trial.classes), images, lambda trial: trial.count)
        return once + each * classes
    return once + _at(trials, by_image, images, lambda trial: trial.count)


def _stretches(trials: list[Trial], title: str, images: int, classes: int) -> float:
    """Number of times that a step of the whole run makes something that is about no image.

    As often as in the trials, where these ask about more and more classes and make no more of it; else for each class,
    unless trials with the same classes differ, which leaves the images. Where all ask about the same classes, an
    explainer is expected to make it for each class, and others once.
    """

    def made(trial: Trial) -> int:
        return trial.steps[title].stretches

    numbers, is_one = {made(trial) for trial in trials}, len({trial.classes for trial in trials}) == 1
    if len(numbers) == 1:
        first = trials[0]
        per_class = is_one and title.startswith("explain ")
        return made(first) * max(1.0, classes / max(1, first.classes)) if per_class else made(first)
    if len({made(trial) for trial in trials if trial.classes == trials[-1].classes}) > 1:
        return _at(trials, made, images, lambda trial: trial.count)
    return _at(trials, made, classes, lambda trial: trial.classes)
