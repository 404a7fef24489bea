"""I-GOS and iGOS++: the step rule, the stages, what is reported, and that memory follows the batch."""

import numpy as np
import pytest
import torch
from sidelight_specs.results import Heatmap, Measurements, Targets
from sidelight_specs.testing import ToyClassifier, ToyRun
from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.igos.baseline import blur
from sidelight_structured.igos.direct_mask import DirectMask, shift
from sidelight_structured.igos.igos import Igos, IgosPlusPlus, Objective, Term, refine
from sidelight_structured.igos.optimizers import Momentum
from sidelight_structured.igos.report import curves_report, mask_curves
from sidelight_structured.params import DirectMaskParams, IgosParams, IgosPlusPlusParams
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.host_reads import HostReads
from sidelight_toolkit.images import upsample_cells

SMALL = {"size": 8, "steps": 6, "baseline_limit": 1.0}


class Corner:
    """Class 1 is as likely as the upper left quarter is bright; remembers the largest batch it was given."""

    task, class_names, input_shape = "multiclass", ("dark", "bright"), (1, 16, 16)

    def __init__(self):
        self.largest, self.images = 0, 0

    def class_logits(self, images):
        self.largest, self.images = max(self.largest, len(images)), self.images + len(images)
        bright = images[:, :, :8, :8].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), 16 * bright - 8], 1)


def images_and_targets(count):
    images = torch.full((count, 1, 16, 16), 0.05)
    images[:, :, 1:7, 1:7] = 1
    ones = np.ones(count, dtype=np.int64)
    return images, Targets(predicted=ones, probe=1 - ones)


def explained(kind, params, count=3, run=None):
    classifier = Corner()
    images, targets = images_and_targets(count)
    return kind(params, classifier=classifier, run=run or ToyRun()).explain(images, targets), classifier


def test_steps_have_the_same_length_whatever_the_scale_of_the_gradient():
    start, gradient = torch.full((2, 1, 4, 4), 0.5), torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    gradient[1] *= 1e-4
    moved = start - Momentum(0.05, 0.5).step(start, gradient)
    assert torch.allclose(moved.square().mean((1, 2, 3)).sqrt(), torch.tensor([0.05, 0.05]), rtol=1e-4)
    # the first step is the gradient itself, scaled: cells keep their order
    assert torch.equal(moved[0].flatten().argsort(), gradient[0].flatten().argsort())


def test_momentum_is_the_bias_corrected_running_mean_of_adam_with_one_scale():
    gradients = torch.randn(5, 1, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    rule, masks = Momentum(0.01, 0.7), torch.full((1, 1, 3, 3), 0.5)
    by_hand, mean, square = masks.numpy().astype(np.float64), 0.0, 0.0
    for number, gradient in enumerate(gradients.double().numpy(), start=1):
        masks = rule.step(masks, gradients[number - 1])
        mean = 0.7 * mean + 0.3 * gradient
        square = 0.95 * square + 0.05 * (gradient**2).mean()
        by_hand = by_hand - 0.01 * (mean / (1 - 0.7**number)) / np.sqrt(square / (1 - 0.95**number))
    assert np.allclose(masks.numpy(), by_hand, atol=1e-5)


def test_masks_stay_in_bounds():
    masks = Momentum(3.0, 0.0).step(torch.full((1, 1, 4, 4), 0.5), torch.randn(1, 1, 4, 4))
    assert masks.min() >= 0
    assert masks.max() <= 1


def test_a_finer_grid_keeps_the_corners_and_the_order_of_masks():
    masks = torch.rand(2, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    fine = refine(masks, (9, 9))
    assert fine.shape == (2, 2, 9, 9)
    assert torch.allclose(fine[..., ::8, ::8], masks[..., ::2, ::2])


@pytest.mark.parametrize(("kind", "params"), [(Igos, IgosParams), (IgosPlusPlus, IgosPlusPlusParams)])
@pytest.mark.parametrize("rule", ["momentum", "line search"])
def test_the_corner_that_decides_is_found(kind, params, rule):
    heatmap, _ = explained(kind, params(**SMALL, rule=rule))
    assert heatmap.values[:, :8, :8].mean() > 3 * heatmap.values[:, 8:, 8:].mean() + 0.05
    assert heatmap.resolution == (8, 8)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (DirectMask, DirectMaskParams(size=8, steps=30, baseline_limit=1.0, jitter=1, smoothness=0.5)),
        (Igos, IgosParams(**SMALL, insertion=1.0)),
        (IgosPlusPlus, IgosPlusPlusParams(**SMALL, variation="plain")),
    ],
    ids=("direct-mask", "iGOS+", "plain variation"),
)
def test_the_corner_that_decides_is_found_by_the_rivals_too(kind, params):
    heatmap, _ = explained(kind, params)
    assert heatmap.values[:, :8, :8].mean() > 3 * heatmap.values[:, 8:, 8:].mean() + 0.05


