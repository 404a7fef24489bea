from sidelight_specs.testing import component_tests

test_conformance = component_tests("sidelight-mlflow")
