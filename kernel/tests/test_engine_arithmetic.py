"""TF32 and torch.compile as options of a run; no GPU is needed."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from sidelight.engine import machine
from sidelight.engine.machine import arithmetic, arithmetic_in_force, settle_arithmetic
from sidelight.engine.units import Work
from sidelight_specs import UserError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "kept")


def test_arithmetic_is_off_outside_of_its_run():
    with arithmetic(tf32=True, compile=True):
        assert arithmetic_in_force() == ("compile", "tf32")
        with arithmetic():
            assert arithmetic_in_force() == ()
        with pytest.raises(UserError, match="tf32 is the arithmetic of NVIDIA GPUs, and the device is cpu"):
            settle_arithmetic("cpu")
    assert arithmetic_in_force() == ()


def test_programs_are_not_taken_from_a_cache_that_others_may_write_to(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path))
    with arithmetic(compile=True):
        assert not Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).is_relative_to(tmp_path)


@pytest.fixture
def backends(monkeypatch):
    """torch's switches, as torch sets them."""
    switches = SimpleNamespace(
        cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)), cudnn=SimpleNamespace(allow_tf32=True)
    )
    monkeypatch.setattr(machine, "load_torch", lambda: SimpleNamespace(backends=switches))
    return switches


@pytest.mark.parametrize("wanted", [False, True])
def test_a_gpu_multiplies_in_tf32_only_where_it_is_asked_for(wanted, backends):
    with arithmetic(tf32=wanted):
        settle_arithmetic("cuda:0")
    assert backends.cuda.matmul.allow_tf32 is backends.cudnn.allow_tf32 is wanted


def test_a_worker_of_two_runs_takes_the_arithmetic_of_each_in_turn(backends):
    """Their sessions stay, so that only the first unit of each builds one."""
    common = {"recipe": "", "name": "", "store": "", "mark": "", "host": "", "folder": str(Path.cwd())}
    plain, rough = (Work(**common, device="cuda:0", threads=1, arithmetic=names) for names in ((), ("tf32",)))
    with arithmetic():
        for work in (plain, rough, plain, rough):
            work._settle()
            assert backends.cuda.matmul.allow_tf32 is backends.cudnn.allow_tf32 is (work is rough)