def test_direct_masks_are_those_of_adam_on_the_whole_objective():
    """Equation 7 of Fong and Vedaldi written out, differentiated in one piece, and Adam by hand."""
    params = DirectMaskParams(size=4, steps=5, jitter=1, kernel=5, sigma=30.0, baseline_limit=1.0, smoothness=0.3)
    images, targets = images_and_targets(1)
    heatmap = DirectMask(params, classifier=Corner(), run=ToyRun()).explain(images, targets)
    hidden, mask = blur(images, 5, 30.0), torch.ones(1, 1, 4, 4)
    mean = square = torch.zeros_like(mask)
    for step in range(1, 6):
        mask.requires_grad_(True)
        whole = upsample_cells(mask, (16, 16))
        score = Corner().class_logits(images * whole + hidden * (1 - whole)).softmax(1)[0, 1]
        variation = mask.diff(dim=2).abs().pow(3).mean() + mask.diff(dim=3).abs().pow(3).mean()
        (gradient,) = torch.autograd.grad(score + 0.08 * (1 - mask).mean() + 0.3 * variation, mask)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        change = (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        mask = (mask.detach() - 0.1 * change).clamp(0, 1)
    assert np.allclose(heatmap.values, 1 - upsample_cells(mask, (16, 16))[:, 0].numpy(), atol=1e-5)
    assert heatmap.passes.tolist() == [5 * 3 + 2]


def test_shifted_images_repeat_their_border():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    assert shift(image, 1, 1)[0, 0].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert torch.equal(shift(image, 0, 0), image)


def test_igos_plus_inserts_with_the_same_mask():
    run = ToyRun()
    explained(Igos, IgosParams(**SMALL, insertion=1.0), run=run)
    assert [item.name for item in run.emitted["terms"].items] == ["deletion", "insertion"]


@pytest.mark.parametrize(
    ("kind", "params", "sizes"),
    [
        (Igos, {"size": 7}, (7,)),
        (Igos, {"size": 28}, (14, 28)),
        (Igos, {"size": 224}, (28, 224)),
        (Igos, {"size": 224, "coarse": 14}, (14, 224)),
        (IgosPlusPlus, {"size": 28}, (28,)),
        (IgosPlusPlus, {"size": 224}, (28, 224)),
        (IgosPlusPlus, {"size": 224, "coarse": 224}, (224,)),
        (IgosPlusPlus, {"size": 28, "coarse": 7}, (7, 28)),
    ],
)
def test_large_masks_begin_coarse_unless_told_otherwise(kind, params, sizes):
    options = (IgosParams if kind is Igos else IgosPlusPlusParams)(**params)
    assert [size for size, _ in kind(options, classifier=Corner(), run=ToyRun())._sizes((224, 224))] == list(sizes)


def test_a_coarse_mask_first_ends_at_the_full_size_and_costs_nothing_more():
    plain, _ = explained(Igos, IgosParams(**SMALL))
    staged, _ = explained(Igos, IgosParams(**SMALL, coarse=4))
    assert staged.resolution == (8, 8)
    assert staged.passes.tolist() == plain.passes.tolist()
    assert np.abs(staged.values - plain.values).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"steps": 40}, 20),
        ({"steps": 40, "averaged": 0.0}, 39),
        ({"steps": 40, "averaged": 1.0}, 0),
        ({"steps": 20, "coarse": 4}, 15),
        ({"steps": 1}, 0),
    ],
)
def test_the_last_masks_of_the_final_size_are_averaged(settings, first):
    explainer = IgosPlusPlus(IgosPlusPlusParams(**{**SMALL, **settings}), classifier=Corner(), run=ToyRun())
    assert explainer._first_averaged(2 if "coarse" in settings else 1) == first


def test_the_answer_is_the_mean_of_the_masks_that_are_averaged():
    def result(steps, averaged):
        explainer = Igos(
            IgosParams(**{**SMALL, "steps": steps, "averaged": averaged}), classifier=Corner(), run=ToyRun()
        )
        return explainer.explain(*images_and_targets(1)).values

    # the streams of a step do not depend on how many there are, so shorter runs give the masks on the way
    assert np.allclose(result(6, 0.5), np.mean([result(steps, 0.0) for steps in (4, 5, 6)], axis=0), atol=1e-5)


