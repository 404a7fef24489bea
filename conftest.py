"""For all tests: one thread, set before torch is imported, and property tests without time limits.

Two workers whose OpenMP threads spin for each other's cores take several times as long.
"""

import os

from hypothesis import HealthCheck, settings

for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}.items():
    os.environ.setdefault(name, value)

# A busy machine fails no test: neither deadlines nor the check of how fast examples are drawn.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
