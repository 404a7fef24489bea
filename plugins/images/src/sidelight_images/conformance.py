"""Example files for the conformance kit; see `sidelight_specs.testing`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sidelight_specs import live
from sidelight_specs.testing import Toys

_EXAMPLES = Path(__file__).parent / "examples"


def _held(_: Path) -> dict[str, object]:
    """Four small images, held as long as the process lives."""
    images = np.linspace(0, 1, 4 * 3 * 8 * 8, dtype=np.float32).reshape(4, 3, 8, 8)
    held = _HELD.setdefault("images", live.hold(images, lambda _: "four images"))
    return {"object": held.token, "labels": (0, 1, 0, 1)}


_HELD: dict[str, live.Live] = {}

toys = {
    "cutouts": Toys(example=lambda _: {"folder": str(_EXAMPLES / "cutouts")}),
    "fashion": Toys(example=lambda _: {"path": str(_EXAMPLES / "idx")}),
    "live": Toys(example=_held),
    "files": Toys(
        example=lambda _: {"paths": (str(_EXAMPLES / "shapes" / "circle"), str(_EXAMPLES / "shapes/*/1.png"))}
    ),
    "folder": Toys(example=lambda _: {"path": str(_EXAMPLES / "shapes")}),
}
