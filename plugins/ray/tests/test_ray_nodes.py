"""Runs on a cluster of two nodes of this machine: the results of one process, also when a node dies."""

import os
import threading

import pytest
import sidelight

pytestmark = [pytest.mark.slow, pytest.mark.processes]

RECIPE = {
    "recipe": 1,
    "name": "nodes",
    "explain": {"split": "test", "count": 8, "shard": 2},
    "data": {"use": "images/digits"},
    "classifier": {"use": "classifiers/lenet", "with": {"steps": 20}},
    "explainers": {"occlusion": {"use": "captum/occlusion"}, "lime": {"use": "captum/lime", "with": {"samples": 100}}},
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """The cluster and its two nodes; the head computes nothing."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster, [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.shutdown()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the recipe on an empty cache; gives digests and warnings, and what workers did."""

    def run(name, *own, **sections):
        monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / f"cache-{name}"))
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        manifest = sidelight.run({**RECIPE, **sections}, set=own, out=tmp_path / name, progress=False).manifest
        return (manifest["outputs"]["artifacts"], manifest["warnings"]), manifest.get("workers")

    return run


def test_nodes_give_the_results_of_one_process_also_when_one_dies(nodes, run):
    cluster, alive = nodes
    executor = {"use": "ray/ray", "with": {"workers": 2, "retries": 5}}
    own = f'executor.with.address="{cluster.address}"'  # by which the user names it, whatever machine it says
    expected, _ = run("alone")
    found, workers = run("nodes", own, executor=executor)
    assert found == expected
    assert workers["made"] == 4 + 4 + 8  # shards predicted and occluded, pieces of LIME
    threading.Timer(2.0, cluster.remove_node, (alive.pop(),), {"allow_graceful": False}).start()
    found, workers = run("killed", own, executor=executor)
    assert found == expected
    assert workers["failed"] == 0
