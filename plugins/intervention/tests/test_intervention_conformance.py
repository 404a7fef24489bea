"""The contract, checked by the kit."""

from sidelight_specs.testing import component_tests

test_conformance = component_tests(
    "sidelight-intervention", training=("concept-factors", "flip-factors", "shared-information")
)
