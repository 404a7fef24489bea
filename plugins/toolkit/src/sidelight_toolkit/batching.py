"""Bounded memory: a few rows at a time, as many as the device has memory for."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch
from sidelight_specs import UserError

from sidelight_toolkit.devices import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sidelight_specs import Run

    from sidelight_toolkit.options import BatchSize

T = TypeVar("T")

DRAWN_PIXELS = 1 << 19
"""Pixels that are drawn at a time, at most: 8 images of 256 pixels, which take 1.4 GiB in a large StyleGAN2."""
LARGEST_SHARE = 0.5  # of the free memory that a pass may take: the next may fragment it, or need a larger workspace
MOST_ROWS = 4096  # a pass of more gains nothing


class Batch:
    """Number of rows in a pass: the one asked for, or with `auto` as many as the device has memory for.

    On a CPU `auto` is always `on_cpu`, so that results do not depend on the machine. On a GPU the first pass of each
    label takes that many as well and is measured; later passes take the power of two whose memory, in proportion,
    is at most half of what is free. Where memory runs out, the pass is repeated with half the rows, also of a number
    that was asked for. Choice and halving are warnings of the run, which `run.json` keeps.

    Args:
        wanted: the option `batch`.
        run: of the component.
        on_cpu: rows with `auto` on a CPU, and in the first pass elsewhere.
        memory: of the device.
    """

    def __init__(self, wanted: BatchSize, run: Run, on_cpu: int, memory: Memory | None = None) -> None:
        self._run, self._memory = run, memory or Memory(run.device)
        self._size = on_cpu if wanted == "auto" else wanted
        self._measures = wanted == "auto" and self._memory.is_known
        self._sizes: dict[str, int] = {}  # by label, where measured or halved

    @property
    def is_on_cpu(self) -> bool:
        """True where passes are not watched for their memory."""
        return self._run.device == "cpu"

    def rows(self, label: str, limit: int | None = None) -> int:
        """Rows in the next pass of this label; `limit` holds unless the memory was measured."""
        if label in self._sizes:
            return self._sizes[label]
        return self._size if limit is None else max(1, min(self._size, limit))

    def call(
        self,
        function: Callable[[int], T],
        label: str,
        limit: int | None = None,
        *,
        taken: Callable[[int], int] = lambda size: size,
    ) -> T:
        """`function(rows)`, repeated with half the rows as long as it runs out of memory.

        Args:
            function: takes at most that many rows at a time; has no effect before it returns.
            label: one or two words for what it computes; each label is measured by itself.
            limit: of the rows, where they were not measured.
            taken: rows that `function` takes of as many as it may.

        Raises:
            UserError: the memory does not suffice for one row.
        """
        while True:
            size = self.rows(label, limit)
            try:
                return self._measured(function, size, label, taken(size))
            except torch.OutOfMemoryError as error:
                if size == 1:
                    message = f"{label}: one row does not fit into the memory of {self._run.device}"
                    raise UserError(message, "use smaller images, a smaller model, or --device cpu") from error
            self._halve(size, label)  # outside of the handler, whose traceback holds tensors

    def each(
        self,
        function: Callable[[slice], T],
        count: int,
        label: str,
        limit: int | None = None,
        *,
        each_takes: int = 1,
        shown: bool = True,
    ) -> list[T]:
        """`function` of consecutive slices that cover `range(count)`.

        Args:
            function: takes a slice; has no effect before it returns.
            count: of items, such as images.
            label: as for `call`.
            limit: as for `call`.
            each_takes: rows of an item; one that takes more than fit is alone, and `function` cuts it by `rows`.
            shown: the loop has a progress bar.
        """
        start, results = 0, []

        def starts() -> Iterator[int]:
            while start < count:
                yield start

        def taken(size: int) -> int:
            whole = size // each_takes * each_takes or size  # a lone item is cut
            return min(whole, (count - start) * each_takes)

        def piece(size: int) -> tuple[int, T]:
            rows = slice(start, min(start + max(1, size // each_takes), count))
            return rows.stop, function(rows)

        passes = -(-count // max(1, self.rows(label, limit) // each_takes))
        for _ in self._run.progress(starts(), label, passes) if shown else starts():
            start, result = self.call(piece, label, limit, taken=taken)
            results.append(result)
        return results

    def _measured(self, function: Callable[[int], T], size: int, label: str, taken: int) -> T:
        if not self._measures or label in self._sizes:
            return function(size)
        result, used = self._memory.peak(partial(function, size))
        free = self._memory.free()
        fitting = min(MOST_ROWS, int(LARGEST_SHARE * free * taken / max(used, 1)))
        self._sizes[label] = 1 << max(1, fitting).bit_length() - 1  # a power of two, so that runs mostly agree
        self._run.warn(
            f"batch: auto takes {self._sizes[label]} rows at once on {self._run.device} ({label}: "
            f"{used / taken / 2**20:.1f} MiB a row, {free / 2**30:.1f} GiB free)"
        )
        return result

    def _halve(self, size: int, label: str) -> None:
        self._sizes[label] = size // 2
        gc.collect()
        self._memory.release()
        self._run.warn(f"{label}: {size} rows at once do not fit into the memory of {self._run.device}; halved")


def at_once(batch: int, shape: Sequence[int], pixels: int = DRAWN_PIXELS) -> int:
    """Number of images (C, H, W) at a time: `batch`, or as many as have `pixels` together; one at least."""
    return max(1, min(batch, pixels_limit(shape, pixels)))


def pixels_limit(shape: Sequence[int], pixels: int = DRAWN_PIXELS) -> int:
    """Number of images (C, H, W) that have `pixels` together; one at least."""
    return max(1, pixels // (shape[-2] * shape[-1]))


def slices(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `range(count)`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def each_batch(
    function: Callable[[slice], T], count: int, size: int | Batch, label: str, limit: int | None = None
) -> list[T]:
    """`function` of consecutive slices that cover `range(count)`, without a progress bar; see `Batch.each`."""
    if isinstance(size, Batch):
        if not size.is_on_cpu:
            return size.each(function, count, label, limit, shown=False)
        size = size.rows(
            label, limit
        )  # loops of thousands of short passes: a CPU's memory is neither measured nor full
    return [function(rows) for rows in slices(count, size)]


def in_batches(
    function: Callable[[torch.Tensor], torch.Tensor],
    inputs: torch.Tensor,
    size: int | Batch,
    label: str = "passes",
    limit: int | None = None,
) -> torch.Tensor:
    """`function(inputs)` computed without gradients a batch at a time, joined along the first axis.

    Args:
        function: of any number of rows.
        inputs: (N, ...).
        size: of a batch.
        label: as for `Batch.call`, where the size is a `Batch`.
        limit: likewise.
    """
    # not inference_mode: weights that a classifier loads at its first use would never have gradients again
    with torch.no_grad():
        return torch.cat(each_batch(lambda rows: function(inputs[rows]), len(inputs), size, label, limit))
