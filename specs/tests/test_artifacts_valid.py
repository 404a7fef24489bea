"""Validation by kind: what is not an explanation of these images is refused by the name of its field."""

from typing import ClassVar

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Overlay
from sidelight_specs.results import (
    AttentionGraph,
    Attribute,
    Attributes,
    Graph,
    GraphNode,
    Heatmap,
    Inversion,
    Measurement,
    Measurements,
    Split,
    State,
    Targets,
)
from sidelight_specs.testing import ToyClassifier, toy_explanation
from sidelight_specs.testing.explanations import TOY_KINDS

IMAGES = (2, 3, 4, 5)
MAP = np.arange(40, dtype=np.float32).reshape(2, 4, 5)


@attrs.frozen(eq=False, kw_only=True)
class Depths(Artifact):
    """A stranger's kind, which declares nothing."""

    kind: ClassVar[str] = "acme.depths"

    depths: np.ndarray = per_image()
    scale: float = 1.0
    table: np.ndarray | None = None


def changed(value):
    return np.where(MAP == 7, np.float32(value), MAP)


INVALID = {
    "NaN": (Heatmap(values=changed(np.nan)), "values: 1 of 40 numbers are NaN or infinite"),
    "infinity": (Heatmap(values=changed(-np.inf)), "values: 1 of 40 numbers are NaN or infinite"),
    "complex": (Heatmap(values=MAP.astype(np.complex64)), "values holds complex64"),
    "objects": (Heatmap(values=MAP.astype(object)), "values holds object"),
    "whole numbers": (Heatmap(values=MAP.astype(np.int64)), "values holds int64"),
    "half the height": (Heatmap(values=MAP[:, :2]), r"values has shape \(2, 2, 5\), not \(2, 4, 5\)"),
    "four dimensions": (Heatmap(values=MAP[:, None]), r"values has shape \(2, 1, 4, 5\), not \(2, 4, 5\)"),
    "too few rows": (Heatmap(values=MAP[:1]), r"values has shape \(1, 4, 5\)"),
    "a tensor": (Heatmap(values=torch.from_numpy(MAP)), "values is a Tensor, not a numpy array"),
    "nothing": (Heatmap(values=None), "values is missing"),
    "passes of other images": (Heatmap(values=MAP, passes=np.ones(3, np.float32)), r"passes has shape \(3,\)"),
    "images out of range": (Split(images=np.full(IMAGES, 1.5, np.float32)), "images goes up to 1.5, above 1"),
    "labels out of range": (
        Split(images=np.zeros(IMAGES, np.float32), labels=np.array([0, 7]), class_names=("a", "b")),
        "labels run from 0 to 7, there are 2 classes",
    ),
    "masks of another size": (
        Split(images=np.zeros(IMAGES, np.float32), masks={"eye": np.zeros((2, 4, 4), bool)}),
        r"masks.eye has shape \(2, 4, 4\)",
    ),
    "a negative error": (
        Inversion(
            latents=np.zeros((2, 8), np.float32),
            reconstructions=np.zeros(IMAGES, np.float32),
            error=np.array([-1, 0], np.float32),
        ),
        "error goes down to -1, below 0",
    ),
    "a class that is not there": (Targets(predicted=np.array([0, 1]), probe=np.array([1, 3])), "probe asks about"),
    "an attribute of no class": (Attributes(attributes=(Attribute("a", 0, target=5),)), "attributes.0.target is 5"),
    "effects of other attributes": (
        Attributes(attributes=(Attribute("a", 0),), effects=np.zeros((2, 2), np.float32)),
        r"effects has shape \(2, 2\), not \(1, L\)",
    ),
    "patches outside": (
        AttentionGraph(graphs=(Graph((GraphNode((9,), 0.5),), 0.9),) * 2, grid=(3, 3)),
        "graphs.0 shows patches outside",
    ),
    "weights that diverged": (State(arrays={"w": np.array([np.inf])}), "arrays.w: 1 of 1 numbers are infinite"),
    "an infinite measurement": (
        Measurements(items=(Measurement(name="gap", values=np.array([np.inf], np.float32)),)),
        "gap.values: 1 of 1 numbers are infinite",
    ),
    "measurements of other images": (
        Measurements(items=(Measurement(name="gap", values=np.zeros(3, np.float32)),)),
        "gap.values has 3 rows, not 2 or 1",
    ),
    "a stranger's NaN": (Depths(depths=changed(np.nan)), "depths: 1 of 40"),
    "a stranger's rows": (Depths(depths=MAP[:1]), r"depths has shape \(1, 4, 5\), not \(2, ...\)"),
    "a stranger's infinite scale": (Depths(depths=MAP, scale=float("inf")), "scale is inf"),
    "a stranger's object array": (Depths(depths=MAP, table=np.array([None])), "table holds object"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_artifact_is_refused_by_the_name_of_its_field(name):
    artifact, said = INVALID[name]
    with pytest.raises(SidelightError, match=said):
        artifact.validate(IMAGES, 3)


VALID = [
    Heatmap(values=MAP, passes=np.ones(2, np.float32)),
    Heatmap(values=MAP.astype(np.float64)),
    Depths(depths=MAP),
    State(arrays={"w": np.ones(3), "names": np.array(["a"])}, curves={"loss": np.array([np.nan, 1.0], np.float32)}),
    Attributes(attributes=(Attribute("a", 0),), effects=np.array([[np.nan, 1.0, 2.0]], np.float32)),
    Measurements(items=tuple(Measurement(name=f"{n}", values=np.full(n, np.nan, np.float32)) for n in (1, 2))),
    Targets(predicted=np.array([0, 2]), probe=np.array([1, 2])),
]


@pytest.mark.parametrize("artifact", VALID, ids=lambda artifact: artifact.kind)
def test_a_valid_artifact_passes(artifact):
    artifact.validate(IMAGES, 3)
    artifact.validate()


@pytest.mark.parametrize("kind", TOY_KINDS)
def test_every_toy_explanation_is_valid(kind):
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    targets = Targets(predicted=np.array([0, 1, 2]), probe=np.array([1, 2, 0]))
    toy_explanation(kind, ToyClassifier(), images, targets).validate((3, 1, 32, 32), 3)


def test_constant_heatmaps_are_doubtful():
    rough = np.random.default_rng(0).random((3, 4, 5), np.float32)
    assert Heatmap(values=rough).doubts() == []
    flat = np.stack([rough[0], np.zeros((4, 5), np.float32), np.full((4, 5), 3.0, np.float32)])
    flat[2, 0, 0] += 1e-6  # rounding
    assert Heatmap(values=flat).doubts() == ["2 of 3 heatmaps are constant and point at nothing"]
    assert Heatmap(values=flat[1:2]).doubts() == ["1 of 1 heatmaps is constant and points at nothing"]


def without_answer(values, answered, reason="hidden"):
    return Heatmap(values=np.asarray(values, np.float32), answered=np.array(answered), no_answer=reason)


def test_a_row_without_an_answer_has_a_reason_and_no_values():
    ramp = np.arange(8.0).reshape(2, 2, 2) * [[[0]], [[1]]]
    heatmap = without_answer(ramp, [False, True])
    heatmap.validate((2, 1, 2, 2), 3)
    assert [heatmap.has_answer(row) for row in (0, 1)] == [False, True]
    assert heatmap.view(0)[0].text == "no answer: hidden"
    assert isinstance(heatmap.view(1)[0], Overlay)
    assert heatmap.doubts() == ["1 of 2 images has no answer: hidden"]
    assert without_answer(ramp[:1], [False]).doubts() == ["1 of 1 images has no answer: hidden"]
    with pytest.raises(SidelightError, match=r"^values differ from 0"):
        without_answer(ramp + 1, [False, True]).validate()
    with pytest.raises(SidelightError, match=r"^no_answer is empty"):
        without_answer(ramp, [False, True], "").validate()
    with pytest.raises(SidelightError, match=r"^answered has shape"):
        without_answer(ramp, [True]).validate((2, 1, 2, 2), 3)


def test_a_graph_without_an_answer_has_no_nodes():
    graph = Graph(nodes=(GraphNode(patches=(0,), confidence=1.0, root=True),), probability=0.9)
    none = AttentionGraph(graphs=(graph,), grid=(2, 2), answered=np.array([False]), no_answer="hidden")
    with pytest.raises(SidelightError, match=r"^graphs.0 has nodes without being an answer"):
        none.validate()
    assert none.view(0)[0].text == "no answer: hidden"


def test_answers_are_kept_and_joined(tmp_path):
    heatmap = without_answer(np.zeros((2, 2, 2)), [False, True])
    heatmap.save(tmp_path)
    both = Heatmap.concat([Heatmap.load(tmp_path), heatmap.take([1])])
    assert both.answered.tolist() == [False, True, True]
    assert both.no_answer == "hidden"
