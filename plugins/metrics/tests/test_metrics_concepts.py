"""Faithfulness, orthogonality and locality of concepts, in closed form."""

import numpy as np
import pytest
import torch
from sidelight_metrics.concepts.faithfulness import Faithfulness
from sidelight_metrics.concepts.locality import Locality, spread
from sidelight_metrics.concepts.orthogonality import Orthogonality, mean_squared_cosine
from sidelight_metrics.params import BatchParams, LocalityParams
from sidelight_metrics.segments import masks_of, patches
from sidelight_specs import SidelightError
from sidelight_specs.params import NoParams
from sidelight_specs.results import Concepts, Heatmap, Split
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyRun


def made(activations, **fields):
    activations = np.asarray(activations, dtype=np.float32)
    names = tuple(f"c{index}" for index in range(activations.shape[1]))
    fields = {name: np.asarray(value, dtype=np.float32) for name, value in fields.items()}
    return Concepts(names=names, activations=activations, **{"contributions": activations, **fields})


def named(measurements):
    return {item.name: item for item in measurements.items}


def pixels(logits):
    """Images of the `identity` classifier whose logits these are."""
    return torch.tensor(logits, dtype=torch.float32).reshape(len(logits), 3, 1, 1)


@pytest.fixture
def faithful(identity, question):
    def measure(found, logits, predicted=0):
        metric = Faithfulness(BatchParams(batch=1), classifier=identity, run=ToyRun())
        return named(metric.measure(found, pixels(logits), question(len(logits), predicted)))

    return measure


LOGITS = [[3.0, 1, 0], [2, 1, 0]]


def test_concepts_that_give_the_logits_are_faithful(faithful):
    found = faithful(made([[2.0], [1.0]], constant=[1, 1], logits=LOGITS), LOGITS)
    assert found["agreement"].values.tolist() == [1, 1]
    assert found["R2"].value == 1
    assert found["error"].values.tolist() == [0, 0]


def test_agreement_counts_predictions_and_r2_squared_errors(faithful):
    said = [[0.0, 1, 0], [2, 1, 0]]
    found = faithful(made([[2.0], [1.0]], constant=[0, 1], logits=said), LOGITS)
    assert found["agreement"].values.tolist() == [0, 1]
    assert found["R2"].value == pytest.approx(1 - 3.0**2 / (2 * 0.5**2))
    assert found["error"].values.tolist() == [1, 0]


def test_only_explained_classes_count(faithful):
    weights = [[0.0], [1.0], [0.0]]
    logits = [[3.0, 1, 0], [2, 3, 0]]
    found = faithful(made([[1.0], [2.0]], constant=[0, 0], logits=[[3, 0, 0], [2, 3, 0]], weights=weights), logits)
    assert found["R2"].value == pytest.approx(1 - 1 / 2)
    assert np.isnan(found["error"].values).all()  # the question is about class 0, which no concept explains


def test_concepts_that_do_not_say_have_no_faithfulness(faithful):
    found = faithful(made([[2.0], [1.0]]), LOGITS)
    assert all(np.isnan(item.values).all() for item in found.values())


def test_orthogonality_prefers_the_reference_images(question):
    found = made(np.ones((1, 2)), reference=[[1.0, 0, 0], [0, 2, 0], [3, 0, 0]])
    measured = named(Orthogonality(NoParams(), run=ToyRun()).measure(found, pixels([[0, 0, 0]]), question(1)))
    assert measured["squared cosine"].value == 0
    assert measured["silent concepts"].value == pytest.approx(1 / 3)
    assert measured["squared cosine"].settings == {"images": "3 reference images"}
    without = named(Orthogonality(NoParams(), run=ToyRun()).measure(made(np.ones((1, 2))), pixels([[0, 0, 0]]), None))
    assert without["squared cosine"].value == pytest.approx(1)
    assert without["squared cosine"].settings == {"images": "1 explained images"}


def test_the_squared_cosine_is_that_of_the_angle():
    angle = 0.7
    assert mean_squared_cosine(np.array([[1, np.cos(angle)], [0, np.sin(angle)]])) == pytest.approx(np.cos(angle) ** 2)
    assert np.isnan(mean_squared_cosine(np.array([[1.0, 0], [2, 0]])))


