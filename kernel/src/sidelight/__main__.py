"""`python -m sidelight`, the same as `sidelight`."""

import sys

from sidelight.cli import main

sys.exit(main())
