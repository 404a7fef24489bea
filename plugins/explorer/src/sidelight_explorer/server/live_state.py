"""State behind a served page: the explorer's state, the recipe's live components, clients and jobs."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Targets
from sidelight_toolkit.arrays import to_array

from sidelight_explorer.export import exported_page
from sidelight_explorer.heatmaps import write_heatmap
from sidelight_explorer.offline import models_within
from sidelight_explorer.server.clients import MOST_CLIENTS, Client, Clients
from sidelight_explorer.server.jobs import Job, Jobs
from sidelight_explorer.server.measurer import Measurer
from sidelight_explorer.session.file import with_names, write_session
from sidelight_explorer.session.slider import Slider, latent_edit, saved_slider
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run
    from sidelight_specs.results import Heatmap
    from sidelight_specs.roles import Explainer
    from sidelight_specs.stage import Part, Stage
    from torch import Tensor

    from sidelight_explorer.offline import Offline
    from sidelight_explorer.session.edit import EditSpec
    from sidelight_explorer.session.file import Session
    from sidelight_explorer.session.measure import Measure
    from sidelight_explorer.session.names import KeptNames, Label
    from sidelight_explorer.session.state import ExplorerState


class LiveState:
    """The explorer's state with inverters, data and explainers.

    Args:
        state: models, styles, sliders.
        stage: the recipe's components.
        session: first session of a new tab.
        own: latents that came with it.
        encodes: True if the generator inverts images in one pass.
        space: of inverted images, where the inverter has more than one and a visitor does not choose.
        names: those that are kept with the run; None where visitors may not change them.
        run: of the renderer, which keeps the network that reads true factors; without it none are read.
        visitors: open tabs at a time.
        offline: content of exported pages.
        budget: MB of it.
    """

    def __init__(
        self,
        state: ExplorerState,
        stage: Stage,
        session: Session,
        *,
        own: Mapping[str, np.ndarray],
        encodes: bool,
        space: str = "w",
        names: KeptNames | None = None,
        run: Run | None = None,
        visitors: int = MOST_CLIENTS,
        offline: Offline = "pictures",
        budget: float = 24.0,
    ) -> None:
        self.state, self._session, self._own = state, session, dict(own)
        self.clients = Clients(visitors)
        self.jobs = Jobs(state.models.lock, stage.watching)
        self.explainers = {part.id: part for part in stage.parts("explainer") if "heatmap" in part.provides}
        self._inverter: Part | None = next(iter(stage.parts("inverter")), None)
        self._data: Part | None = next(iter(stage.parts("data")), None)
        self._encodes, self._space, self.names = encodes, space, names
        self._offline, self._budget = offline, budget
        self._heatmaps: dict[tuple[str, str], Explainer] = {}
        self._run = run

    def enter(self) -> Client:
        """A new tab with the first session's latents."""
        client = self.clients.enter()
        client.keep(self._own)
        return client

    def session(self) -> dict[str, Any]:
        """The first session with the names that the run keeps by now, as JSON values."""
        session = self._session
        if self.names is not None:
            session = with_names(session, self.names)
        return write_session(session)

    def facts(self) -> dict[str, Any]:
        """Constants for the page, as JSON values."""
        splits = list(self._data.component().splits) if self._data and self._inverts else []
        return {
            **self.state.facts(),
            "live": True,
            "explainers": [{"id": part.id, "summary": part.summary} for part in self.explainers.values()],
            "inverts": self._inverts,
            "spaces": list(self.spaces),
            "splits": splits,
            "keepsNames": self.names is not None,
            "factors": self._measurer.reads_factors,
        }

    def save_direction(
        self, client: Client, name: str, start: EditSpec, now: EditSpec, layers: tuple[int, int] | None
    ) -> Slider:
        """The difference of two edits in W as a slider that all tabs know.

        Raises:
            InvalidInput: they are the same in W, or in its layers.
        """
        before, after = (
            latent_edit(spec, lambda style: self.state.styles.latents(style, client.styles), self.state.sliders)
            for spec in (start, now)
        )
        return self._saved(saved_slider(name, after.latents - before.latents, layers))

    def keep_names(self, labels: Mapping[str, Label | None]) -> None:
        """Keep labels with the run, and forget those of None; see `KeptNames.change`."""
        if self.names is None:
            raise InvalidInput("this run keeps no names; save the session", 409)
        self.names.change(labels, self.state.sliders)
        self.state.sliders.keep(self.names.directions)

    def restrict(self, name: str, slider: str, layers: tuple[int, int]) -> Slider:
        """A slider in some layers only, as one that all tabs know.

        Raises:
            InvalidInput: unknown, or a style coordinate.
        """
        if slider not in self.state.sliders:
            raise InvalidInput(f"slider: there is no attribute {slider[:80]!r}", 404)
        direction = self.state.sliders[slider].direction
        if direction is None:
            raise InvalidInput("slider: a style coordinate lies in one layer already", 409)
        return self._saved(saved_slider(name, direction, layers))

    def _saved(self, slider: Slider) -> Slider:
        self.state.sliders.load([slider])
        return slider

    @property
    def _inverts(self) -> bool:
        return self._encodes or self._inverter is not None

    @property
    def spaces(self) -> tuple[str, ...]:
        """Spaces that a visitor may have images inverted into, the default first; empty where there is no choice.

        One w for all layers is the default (Kirchler et al. 2021): it is like a sample's, so that layers of other
        styles go with it; w+ reproduces the image more closely, and edits of it less predictably.
        """
        if self._inverter is None or "spaces" not in self._inverter.provides:
            return ()
        return ("w", "w+") if self._space == "w" else ("w+", "w")

    def invert_upload(self, client: Client, image: np.ndarray, space: str = "") -> Job:
        """Invert an uploaded image (C, H, W); the style's id is a digest of its pixels, and its space."""
        style = f"upload-{hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest()}"
        return self._invert(client, style, "upload", lambda: image, space)

    def invert_data(self, client: Client, split: str, index: int, space: str = "") -> Job:
        """Invert an image of the data."""
        if self._data is None or split not in self._data.component().splits:
            raise InvalidInput(f"the data has no split {split[:80]!r}", 404)
        data = self._data.component()

        def image() -> np.ndarray:
            images = data.split(split)
            if index >= len(images):
                raise InvalidInput(f"{split} has {len(images)} images", 404)
            pixels: np.ndarray = images.images[index]
            return pixels

        return self._invert(client, f"data-{split}-{index}", f"{split} {index}", image, space)

    def _invert(self, client: Client, style: str, label: str, image: Callable[[], np.ndarray], space: str) -> Job:
        if not self._inverts:
            raise InvalidInput("the recipe has no inverter, and the generator no encoder", 409)
        space = space or next(iter(self.spaces), "")
        style = in_space(style, space)

        def work(job: Job) -> dict[str, Any]:
            job.check()
            pixels, expected = image(), self.state.models.generator.image_shape
            if pixels.shape != tuple(expected):
                raise InvalidInput(f"images are {pixels.shape}, the generator makes {expected}")
            latents, error = self._latents(self.state.models.tensor(pixels[None]), space)
            self.state.styles.keep(style, latents)
            return {"style": style, "name": label, "error": error}

        return self._submit(client, f"inverting {label}", work)

    def _latents(self, images: Tensor, space: str) -> tuple[np.ndarray, float]:
        """Latents of one image (1, C, H, W) and the mean squared error; the caller holds the lock."""
        import torch

        if self._inverter is not None:
            inverter = self._inverter.component()
            inversion = inverter.invert_into(images, space) if space else inverter.invert(images)
            latents = inversion.latents[0].astype(np.float32)
            return latents.reshape(self.state.models.generator.latent_shape), float(inversion.error[0])
        generator = self.state.models.generator
        with torch.no_grad():
            latents = generator.encode(images)
            error = (generator.synthesize(latents) - images).square().mean()
        return to_array(latents)[0], float(error)

    @cached_property
    def _measurer(self) -> Measurer:
        space = next(iter(self.spaces), "")

        def invert(pixels: np.ndarray) -> np.ndarray:
            return self._latents(self.state.models.tensor(pixels[None]), space)[0]

        return Measurer(
            self.state,
            self.jobs,
            self._live_data(),
            invert if self._inverts else None,
            lambda split, index: in_space(f"data-{split}-{index}", space),
            self._run,
        )

    def _live_data(self) -> Any:
        """The data; None where the recipe has none, or its files are gone since the run."""
        try:
            return self._data.component() if self._data else None
        except SidelightError:
            return None

    def test(self, client: Client, wish: Measure) -> Job:
        """Measure an edit on many images; the job's result is a `Measured`."""
        self._measurer.check(wish)
        own = dict(client.styles)

        def work(job: Job) -> dict[str, Any]:
            return self._measurer.measure(job, wish, own)

        return self._submit(client, "test", work, models=False, test=True)  # it takes the lock for each batch

    def heatmap(self, client: Client, spec: EditSpec, explainer: str, classifier: str, target: int) -> Job:
        """Explain an edited image; positive pixels speak for class `target`."""

        def work(job: Job) -> dict[str, Any]:
            job.check()
            return self._heatmap(client.styles, spec, explainer, classifier, target)

        return self._submit(client, f"{explainer}", work)

    def _heatmap(
        self, own: Mapping[str, np.ndarray], spec: EditSpec, explainer: str, classifier: str, target: int
    ) -> dict[str, Any]:
        import torch

        edit = latent_edit(spec, lambda style: self.state.styles.latents(style, own), self.state.sliders)
        with torch.no_grad():
            image = self.state.models.images([edit])
        heatmap = self._explain(image, explainer, classifier, target)
        return write_heatmap(
            heatmap.values[0],
            signed=heatmap.signed,
            spec=spec,
            explainer=explainer,
            classifier=classifier,
            target=target,
        )

    def _explain(self, image: Tensor, explainer: str, classifier: str, target: int) -> Heatmap:
        """Heatmap of `target` against the likeliest other class, whichever of the two sides the method answers."""
        import torch

        with torch.no_grad():
            logits = to_array(self.state.models.classifiers[classifier].class_logits(image))[0]
        others = [int(row) for row in np.argsort(-logits, kind="stable") if row != target] or [target]
        explained, other = np.array([target]), np.array([others[0]])
        method = self._method(explainer, classifier)
        heatmap: Any = method.explain(image, Targets(predicted=explained, probe=other))
        if heatmap.answers == "probe":
            heatmap = method.explain(image, Targets(predicted=other, probe=explained))
        if not heatmap.has_answer(0):
            raise UserError(f"{explainer} has no answer for this image", heatmap.no_answer)
        return heatmap  # type: ignore[no-any-return]

    def _method(self, explainer: str, classifier: str) -> Explainer:
        """The explainer built for the classifier; a trained one explains only its own."""
        key = (explainer, classifier)
        if key not in self._heatmaps:
            part = self.explainers[explainer]
            is_trained = "trainable" in part.provides
            method = part.component() if is_trained else part.build(self.state.models.classifiers[classifier])
            self._heatmaps[key] = method
        return self._heatmaps[key]

    def export(self, client: Client, session: Session, precomputed: int, classifier: str, target: int) -> Job:
        """Make the offline page and keep it for the tab; the job's result is its id and size.

        Args:
            client: the tab.
            session: what to show.
            precomputed: number of edits of each image that can be explored offline.
            classifier: id of the classifier that heatmaps explain.
            target: index of the class that they explain.
        """
        own = dict(client.styles)
        pairs = list(dict.fromkeys((image.now, name) for image in session.images for name in self.explainers))

        def heatmap(spec: EditSpec, name: str, job: Job) -> dict[str, Any]:
            job.check()
            return self.jobs.with_models(job, lambda _: self._heatmap(own, spec, name, classifier, target))

        def work(job: Job) -> dict[str, Any]:
            def progress(done: int, total: int) -> None:
                job.check()
                job.change("running", doing="drawing", done=done, total=total)

            heatmaps = [heatmap(spec, name, job) for spec, name in pairs]
            why: list[str] = []
            job.change("running", doing="recording the models", done=0, total=None)
            inverter = None if self._inverter is None else self._inverter.component()
            models = models_within(self._offline, self._budget, self.state, session, own, inverter, why.append)
            told = (progress, heatmaps, models, self._budget, why.append)
            page = exported_page(self.state, session, precomputed, own, *told).encode()
            client.exports = {job.id: page}
            return {"export": job.id, "bytes": len(page), "models": models is not None, "why": ". ".join(why)}

        return self._submit(client, "export", work, models=False)  # `show` takes the lock for each batch

    def _submit(
        self,
        client: Client,
        label: str,
        work: Callable[[Job], dict[str, Any]],
        *,
        models: bool = True,
        test: bool = False,
    ) -> Job:
        job = self.jobs.submit(label, work, client.notify, models=models, test=test)
        client.add(job)
        return job


def in_space(style: str, space: str) -> str:
    """Id of an inverted image, with the space that it was inverted into where there is a choice."""
    return f"{style}-{'plus' if space == 'w+' else 'w'}" if space else style
