"""Workers that take whole models, by forks of this process."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sidelight_bench import command, workers
from sidelight_bench.cells import Record
from sidelight_bench.tables import read_table
from sidelight_specs import UserError

WORDS = ["quick", "--suite", "faces", "--suite", "cutouts-mark", "--method", "captum/saliency"]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no forks here")
STOPPED = """
import os, time
from sidelight_bench.cells import Record
from sidelight_bench.workers import run_in_workers

def compute(index):
    os.write(1, b"begun\\n")
    time.sleep(60)
    return Record(key="")

for event in run_in_workers([[0], [1]], compute, 2, print):
    pass
"""

STOPPED_AT_BIRTH = """
import os, signal
from sidelight_bench import workers

fork = os.fork

def fork_and_interrupt():
    child = fork()
    if not child:
        os.kill(os.getpid(), signal.SIGINT)  # before anything of the worker runs
    return child

os.fork = fork_and_interrupt
try:
    events = list(workers.run_in_workers([[0], [1]], print, 2, print))
finally:
    os.write(1, f"{os.getpid()}\\n".encode())
os.write(1, str([event.crash for event in events]).encode())
"""


@pytest.fixture(autouse=True)
def _forks(monkeypatch):
    """Fork here too, where other tests have left threads: the toy's cells take none of their locks."""
    monkeypatch.setattr(command, "can_fork", lambda: True)


def bench(host, out, *words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([*words, "--out", str(out)]), host)


def bits(out):
    return {path.name: path.read_bytes() for path in [*out.glob("*.csv"), out / "frozen.json"]}


@pytest.mark.parametrize("count", ["2", "5"])
def test_tables_are_the_same_to_the_bit_with_workers_and_without(host, tmp_path, count):
    bench(host, tmp_path / "one", *WORDS)
    ran = len(host.ran)
    bench(host, tmp_path / "many", *WORDS, "--workers", count)
    assert len(host.ran) == ran, "the cells were computed in other processes"
    assert bits(tmp_path / "one") == bits(tmp_path / "many")
    bench(host, tmp_path / "many", *WORDS)
    assert len(host.ran) == ran, "and are done for this one"


def test_a_worker_takes_the_cells_of_a_model_in_order_and_another_takes_the_next(tmp_path):
    def compute(index):
        return Record(key=str(os.getpid()))

    groups = [[0, 1, 2], [3, 4], [5]]
    events = list(workers.run_in_workers(groups, compute, 2, print))
    done = {event.cell: event.record.key for event in events if event.record}
    assert sorted(done) == list(range(6))
    assert all(len({done[index] for index in group}) == 1 for group in groups)
    assert str(os.getpid()) not in done.values()
    assert len(set(done.values())) == 2


def test_a_dead_worker_is_named_and_its_cell_counts_as_a_crash(host, tmp_path, monkeypatch):
    run = host.run

    def die(recipe, **settings):
        if "captum-saliency" in str(recipe) and "lenet-0.9-1" in str(recipe):
            os.kill(os.getpid(), signal.SIGKILL)
        return run(recipe, **settings)

    monkeypatch.setattr(host, "run", die)
    assert bench(host, tmp_path, *WORDS, "--workers", "2") == 0
    failed = {row["model"]: row["failed"] for row in read_table(tmp_path / "cells.csv") if row["failed"]}
    assert set(failed) == {"faces/lenet-0.9-1", "cutouts-mark/lenet-0.9-1"}
    assert all(text.endswith("ended by SIGKILL") for text in failed.values())
    assert any("failed: " in line and "worker" in line for line in host.lines)
    records = [path.read_text() for path in tmp_path.rglob("cells/*/lenet-0.9-1/captum-saliency.json")]
    assert all('"crashes": 1' in text for text in records)
    assert len(records) == 2


def test_what_a_worker_raises_is_raised_and_stops_the_others(tmp_path):
    def compute(index):
        if index:
            time.sleep(0.2)
            raise KeyError("no such thing")
        time.sleep(60)
        return Record(key="")

    with pytest.raises(KeyError, match="no such thing"):
        list(workers.run_in_workers([[0], [1]], compute, 2, print))


def test_ctrl_c_stops_all_workers(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(2):
        assert process.stdout.readline() == b"begun\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = children.read_text().split() if children.exists() else []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_worker_stopped_as_it_begins_does_not_go_on_as_its_parent():
    process = subprocess.Popen([sys.executable, "-c", STOPPED_AT_BIRTH], stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=120)
    assert out == f"{process.pid}\n{['worker 1 ended with exit code 0', 'worker 2 ended with exit code 0']}"


def test_fewer_than_one_worker_are_refused(host, tmp_path):
    with pytest.raises(UserError, match="leaves nobody to compute"):
        bench(host, tmp_path, *WORDS, "--workers", "0")
