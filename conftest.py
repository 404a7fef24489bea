"""For all tests: one thread, set before torch is imported.

Two workers whose OpenMP threads spin for each other's cores take several times as long.
"""

import os

for name, value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}.items():
    os.environ.setdefault(name, value)
