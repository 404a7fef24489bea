"""The built-in executors keep the promises of their role."""

from sidelight_specs.testing import component_tests

test_conformance = component_tests("sidelight")
