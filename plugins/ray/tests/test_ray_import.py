"""Importing Ray leaves what all share as it was; a run from the command line refuses anything else."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes


def test_the_hook_for_errors_is_left_alone():
    code = "import sys; hook = sys.excepthook; import sidelight_ray.cluster; sys.exit(sys.excepthook is not hook)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_print_is_left_alone_when_ray_tells_of_what_it_lost():
    code = """
import builtins, sys
before = builtins.print
import sidelight_ray.cluster
from ray.experimental import tqdm_ray
tqdm_ray.instance()
sys.exit(builtins.print is not before)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
