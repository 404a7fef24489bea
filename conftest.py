"""For all tests: one thread, set before torch is imported, and property tests without time limits.

Two workers whose OpenMP threads spin for each other's cores take several times as long.
"""

import os
import signal

from hypothesis import HealthCheck, settings

for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}.items():
    os.environ.setdefault(name, value)

# A shell starts `make test &` with SIGINT ignored, which children inherit: tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine fails no test: neither deadlines nor the check of how fast examples are drawn.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
