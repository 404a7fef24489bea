from sidelight_specs.testing import component_tests

test_conformance = component_tests(
    "sidelight-metrics",
    training=("attribute-factors", "factor-change", "factor-recovery", "factor-sign", "factor-use", "lpips"),
)
