"""The scene with the recipe's other components alive: inverters, data, explainers; and the jobs that use them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Targets
from sidelight_toolkit.arrays import to_array

from sidelight_explorer.heatmaps import write_heatmap
from sidelight_explorer.server.clients import Visitor, Visitors
from sidelight_explorer.server.jobs import Job, Jobs
from sidelight_explorer.server.validation import Bad
from sidelight_explorer.session.export import exported_page
from sidelight_explorer.session.file import write_document
from sidelight_explorer.session.latent_edit import located

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs.results import Heatmap
    from sidelight_specs.roles import Explainer
    from sidelight_specs.stage import Part, Stage
    from torch import Tensor

    from sidelight_explorer.session.edit import Spec
    from sidelight_explorer.session.file import Document
    from sidelight_explorer.state import Scene


class Live:
    """Everything behind a page that is served.

    Args:
        scene: models, styles, attributes.
        stage: the recipe's components.
        document: the session that a tab begins with.
        own: the styles that came with it.
        encodes: whether the generator inverts images by itself, in one pass.
    """

    def __init__(
        self, scene: Scene, stage: Stage, document: Document, *, own: Mapping[str, np.ndarray], encodes: bool
    ) -> None:
        self.scene, self._beginning, self._own = scene, document, dict(own)
        self.visitors = Visitors()
        self.jobs = Jobs(scene.models.turns, stage.watching)
        self.explainers = {part.id: part for part in stage.parts("explainer") if "heatmap" in part.provides}
        self._inverter: Part | None = next(iter(stage.parts("inverter")), None)
        self._data: Part | None = next(iter(stage.parts("data")), None)
        self._encodes = encodes
        self._heatmaps: dict[tuple[str, str], Explainer] = {}

    def enter(self) -> Visitor:
        """A new tab, with the styles that it begins with."""
        visitor = self.visitors.enter()
        visitor.keep(self._own)
        return visitor

    def document(self) -> dict[str, Any]:
        """The session to begin with, as plain values."""
        return write_document(self._beginning)

    def facts(self) -> dict[str, Any]:
        """What the page needs to know."""
        splits = list(self._data.component().splits) if self._data and self._inverts else []
        return {
            **self.scene.facts(),
            "live": True,
            "explainers": [{"id": part.id, "summary": part.summary} for part in self.explainers.values()],
            "inverts": self._inverts,
            "splits": splits,
        }

    @property
    def _inverts(self) -> bool:
        return self._encodes or self._inverter is not None

    def invert_upload(self, visitor: Visitor, image: np.ndarray) -> Job:
        """Invert an uploaded image, (C, H, W); the style's name follows from its pixels."""
        style = f"upload-{hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest()}"
        return self._inverting(visitor, style, "upload", lambda: image)

    def invert_data(self, visitor: Visitor, split: str, index: int) -> Job:
        """Invert an image of the data."""
        if self._data is None or split not in self._data.component().splits:
            raise Bad(f"the data has no split {split[:80]!r}", 404)
        data = self._data.component()

        def image() -> np.ndarray:
            found = data.split(split)
            if index >= len(found):
                raise Bad(f"{split} has {len(found)} images", 404)
            picture: np.ndarray = found.images[index]
            return picture

        return self._inverting(visitor, f"data-{split}-{index}", f"{split} {index}", image)

    def _inverting(self, visitor: Visitor, style: str, label: str, image: Callable[[], np.ndarray]) -> Job:
        if not self._inverts:
            raise Bad("the recipe has no inverter, and the generator no encoder", 409)

        def work(job: Job) -> dict[str, Any]:
            job.check()
            pixels = image()
            if pixels.shape != tuple(self.scene.models.generator.image_shape):
                raise Bad(f"images are {pixels.shape}, the generator makes {self.scene.models.generator.image_shape}")
            latents, error = self._inverted(self.scene.models.tensor(pixels[None]))
            self.scene.styles.keep(style, latents)
            return {"style": style, "name": label, "error": error}

        return self._submit(visitor, f"inverting {label}", work)

    def _inverted(self, images: Tensor) -> tuple[np.ndarray, float]:
        """Latents of one image, and the mean squared error of its reconstruction. The caller holds the models."""
        import torch

        if self._inverter is not None:
            found = self._inverter.component().invert(images)
            return found.latents[0].astype(np.float32), float(found.error[0])
        generator = self.scene.models.generator
        with torch.no_grad():
            latents = generator.encode(images)
            error = (generator.synthesize(latents) - images).square().mean()
        return to_array(latents)[0], float(error)

    def heatmap(self, visitor: Visitor, spec: Spec, explainer: str, classifier: str, target: int) -> Job:
        """Explain an edited image; what speaks for class `target` is positive."""

        def work(job: Job) -> dict[str, Any]:
            job.check()
            return self._heatmap(visitor.styles, spec, explainer, classifier, target)

        return self._submit(visitor, f"{explainer}", work)

    def _heatmap(
        self, own: Mapping[str, np.ndarray], spec: Spec, explainer: str, classifier: str, target: int
    ) -> dict[str, Any]:
        point = located(spec, lambda style: self.scene.styles.latents(style, own), self.scene.movables)
        found = self._explained(point, explainer, classifier, target)
        return write_heatmap(
            found.values[0], signed=found.signed, spec=spec, explainer=explainer, classifier=classifier, target=target
        )

    def _explained(self, point: Any, explainer: str, classifier: str, target: int) -> Heatmap:
        import torch

        models = self.scene.models
        with torch.no_grad():
            images = models.images([point])
            logits = to_array(models.classifiers[classifier].class_logits(images))[0]
        others = [int(row) for row in np.argsort(-logits, kind="stable") if row != target] or [target]
        asked, other = np.array([target]), np.array([others[0]])
        method = self._method(explainer, classifier)
        found: Any = method.explain(images, Targets(predicted=asked, probe=other))
        if found.answers == "probe":
            found = method.explain(images, Targets(predicted=other, probe=asked))
        return found  # type: ignore[no-any-return]

    def _method(self, explainer: str, classifier: str) -> Explainer:
        """The explainer, about the classifier; one that has learned answers about its own alone."""
        key = (explainer, classifier)
        if key not in self._heatmaps:
            part = self.explainers[explainer]
            method: Explainer = part.component()
            if "trainable" not in part.provides:
                method = method.about(self.scene.models.classifiers[classifier])
            self._heatmaps[key] = method
        return self._heatmaps[key]

    def export(self, visitor: Visitor, document: Document, precomputed: int, classifier: str, target: int) -> Job:
        """Make the self-contained page and keep it for the tab; the result says how large it is.

        Args:
            visitor: the tab.
            document: the session.
            precomputed: edits of each image that stay explorable.
            classifier: whom heatmaps of every image explain.
            target: and which class.
        """
        own = dict(visitor.styles)
        asked = list(dict.fromkeys((image.now, name) for image in document.images for name in self.explainers))

        def heatmap(spec: Spec, name: str, job: Job) -> dict[str, Any]:
            job.check()
            return self.jobs.with_models(job, lambda _: self._heatmap(own, spec, name, classifier, target))

        def work(job: Job) -> dict[str, Any]:
            maps = [heatmap(spec, name, job) for spec, name in asked]
            page = exported_page(self.scene, document, precomputed, own, job, maps).encode()
            visitor.exports = {job.id: page}
            return {"export": job.id, "bytes": len(page)}

        return self._submit(visitor, "export", work, models=False)

    def _submit(
        self, visitor: Visitor, label: str, work: Callable[[Job], dict[str, Any]], *, models: bool = True
    ) -> Job:
        job = self.jobs.submit(label, work, visitor.tell, models=models)
        visitor.add(job)
        return job
