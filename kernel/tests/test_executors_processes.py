"""Worker processes: what a unit may do to its own."""

import os
import sys
from pathlib import Path

import pytest
from sidelight.executors import ProcessesParams
from sidelight.executors.processes import Processes
from sidelight_specs.roles import WorkerLost

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="has no worker processes"),
]

WORK = """
import os, sys, time

def read(unit):
    return sys.stdin.buffer.readline()

def sleep(unit):
    time.sleep(float(unit))
    return unit

def close_all(unit):
    os.closerange(3, 64)
    time.sleep(60)
"""


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """The answer of one worker to one unit, by the name of its function."""
    (tmp_path / "sidelight_odd_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import sidelight_odd_work

    executor = Processes(ProcessesParams(workers=1, retries=0), run=None)
    yield lambda name: next(pair for pair in executor.map(getattr(sidelight_odd_work, name), iter([b"x"])) if pair)[1]
    executor.close()
    del sys.modules["sidelight_odd_work"]


def test_a_worker_has_nothing_to_read(answer, tmp_path):
    """Reading from the run's terminal would stop it, because it is not in the foreground."""
    (tmp_path / "input").write_text("for the run\n")
    own = os.dup(0)
    with Path(tmp_path / "input").open() as stream:
        os.dup2(stream.fileno(), 0)
        try:
            assert answer("read") == b""
        finally:
            os.dup2(own, 0)
            os.close(own)


def test_a_worker_that_closes_its_socket_was_not_killed_for_memory(answer):
    lost = answer("close_all")
    assert isinstance(lost, WorkerLost)
    assert lost.reason == "closed the connection of its worker process"


def test_a_unit_that_takes_too_long_fails_at_once_and_the_next_has_a_new_worker(tmp_path, monkeypatch):
    (tmp_path / "sidelight_slow_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import sidelight_slow_work

    executor = Processes(ProcessesParams(workers=1, timeout=5.0), run=None)
    answers = dict(filter(None, executor.map(sidelight_slow_work.sleep, iter([b"60", b"0"]))))
    executor.close()
    assert answers == {0: WorkerLost("had not ended after 5 s, the executor's timeout"), 1: b"0"}
