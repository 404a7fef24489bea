"""Kinds are registered by one door, ours included; their views are blocks that a report can draw."""

import subprocess
import sys
from importlib.metadata import entry_points
from typing import ClassVar, get_args

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import Artifact, SidelightError, builtin, kinds
from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Overlay, Pair, Picture, Plot, Strip, Table, Text, with_class_names
from sidelight_specs.results import Explanation, Measurement, Measurements, Predictions, Split, State, Targets
from sidelight_specs.testing.explanations import TOY_KINDS, toy_explanation
from sidelight_specs.testing.toys import ToyClassifier


@attrs.frozen(eq=False, kw_only=True)
class Depths(Explanation):
    """A kind that only this test knows."""

    kind: ClassVar[str] = "test.depths"

    depths: np.ndarray = per_image("N H W", low=0)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(kinds, "_classes", {})
    return kinds


def test_a_strangers_kind_is_registered_and_loaded_by_its_name(registry, tmp_path):
    Depths(depths=np.ones((2, 3, 3), np.float32)).save(tmp_path / "a")
    with pytest.raises(SidelightError, match=r'no kind of result "test\.depths" is registered; known are attention-'):
        Artifact.load(tmp_path / "a")
    registry.register(Depths)
    assert type(Artifact.load(tmp_path / "a")) is Depths
    with pytest.raises(SidelightError, match="goes down to -1"):
        Depths(depths=np.full((2, 3, 3), -1, np.float32)).validate((2, 1, 3, 3))


def test_the_entry_points_of_our_kinds_are_what_the_hook_gives():
    announced = {entry.name for entry in entry_points(group=kinds.GROUP) if entry.value == kinds.BUILT_IN}
    assert announced == {kind.kind for kind in builtin.sidelight_kinds()}


def test_the_contracts_import_no_numpy():
    code = "import sidelight_specs, sidelight_specs.host, sidelight_specs.hooks, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_no_kind_is_refused(registry):
    registry.load_built_in()

    class Plain(Explanation):
        kind: ClassVar[str] = "test.plain"

    heatmap = attrs.make_class("Other", [], bases=(Artifact,), frozen=True, class_body={"kind": "heatmap"})
    spaced = attrs.make_class("Spaced", [], bases=(Artifact,), frozen=True, class_body={"kind": "two words"})
    for wrong, message in [
        (dict, "subclass of Artifact"),
        (Plain, "attrs.frozen"),
        (spaced, "lower-case words"),
        (heatmap, 'the kind "heatmap" is sidelight_specs.results.heatmap.Heatmap already'),
    ]:
        with pytest.raises(ValueError, match=message):
            registry.register(wrong)


@pytest.mark.parametrize("kind", TOY_KINDS)
def test_every_explanation_has_a_view(kind):
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    targets = Targets(predicted=np.array([0, 1, 2]), probe=np.array([1, 2, 0]))
    explanation = toy_explanation(kind, ToyClassifier(), images, targets)
    for index in range(3):
        blocks = explanation.view(index)
        assert blocks, f"{kind} shows nothing"
        assert all(isinstance(block, get_args(Block)) for block in blocks)


def test_by_products_have_views():
    split = Split(
        images=np.ones((2, 1, 4, 4), np.float32),
        labels=np.array([1, 0]),
        class_names=("cat", "dog"),
        ids=("a", "b"),
        factors={"size": np.ones(2, np.float32)},
        masks={"ear": np.ones((2, 4, 4), bool)},
    )
    picture, factors, mask = split.view(0)
    assert (picture.caption, factors.rows, mask.caption) == ("a: dog", (("size", "1"),), "ear")
    assert (
        Targets(predicted=np.array([2]), probe=np.array([1])).view(0)[0].text == "why {class 2}, and why not {class 1}?"
    )
    (logits,) = Predictions(logits=np.array([[0.5, 2.0]], np.float32)).view(0)
    assert logits.rows == (("{class 1}", "2.000"), ("{class 0}", "0.500"))
    curves = State(curves={"loss": np.array([2.0, 1.0], np.float32)}).view(0)
    assert [plot.y_label for plot in curves] == ["loss"]


def test_a_number_that_was_not_measured_is_named_as_such():
    curve = np.array([[1.0, 0.5], [0.8, 0.4]], np.float32)
    item = Measurement(name="deletion", values=np.array([np.nan, 0.4], np.float32), curve_x=curve[0], curve_y=curve)
    table, plot = Measurements(items=(item,)).view(0)
    assert table.rows[0][:3] == ("deletion", "not measurable", "0.4")
    np.testing.assert_array_equal(plot.lines["deletion"], curve[0])


IMAGE = np.ones((1, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Picture(np.ones((4, 4), np.float32)), "image has shape"),
        (lambda: Picture(IMAGE * 2), "in \\[0, 1\\]"),
        (lambda: Picture(IMAGE * np.nan), "in \\[0, 1\\]"),
        (lambda: Picture(np.ones((1, 4, 4), np.int64)), "uint8"),
        (lambda: Overlay(IMAGE), "values has shape"),
        (lambda: Pair(None, np.ones((2, 4, 4))), "after has shape"),
        (lambda: Strip(IMAGE[None], captions=("a", "b")), "1 images has 2 captions"),
        (lambda: Plot(np.arange(3), {"loss": np.arange(2)}), 'line "loss"'),
        (lambda: Table(("a",), (("1", "2"),)), "2 cells"),
    ],
)
def test_a_malformed_block_is_refused_where_it_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_class_names_are_put_in_by_the_report():
    table = with_class_names(Table(("class",), (("{class 1}",), ("{class 7}",))), ("cat", "dog"))
    assert table.rows == (("dog",), ("class 7",))
    plot = with_class_names(Plot(("{class 0}",), {"{class 1}": np.ones(1)}, style="bar"), ("cat", "dog"))
    assert (plot.x, list(plot.lines)) == (("cat",), ["dog"])
    assert with_class_names(Text("why {class 0}?"), ("cat",)).text == "why cat?"
