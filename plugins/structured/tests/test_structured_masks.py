"""Masks, the objective's gradient and the line search against closed forms."""

import numpy as np
import pytest
import torch
from sidelight_specs.testing import ToyRun
from sidelight_structured.class_probability import ClassProbability, blend
from sidelight_structured.igos.baseline import blur, checked_baseline, list_images, report_baseline
from sidelight_structured.igos.igos import Objective, Term, similarity, total_variation
from sidelight_structured.igos.optimizers import LineSearch
from sidelight_toolkit.images import upsample_cells


class Quadrant:
    """Class 1 is as likely as the upper left quarter is bright."""

    def class_logits(self, images):
        bright = images[:, :, :4, :4].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), 8 * bright - 4], 1)


def bright_images():
    images = torch.zeros(2, 1, 8, 8)
    images[0, :, :4, :4] = 1
    images[1] = 0.9
    return images


def scored(images, batch=2):
    return ClassProbability(Quadrant(), torch.ones(len(images), dtype=torch.int64), batch)


def test_a_mask_of_ones_keeps_the_image_and_zeros_show_the_baseline():
    images, baselines = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    assert torch.equal(blend(images, baselines, torch.zeros(2, 1, 8, 8)), baselines)
    assert torch.allclose(blend(images, baselines, torch.ones(2, 1, 8, 8)), images)


def test_upsampling_keeps_the_corner_cells():
    mask = torch.rand(1, 1, 4, 4)
    large = upsample_cells(mask, (16, 16))
    assert torch.allclose(large[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]], mask[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]])


def test_total_variation_of_a_step_is_its_height_over_the_number_of_neighbours():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 0.5
    assert total_variation(mask, exponent=1.0).item() == pytest.approx(4 * 0.5 / 12)
    assert total_variation(mask, exponent=2.0).item() == pytest.approx(4 * 0.25 / 12)


def test_variation_along_an_edge_of_the_image_costs_less_and_both_directions_alike():
    image = torch.zeros(1, 1, 4, 4)
    image[..., 2:] = 1.0
    mask = image.clone()
    across = total_variation(mask, similarity(image, 0.5))
    plain = total_variation(mask, similarity(torch.zeros_like(image), 0.5))
    turned = total_variation(mask.mT, similarity(image.mT, 0.5))
    assert across < plain / 10
    assert across.item() == pytest.approx(turned.item())


def test_without_an_edge_the_variation_is_the_plain_one_of_the_grid():
    images, rows = bright_images(), torch.arange(2)
    masks = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    terms = (Term("deletion", (0,), False, 1.0),)
    plain, bilateral = (
        Objective(images, images * 0, scored(images), terms, 0.0, 0.7, edge, 2.0).regulariser(masks, rows)
        for edge in (None, 0.1)
    )
    assert torch.allclose(plain, 0.7 * total_variation(masks))
    assert not torch.allclose(plain, bilateral)


def test_the_gradient_without_noise_at_one_point_is_the_gradient_of_the_value():
    images = bright_images()
    terms = (Term("deletion", (0,), False, 0.7), Term("insertion", (1,), True, 1.3))
    objective = Objective(images, images * 0.1, scored(images), terms, 0.3, 0.8, 0.2, 2.0)
    masks = (0.2 + 0.6 * torch.rand(2, 2, 4, 4, generator=torch.Generator().manual_seed(0))).requires_grad_(True)
    (expected,) = torch.autograd.grad(objective.value(masks, torch.arange(2)).sum(), masks)
    result = objective.gradient(masks, 1, lambda _index: torch.zeros(1, 1, 8, 8))
    assert torch.allclose(result, expected, atol=1e-6)


def test_the_cost_of_a_gradient_is_counted_three_passes_a_point():
    images = bright_images()
    score = scored(images)
    objective = Objective(images, images * 0.1, score, (Term("deletion", (0,), False, 1.0),), 0, 0, 1, 2)
    objective.gradient(torch.ones(2, 1, 4, 4), 5, lambda _index: torch.zeros(1, 1, 8, 8))
    assert score.passes.tolist() == [15, 15]


def test_line_search_reaches_the_minimum_of_a_quadratic_inside_the_box_and_its_face_outside():
    goal = torch.tensor([0.3, 1.4]).view(2, 1, 1, 1)

    def value(masks, rows):
        return (masks - goal[rows]).square().sum((1, 2, 3))

    masks = torch.ones(2, 1, 1, 1) * 0.9
    search = LineSearch(value, first=4.0)
    for _ in range(60):
        masks = search.step(masks, 2 * (masks - goal))
    assert masks.flatten().tolist() == pytest.approx([0.3, 1.0], abs=1e-3)


def test_line_search_never_raises_the_objective():
    generator = torch.Generator().manual_seed(1)
    goal = torch.rand(3, 1, 4, 4, generator=generator)

    def value(masks, rows):
        return (masks - goal[rows]).abs().sum((1, 2, 3)) + torch.sin(20 * masks).sum((1, 2, 3))

    masks, rows, search = torch.ones(3, 1, 4, 4), torch.arange(3), LineSearch(value, first=10.0)
    before = value(masks, rows)
    for _ in range(10):
        masks = search.step(masks, torch.randn(3, 1, 4, 4, generator=generator))
        after = value(masks, rows)
        assert (after <= before + 1e-6).all()
        before = after


def test_the_baseline_is_strengthened_only_where_the_class_survives_the_blur():
    images = torch.zeros(2, 1, 8, 8)
    images[0, :, 3, 3] = 1.0
    images[1, :, :4, :4] = 1.0
    result = checked_baseline(images, scored(images), kernel=51, sigma=5, limit=0.92)
    assert (result.probability <= 0.92 * scored(images).of_many(images, torch.arange(2))).all()
    assert torch.isfinite(result.images).all()
    assert result.strengthened.tolist() == [0, 3]
    assert torch.equal(result.images[:1], blur(images[:1], 51, 5))


def test_a_strengthened_baseline_is_told():
    run, silent = ToyRun(), ToyRun()
    report_baseline("igos", silent, np.array([0.1, 0.9]), np.array([0, 3]), np.array([True, False]))
    report_baseline("igos", run, np.array([0.1, 0.2, 0.0]), np.array([1, 0, 3]), np.ones(3, dtype=bool))
    assert not silent.warnings
    (text,) = run.warnings
    assert "in images 0 and 2, and was blurred more" in text
    assert "mean colour in image 2" in text
    assert "`metrics/insertion-deletion` the plain blur" in text
    kept, often = run.emitted["baseline"].items
    assert kept.values.tolist() == pytest.approx([0.1, 0.2, 0.0])
    assert often.values.tolist() == [1, 0, 3]
    assert list_images(list(range(9))) == "images 0, 1, 2, 3, 4 and 4 more"


def test_an_image_whose_mean_colour_is_its_class_is_marked_and_the_others_are_not():
    images = torch.full((2, 1, 8, 8), 0.9)
    images[1] = 0
    images[1, :, 0, 0] = 1.0
    result = checked_baseline(images, scored(images), kernel=51, sigma=50, limit=0.92)
    assert result.hides.tolist() == [False, True]
    assert result.strengthened.tolist()[0] == 3


def test_a_limit_of_one_takes_any_baseline():
    images = torch.full((1, 1, 8, 8), 0.9)
    assert checked_baseline(images, scored(images), kernel=51, sigma=50, limit=1.0).hides.tolist() == [True]
