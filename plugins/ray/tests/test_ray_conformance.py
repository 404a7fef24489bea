"""The executor keeps the promises of its role, on one cluster of this machine that all checks join."""

import pytest
import ray
from sidelight_specs.testing import component_tests

pytestmark = [pytest.mark.slow, pytest.mark.processes]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two workers; without a cluster in the process, each check would start one."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


test_conformance = component_tests("sidelight-ray")