def test_passes_are_those_that_the_classifier_did():
    """One term, 2 points, 6 steps: 12 passes forward and back, and 2 for the baseline."""
    heatmap, classifier = explained(Igos, IgosParams(**SMALL), count=1)
    assert heatmap.passes.tolist() == [12 * 3 + 2]
    # what is reported costs more, but is no part of finding the mask: the terms, and two curves of 21 points
    assert classifier.images == 12 + 2 + 1 + 2 * 21


def test_a_strengthened_blur_and_a_smaller_mask_are_told():
    run = ToyRun()
    params = IgosParams(size=500, steps=1, baseline_limit=0.6, sigma=0.5, kernel=3)
    explained(Igos, params, run=run)
    assert "as many as the image, not 500" in run.warnings[0]
    assert "igos: the blurred image says too much of the class" in run.warnings[1]
    assert run.emitted["baseline"].items[1].values.max() > 0


def test_terms_are_reported_with_what_they_reach():
    run = ToyRun()
    explained(IgosPlusPlus, IgosPlusPlusParams(**SMALL), run=run)
    report = run.emitted["terms"]
    assert isinstance(report, Measurements)
    result = {item.name: item for item in report.items}
    assert set(result) == {"deletion of both", "insertion of both", "deletion", "insertion"}
    assert result["insertion of both"].value > result["deletion of both"].value
    assert result["deletion"].curve_y.shape == (3, 6)


def test_curves_of_a_mask_are_those_that_the_metric_takes_by_its_cells():
    metric = pytest.importorskip("sidelight_metrics.heatmaps.insertion_deletion")
    from sidelight_metrics import InsertionDeletionParams

    images, targets = images_and_targets(2)
    masks = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0))
    score = ClassProbability(Corner(), torch.ones(2, dtype=torch.int64), 4)
    result = mask_curves(score, images, baseline(images, "blur"), masks, 0.1)
    values = (1 - upsample_cells(masks[:, None], (16, 16))[:, 0]).numpy()
    heatmap = Heatmap(values=values, resolution=(8, 8))
    settings = InsertionDeletionParams(cells=8, step=0.1, baselines=("blur",))
    expected = metric.InsertionDeletion(settings, classifier=Corner(), run=ToyRun()).measure(heatmap, images, targets)
    for ours, other in zip(curves_report(result, (8, 8), 0.1).items, expected.items, strict=True):
        assert ours.name == other.name
        assert np.allclose(ours.curve_x, other.curve_x)
        assert np.allclose(ours.curve_y, other.curve_y, atol=1e-5)
        assert np.allclose(ours.values, other.values, atol=1e-5)


def test_the_curves_start_and_end_with_the_image_and_the_baseline():
    run, (images, targets) = ToyRun(), images_and_targets(2)
    Igos(IgosParams(**SMALL), classifier=Corner(), run=run).explain(images, targets)
    insertion, deletion = run.emitted["curves"].items
    full = Corner().class_logits(images).softmax(1)[:, 1].numpy()
    assert np.allclose(insertion.curve_y[:, -1], full, atol=1e-5)
    assert np.allclose(deletion.curve_y[:, 0], full, atol=1e-5)
    assert np.allclose(insertion.curve_y[:, 0], deletion.curve_y[:, -1], atol=1e-5)
    assert (insertion.values > deletion.values).all()


def test_a_term_without_weight_is_left_out():
    run = ToyRun()
    explained(IgosPlusPlus, IgosPlusPlusParams(**SMALL, insertion=0.0), run=run)
    assert {item.name for item in run.emitted["terms"].items} == {"deletion of both", "deletion"}


@pytest.mark.parametrize("change", [{"integration_steps": 40}, {"steps": 30}])
@pytest.mark.training
def test_no_pass_is_larger_than_the_batch_however_many_images_points_or_steps(change):
    for count in (1, 9):
        _, classifier = explained(IgosPlusPlus, IgosPlusPlusParams(**{**SMALL, "batch": 3, **change}), count=count)
        assert classifier.largest == 3


