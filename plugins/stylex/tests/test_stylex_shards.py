"""Sweeps that are killed: what was measured is kept, and the search ends with the same bits."""

import numpy as np
import pytest
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from sidelight_stylex.attfind import style_effects
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.attfind.style_effects import Models, StyleEffects
from sidelight_stylex.params import AttFindParams


class Killed(BaseException):
    """As a kill does, ends the run between two parts."""


class MortalRun(ToyRun):
    """Ends before it makes another part than the first so many."""

    def __init__(self, store, parts):
        super().__init__()
        self.store, self._parts, self.made = store, parts, []

    def cached(self, key, make):
        def counted():
            if key[0] in ("map", "estimates"):
                if len(self.made) == self._parts:
                    raise Killed
                self.made.append(key[0])
            return make()

        return super().cached(key, counted)


class Counting(ToyClassifier):
    images = 0

    def scores(self, images):
        self.images += len(images)
        return super().scores(images)


@pytest.fixture
def small_parts(monkeypatch):
    """Two images of 32 pixels, with 6 coordinates each, are kept together; gradients two at a time."""
    monkeypatch.setattr(style_effects, "SHARD_LEAST", 1)
    monkeypatch.setattr(style_effects, "SHARD_PIXELS", 2 * 12 * 32 * 32)
    monkeypatch.setattr("sidelight_stylex.attfind.successive_elimination.GRADIENT_PIXELS", 2 * 32 * 32)


def search(run, mode):
    params = AttFindParams(mode=mode, candidates=5, examples=1, frames=2, reference=0, attributes=3)
    classifier = Counting()
    latents = ToyGenerator().sample(24, np.random.default_rng(0))
    found = AttFind(params, classifier=classifier, generator=ToyGenerator(), run=run).find(latents, 1)
    return found.digest(), classifier.images


@pytest.mark.parametrize("mode", ["exact", "raced", "screened"])
@pytest.mark.parametrize("parts", [1, 3, 5])
def test_a_killed_search_measures_the_rest_and_ends_with_the_same_bits(small_parts, mode, parts):
    whole = MortalRun({}, 1000)
    digest, images = search(whole, mode)
    store: dict[str, object] = {}
    with pytest.raises(Killed):
        search(MortalRun(store, parts), mode)
    resumed = MortalRun(store, 1000)
    again, fewer = search(resumed, mode)
    assert again == digest
    assert len(resumed.made) == len(whole.made) - parts
    assert fewer < images


def test_images_are_divided_only_where_one_is_more_than_a_part(monkeypatch):
    models = Models(ToyClassifier(), ToyGenerator(), 8, ToyRun())
    styles = models.styles(ToyGenerator().sample(5, np.random.default_rng(0)))
    effects = StyleEffects(models, styles, np.tile([-5.0, 7.0], (6, 1)), 1)

    monkeypatch.setattr(style_effects, "SHARD_LEAST", 1)

    def sizes(coordinates):
        """Coordinates of each image in each part."""
        monkeypatch.setattr(style_effects, "SHARD_PIXELS", coordinates * 2 * 32 * 32)
        return [[(row, len(part)) for row, part in shard] for shard in effects._shards(range(5), np.arange(6))]

    assert sizes(13) == [[(0, 6), (1, 6)], [(2, 6), (3, 6)], [(4, 6)]]
    assert sizes(4) == [part for row in range(5) for part in ([(row, 4)], [(row, 2)])]
    assert sizes(100) == [[(row, 6) for row in range(5)]]
    measured = effects.measure(range(5), np.arange(6))
    assert effects._shards(range(5), np.arange(6)) == []
    monkeypatch.setattr(style_effects, "SHARD_PIXELS", 4 * 2 * 32 * 32)
    divided = StyleEffects(models, styles, np.tile([-5.0, 7.0], (6, 1)), 1).measure(range(5), np.arange(6))
    np.testing.assert_allclose(divided, measured, atol=1e-5)


@pytest.mark.parametrize(("side", "coordinates"), [(256, 32), (512, 16), (1024, 16)])
def test_a_part_of_a_large_image_is_worth_drawing_it_whole(side, coordinates):
    models = Models(ToyClassifier(), ToyGenerator((1, side, side)), 8, ToyRun())
    styles = models.styles(ToyGenerator().sample(1, np.random.default_rng(0))).repeat(1, 10)
    effects = StyleEffects(models, styles, np.zeros((60, 2)), 0, before=np.zeros(1, np.float32))
    first, *_ = effects._shards([0], np.arange(60))
    assert [len(part) for _, part in first] == [coordinates]


def test_large_images_are_drawn_a_few_at_a_time():
    assert [
        Models(ToyClassifier(), ToyGenerator((1, side, side)), 32, ToyRun()).at_once() for side in (64, 256, 2048)
    ] == [32, 8, 1]
    assert Models(ToyClassifier(), ToyGenerator((1, 64, 64)), 4, ToyRun()).at_once() == 4


def test_parts_of_one_image_do_not_copy_its_styles():
    """An exact search has as many parts at once as its images have coordinates."""
    styles = ToyGenerator().styles(ToyGenerator().sample(4, np.random.default_rng(0)))
    models = Models(ToyClassifier(), ToyGenerator(), 8, ToyRun())
    effects = StyleEffects(models, styles, np.zeros((6, 2)), 0, before=np.zeros(4, np.float32))
    alone, both = (effects._item([(row, np.arange(3)) for row in rows]) for rows in ([2], [1, 3]))
    again = effects._item([(2, np.arange(3, 6))])
    assert np.shares_memory(alone["styles"], again["styles"])
    np.testing.assert_array_equal(alone["styles"], styles[2:3])
    np.testing.assert_array_equal(both["styles"], styles[[1, 3]])
