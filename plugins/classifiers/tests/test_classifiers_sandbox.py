"""The first load of a file, in a child: what becomes of crashes, endless loops, memory, and who pays when."""

import os
import signal
from pathlib import Path

import pytest
import torch
from sidelight_classifiers.files import sandbox
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun

REQUEST = {"kind": "torch", "params": {"path": "model.pt2"}, "digest": "", "seconds": 1}
STDERR = 2


def quiet():
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)


def crash(_):
    quiet()
    os.kill(os.getpid(), signal.SIGSEGV)


def loop(_):
    while True:
        pass


def hoard(_):
    torch.ones(1 << 42)


def write(_):
    Path("written").write_text("x")


def refuse(_):
    raise UserError("no", "yes")


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (crash, {"signal": signal.SIGSEGV}),
        (refuse, {"message": "no", "fix": "yes"}),
        (lambda _: os._exit(3), {"signal": 0}),
        (lambda _: None, {}),
    ],
)
def test_how_a_child_ends_is_answered(does, answer):
    assert sandbox._fork(REQUEST, does) == answer


@pytest.mark.processes
def test_an_endless_child_is_ended_by_its_cpu_time():
    assert sandbox._fork(REQUEST, loop)["signal"] in {signal.SIGXCPU, signal.SIGKILL}


@pytest.mark.parametrize("does", [hoard, write], ids=["memory", "files"])
def test_a_child_cannot_take_all_memory_or_write(does, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = sandbox._fork(REQUEST, does)
    assert "message" in answer or answer["signal"] == signal.SIGXFSZ
    assert not (tmp_path / "written").exists() or not (tmp_path / "written").read_text()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"signal": signal.SIGSEGV}, r"model\.pt2 crashes the process that loads it \(SIGSEGV\)"),
        ({"signal": signal.SIGXCPU}, r"took more than 7 s of CPU time"),
        (None, r"took more than 7 s to be loaded"),
        ({"message": f"{Path.cwd()}/model.pt2 is bad", "fix": "mend"}, r"^model\.pt2 is bad"),
    ],
)
def test_what_the_user_is_told(monkeypatch, answer, message):
    monkeypatch.setattr(sandbox, "_ask", lambda *_: answer)
    with pytest.raises(UserError, match=message) as caught:
        sandbox.rehearse("torch", {"path": "model.pt2"}, "digest", 7)
    assert caught.value.fix


def test_a_file_is_tried_apart_once(pt2, load, images, monkeypatch):
    asked = []
    monkeypatch.setattr(sandbox, "_passed", set())
    monkeypatch.setattr(sandbox, "_ask", lambda request, _: asked.append(request) or {})
    run = ToyRun()
    for _ in range(2):
        load(pt2, run).scores(images)
    load(pt2).scores(images)  # another run of this process
    assert len(asked) == 1
    monkeypatch.setattr(sandbox, "_passed", set())
    load(pt2, run).scores(images)  # another process, the same store
    assert len(asked) == 1
    changed = pt2.with_name("changed.pt2")
    changed.write_bytes(pt2.read_bytes() + b"\0")
    load(changed, run).scores(images)
    assert len(asked) == 2


def test_a_file_that_changes_meanwhile_is_refused(pt2, load):
    with pytest.raises(UserError, match="changes while it is read"):
        load(pt2).load("another digest")


@pytest.mark.processes
def test_the_helper_outlives_a_file_that_crashes_it(pt2, load, images, monkeypatch):
    load(pt2).scores(images)
    helper = sandbox._helper
    monkeypatch.setattr(sandbox, "_passed", set())
    if helper is not None:
        os.kill(helper.pid, signal.SIGKILL)
        helper.wait()
    assert load(pt2).scores(images).shape == (4, 5)
