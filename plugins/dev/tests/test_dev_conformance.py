"""The commands of sidelight-dev keep the contract's promises."""

from sidelight_specs.testing import component_tests

test_conformance = component_tests("sidelight-dev", checks=20)
