import numpy as np
import pytest
from sidelight_images.faces.factors import BY_NAME, FACTORS, NAMES, as_table
from sidelight_images.faces.render import draw, render
from sidelight_images.names import FACE_CLASSES, FACE_PARTS

# Which parts a factor may change: what it draws, and what that uncovers, shades or colours.
REACH = {
    "lip-colour": {"mouth"},
    "mouth-opening": {"mouth", "skin", "beard", "nose"},
    "smile": {"mouth", "skin", "beard", "nose"},
    "eye-colour": {"eyes"},
    "eye-size": {"eyes", "skin"},
    "brow-angle": {"brows", "skin", "hair", "eyes"},
    "brow-thickness": {"brows", "skin", "hair", "eyes"},
    "glasses": {"glasses", "skin", "eyes", "brows", "nose", "hair", "background"},
    "clothes": {"clothes"},
    "background": {"background"},
    "beard": {"beard", "skin", "mouth", "nose", "clothes", "hair", "background"},
    "hair-colour": {"hair", "beard", "brows"},
}


def faces(count, seed=0, **fixed):
    rng = np.random.default_rng(seed)
    found = {factor.name: factor.draw(rng.random(count)) for factor in FACTORS}
    return {**found, **{name: np.full(count, value, np.float32) for name, value in fixed.items()}}


def grown(masks, by=1):
    """The masks with `by` more pixels all around: edges are anti-aliased, those of beards are soft."""
    for _ in range(by):
        padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
        height, width = masks.shape[1:]
        masks = np.any([padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=0)
    return masks


def test_the_params_know_all_factors():
    assert tuple(FACE_CLASSES) == NAMES


@pytest.mark.parametrize("size", [32, 64, 97])
def test_a_face_depends_on_its_factors_alone(size):
    table = as_table(faces(5))
    images = render(table, size)
    assert images.shape == (5, 3, size, size)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(images, render(table, size))
    for row in (0, 3):
        np.testing.assert_array_equal(images[row], render(table[row : row + 1], size)[0])
    np.testing.assert_array_equal(images[::-1], render(table[::-1], size))


def test_eight_bits_keep_everything():
    images = render(as_table(faces(2)), 48)
    np.testing.assert_array_equal(images, np.rint(images * 255).astype(np.uint8) / np.float32(255))


@pytest.mark.parametrize("factor", [name for name in NAMES if name != "glasses-shape"])
def test_every_factor_is_seen_at_64_pixels(factor):
    low, high = (render(as_table(faces(6, **{factor: end})), 64) for end in _ends(factor))
    changed = np.abs(high - low).max(axis=1)
    assert (changed > 0.1).sum(axis=(1, 2)).min() >= 12


def test_the_shape_of_glasses_is_seen_on_those_who_wear_them():
    for worn in (0, 1):
        round_ones, square_ones = (render(as_table(faces(4, glasses=worn, **{"glasses-shape": s})), 64) for s in (0, 1))
        changed = (np.abs(square_ones - round_ones).max(axis=1) > 0.1).sum(axis=(1, 2))
        assert (changed > 30).all() if worn else (changed == 0).all()


@pytest.mark.parametrize("factor", REACH)
def test_a_factor_changes_its_own_parts_and_nothing_else(factor):
    shaved = {"beard": 0}  # through a thin beard one sees what is behind it
    tables = (as_table(faces(8, seed=1, **{**shaved, factor: end})) for end in _ends(factor))
    (low, before), (high, after) = (draw(table, 96) for table in tables)
    changed = (low != high).any(axis=1)
    owned = np.isin(before, [FACE_PARTS.index(part) for part in REACH[factor]])
    owned |= np.isin(after, [FACE_PARTS.index(part) for part in REACH[factor]])
    assert changed.any(axis=(1, 2)).all()
    # where two other parts meet, a few pixels show a little of what is behind both
    stray = changed & ~grown(owned, 3)
    assert stray.sum() <= len(stray)
    assert np.abs(low - high).max(axis=1)[stray].max(initial=0) < 0.1


def test_the_mouth_is_where_the_lips_change_colour():
    pale, owners = draw(as_table(faces(16, **{"lip-colour": 0, "mouth-opening": 0, "glasses": 0})), 64)
    red, _ = draw(as_table(faces(16, **{"lip-colour": 1, "mouth-opening": 0, "glasses": 0})), 64)
    changed, mouth = (np.abs(red - pale) > 0.1).any(axis=1), owners == FACE_PARTS.index("mouth")
    assert (changed & mouth).sum() / (changed | mouth).sum() > 0.75


def test_every_pixel_shows_one_part_and_all_parts_occur():
    worn = {"glasses": 1, "beard": 1, "fringe": 0.3}
    _, owners = draw(as_table(faces(8, **worn)), 64)
    shares = np.stack([(owners == index).mean(axis=(1, 2)) for index in range(len(FACE_PARTS))], axis=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares[:, [FACE_PARTS.index("brows")]] > 0).all()
    assert (np.delete(shares, FACE_PARTS.index("brows"), axis=1) > 0.004).all()
    _, bare = draw(as_table(faces(8, glasses=0, beard=0)), 64)
    assert not np.isin(bare, [FACE_PARTS.index("glasses"), FACE_PARTS.index("beard")]).any()


def test_parts_have_their_colours():
    lit = {"light": 0.5, "glasses": 0}
    images, owners = draw(as_table(faces(8, **{"hair-colour": 0, "clothes": 0.5, **lit})), 64)
    dark, _ = draw(as_table(faces(8, **{"hair-colour": 1, "clothes": 0.5, **lit})), 64)
    hair, clothes = owners == FACE_PARTS.index("hair"), owners == FACE_PARTS.index("clothes")
    assert images.mean(axis=1)[hair].mean() < 0.25 < 0.55 < dark.mean(axis=1)[hair].mean()
    assert images.mean(axis=1)[clothes].mean() > 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [({"smile": None}, "smile"), ({"hat": 1.0}, "hat"), ({"smile": np.nan}, "finite")],
)
def test_what_is_no_face_is_refused(change, message):
    factors = {**faces(2), **{name: None if v is None else np.full(2, v) for name, v in change.items()}}
    with pytest.raises(ValueError, match=message):
        as_table({name: values for name, values in factors.items() if values is not None})


def test_factors_are_clipped_to_their_ranges():
    beyond, ends = (render(as_table(faces(2, smile=value, glasses=value)), 32) for value in (7, 1))
    np.testing.assert_array_equal(beyond, ends)


def _ends(factor):
    return BY_NAME[factor].low, BY_NAME[factor].high
