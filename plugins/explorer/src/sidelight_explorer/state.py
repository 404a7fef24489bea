"""Everything behind the page, put together once: models, styles, attributes, and what the page is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sidelight_explorer.models import Drawn, Models
from sidelight_explorer.server.priority_lock import Rank
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.file import Document, Image, Style
from sidelight_explorer.session.latent_edit import located
from sidelight_explorer.session.slider import movables
from sidelight_explorer.session.slider_file import Sliders, write_slider
from sidelight_explorer.session.style import Styles, draw_id
from sidelight_explorer.w_region import Region, region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import Inversion, Results
    from sidelight_specs.roles import Classifier, Generator

    from sidelight_explorer._params import WebParams
    from sidelight_explorer.session.edit import Spec


@attrs.frozen(eq=False)
class Shown:
    """A drawn image and how far it lies from what the generator knows (see `Region.distance`)."""

    drawn: Drawn
    distance: float


@attrs.frozen(eq=False)
class Scene:
    """What images can be made of here.

    Args:
        name: of the run.
        models: the generator and the classifiers.
        region: what the generator knows.
        styles: what can be mixed.
        movables: the sliders, by id.
    """

    name: str
    models: Models
    region: Region
    styles: Styles
    movables: Sliders

    def show(
        self, specs: Sequence[Spec], rank: Rank = Rank.EDIT, own: Mapping[str, np.ndarray] | None = None
    ) -> list[Shown]:
        """Images of specs; `own` are one visitor's styles."""
        points = [located(spec, lambda style: self.styles.latents(style, own), self.movables) for spec in specs]
        drawn = self.models.draw(points, rank)
        return [Shown(one, self.region.distance(point.latents)) for one, point in zip(drawn, points, strict=True)]

    def facts(self) -> dict[str, Any]:
        """What the page needs to know."""
        channels, height, width = self.models.generator.image_shape
        return {
            "name": self.name,
            "layers": self.styles.layers,
            "image": [channels, height, width],
            "classifiers": [_classifier(name, one) for name, one in self.models.classifiers.items()],
            "attributes": [write_slider(slider, whole_way=False) for slider in self.movables.values()],
            "runImages": self.styles.run_count,
        }


def _classifier(name: str, classifier: Classifier) -> dict[str, Any]:
    return {"id": name, "task": classifier.task, "classes": list(classifier.class_names)}


def scene(
    results: Results,
    params: WebParams,
    generator: Generator,
    classifiers: Mapping[str, Classifier],
    run: Run,
    *,
    styled: bool,
) -> Scene:
    """The scene of a finished run.

    Args:
        results: the run.
        params: of the renderer.
        generator: with latents (layers, d).
        classifiers: id to classifier, the one that is asked first ahead.
        run: the renderer's.
        styled: whether the generator shows its style space.
    """
    models = Models(generator, classifiers, params.batch, run.device)
    known = region(generator, params.region, run)
    inversion = _own(results.inversion, tuple(generator.latent_shape), run)
    sliders = Sliders(movables(results.attributes, generator, styled), generator, styled)
    return Scene(results.name, models, known, Styles(models, known, inversion, run), sliders)


def _own(inversion: Inversion | None, shape: tuple[int, ...], run: Run) -> Inversion | None:
    if inversion is not None and inversion.latents.shape[1:] != shape:
        run.warn(f"the run's images are latents of shape {inversion.latents.shape[1:]}, not {shape}, and are left out")
        return None
    return inversion


def beginning(scene: Scene, params: WebParams, names: Sequence[str] = ()) -> Document:
    """The session that the page begins with: the run's images, then random draws; random styles in the matrix.

    Args:
        scene: where images are made.
        params: how many of what.
        names: of the run's images.
    """
    percent = round(100 * params.truncation)
    layers = scene.styles.layers
    drawn = [draw_id(params.seed, index, percent) for index in range(params.images + params.styles)]
    own = [f"run-{index}" for index in range(min(params.images, scene.styles.run_count))]
    gallery = own + drawn[params.styles : params.styles + params.images - len(own)]
    shown = dict(zip(own, names, strict=False))
    return Document(
        layers=layers,
        groups=min(params.groups, layers),
        styles=tuple(Style(name, f"draw {index + 1}") for index, name in enumerate(drawn[: params.styles])),
        images=tuple(
            Image(f"i{index}", shown.get(name, f"image {index + 1}"), plain(name, layers), plain(name, layers))
            for index, name in enumerate(gallery)
        ),
    )
