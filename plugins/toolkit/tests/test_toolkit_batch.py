"""`Batch` with a memory that a test makes up: no GPU is needed."""

import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.batching import MOST_ROWS, Batch, in_batches
from sidelight_toolkit.devices import Memory

MIB = 1 << 20


class GpuRun(ToyRun):
    device = "cuda:0"


class ToyMemory(Memory):
    """A device that has `free` bytes left, on which a pass takes `used` bytes."""

    def __init__(self, free, used):
        super().__init__("cuda:0")
        self._free, self._used, self.released = free, used, 0

    def free(self):
        return self._free

    def peak(self, call):
        return call(), self._used

    def release(self):
        self.released += 1


class Device:
    """Adds 1 to rows, of which it holds `most` at a time."""

    def __init__(self, most=1 << 30):
        self.most, self.sizes = most, []

    def __call__(self, rows):
        if len(rows) > self.most:
            raise torch.OutOfMemoryError(f"{len(rows)} rows")
        self.sizes.append(len(rows))
        return rows + 1


def test_on_a_cpu_auto_is_a_number_of_its_own():
    run, device = ToyRun(), Device()
    inputs = torch.arange(10.0)
    assert torch.equal(in_batches(device, inputs, Batch("auto", run, 4)), inputs + 1)
    assert device.sizes == [4, 4, 2]
    assert run.warnings == []


def test_on_a_gpu_the_first_pass_is_measured_and_later_ones_fill_half_of_the_free_memory():
    run, device = GpuRun(), Device()
    # 4 rows take 8 MiB, so that half of 100 MiB holds 25 rows: 16
    batch = Batch("auto", run, 4, ToyMemory(100 * MIB, 8 * MIB))
    inputs = torch.arange(50.0)
    assert torch.equal(in_batches(device, inputs, batch, "adding"), inputs + 1)
    assert device.sizes == [4, 16, 16, 14]
    (warning,) = run.warnings
    assert "auto takes 16 rows at once on cuda:0 (adding: 2.0 MiB a row" in warning
    in_batches(device, inputs, batch, "adding")
    assert device.sizes[4:] == [16, 16, 16, 2]  # measured once
    assert len(run.warnings) == 1


def test_fewer_rows_than_a_pass_could_take_are_measured_as_what_they_are():
    batch = Batch("auto", GpuRun(), 64, ToyMemory(100 * MIB, 8 * MIB))
    in_batches(Device(), torch.zeros(4), batch, "adding")
    assert batch.rows("adding") == 16


@pytest.mark.parametrize(("rows", "fitting"), [(8, 16), (3, 16)])
def test_items_of_several_rows_are_measured_by_the_rows_that_a_pass_took(rows, fitting):
    """Of 8 rows one item of 5 takes 5; of 3 rows it takes 3 at a time."""
    batch = Batch("auto", GpuRun(), rows, ToyMemory(100 * MIB, 8 * MIB))
    batch.each(lambda items: None, 2, "curves", each_takes=5)
    assert batch.rows("curves") == fitting  # half of 100 MiB holds 31 rows, or 18


def test_each_label_is_measured_by_itself():
    run = GpuRun()
    batch = Batch("auto", run, 4, ToyMemory(100 * MIB, 8 * MIB))
    batch.call(lambda size: size, "small")
    batch._memory._used = 80 * MIB
    batch.call(lambda size: size, "large")
    assert (batch.rows("small"), batch.rows("large")) == (16, 2)


def test_the_rows_are_limited():
    batch = Batch("auto", GpuRun(), 4, ToyMemory(1 << 60, 1))
    batch.call(lambda size: size, "tiny")
    assert batch.rows("tiny") == MOST_ROWS
    assert Batch(100, ToyRun(), 4).rows("drawing", limit=3) == 3


@pytest.mark.parametrize("wanted", ["auto", 8])
def test_a_pass_that_runs_out_of_memory_is_repeated_with_half_the_rows(wanted):
    run, device, memory = GpuRun(), Device(most=3), ToyMemory(1 << 40, MIB)
    inputs = torch.arange(9.0)
    batch = Batch(wanted, run, 8, memory)
    assert torch.equal(in_batches(device, inputs, batch, "adding"), inputs + 1)
    assert device.sizes == [2, 2, 2, 2, 1]
    assert run.warnings == [
        "adding: 8 rows at once do not fit into the memory of cuda:0; halved",
        "adding: 4 rows at once do not fit into the memory of cuda:0; halved",
    ]
    assert memory.released == 2


def test_a_row_that_does_not_fit_is_an_error_with_a_fix():
    batch = Batch(4, GpuRun(), 4, ToyMemory(0, 0))
    with pytest.raises(UserError, match="adding: one row does not fit into the memory of cuda:0") as error:
        in_batches(Device(most=0), torch.zeros(2), batch, "adding")
    assert "--device cpu" in error.value.fix


def test_items_of_several_rows_share_a_pass_where_they_fit():
    run, slices = ToyRun(), []
    Batch(10, run, 4).each(slices.append, 5, "curves", each_takes=4)
    Batch(3, run, 4).each(slices.append, 2, "curves", each_takes=4)
    assert slices == [slice(0, 2), slice(2, 4), slice(4, 5), slice(0, 1), slice(1, 2)]
    assert run.steps == {"curves": 5}


class ToyAllocator:
    """torch's counters of one device."""

    def __init__(self):
        self.now = self.most = 10

    def use(self, bytes):
        self.most = max(self.most, self.now + bytes)

    def memory_allocated(self, device):
        return self.now

    def max_memory_allocated(self, device):
        return self.most

    def reset_peak_memory_stats(self, device):
        self.most = self.now


def test_a_measurement_within_another_hides_none_of_its_peak(monkeypatch):
    """A search for latents is measured, and so are the passes before and after it."""
    allocator, outer, inner = ToyAllocator(), Memory("cuda:0"), Memory("cuda:0")
    monkeypatch.setattr(torch, "cuda", allocator)

    def search(first, between, last):
        def call():
            passes = [inner.peak(lambda: allocator.use(first))[1]]
            allocator.use(between)
            return [*passes, inner.peak(lambda: allocator.use(last))[1]]

        return outer.peak(call)

    assert search(3, 50, 4) == ([3, 4], 50)
    assert search(60, 5, 4) == ([60, 4], 60)
    assert search(3, 5, 70) == ([3, 70], 70)

    def fail():
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        outer.peak(fail)
    assert search(1, 2, 1) == ([1, 1], 2)


def test_the_memory_of_a_cpu_is_not_measured():
    assert not Memory("cpu").is_known
    Memory("cpu").release()
