"""SIGKILL at any moment, and several processes at once, change nothing about what comes out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SCRIPT = Path(__file__).parent / "toys" / "kill_runs.py"
ROUNDS = 6  # of the quick suite; a round is a run that is killed and one that continues it
MANY = 20


def run_script(*arguments):
    environment = {**os.environ, "TOY_SLEEP": "0.01", "OMP_NUM_THREADS": "1", "SIDELIGHT_CHECKPOINT_SECONDS": "0"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Runs that were killed at a random moment and run again, beside an undisturbed one."""
    return run_script(tmp_path_factory.mktemp("kill"), ROUNDS, 20240607)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return run_script(tmp_path_factory.mktemp("kill"), MANY, 20240608)


def assert_hits(rounds, count):
    kept = [found["kept"] for found in rounds if found["killed"]]
    assert len(kept) >= count // 2
    assert len(set(kept)) >= 3


def test_the_kills_hit_runs_at_different_stages(rounds):
    assert_hits(rounds["rounds"], ROUNDS)


def assert_continued(found, expected):
    assert found["outputs"] == expected
    assert found["cache"]["found"] + found["cache"]["made"] > 0
    assert found["notices"] == [], "a kill damages no entry"
    assert found["left"] == [], "nothing half-written is left behind"


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_killed_run_continues_and_ends_with_the_same_hashes(rounds, number):
    assert_continued(rounds["rounds"][number], rounds["expected"])


@pytest.mark.slow
def test_many_killed_runs_continue_and_end_with_the_same_hashes(many):
    assert_hits(many["rounds"], MANY)
    for found in many["rounds"]:
        assert_continued(found, many["expected"])


def test_runs_side_by_side_all_end_well_with_the_same_hashes(tmp_path):
    found = run_script(tmp_path, "together")
    assert found["well"] == [True, True, True]
    assert found["outputs"][0] == found["outputs"][1]


@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_of_runs_that_begin_at_once_one_computes_each_result(tmp_path, count):
    alone, found = (run_script(tmp_path / str(number), "once", number) for number in (1, count))
    assert found["well"] == [True] * count
    assert all(outputs == found["outputs"][0] for outputs in found["outputs"])
    computing = ("fit step", "explain", "invert", "measure", "render", "make")
    expected, computed = (
        sorted(call for calls in one["calls"] for call in calls if call.startswith(computing)) for one in (alone, found)
    )
    assert computed == expected
    assert found["left"] == [], "no lock file is left"
