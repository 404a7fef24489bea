"""`python -m sidelight.cli`, the same as `sidelight`."""

from __future__ import annotations

import sys

from sidelight.cli import main

sys.exit(main())
