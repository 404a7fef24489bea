"""Heatmaps for the page, as JSON values; and those of a finished run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Heatmap

from sidelight_explorer.session.edit import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from sidelight_specs.results import Results

    from sidelight_explorer.session.edit import EditSpec


def write_heatmap(
    values: np.ndarray, *, signed: bool, spec: EditSpec, explainer: str, classifier: str, target: int
) -> dict[str, Any]:
    """A heatmap (H, W) as JSON values.

    Args:
        values: positive where a pixel speaks for class `target`.
        signed: True if negative values have a meaning.
        spec: the explained image.
        explainer: id of the method.
        classifier: id of the explained classifier.
        target: index of the explained class.
    """
    return {
        "spec": spec.key,
        "explainer": explainer,
        "classifier": classifier,
        "target": target,
        "values": base64.b64encode(values.astype("<f4").tobytes()).decode("ascii"),
        "height": values.shape[0],
        "width": values.shape[1],
        "signed": signed,
    }


def heatmaps_of_run(results: Results, layers: int, classifier: str) -> Iterator[dict[str, Any]]:
    """The run's heatmaps of its unedited images, each for the class that it answers for."""
    whole = tuple(range(len(results.targets)))
    explained = [(name, one, whole) for name, one in results.explanations.items()]
    explained += [(name, one, results.contested) for name, one in results.counterparts.items()]
    for explainer, explanation, rows in explained:
        if not isinstance(explanation, Heatmap):
            continue
        targets = results.targets.probe if explanation.answers == "probe" else results.targets.predicted
        for index, (values, row) in enumerate(zip(explanation.values, rows, strict=True)):
            if not explanation.has_answer(index):
                continue
            yield write_heatmap(
                values,
                signed=explanation.signed,
                spec=plain(f"run-{row}", layers),
                explainer=explainer,
                classifier=classifier,
                target=int(targets[row]),
            )
