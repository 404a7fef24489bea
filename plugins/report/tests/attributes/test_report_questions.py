"""Questions of the user study: by the seed, evenly, and never with a hint."""

import attrs
import numpy as np
import pytest
from sidelight_report import StudyParams
from sidelight_report.user_study.attributes import description, identification, pool
from sidelight_report.user_study.study import UserStudy
from sidelight_specs.testing import ToyRun


def drawn(pools, count=12, images=5, seed=0):
    return identification(pools, count, images, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def pools(attributed):
    found = attributed.attributes["attfind"]
    return [pool("attfind", found, 6), pool("other", attrs.evolve(found, attributes=found.attributes[::-1]), 4)]


def test_the_pool_takes_the_first_of_every_class_then_the_second(pools):
    """Attributes 2 and 4 raise the class `small`, the others `large`."""
    assert pools[0].indices == [0, 2, 1, 4, 3, 5]
    assert len(pools[1].indices) == 4


def test_a_coordinate_is_asked_about_once_but_a_direction_has_none(attributed):
    found = attributed.attributes["attfind"]
    twins = tuple(attrs.evolve(attribute, coordinate=attribute.coordinate // 2) for attribute in found.attributes)
    same = attrs.evolve(found, attributes=twins)
    assert len(pool("f", same, 6).indices) == 3
    assert len(pool("f", attrs.evolve(same, directions=np.zeros((6, 4), np.float32)), 6).indices) == 6


def test_attributes_with_fewer_than_three_images_are_not_asked_about(attributed):
    found = attributed.attributes["attfind"]
    few = attrs.evolve(found, before=found.before[:, :2], after=found.after[:, :2])
    assert pool("f", few, 6).indices == []
    assert pool("f", attrs.evolve(found, before=None), 6).indices == []


def test_every_attribute_is_asked_about_equally_often_and_either_side_is_right(pools):
    questions = [one for one in drawn(pools) if one.pool == 0]
    counts = np.bincount([one.attribute for one in questions], minlength=6)
    assert counts.tolist() == [2] * 6
    assert sum(one.swapped for one in questions) == 6
    assert all(one.attribute != one.other for one in questions)


def test_no_picture_stands_twice_in_a_question(pools):
    for one in drawn(pools, count=40):
        shown = pools[one.pool].shown
        pictures = [shown[one.attribute].before[m] for m in (*one.left, one.right[0])]
        pictures.append(shown[one.other].before[one.right[1]])
        assert len({picture.tobytes() for picture in pictures}) == 4


def test_finders_are_mixed_and_the_seed_fixes_the_order(pools):
    first = drawn(pools)
    assert first == drawn(pools)
    assert first != drawn(pools, seed=1)
    order = [one.pool for one in first]
    assert sorted(order) == [0] * 12 + [1] * 12
    assert order != sorted(order)


def test_part_two_asks_about_everything_once(pools):
    asked = description(pools, np.random.default_rng(0))
    assert sorted(asked) == [(0, i) for i in range(6)] + [(1, i) for i in range(4)]


def test_the_page_holds_every_animation_once_and_is_the_same_every_time(attributed, tmp_path):
    pages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        pages += UserStudy(StudyParams(), run=ToyRun()).render(attributed, folder)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    text = pages[0].read_text()
    uris = [part.split('"')[0] for part in text.split('"src":"')[1:]]
    assert len(uris) == len(set(uris)) <= 30
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_finder_with_nothing_to_show_is_named(attributed, tmp_path):
    found = attributed.attributes["attfind"]
    run = ToyRun()
    results = attrs.evolve(attributed, attributes={"attfind": found, "blind": attrs.evolve(found, before=None)})
    (page,) = UserStudy(StudyParams(), run=run).render(results, tmp_path)
    assert '"left_out":["blind"]' in page.read_text()
    assert any("blind" in warning for warning in run.warnings)
