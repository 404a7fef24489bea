"""Data for the conformance checks of claims: images that are drawn from factors."""

from __future__ import annotations

from sidelight_specs.testing import Toys

toys = {"top-attributes": Toys(count=6), "decides": Toys(count=6)}
