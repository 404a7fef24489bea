"""State behind the page: models, region of W, styles and sliders of a finished run, and the first session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sidelight_toolkit.batching import slices
from sidelight_ui.images import data_uri, encoded, is_lossy, png

from sidelight_explorer.models import MOST_VALUES, DrawnImage, Models
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.file import Image, Session, Style
from sidelight_explorer.session.slider import Sliders, describe_slider, latent_edit, sliders_of
from sidelight_explorer.session.style import Styles, draw_id
from sidelight_explorer.session.value_scale import ValueScale, value_scales
from sidelight_explorer.w_region import WRegion, w_region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import Inversion, Results
    from sidelight_specs.roles import Classifier, Generator

    from sidelight_explorer._params import WebParams
    from sidelight_explorer.session.edit import EditSpec


@attrs.frozen(eq=False)
class ShownImage:
    """A drawn image and its distance from the generator's samples (see `WRegion.distance`)."""

    drawn: DrawnImage
    distance: float

    def plain(self, side: int, targets: Mapping[str, int], *, exact: bool = False) -> dict[str, Any]:
        """JSON values for the page.

        Args:
            side: width in pixels that a wider image is reduced to.
            targets: classifier id to a class whose value is always sent.
            exact: PNG also of a large picture, whose pixels are compared.
        """
        pixels = self.drawn.pixels
        if exact:
            file = png(pixels, side=side, fast=True)
        else:  # a thumbnail of a large image is WebP too: a sixth of the bytes
            file = encoded(pixels, side=side, fast=True, is_photograph=is_lossy(pixels.shape[1], pixels.shape[0]))
        return {
            "src": data_uri(file),
            "values": {name: _values(values, targets.get(name, 0)) for name, values in self.drawn.values.items()},
            "distance": round(self.distance, 3),
        }


def _values(values: np.ndarray, target: int) -> dict[str, float]:
    """Class index to value: all classes, or the ten highest and `target` if there are very many."""
    rows = range(len(values)) if len(values) <= MOST_VALUES else sorted({*(-values).argsort()[:10].tolist(), target})
    return {str(row): round(float(values[row]), 5) for row in rows}


@attrs.frozen(eq=False)
class ExplorerState:
    """Everything that images are drawn from.

    Args:
        name: of the run.
        models: generator and classifiers.
        region: the generator's samples in W.
        styles: by id.
        sliders: by id.
        scales: of regressions, by classifier id.
        is_styled: True if the generator has a style space.
    """

    name: str
    models: Models
    region: WRegion
    styles: Styles
    sliders: Sliders
    scales: dict[str, ValueScale]
    is_styled: bool = False

    def show(
        self, specs: Sequence[EditSpec], priority: Priority = Priority.EDIT, own: Mapping[str, np.ndarray] | None = None
    ) -> list[ShownImage]:
        """Draw edits; `own` are one client's styles."""
        edits = [latent_edit(spec, lambda style: self.styles.latents(style, own), self.sliders) for spec in specs]
        drawn = self.models.draw(edits, priority)
        return [ShownImage(image, self.region.distance(edit.latents)) for image, edit in zip(drawn, edits, strict=True)]

    def scores(
        self, specs: Sequence[EditSpec], classifier: str, target: int, own: Mapping[str, np.ndarray] | None = None
    ) -> list[float]:
        """Scores of edits as displayed, without pictures; more than one batch are drawn one after the other."""
        edits = [latent_edit(spec, lambda style: self.styles.latents(style, own), self.sliders) for spec in specs]
        scores: list[float] = []
        for batch in slices(len(edits), self.models.batch):
            _, values = self.models.score(edits[batch], classifier, Priority.CELLS)
            scores += [round(float(value), 5) for value in values[:, target]]
        return scores

    def facts(self) -> dict[str, Any]:
        """Constants for the page, as JSON values."""
        channels, height, width = self.models.generator.image_shape
        return {
            "name": self.name,
            "layers": self.styles.layers,
            "image": [channels, height, width],
            "classifiers": [
                {
                    "id": name,
                    "task": classifier.task,
                    "classes": list(classifier.class_names),
                    **(self.scales[name].plain() if name in self.scales else {}),
                }
                for name, classifier in self.models.classifiers.items()
            ],
            "attributes": [describe_slider(slider) for slider in self.sliders.values()],
            "runImages": self.styles.run_count,
            "conditions": list(self.models.generator.conditions),
        }


def explorer_state(
    results: Results,
    params: WebParams,
    generator: Generator,
    classifiers: Mapping[str, Classifier],
    run: Run,
    *,
    styled: bool,
) -> ExplorerState:
    """State of a finished run.

    Args:
        results: the run.
        params: of the renderer.
        generator: with latents (layers, d).
        classifiers: id to classifier, the page's first choice first.
        run: the renderer's.
        styled: True if the generator has a style space.
    """
    models = Models(generator, classifiers, params.batch, run.device)
    region = w_region(generator, params.region, run)
    inversion = _matching(results.inversion, tuple(generator.latent_shape), run)
    sliders = Sliders(sliders_of(results.attributes, generator, styled), generator, styled)
    styles = Styles(models, region, inversion, run)
    scales = value_scales(models, styles, params, run)
    return ExplorerState(results.name, models, region, styles, sliders, scales, styled)


def _matching(inversion: Inversion | None, shape: tuple[int, ...], run: Run) -> Inversion | None:
    """The inversion, unless it is of a generator with other latents."""
    if inversion is not None and inversion.latents.shape[1:] == shape[1:] and shape[0] == 1:
        return attrs.evolve(inversion, latents=inversion.latents[:, None])  # z (N, k) as one layer
    if inversion is not None and inversion.latents.shape[1:] != shape:
        run.warn(f"the run's images are latents of shape {inversion.latents.shape[1:]}, not {shape}, and are left out")
        return None
    return inversion


def initial_session(state: ExplorerState, params: WebParams, names: Sequence[str] = ()) -> Session:
    """The run's images, then random draws; random styles in the matrix.

    Args:
        state: with the styles.
        params: numbers of images and styles, seed and truncation.
        names: of the run's images.
    """
    percent = round(100 * params.truncation)
    layers = state.styles.layers
    draws = [draw_id(params.seed, index, percent) for index in range(params.images + params.styles)]
    from_run = [f"run-{index}" for index in range(min(params.images, state.styles.run_count))]
    gallery = from_run + draws[params.styles : params.styles + params.images - len(from_run)]
    titles = dict(zip(from_run, names, strict=False))
    return Session(
        layers=layers,
        groups=min(params.groups, layers),
        styles=tuple(Style(name, f"draw {index + 1}") for index, name in enumerate(draws[: params.styles])),
        images=tuple(
            Image(f"i{index}", titles.get(name, f"image {index + 1}"), plain(name, layers), plain(name, layers))
            for index, name in enumerate(gallery)
        ),
    )