def test_random_points_give_the_integral_on_average():
    """The gradient of a quadratic score along the way is known: the mean over many draws meets the exact integral."""
    images, _ = images_and_targets(1)
    score = ClassProbability(Corner(), torch.ones(1, dtype=torch.int64), 64)
    objective = Objective(images, images * 0, score, (Term("deletion", (0,), False, 1.0),), 0, 0, 1, 2)
    masks = torch.full((1, 1, 4, 4), 0.8)

    def silence(_index):
        return torch.zeros(1, 1, 16, 16)

    exact = objective.gradient(masks, 2000, silence)
    drawn = torch.rand(200, 1, 4, generator=torch.Generator().manual_seed(0))
    shares = (torch.arange(4) + drawn) / 4
    mean = torch.stack([objective.integrated(masks, part, silence)[0] for part in shares]).mean(0)
    assert torch.allclose(mean, exact, rtol=0.05, atol=1e-4)


def test_the_toy_classifier_answers_alike_alone_and_beside_others():
    run = ToyRun()
    images = torch.rand(3, *ToyClassifier().input_shape, generator=torch.Generator().manual_seed(0))
    targets = Targets(predicted=np.zeros(3, dtype=np.int64), probe=np.ones(3, dtype=np.int64))
    made = Igos(IgosParams(**SMALL), classifier=ToyClassifier(), run=run)
    whole = made.explain(images, targets).values
    for row in range(3):
        alone = made.explain(images[row : row + 1], targets.take([row])).values
        assert np.allclose(alone[0], whole[row], atol=1e-4)


def even_and_corner():
    """Images 0 and 2 are as bright in every place, so that no blur hides the class; 1 and 3 are bright in a corner."""
    images, targets = images_and_targets(4)
    images[[0, 2]] = 0.9
    images[3] *= 0.9
    return images, targets


ANSWERABLE = {**SMALL, "baseline_limit": 0.5}


@pytest.mark.parametrize(("kind", "params"), [(Igos, IgosParams), (IgosPlusPlus, IgosPlusPlusParams)])
@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_images_that_no_blur_hides_cost_the_others_nothing(kind, params, at_once):
    run, (images, targets) = ToyRun(), even_and_corner()
    made = kind(params(**ANSWERABLE, images_at_once=at_once), classifier=Corner(), run=run)
    heatmap = made.explain(images, targets)
    heatmap.validate(tuple(images.shape), 2)
    assert heatmap.answered.tolist() == [False, True, False, True]
    assert not heatmap.values[[0, 2]].any()
    assert heatmap.values[1, :8, :8].mean() > 3 * heatmap.values[1, 8:, 8:].mean()
    assert heatmap.doubts() == [f"2 of 4 images have no answer: {heatmap.no_answer}"]
    assert "raise the limit" in heatmap.no_answer
    assert (heatmap.passes[[0, 2]] < 10).all()  # of the baselines alone
    for name in ("terms", "curves"):
        run.emitted[name].validate(tuple(images.shape), 2)
        for item in run.emitted[name].items:
            assert np.isnan(item.values).tolist() == [True, False, True, False]
            assert np.isnan(item.curve_y).all(1).tolist() == [True, False, True, False]
    kept = run.emitted["baseline"].items[0].values
    assert (kept[[0, 2]] > 0.9).all()


def test_an_image_gets_the_same_answer_beside_images_without_one():
    images, targets = even_and_corner()
    made = IgosPlusPlus(IgosPlusPlusParams(**ANSWERABLE), classifier=Corner(), run=ToyRun())
    whole = made.explain(images, targets)
    for row in range(4):
        alone = made.explain(images[row : row + 1], targets.take([row]))
        assert alone.answered.tolist() == [whole.answered[row]]
        assert alone.passes.tolist() == [whole.passes[row]]
        assert np.allclose(alone.values[0], whole.values[row], atol=1e-5)


def test_a_shard_without_any_answer_joins_the_others():
    """Also where no image of a call has an answer: the last shard of a run must not cost the others theirs."""
    images, targets = even_and_corner()
    made = Igos(IgosParams(**ANSWERABLE), classifier=Corner(), run=ToyRun())
    parts = [made.explain(images[[row]], targets.take([row])) for row in (0, 1, 2)]
    assert Heatmap.concat(parts).answered.tolist() == [False, True, False]


@pytest.mark.parametrize(("kind", "params"), [(Igos, IgosParams), (IgosPlusPlus, IgosPlusPlusParams)])
def test_a_step_makes_the_host_wait_for_nothing(kind, params):
    images, targets = images_and_targets(2)
    counts = []
    for steps in (4, 10):
        with HostReads() as reads:
            options = params(steps=steps, size=8, baseline_limit=1.0)
            kind(options, classifier=Corner(), run=ToyRun()).explain(images, targets)
        counts.append(len(reads))
    assert counts[0] == counts[1]
