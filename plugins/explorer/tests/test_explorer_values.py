"""Regressions on the page: unit, middle and ends of the bar, from random draws or as the recipe says."""

import attrs
import numpy as np
import pytest
from sidelight_explorer._params import WebParams
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.state import explorer_state
from sidelight_explorer.session.style import draw_id
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator

SHAPE = (1, 32, 32)
VALUE = "amplitude of rows"  # what the toy regression measures


def state(run=None, tasks=("multiclass", "regression"), **options):
    params = WebParams(images=4, styles=3, region=32, **options)
    classifiers = {task: ToyClassifier(SHAPE, task) for task in tasks}
    results = attrs.evolve(toy_results(), inversion=None)
    return explorer_state(results, params, ToyGenerator(SHAPE, "w"), classifiers, run or ToyRun(), styled=True)


def described(made):
    return {one["id"]: one for one in made.facts()["classifiers"]}


def test_the_bar_goes_over_nine_draws_in_ten():
    made = state()
    facts = described(made)
    assert "scale" not in facts["multiclass"]
    shown = made.show([plain(draw_id(0, index, 100), 2) for index in range(48)])
    values = np.array([image.drawn.values["regression"][0] for image in shown])
    scale = facts["regression"]["scale"]
    assert scale["neutral"] == pytest.approx(np.median(values), abs=1e-6)
    assert (values < scale["low"]).sum() == (values > scale["high"]).sum() == 3  # 5 % of 48
    assert facts["regression"]["unit"] == ""


def test_unit_and_middle_are_the_recipes():
    run = ToyRun()
    regression = described(state(run, units={VALUE: "grey levels"}, neutral={VALUE: 0.25}))["regression"]
    assert (regression["unit"], regression["scale"]["neutral"]) == ("grey levels", 0.25)
    assert not run.warnings
    state(run, units={"age": "years"}, neutral={"age": 30.0})
    assert [text.split(":")[0] for text in run.warnings] == ["units", "neutral"]
    assert all(VALUE in text for text in run.warnings)


class Counting(ToyGenerator):
    """Counts the images that it draws."""

    drawn = 0

    def synthesize(self, latents):
        self.drawn += len(latents)
        return super().synthesize(latents)


@pytest.mark.parametrize(
    ("size", "task", "drawn"),
    [(32, "regression", 48), (256, "regression", 12), (32, "multiclass", 0)],
)
def test_large_images_cost_few_draws_and_classes_none(size, task, drawn):
    shape = (1, size, size)
    params, generator = WebParams(images=4, styles=3, region=32), Counting(shape, "w")
    results = attrs.evolve(toy_results(), inversion=None)
    explorer_state(results, params, generator, {"one": ToyClassifier(shape, task)}, ToyRun(), styled=True)
    assert generator.drawn == drawn  # 48 of 128 pixels, and never fewer than the page begins with
