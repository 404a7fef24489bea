"""Example files for the conformance kit; see `sidelight_specs.testing`."""

from __future__ import annotations

from pathlib import Path

from sidelight_specs.testing import Toys

_EXAMPLES = Path(__file__).parent / "examples"

toys = {
    "fashion": Toys(example=lambda _: {"path": str(_EXAMPLES / "idx")}),
    "folder": Toys(example=lambda _: {"path": str(_EXAMPLES / "shapes")}),
}
