"""Heatmaps as the page gets them, and those that a finished run holds of its images."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Heatmap

from sidelight_explorer.session.edit import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from sidelight_specs.results import Results

    from sidelight_explorer.session.edit import Spec


def write_heatmap(
    values: np.ndarray, *, signed: bool, spec: Spec, explainer: str, classifier: str, target: int
) -> dict[str, Any]:
    """A heatmap (H, W) as plain values.

    Args:
        values: what speaks for class `target` is positive.
        signed: whether there is anything negative to be shown.
        spec: the image.
        explainer: who says so.
        classifier: of whom.
        target: and of which class.
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


def of_the_run(results: Results, layers: int, classifier: str) -> Iterator[dict[str, Any]]:
    """The run's heatmaps, of its images as they are before any edit: for the class that each speaks for."""
    for explainer, found in results.explanations.items():
        if not isinstance(found, Heatmap):
            continue
        targets = results.targets.probe if found.answers == "probe" else results.targets.predicted
        for row, target in enumerate(targets.tolist()):
            image = plain(f"run-{row}", layers)
            yield write_heatmap(
                found.values[row],
                signed=found.signed,
                spec=image,
                explainer=explainer,
                classifier=classifier,
                target=int(target),
            )
