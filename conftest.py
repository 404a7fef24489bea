"""For all tests: one thread, set before torch is imported; temporary files in memory; untimed property tests.

Two workers whose OpenMP threads spin for each other's cores take several times as long.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}.items():
    os.environ.setdefault(name, value)

# Runs sync and tests delete thousands of small files, 3 ms each on some disks: they go to memory where it has room,
# and where it may hold programs, because some tests install and start them.
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 4 * 2**30  # bytes; a container's usual /dev/shm has 64 MB
usable = "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK)
if usable and shutil.disk_usage(MEMORY).free > ROOM and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None

# A shell starts `make test &` with SIGINT ignored, which children inherit: tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine fails no test: neither deadlines nor the check of how fast examples are drawn.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what -m does not want
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that drives Chromium is a `browser` test, whether it says so or not."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
