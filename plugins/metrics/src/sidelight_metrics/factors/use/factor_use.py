"""Use of true factors by the explained model, in one number for explanations of every family.

    heatmaps, attention graphs, concepts        mass in the factor's region against its area (`place`)
    counterfactuals, attributes, interventions  change of the factor, read off the edits, by their effect (`edits`)

0 is what an explanation gives that says nothing of the factor; higher is used more. Numbers of two families have
different units: compare models by one method, or methods by how well they tell models apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import (
    AttentionGraph,
    Attributes,
    Concepts,
    Counterfactual,
    Heatmap,
    ImageAttributes,
    Intervention,
    Measurement,
    Measurements,
)
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.factors.use.edits import (
    Edits,
    of_attributes,
    of_counterfactual,
    of_image_attributes,
    of_intervention,
)
from sidelight_metrics.factors.use.place import concept_use, excess_mass, graph_mass, heatmap_mass
from sidelight_metrics.factors.use.regions import Region, Regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import FactorUseParams

PLACE_UNIT = "excess mass"
CHANGE_UNIT = "half-ranges"


class FactorUse(Metric):
    """`use of` each factor by an explanation. The explainer has seen images alone, no factor and no mask."""

    def __init__(self, params: FactorUseParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run
        self._regions = Regions(data, params.split, params.regions, params.draws, run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`use of` each factor: (N,), or one value for attributes of a whole set; NaN with `cannot` in the settings.

        Of edits also `change in the region of` each factor that has a region.

        Raises:
            UserError: the data has no such factor, or its split lacks an explained image.
        """
        del targets
        pixels = to_array(images)
        if isinstance(explanation, (Heatmap, AttentionGraph)):
            return Measurements(items=self._by_maps(explanation, pixels))
        if isinstance(explanation, Concepts):
            return Measurements(items=self._by_concepts(explanation, pixels))
        return Measurements(items=self._by_edits(explanation, pixels))

    def _by_maps(self, result: Heatmap | AttentionGraph, images: np.ndarray) -> tuple[Measurement, ...]:
        size = (images.shape[-2], images.shape[-1])
        if isinstance(result, Heatmap):
            by, maps = "mass", heatmap_mass(result)
        else:
            by, maps = "patches", graph_mass(result, size)
        if maps.shape != (len(images), *size):
            raise SidelightError(f"maps of shape {maps.shape} do not fit images of shape {images.shape}")
        return self._in_regions(by, images, lambda weights: excess_mass(maps, weights))

    def _by_concepts(self, result: Concepts, images: np.ndarray) -> tuple[Measurement, ...]:
        if result.heatmaps is None:
            cannot = "the concepts have no place in the image"
            return tuple(_none(name, len(images), "effect", cannot) for name in self._factors)
        return self._in_regions("effect", images, lambda weights: concept_use(result, weights))

    def _in_regions(
        self, by: str, images: np.ndarray, use: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[Measurement, ...]:
        rows, items = self._regions.known_rows(images), []
        for name in self._factors:
            region = self._regions.of(name, rows)
            if region.weights is None:
                items.append(_none(name, len(images), by, region.cannot))
            else:
                items.append(_placed(f"use of {name}", use(region.weights), by, region, name))
        return tuple(items)

    def _by_edits(self, explanation: Artifact, images: np.ndarray) -> tuple[Measurement, ...]:
        edits, whole = self._edits(explanation, images), isinstance(explanation, Attributes)
        if edits is None:
            cannot = "no images of the attributes were kept"
            return tuple(_none(name, 1, "effect", cannot, whole=True) for name in self._factors)
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.batch)
        change = np.abs(reader.half_ranges(edits.before, edits.after)) if len(edits.rows) else np.zeros((0, 1))  # d
        items = []
        for name in self._factors:
            column = reader.names.index(name)
            quality, accuracy = float(reader.r_squared[column]), float(reader.accuracy[column])
            if np.isnan(quality):
                cannot = (
                    f"{name} cannot be read: it does not vary, or test images show other levels than training images"
                )
                items.append(_none(name, len(edits.answered), edits.by, cannot, whole=whole))
                continue
            read = {"reader": f"R2 {quality:.2f}" if np.isnan(accuracy) else f"accuracy {accuracy:.2f}"}
            if quality < params.least_quality:
                cannot = f"{name} is read with an R2 of {quality:.2f}, less than {params.least_quality:g}"
                items.append(_none(name, len(edits.answered), edits.by, cannot, read, whole=whole))
                continue
            use = edits.sums(change[:, column] if len(change) else np.zeros(0))
            items.append(
                Measurement(
                    name=f"use of {name}",
                    values=use.astype(np.float32),
                    unit=CHANGE_UNIT,
                    help=f"Change of {name} {edits.help}, read by a network trained on true factors; 2 is the range, "
                    "or another level for sure.",
                    settings={"by": edits.by, **read},
                    whole=whole,
                )
            )
        return (*items, *self._places(edits, images))

    def _edits(self, explanation: Artifact, images: np.ndarray) -> Edits | None:
        if isinstance(explanation, Counterfactual):
            return of_counterfactual(explanation, images)
        if isinstance(explanation, Intervention):
            return of_intervention(explanation)
        if isinstance(explanation, ImageAttributes):
            return of_image_attributes(explanation)
        if isinstance(explanation, Attributes):
            return of_attributes(explanation)
        raise SidelightError(f'factor-use does not measure "{explanation.kind}"')

    def _places(self, edits: Edits, images: np.ndarray) -> list[Measurement]:
        """Pixels that edits of the explained images change; nothing of examples, or of pictures of another size."""
        rows = self._regions.rows(images) if len(edits.answered) == len(images) else [-1]
        if -1 in rows or edits.before.shape[-2:] != images.shape[-2:]:
            return []
        items = []
        for name in self._factors:
            region = self._regions.of(name, rows)
            if region.weights is not None:
                use = edits.place(region.weights)
                items.append(_placed(f"change in the region of {name}", use, "mass", region, name))
        return items

    @property
    def _factors(self) -> tuple[str, ...]:
        """The factors that the options name, or all."""
        known, wanted = tuple(self._data.factor_ranges), self._params.factors
        if unknown := [name for name in wanted if name not in known]:
            raise UserError(
                f"factor-use: the data has no factor {', '.join(unknown)}", f"name some of: {', '.join(known)}"
            )
        return wanted or known


def _placed(name: str, use: np.ndarray, by: str, region: Region, factor: str) -> Measurement:
    return Measurement(
        name=name,
        values=use.astype(np.float32),
        unit=PLACE_UNIT,
        help=f"Share of the mass in the region of {factor} above the region's share of the image, over the larger of "
        "that and the rest's: 0 for a uniform map, at most 1 for one that lies wholly in the region.",
        settings={"by": by, "region": region.source},
    )


def _none(
    name: str, count: int, by: str, cannot: str, read: dict[str, str] | None = None, *, whole: bool = False
) -> Measurement:
    return Measurement(
        name=f"use of {name}",
        values=np.full(count, np.nan, np.float32),
        unit=CHANGE_UNIT if by == "change" or read else PLACE_UNIT,
        help=f"Not measurable: {cannot}.",
        settings={"by": by, **(read or {}), "cannot": cannot},
        whole=whole,
    )
