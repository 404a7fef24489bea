"""The conformance kit over every component of this distribution."""

from sidelight_specs.testing import component_tests

test_explorer_conformance = component_tests("sidelight-explorer")
