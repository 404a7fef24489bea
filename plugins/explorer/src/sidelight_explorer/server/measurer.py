"""Measurements of an edit on the gallery, on images of the data or on random draws, as a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sidelight_explorer.hypothesis import mean_interval
from sidelight_explorer.measuring import measure
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.measure import FactorChange, Measured, write_measured
from sidelight_explorer.session.slider import latent_edit
from sidelight_explorer.session.style import draw_id
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run
    from sidelight_toolkit.factors import FactorRegressor
    from torch import Tensor

    from sidelight_explorer.latent_edit import LatentEdit
    from sidelight_explorer.server.jobs import Job, Jobs
    from sidelight_explorer.session.edit import EditSpec
    from sidelight_explorer.session.measure import Measure
    from sidelight_explorer.session.state import ExplorerState

READ = 0.6  # R squared of a factor's reading below which its change is not shown


class Measurer:
    """Measures edits on many images.

    Args:
        state: models, styles, sliders.
        jobs: with the lock around the models.
        data: the recipe's data; None without any.
        invert: latents (layers, d) of an image (C, H, W) by the caller's default space; None without an inverter.
        inverted_id: id of the style of an image of a split, as the page's own inversions have it.
        run: keeps the network that reads true factors; None to read none.
    """

    def __init__(
        self,
        state: ExplorerState,
        jobs: Jobs,
        data: Any,
        invert: Callable[[np.ndarray], np.ndarray] | None,
        inverted_id: Callable[[str, int], str],
        run: Run | None,
    ) -> None:
        self._state, self._jobs, self._data, self._invert, self._id = state, jobs, data, invert, inverted_id
        self._run, self._reader = run, None if run is None else _Reader(data, run)

    @property
    def reads_factors(self) -> bool:
        """True if the data's true factors can be read off images."""
        return self._run is not None and self._data is not None and bool(self._data.factor_ranges)

    def check(self, wish: Measure) -> None:
        """Raise `InvalidInput` for what this run cannot measure."""
        if wish.on == "data" and (self._data is None or wish.split not in self._data.splits):
            raise InvalidInput(f"the data has no split {wish.split!r}", 404)
        if wish.on == "data" and self._invert is None:
            raise InvalidInput("the recipe has no inverter, and the generator no encoder", 409)
        if wish.on == "gallery" and not wish.images:
            raise InvalidInput("test.images: the gallery is empty", 422)
        if wish.factors and not self.reads_factors:
            raise InvalidInput("the data's true factors are not known", 409)

    def measure(self, job: Job, wish: Measure, own: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A `Measured` as JSON values.

        Args:
            job: told of the progress; cancelling it stops the work between two batches.
            wish: what `check` accepts.
            own: one client's styles.
        """
        specs, labels = self._images(job, wish)
        pairs = [(self._latents(spec, own), self._latents(wish.edit.apply(spec), own)) for spec in specs]
        if all(before.key == after.key for before, after in pairs):
            raise InvalidInput("test.edit: it changes none of the images")
        directions = [self._state.styles.random_direction(wish.seed, number) for number in range(wish.controls)]
        reader = self._factor_reader(job) if wish.factors else None
        changes: list[np.ndarray] = []

        def seen(before: Tensor, after: Tensor) -> None:
            if reader is not None:
                with self._state.models.lock.hold(Priority.BACKGROUND):
                    changes.append(reader.half_ranges(before, after))

        found = measure(
            self._state.models,
            pairs,
            np.array(directions).reshape(-1, *pairs[0][0].latents.shape),
            wish.classifier,
            wish.target,
            lambda done, total: _tell(job, "measuring", done, total),
            seen,
        )
        names = self._state.models.classifiers[wish.classifier].class_names
        answers = [str(names[row]) if row >= 0 else None for row in found.answers]
        measured = Measured(
            names=tuple(spec.layers[0].start for spec in specs),
            before=tuple(found.before.tolist()),
            after=tuple(found.after.tolist()),
            turned=tuple(found.turned.tolist()),
            groups=tuple(labels or answers),
            grouped="label" if labels else "answer",
            w=found.w,
            image=found.image,
            controls=found.controls,
            factors=None if reader is None else factor_changes(reader, np.concatenate(changes)),
        )
        return write_measured(measured)

    def _latents(self, spec: EditSpec, own: Mapping[str, np.ndarray]) -> LatentEdit:
        return latent_edit(spec, lambda style: self._state.styles.latents(style, own), self._state.sliders)

    def _images(self, job: Job, wish: Measure) -> tuple[list[EditSpec], list[str | None]]:
        """The images before the edit; labels of those of the data, where they are known."""
        if wish.on == "gallery":
            return list(wish.images), []
        layers = self._state.styles.layers
        if wish.on == "draws":
            return [plain(draw_id(wish.seed, index, 100), layers) for index in range(wish.count)], []
        split = self._data.split(wish.split)
        rows = np.random.default_rng(wish.seed).permutation(len(split))[: wish.count].tolist()
        for done, row in enumerate(rows):
            _tell(job, "inverting", done, len(rows))
            if not self._state.styles.holds(self._id(wish.split, row)):
                self._jobs.with_models(job, partial(self._keep, wish.split, row, split.images[row]))
        specs = [plain(self._id(wish.split, row), layers) for row in rows]
        if split.labels is None or not split.class_names:
            return specs, []
        return specs, [str(split.class_names[int(split.labels[row])]) for row in rows]

    def _keep(self, split: str, row: int, pixels: np.ndarray, job: Job) -> dict[str, Any]:
        del job
        assert self._invert is not None, "checked before"
        self._state.styles.keep(self._id(split, row), self._invert(pixels))
        return {}

    def _factor_reader(self, job: Job) -> FactorRegressor:
        assert self._reader is not None, "checked before"
        reader = self._reader
        self._jobs.with_models(job, lambda _: reader.learn())
        return reader.network


class _Reader:
    """The network that reads true factors, trained at its first use and kept by the run."""

    def __init__(self, data: Any, run: Run) -> None:
        self._data, self._run = data, run
        self._network: FactorRegressor | None = None

    def learn(self) -> dict[str, Any]:
        """Train it, or read what was kept; nothing the second time."""
        from sidelight_toolkit.factors import factor_regressor

        self._network = self._network or factor_regressor(self._data, self._run)
        return {}

    @property
    def network(self) -> FactorRegressor:
        """After `learn`."""
        assert self._network is not None, "learned before"
        return self._network


def factor_changes(reader: FactorRegressor, changes: np.ndarray) -> tuple[FactorChange, ...]:
    """Mean changes (N, F), in half-ranges, of the factors that can be read, the largest first."""
    found = [
        FactorChange(name, *mean_interval(changes[:, column]), float(reader.r_squared[column]))
        for column, name in enumerate(reader.names)
        if reader.r_squared[column] >= READ and len(changes) > 1
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.change)))


def _tell(job: Job, doing: str, done: int, total: int) -> None:
    job.check()
    job.change("running", doing=doing, done=done, total=total)
