"""The commands of sidelight-govern keep the contract's promises."""

from sidelight_specs.testing import component_tests

test_conformance = component_tests("sidelight-govern", checks=10)
