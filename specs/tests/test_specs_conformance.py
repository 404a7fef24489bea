"""The built-in kinds keep the promises that a stranger's must keep."""

from sidelight_specs.testing import component_tests

test_conformance = component_tests("sidelight-specs")
