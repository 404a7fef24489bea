"""Animated pictures: there and back, for ever; of small ones every pixel as it was."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence
from sidelight_report.document.animations import GAP, HOLD, STEP, TILE, animate, journey


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def frames(animation):
    """The frames of an animated PNG as they are shown, and for how long."""
    picture = Image.open(io.BytesIO(animation.content))
    shown = [(np.asarray(frame.convert("RGBA")), frame.info["duration"]) for frame in ImageSequence.Iterator(picture)]
    return picture, shown


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_goes_there_and_back_and_loses_nothing(channels):
    path = noise(4, channels, 8, 6)
    picture, shown = frames(animate([journey(path[0], path[-1], path)]))
    codes = np.rint(path * 255).astype(np.uint8)
    expected = np.moveaxis(np.broadcast_to(codes, (4, 3, 8, 6)) if channels == 1 else codes, 1, 3)
    assert (picture.n_frames, picture.info["loop"], picture.size) == (6, 0, (6, 8))
    for (pixels, _), at in zip(shown, (0, 1, 2, 3, 2, 1), strict=True):
        assert (pixels[..., :3] == expected[at]).all()
    assert [duration for _, duration in shown] == [HOLD, STEP, STEP, HOLD, STEP, STEP]


def test_ends_that_the_path_holds_already_are_not_shown_twice():
    path = noise(3, 3, 4, 4)
    assert len(journey(path[0], path[2], path)) == 3
    assert len(journey(path[0], path[2], path[1:2])) == 3
    assert len(journey(path[0], path[2])) == 2


def test_a_picture_that_does_not_change_still_has_two_ends():
    same = noise(3, 4, 4)
    assert len(journey(same, same, np.stack([same] * 5))) == 2
    assert animate([journey(same, same)]).content.startswith(b"\x89PNG")


def test_a_change_without_a_path_flashes_less_than_three_times_a_second():
    _, shown = frames(animate([journey(noise(3, 4, 4), noise(3, 4, 4, seed=1))]))
    assert [duration for _, duration in shown] == [HOLD, HOLD]
    assert 1000 / HOLD < 3


def test_pictures_of_a_sheet_lie_in_two_columns_with_nothing_between_them():
    path = noise(3, 4, 3, 5, 7)
    made = animate([journey(one[0], one[-1], one) for one in path])
    _, shown = frames(made)
    assert (made.width, made.height) == (2 * 7 + GAP, 2 * 5 + GAP)
    first = shown[0][0]
    assert (first[5 + GAP :, :7, :3] == np.moveaxis(np.rint(path[2, 0] * 255), 0, 2)).all()
    assert (first[5 : 5 + GAP, :, 3] == 0).all()
    assert (first[5 + GAP :, 7 + GAP :, 3] == 0).all()


def test_pictures_of_a_sheet_start_and_turn_together():
    short, long = noise(2, 3, 4, 4), noise(5, 3, 4, 4, seed=1)
    _, shown = frames(animate([journey(short[0], short[1]), journey(long[0], long[-1], long)]))
    assert len(shown) == 8
    turn = shown[4][0]
    assert (turn[:, :4, :3] == np.moveaxis(np.rint(short[1] * 255), 0, 2)).all()
    assert (turn[:, 4 + GAP :, :3] == np.moveaxis(np.rint(long[4] * 255), 0, 2)).all()


def test_the_same_pictures_give_the_same_bytes():
    path = noise(3, 3, 6, 6)
    assert animate([journey(path[0], path[2], path)]).content == animate([journey(path[0], path[2], path)]).content


def test_large_pictures_are_webp_as_wide_as_they_are_shown():
    path = np.linspace(0.2, 0.8, 3, dtype=np.float32)[:, None, None, None] * np.ones((3, 300, 300), np.float32)
    made = animate([journey(path[0], path[2], path)] * 2)
    picture, shown = frames(made)
    assert (picture.format, picture.size) == ("WEBP", (2 * TILE + GAP, TILE))
    assert (made.width, made.height) == picture.size
    assert [duration for _, duration in shown] == [HOLD, STEP, HOLD, STEP]
    levels = [pixels[TILE // 2, TILE // 2, 0] / 255 for pixels, _ in shown]
    np.testing.assert_allclose(levels, [0.2, 0.5, 0.8, 0.5], atol=0.02)
