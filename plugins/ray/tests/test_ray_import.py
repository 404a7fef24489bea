"""Importing Ray leaves what all share as it was; a run from the command line refuses anything else."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes


def test_the_hook_for_errors_is_left_alone():
    code = "import sys; hook = sys.excepthook; import sidelight_ray.cluster; sys.exit(sys.excepthook is not hook)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
