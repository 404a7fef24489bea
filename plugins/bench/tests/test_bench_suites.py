"""The models of a suite."""

import attrs
from sidelight_bench.suites import SUITES


def test_an_architecture_without_random_numbers_has_one_model_of_each_dose():
    suite = SUITES["cutouts-mark"]
    size = attrs.evolve(suite.quick, doses=(0.5, 0.9), architectures=("lenet",), seeds=2, once={"probe": (0.9,)})
    names = [model.name.removeprefix("cutouts-mark/") for model in suite.models(size)]
    of_lenet = [f"lenet-{dose}-{seed}" for dose in ("clean", "0.5", "0.9") for seed in (1, 2)]
    assert names == [*of_lenet, "probe-clean-1", "probe-0.9-1"]
    assert [model.seed for model in suite.models(size, seeds=3) if model.architecture == "probe"] == [1, 1]


def test_every_architecture_that_is_run_is_there():
    for suite in SUITES.values():
        for size in (suite.quick, suite.full):
            assert {model.architecture for model in suite.models(size)} <= set(suite.architectures)
