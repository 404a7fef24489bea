"""Every trainable component of every plugin keeps checkpoints; some are killed for real.

That they continue to the same bits is the conformance check `fitting-continues-to-the-same-bits` of each.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sidelight.registry.catalog import installed
from sidelight_specs.roles import ROLES
from sidelight_specs.testing.run import Killed
from sidelight_toolkit.seeding import seeded

READ_AGAIN = ("linear-probe", "concept-latents")
"""Their images are read again; those whose features or latents are known do not go through a network again."""
SCRIPT = Path(__file__).parent.parent / "benchmarks" / "killed_trainings.py"


def trainables():
    """Distribution and name, of every trainable component that is installed; those of the zoo are trained."""
    catalog = installed()
    for entry in catalog.entries(*ROLES):
        if entry.distribution != "sidelight-zoo" and "trainable" in getattr(catalog.load(entry), "provides", ()):
            yield entry.distribution, entry.role, entry.name


@pytest.mark.training
@pytest.mark.parametrize(("distribution", "role", "name"), list(trainables()))
def test_an_interrupted_training_does_not_begin_anew(distribution, role, name):
    from sidelight_specs.testing.kit import planned

    cases = {(case.announced.role, case.announced.name): case for case, _ in planned(distribution)}
    case = cases[role, name]
    total = sum(case.fitting.run.steps.values())
    first = case.run(kill_after=total - 1, checkpoint_every=1)
    component = case.construct(first)
    with pytest.raises(Killed), seeded(first, "as after a crash"):
        component.fit(case.data())
    assert first.states, "it keeps no checkpoint: see sidelight_toolkit.checkpoints"
    second = case.run(states=first.states)
    second.store = first.store
    case.construct(second).fit(case.data())
    assert sum(second.steps.values()) < total or name in READ_AGAIN


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("use", ["classifiers/lenet", "cdeepex/gan", "stylex/generator"])
def test_killed_for_real(use):
    command = [sys.executable, str(SCRIPT), "--json", "--steps", "16", "--only", use]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    row = json.loads(done.stdout)[use]
    assert row["same"]
    assert row["killed"]
