"""The pointing game against brute force, on maps whose best window is known."""

import numpy as np
import pytest
import torch
from sidelight_metrics.heatmaps.pointing_game import PointingGame, change_towards_probe, rectangle, window_sums
from sidelight_metrics.params import PointingGameParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Concepts, Counterfactual, Heatmap, Split
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyRun

TOP, LEFT, HEIGHT, WIDTH = 1, 2, 3, 2
NAMES = ("pointing game", "pointing game (magnitude)", "mass in the region")
IMAGES = np.random.default_rng(0).random((3, 1, 8, 9)).astype(np.float32)


def mask():
    marked = np.zeros((8, 9), dtype=bool)
    marked[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] = True
    return marked


class Planted(Data):
    splits = ("train", "test")

    def split(self, name):
        images = IMAGES[::-1] if name == "test" else IMAGES + 1
        return Split(images=images, masks={"square": np.repeat(mask()[None], len(images), 0)})


@pytest.fixture
def play(question):
    def measure(values, answers="contrast", signed=True, **options):
        maps = np.broadcast_to(np.asarray(values, dtype=np.float32), (3, 8, 9))
        metric = PointingGame(PointingGameParams(**options), data=Planted(), run=ToyRun())
        found = metric.measure(
            Heatmap(values=maps, answers=answers, signed=signed), torch.from_numpy(IMAGES), question(3)
        )
        assert tuple(item.name for item in found.items) == NAMES
        return [item.values for item in found.items]

    return measure


def brute_force(values, sides):
    rows, columns = values.shape[0] - sides[0] + 1, values.shape[1] - sides[1] + 1
    return np.array([[values[y : y + sides[0], x : x + sides[1]].sum() for x in range(columns)] for y in range(rows)])


@pytest.mark.parametrize("sides", [(1, 1), (3, 2), (8, 9), (2, 8)])
def test_box_sums_are_those_of_every_window(sides):
    values = np.random.default_rng(1).normal(size=(8, 9))
    assert np.allclose(window_sums(values, sides), brute_force(values, sides), atol=1e-12)


def test_a_hundred_random_maps_score_as_by_brute_force(play):
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(100):
        values = rng.normal(size=(8, 9)).astype(np.float32)
        values[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] -= rng.choice([-1.0, 0.0, 1.0])
        signed, magnitude, mass = play(values)
        for scores, kind in ((signed, -values), (magnitude, np.abs(values))):
            sums = brute_force(kind.astype(np.float64), (HEIGHT, WIDTH))
            assert scores.tolist() == [float(sums[TOP, LEFT] == sums.max())] * 3
        assert mass == pytest.approx(np.abs(values[mask()]).sum() / np.abs(values).sum())
        seen.add((signed[0], magnitude[0]))
    assert len(seen) == 4  # each outcome was met


def test_the_sign_counts_towards_the_probe(play):
    added = mask().astype(np.float32)
    assert [scores[0] for scores in play(added, answers="probe")] == [1, 1, 1]
    assert [scores[0] for scores in play(-added, answers="contrast")] == [1, 1, 1]
    assert [scores[0] for scores in play(-added, answers="predicted")] == [1, 1, 1]
    assert [scores[0] for scores in play(added, answers="predicted", signed=False)] == [1, 1, 1]
    signed, magnitude, _ = play(added, answers="contrast")
    assert (signed[0], magnitude[0]) == (0, 1)


def test_windows_that_tie_share_the_point(play):
    twice = np.roll(mask(), (4, 5), (0, 1)) | mask()
    assert play(-twice.astype(np.float32))[0].tolist() == [0.5] * 3
    windows = (8 - HEIGHT + 1) * (9 - WIDTH + 1)
    signed, magnitude, mass = play(np.zeros((8, 9)))
    assert signed == pytest.approx(1 / windows)
    assert magnitude == pytest.approx(1 / windows)
    assert np.isnan(mass).all()
    assert play(np.full((8, 9), 0.1))[0] == pytest.approx(1 / windows)  # 0.1 has no exact sum


def test_a_counterfactual_is_its_difference_and_a_failed_search_scores_nothing(question):
    changed = IMAGES.copy()
    changed[:, :, TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] += 0.5
    logits = np.zeros((3, 3), dtype=np.float32)
    found = Counterfactual(
        images=changed, logits_before=logits, logits_after=logits, converged=np.array([True, False, True])
    )
    metric = PointingGame(PointingGameParams(), data=Planted(), run=ToyRun())
    signed, magnitude, mass = (
        item.values for item in metric.measure(found, torch.from_numpy(IMAGES), question(3)).items
    )
    assert signed.tolist() == magnitude.tolist() == [1, 0, 1]
    assert mass.tolist() == pytest.approx([1, np.nan, 1], nan_ok=True)


def test_channels_of_a_change_are_summed():
    images = np.zeros((1, 3, 2, 2), dtype=np.float32)
    changed = images + np.array([0.5, -0.25, 0.0], dtype=np.float32)[None, :, None, None]
    logits = np.zeros((1, 3), dtype=np.float32)
    found = Counterfactual(images=changed, logits_before=logits, logits_after=logits, converged=np.ones(1, bool))
    assert change_towards_probe(found, images)[0].tolist() == [[[0.25, 0.25], [0.25, 0.25]]]


def test_images_that_are_not_in_the_split_and_unknown_regions_are_user_errors(play):
    with pytest.raises(UserError, match='mask "square" in the split "train"') as caught:
        play(np.ones((8, 9)), split="train")
    assert "needs: {data: ID}" in caught.value.fix
    with pytest.raises(UserError, match="these have the masks square"):
        play(np.ones((8, 9)), region="circle")


def test_only_a_filled_rectangle_is_a_window():
    hollow, apart = mask(), mask() | np.roll(mask(), 5, axis=1)
    hollow[TOP + 1, LEFT] = False
    for region in (hollow, apart, np.zeros((8, 9), bool)):
        with pytest.raises(SidelightError, match="filled rectangle"):
            rectangle(region)
    assert rectangle(mask()) == ((TOP, LEFT), (HEIGHT, WIDTH))


def test_other_explanations_and_other_sizes_are_refused(play):
    concepts = Concepts(
        names=("a",), activations=np.ones((3, 1), np.float32), contributions=np.ones((3, 1), np.float32)
    )
    with pytest.raises(SidelightError, match='not "concepts"'):
        change_towards_probe(concepts, IMAGES)
    with pytest.raises(SidelightError, match="do not fit"):
        change_towards_probe(Heatmap(values=np.zeros((3, 9, 8), np.float32)), IMAGES)