def test_patches_cover_each_pixel_once():
    masks = patches(7, 9, 3)
    assert masks.shape == (9, 7, 9)
    assert (masks.sum(0) == 1).all()
    assert masks[0, :3, :3].all()


def located(heatmaps, images=None, data=None, **params):
    heatmaps = np.asarray(heatmaps, dtype=np.float32)
    images = torch.zeros(len(heatmaps), 1, *heatmaps.shape[2:]) if images is None else images
    found = made(np.ones(heatmaps.shape[:2]), heatmaps=heatmaps)
    return named(Locality(LocalityParams(**params), data=data, run=ToyRun()).measure(found, images, None))


def test_one_patch_is_one_part_and_an_even_heatmap_all():
    point, even = np.zeros((4, 4)), np.ones((4, 4))
    point[0, 0] = 5
    found = located([[point, even], [point, point]], grid=4)
    assert found["parts in an image"].values == pytest.approx([(1 + 16) / 2, 1])
    assert found["parts in an image"].settings == {"parts": "4x4 patches"}


def test_a_concept_that_moves_has_one_part_in_an_image_and_two_over_the_images():
    here, there = np.zeros((2, 2)), np.zeros((2, 2))
    here[0, 0] = there[1, 1] = 1
    found = located([[here], [there]], grid=2)
    assert found["parts in an image"].values == pytest.approx([1, 1])
    assert found["parts over the images"].value == pytest.approx(2)


def test_empty_heatmaps_and_negative_values_are_left_out():
    point = np.zeros((2, 2))
    point[0, 0] = 1
    found = located([[point - 0.5 * point[::-1], np.zeros((2, 2))], [np.zeros((2, 2))] * 2], grid=2)
    assert found["parts in an image"].values[0] == pytest.approx(1)
    assert np.isnan(found["parts in an image"].values[1])
    assert found["parts over the images"].value == pytest.approx(1)


def test_without_heatmaps_nothing_is_said_of_places(question):
    run = ToyRun()
    metric = Locality(LocalityParams(), run=run)
    found = named(metric.measure(made(np.ones((2, 3))), torch.zeros(2, 1, 8, 8), question(2)))
    assert all(np.isnan(item.values).all() for item in found.values())
    assert "without heatmaps" in run.warnings[0]


def test_heatmaps_of_another_size_are_refused():
    with pytest.raises(SidelightError, match="do not fit"):
        located(np.ones((1, 1, 4, 4)), images=torch.zeros(1, 1, 8, 8))


def test_effective_parts_of_uneven_shares():
    shares = np.array([[[0.5, 0.25, 0.25]]])
    entropy = 0.5 * np.log(2) + 0.5 * np.log(4)
    assert spread(shares)[0] == pytest.approx([np.exp(entropy)])


class Halves(Data):
    """Two images with a mask for their left half."""

    splits = ("test",)

    def split(self, name):
        images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2) / 8
        left = np.zeros((2, 2, 2), dtype=bool)
        left[..., 0] = True
        return Split(images=images, masks={"left": left})


def test_masks_of_the_data_are_the_parts_of_images_found_in_it():
    images = torch.from_numpy(Halves().split("test").images)
    left = np.zeros((2, 2))
    left[:, 0] = 1
    found = located([[left], [np.ones((2, 2))]], images=images.flip(0), data=Halves())
    assert found["parts in an image"].values == pytest.approx([1, 2])  # the left half; the left half and the rest
    assert found["parts in an image"].settings == {"parts": "left"}
    assert found["inside the parts"].values == pytest.approx([1, 0.5])
    assert "50.0% of the pixels" in found["inside the parts"].help


def test_patches_stand_in_for_masks_that_cannot_be_had():
    images = Halves().split("test").images
    assert set(masks_of(Halves(), "test", images)) == {"left"}
    assert masks_of(Halves(), "train", images) == {}
    assert masks_of(None, "test", images) == {}
    assert masks_of(Halves(), "test", images + 1) == {}
    assert masks_of(Halves(), "test", np.zeros((1, 1, 3, 3), np.float32)) == {}


def test_other_explanations_are_refused(question):
    heatmap = Heatmap(values=np.ones((1, 2, 2), np.float32))
    with pytest.raises(SidelightError, match='not "heatmap"'):
        Locality(LocalityParams(), run=ToyRun()).measure(heatmap, torch.zeros(1, 1, 2, 2), question(1))
