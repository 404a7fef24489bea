"""A few rounds of the benchmark that kills workers, and runs with workers, at random moments."""

import json
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
def test_kills_change_nothing_and_nothing_is_made_twice(victim):
    command = [sys.executable, str(SCRIPT), "--victims", victim, "--rounds", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    assert told["rounds"] == 2
    assert told["other outcome"] == told["left"] == 0
    assert told["again"] <= 0  # fewer where the kill came while a shard was pointed into what it was joined to
