"""Memory and disk of whole runs do not follow the number of images."""

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SCALING = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "scaling.py"))


@pytest.mark.parametrize(
    ("name", "executor", "most"),
    [
        ("heatmaps", None, 200),
        pytest.param("cdeepex", None, 200, marks=pytest.mark.slow),
        pytest.param("heatmaps", "local", 400, marks=pytest.mark.slow),
    ],
)
def test_memory_is_flat_and_results_stand_on_the_disk_once(tmp_path, name, executor, most):
    found = {}
    for count in (50, most):
        folder = tmp_path / str(count)
        folder.mkdir()
        recipe = {"recipe": 1, "name": name, "seed": 0, **SCALING["RECIPES"][name](folder, count)}
        recipe["explain"]["shard"] = 16
        del recipe["renderers"]  # a page of more images is larger, up to those that it lists
        if executor is not None:  # units are packed in the run's own process
            recipe["executor"] = {"use": f"sidelight/{executor}"}
        found[count] = SCALING["measure"](recipe, folder)
    (few, _, _, _), (many, _, disk, results) = found.values()
    assert many < 1.15 * few, "in memory the results alone are half as much again"
    grown = found[most][2] - found[50][2]
    assert grown < 1.15 * (results - found[50][3]), "twice where cache and run have copies"
    assert disk > results
