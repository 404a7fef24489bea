"""Contrastive heatmaps against the method written out: one weight and one image at a time, every map kept in a list."""

import numpy as np
import pytest
import torch
from sidelight_cdeepex.baselines.contrastive_heatmaps import ContrastiveHeatmaps, mean_difference, weight_grid
from sidelight_cdeepex.params import ContrastiveParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Counterfactual, Heatmap, Targets
from sidelight_specs.roles import Classifier, Explainer
from sidelight_specs.testing import ToyClassifier, ToyData, ToyExplainer, ToyRun, toy_targets


class Recorded(Explainer):
    """A toy explainer that remembers what it was asked, and may answer something else."""

    def __init__(self, classifier, answers="predicted", kind=None):
        self.asked, self._inner, self._answers, self._kind = [], ToyExplainer(classifier), answers, kind

    def explain(self, images, targets):
        self.asked.append(targets)
        if self._kind is not None:
            return self._kind
        result = self._inner.explain(images, targets)
        return Heatmap(values=result.values, resolution=(8, 8), answers=self._answers, passes=result.passes)


class Thirds(Classifier):
    """Three logits, the brightness of the left, middle and right third of the image."""

    task, class_names, input_shape = "multiclass", ("left", "middle", "right"), (1, 32, 32)

    def scores(self, images):
        return 20 * torch.stack([part.mean((1, 2, 3)) for part in images.tensor_split(3, dim=3)], 1)


class ThirdsExplainer(Explainer):
    """The pixels of the class's third, and wrongly `spill` times those of the next one."""

    def __init__(self, spill):
        self._spill = spill

    def explain(self, images, targets):
        values = np.zeros((len(images), 32, 32), dtype=np.float32)
        for row, index in enumerate(targets.predicted):
            for place, share in ((int(index), 1), ((int(index) + 1) % 3, self._spill)):
                columns = np.array_split(np.arange(32), 3)[place]
                values[row][:, columns] = share * images[row, 0, :, columns].numpy()
        return Heatmap(values=values)


@pytest.fixture
def images():
    return torch.from_numpy(ToyData().split("test").images[:4].copy())


def contrast(classifier, explainer, images, targets, run=None, **params):
    made = ContrastiveHeatmaps(
        ContrastiveParams(**params), classifier=classifier, explainer=explainer, run=run or ToyRun()
    )
    return made.explain(images, targets)


def likelihoods(classifier, image, sides):
    with torch.no_grad():
        logits = classifier.class_logits(image[None])[0].double().numpy()
    return [float(logits[side] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()) for side in sides]


def by_hand(classifier, explainer, image, sides, weights):
    """The mean of the kept maps of one image, and how many were kept."""
    maps = []
    for side in sides:
        result = explainer.explain(image[None], Targets(predicted=np.array([side]), probe=np.array([0])))
        maps.append(result.values[0] / np.abs(result.values[0]).max())
    before, kept = likelihoods(classifier, image, sides), []
    for weight in weights:
        difference = maps[0] - weight * maps[1]
        after = likelihoods(classifier, (image - torch.from_numpy(difference).float()).clamp(0, 1), sides)
        if after[0] < before[0] and after[1] > before[1]:
            kept.append(difference)
    return np.mean(kept, axis=0) if kept else np.zeros(image.shape[1:]), len(kept)


def toys(task):
    classifier = ToyClassifier(task=task)
    return classifier, ToyExplainer(classifier), torch.from_numpy(ToyData(task=task).split("test").images[:4].copy())


def thirds(spill):
    return Thirds(), ThirdsExplainer(spill), 0.6 * torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize(
    ("made", "some"),
    [(toys("multiclass"), False), (toys("binary"), False), (thirds(0.0), False), (thirds(0.6), True)],
    ids=["multiclass", "binary", "thirds", "thirds-spilt"],
)
def test_the_mean_of_the_maps_that_move_the_classifier(made, some):
    classifier, explainer, images = made
    targets, counts = toy_targets(classifier, images), []
    result = contrast(classifier, explainer, images, targets, step=0.1, batch=7)
    for row, image in enumerate(images):
        sides = int(targets.predicted[row]), int(targets.probe[row])
        expected, count = by_hand(classifier, explainer, image, sides, 0.1 * np.arange(1, 21))
        counts.append(count)
        assert np.abs(result.values[row] - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())
    assert max(counts) > 0
    assert any(0 < count < 20 for count in counts) or not some, f"some, not all, were to be kept: {counts}"


def test_positive_speaks_for_the_predicted_class_against_the_probe():
    """Taking the map away from the image moves the classifier to the probe; adding it moves it back."""
    classifier, explainer, images = thirds(0.0)
    targets = toy_targets(classifier, images)
    result = contrast(classifier, explainer, images, targets, step=0.1)
    assert (result.answers, result.signed) == ("contrast", True)
    for row, image in enumerate(images):
        columns = [np.array_split(np.arange(32), 3)[int(side)] for side in (targets.predicted[row], targets.probe[row])]
        assert result.values[row][:, columns[0]].min() >= 0 >= result.values[row][:, columns[1]].max()
        sides, small = (
            (int(targets.predicted[row]), int(targets.probe[row])),
            0.1 * torch.from_numpy(result.values[row]),
        )
        down, up = likelihoods(classifier, image - small, sides), likelihoods(classifier, image + small, sides)
        assert down[0] - down[1] < up[0] - up[1]


