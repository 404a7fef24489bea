"""Toys for the conformance kit; see `sidelight_specs.testing`."""

from __future__ import annotations

from sidelight_specs.testing import Toys

toys = {"model": Toys(shape=(3, 32, 32))}
