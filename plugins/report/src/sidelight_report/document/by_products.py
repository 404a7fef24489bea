"""What stands below the cards: by-products."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Measurements, Split, State

from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    import numpy as np

    from sidelight_report.document.context import Scene

MOST_SAMPLES = 64


def _pictures(scene: Scene, images: np.ndarray, most: int) -> list[dict[str, Any]]:
    return [scene.picture(image) for image in images[:most]]


@singledispatch
def by_product(artifact: Any, scene: Scene) -> dict[str, Any]:
    """What the page shows of something that a component emitted; at least its kind."""
    del scene
    return {"kind": "other", "what": str(artifact.kind)}


@by_product.register(State)
def _curves(artifact: State, scene: Scene) -> dict[str, Any]:
    del scene
    lines = [
        {"name": name, "x": list(range(1, len(values) + 1)), "y": numbers(values, 4)}
        for name, values in artifact.curves.items()
    ]
    return {"kind": "curves", "lines": lines}


@by_product.register(Measurements)
def _numbers(artifact: Measurements, scene: Scene) -> dict[str, Any]:
    del scene
    lines = [
        {"name": item.name, "x": numbers(item.curve_x, 4), "y": numbers(item.curve_y.mean(axis=0), 4)}
        for item in artifact.items
        if item.curve_x is not None and item.curve_y is not None
    ]
    found = [
        {"name": item.name, "value": number(item.value), "better": item.better, "unit": item.unit}
        for item in artifact.items
    ]
    return {"kind": "numbers", "numbers": found, "lines": lines}


@by_product.register(Split)
def _samples(artifact: Split, scene: Scene) -> dict[str, Any]:
    return {
        "kind": "images",
        "pictures": _pictures(scene, artifact.images, MOST_SAMPLES),
        "captions": list(artifact.ids[:MOST_SAMPLES]),
        "count": len(artifact),
    }
