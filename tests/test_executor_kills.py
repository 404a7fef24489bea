"""A few rounds of the benchmark that kills workers, and runs with workers, at random moments."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "executor_kills.py"


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_kills_change_nothing_and_nothing_is_made_twice(tmp_path, victim):
    command = [sys.executable, str(SCRIPT), "--victims", victim, "--csv", str(tmp_path / "kills.csv")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for rounds in ("1", "2"):  # a series goes on
        done = subprocess.run(
            [*command, "--rounds", rounds], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    with (tmp_path / "kills.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["round"] for row in rows] == [str(number) for number in range(len(rows))]
    assert sum(row["hit"] == "1" for row in rows) == 2
    for row in rows:
        assert [row[name] for name in ("again", "left", "other outcome", "other entries")] == ["0"] * 4
    assert f"{victim}       2 " in done.stdout