def test_the_papers_weights_by_default():
    params = ContrastiveParams()
    weights = weight_grid(params.largest, params.step)
    assert len(weights) == 400
    assert np.allclose(weights.numpy(), np.linspace(0.005, 2.0, 400), atol=1e-6)


def test_the_mean_map_is_the_map_of_the_mean_weight():
    generator = torch.Generator().manual_seed(2)
    of_true, of_probe = torch.randn(2, 3, 5, 4, generator=generator)
    weights, kept = torch.rand(9, generator=generator), torch.rand(3, 9, generator=generator) > 0.5
    kept[1] = False
    every = of_true[:, None] - weights[:, None, None] * of_probe[:, None]
    result = mean_difference(of_true, of_probe, weights, kept)
    for row in (0, 2):
        assert torch.allclose(result[row], every[row, kept[row]].mean(0), atol=1e-6)
    assert not result[1].any()


def test_the_other_explainer_is_asked_about_both_sides(images):
    classifier = ToyClassifier()
    explainer, targets = Recorded(classifier), toy_targets(classifier, images)
    result = contrast(classifier, explainer, images, targets, step=0.5)
    first, second = explainer.asked
    assert np.array_equal(first.predicted, targets.predicted)
    assert np.array_equal(second.predicted, targets.probe)
    assert np.array_equal(second.probe, targets.predicted)
    assert result.resolution == (8, 8)
    assert np.array_equal(result.passes, np.full(4, 2 * 3 + 1 + 4, dtype=np.float32))


def test_where_no_weight_is_kept_the_map_is_zero_and_says_so(images):
    """Why this class and not this class? Nothing makes it both less and more likely."""
    classifier, run = ToyClassifier(), ToyRun()
    targets = toy_targets(classifier, images)
    probe = targets.probe.copy()
    probe[1] = targets.predicted[1]
    asked = Targets(predicted=targets.predicted, probe=probe)
    result = contrast(classifier, ToyExplainer(classifier), images, asked, run, step=0.5)
    assert not result.values[1].any()
    assert all(result.values[row].any() for row in (0, 2, 3))
    assert len(run.warnings) == 1
    assert "for 1 of 4 images" in run.warnings[0]
    silent = ToyRun()
    contrast(classifier, ToyExplainer(classifier), images, targets, silent, step=0.5)
    assert silent.warnings == []


def test_heatmaps_of_zeros_are_no_division_by_zero(images):
    classifier, run = ToyClassifier(), ToyRun()
    empty = Recorded(classifier, kind=Heatmap(values=np.zeros((4, 32, 32), dtype=np.float32)))
    result = contrast(classifier, empty, images, toy_targets(classifier, images), run)
    assert not result.values.any()
    assert result.passes is None
    assert "for 4 of 4 images" in run.warnings[0]


@pytest.mark.parametrize("answers", ["probe", "contrast"])
def test_an_explainer_of_the_other_side_is_refused(images, answers):
    classifier = ToyClassifier()
    with pytest.raises(UserError, match=f'it answers "{answers}"') as caught:
        contrast(classifier, Recorded(classifier, answers), images, toy_targets(classifier, images))
    assert "target" in caught.value.fix


def test_only_heatmaps_can_be_weighed(images):
    classifier = ToyClassifier()
    one = np.zeros((4, 3), dtype=np.float32)
    other = Counterfactual(images=images.numpy(), logits_before=one, logits_after=one, converged=one[:, 0] > 0)
    with pytest.raises(SidelightError, match="gives a Counterfactual"):
        contrast(classifier, Recorded(classifier, kind=other), images, toy_targets(classifier, images))


def test_memory_follows_the_batch(images):
    classifier, seen = ToyClassifier(), []
    targets = toy_targets(classifier, images)
    explainer = Recorded(classifier, kind=ToyExplainer(classifier).explain(images, targets))
    handle = classifier.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    contrast(classifier, explainer, images, targets, step=0.05, batch=3)
    handle.remove()
    assert max(seen) == 3
    assert sum(seen) == 4 * (40 + 1)


def test_an_image_without_an_answer_for_either_class_has_none(images):
    class Partial(ThirdsExplainer):
        def explain(self, images, targets):
            values, answered = super().explain(images, targets).values, np.arange(len(images)) != 1
            return Heatmap(values=values * answered[:, None, None], answered=answered, no_answer="hiding shows nothing")

    classifier = Thirds()
    targets = toy_targets(classifier, images)
    part, full = (contrast(classifier, kind(0.2), images, targets) for kind in (Partial, ThirdsExplainer))
    part.validate(tuple(images.shape), 3)
    assert part.answered.tolist() == [True, False, True, True]
    assert part.no_answer == "hiding shows nothing"
    assert np.array_equal(part.values[[0, 2, 3]], full.values[[0, 2, 3]])
