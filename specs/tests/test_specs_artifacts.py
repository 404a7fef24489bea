"""Artifacts: what is saved comes back, damaged files are refused, nothing runs code."""

import json
import pickle

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sidelight_specs import Artifact, SidelightError, kinds
from sidelight_specs.artifacts import per_image
from sidelight_specs.results import (
    AttentionGraph,
    Attribute,
    Attributes,
    Counterfactual,
    Graph,
    GraphNode,
    Heatmap,
    ImageAttributes,
    Inversion,
    Measurement,
    Measurements,
    Split,
    State,
    Targets,
)
from sidelight_specs.testing.compare import difference

FINITE = st.floats(-1e6, 1e6, width=32)
ANY = st.floats(width=32)
NAMES = st.text(min_size=0, max_size=8)


def floats(*shape, elements=FINITE):
    return hnp.arrays(np.float32, shape, elements=elements)


def heatmaps(draw, n):
    values = draw(floats(n, 3, 4, elements=ANY))
    return Heatmap(values=values, signed=draw(st.booleans()), resolution=draw(st.none() | st.just((2, 2))))


def splits(draw, n):
    return Split(
        images=draw(floats(n, 1, 2, 2)),
        labels=draw(st.none() | hnp.arrays(np.int64, n)),
        class_names=tuple(draw(st.lists(NAMES, max_size=3))),
        ids=tuple(draw(st.lists(NAMES, min_size=n, max_size=n))),
        factors={name: draw(floats(n)) for name in draw(st.lists(NAMES, max_size=2, unique=True))},
        masks={"a.b": draw(hnp.arrays(np.bool_, (n, 2, 2)))},
    )


def graphs(draw, n):
    node = st.builds(
        GraphNode,
        patches=st.lists(st.integers(0, 8), max_size=3).map(tuple),
        confidence=st.floats(),
        root=st.booleans(),
        children=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    )
    graph = st.builds(Graph, nodes=st.lists(node, max_size=3).map(tuple), probability=st.floats(0, 1))
    return AttentionGraph(graphs=tuple(draw(st.lists(graph, min_size=n, max_size=n))), grid=(3, 3), baseline=None)


def counterfactuals(draw, n):
    return Counterfactual(
        answers=draw(st.sampled_from(["predicted", "probe", "contrast"])),
        images=draw(floats(n, 1, 2, 2)),
        logits_before=draw(floats(n, 2)),
        logits_after=draw(floats(n, 2)),
        converged=draw(hnp.arrays(np.bool_, n)),
        constraints={"third class": draw(floats(n))},
        path_steps=draw(st.none() | hnp.arrays(np.int64, 3)),
    )


def inversions(draw, n):
    return Inversion(latents=draw(floats(n, 2, 3)), reconstructions=draw(floats(n, 1, 2, 2)), error=draw(floats(n)))


@st.composite
def artifacts(draw, makers=(heatmaps, splits, graphs, counterfactuals, inversions), low=0):
    return draw(st.sampled_from(makers))(draw, draw(st.integers(low, 3)))


@settings(max_examples=60, deadline=None)
@given(artifact=artifacts())
def test_what_is_saved_comes_back(tmp_path_factory, artifact):
    folder = tmp_path_factory.mktemp("artifact")
    artifact.save(folder)
    for cls in (Artifact, type(artifact)):
        loaded = cls.load(folder)
        assert type(loaded) is type(artifact)
        assert difference(loaded, artifact) == ""
        assert loaded.digest() == artifact.digest()


@settings(max_examples=40, deadline=None)
@given(artifact=artifacts(low=1), data=st.data())
def test_rows_taken_apart_and_joined_are_the_same(artifact, data):
    length = len(
        artifact.images
        if hasattr(artifact, "images")
        else getattr(artifact, "values", None)
        if hasattr(artifact, "values")
        else getattr(artifact, "graphs", None) or artifact.latents
    )
    cut = data.draw(st.integers(0, length))
    parts = [artifact.take(range(cut)), artifact.take(range(cut, length))]
    assert type(artifact).concat(parts).digest() == artifact.digest()


@settings(max_examples=40, deadline=None)
@given(values=floats(2, 2, 3), row=st.integers(0, 1))
def test_the_digest_follows_every_value(values, row):
    changed = values.copy()
    changed[row, 1, 2] = values[row, 1, 2] + 1
    assert (Heatmap(values=values).digest() == Heatmap(values=changed).digest()) == np.array_equal(values, changed)


def test_the_digest_follows_shape_dtype_and_plain_fields():
    values = np.zeros((1, 2, 3), dtype=np.float32)
    kinds = [
        Heatmap(values=values),
        Heatmap(values=values.reshape(1, 3, 2)),
        Heatmap(values=values.astype(np.float64)),
        Heatmap(values=values, signed=False),
        Heatmap(values=values, answers="probe"),
        Heatmap(values=values, resolution=(1, 1)),
    ]
    assert len({kind.digest() for kind in kinds}) == len(kinds)


def test_the_digest_does_not_follow_memory_layout():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert Heatmap(values=values).digest() == Heatmap(values=np.asfortranarray(values)).digest()


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        Heatmap(values=np.ones((1, 2, 2), dtype=np.float32)).save(tmp_path / name)
    for file in ("artifact.json", "arrays.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_field_called_file_does_not_clash_with_numpy(tmp_path):
    state = State(arrays={"file": np.ones(2), "args": np.zeros(1), "": np.ones(1)}, settings={"a": "b"})
    state.save(tmp_path)
    assert State.load(tmp_path).digest() == state.digest()


@pytest.mark.parametrize("name", ["null\0byte", "a/b", "..", "line\nbreak"])
def test_names_that_archives_take_otherwise_come_back(tmp_path, name):
    state = State(arrays={name: np.arange(3.0)})
    state.save(tmp_path)
    assert State.load(tmp_path).digest() == state.digest()


def test_measurements_keep_infinities_and_missing_curves(tmp_path):
    item = Measurement(name="x", values=np.array([np.nan, np.inf], dtype=np.float32), settings={"steps": "3"})
    Measurements(items=(item,)).save(tmp_path)
    (loaded,) = Measurements.load(tmp_path).items
    assert np.isnan(loaded.values[0])
    assert np.isinf(loaded.values[1])
    assert loaded.settings == {"steps": "3"}
    assert loaded.curve_x is None


def test_plain_numpy_scalars_and_infinite_floats_survive(tmp_path):
    found = Attributes(attributes=(Attribute(name="a", coordinate=np.int64(3), effect=float("inf")),))
    found.save(tmp_path)
    (loaded,) = Attributes.load(tmp_path).attributes
    assert loaded == Attribute(name="a", coordinate=3, effect=float("inf"))


def image_attributes(pool, chosen):
    count, each = np.shape(chosen)
    return ImageAttributes(
        attributes=pool,
        chosen=np.array(chosen, dtype=np.int64),
        before=np.zeros((count, 1, 2, 2), dtype=np.float32),
        after=np.zeros((count, each, 1, 2, 2), dtype=np.float32),
        logits=np.zeros((count, 2), dtype=np.float32),
        logits_before=np.zeros((count, 2), dtype=np.float32),
        logits_after=np.zeros((count, each, 2), dtype=np.float32),
    )


def test_attributes_of_images_are_joined_with_their_pools():
    one, two, other = (Attribute(name=name, coordinate=0, target=int(name[0])) for name in ("1 a", "1 b", "0 c"))
    joined = ImageAttributes.concat([image_attributes((one, two), [[1, -1]]), image_attributes((other, one), [[1, 0]])])
    assert joined.attributes == (other, one, two)
    assert joined.chosen.tolist() == [[2, -1], [1, 0]]


def test_names_along_the_path_follow_their_images(tmp_path):
    found = Counterfactual(
        images=np.zeros((2, 1, 2, 2), dtype=np.float32),
        logits_before=np.zeros((2, 2), dtype=np.float32),
        logits_after=np.zeros((2, 2), dtype=np.float32),
        converged=np.ones(2, dtype=bool),
        path_names=(("", "hair"), ("", "lips")),
    )
    Counterfactual.concat([found.take([1]), found.take([0])]).save(tmp_path)
    assert Counterfactual.load(tmp_path).path_names == (("", "lips"), ("", "hair"))


def test_loading_as_another_kind_is_refused(tmp_path):
    Targets(predicted=np.zeros(1, dtype=np.int64), probe=np.zeros(1, dtype=np.int64)).save(tmp_path)
    with pytest.raises(SidelightError, match="holds a 'targets', not a 'heatmap'"):
        Heatmap.load(tmp_path)


@pytest.fixture
def saved(tmp_path):
    Heatmap(values=np.ones((1, 2, 2), dtype=np.float32)).save(tmp_path)
    return tmp_path


def rewrite(folder, **changes):
    document = json.loads((folder / "artifact.json").read_text())
    (folder / "artifact.json").write_text(json.dumps({**document, **changes}))


def cut(folder):
    data = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(data[: len(data) // 2])


def pickled(folder):
    np.savez(folder / "arrays.npz", values=np.array([{"a": 1}], dtype=object))


def with_extra_field(folder):
    fields = json.loads((folder / "artifact.json").read_text())["fields"]
    rewrite(folder, fields={**fields, "unheard": 1})


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "artifact.json").unlink(),
        lambda folder: (folder / "arrays.npz").unlink(),
        lambda folder: (folder / "artifact.json").write_text("{"),
        lambda folder: (folder / "artifact.json").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "artifact.json").write_text("[]"),
        lambda folder: (folder / "arrays.npz").write_bytes(b""),
        lambda folder: (folder / "arrays.npz").write_bytes(pickle.dumps([1])),
        lambda folder: rewrite(folder, kind="no-such-kind"),
        lambda folder: rewrite(folder, fields={}),
        lambda folder: rewrite(folder, fields={"values": {"$array": "elsewhere"}}),
        with_extra_field,
        pickled,
        cut,
    ],
)
def test_damaged_files_are_refused_with_their_place(saved, damage):
    damage(saved)
    with pytest.raises(SidelightError, match=str(saved)):
        Heatmap.load(saved)


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


def test_loading_never_unpickles(saved):
    np.savez(saved / "arrays.npz", values=np.array([Bomb()], dtype=object))
    with pytest.raises(SidelightError):
        Artifact.load(saved)
    assert not Bomb.exploded


def test_arrays_of_objects_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match="values: arrays of Python objects"):
        Heatmap(values=np.array([{}], dtype=object)).save(tmp_path)


def test_other_values_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match=r"settings\.when: a complex cannot be saved"):
        State(settings={"when": 1j}).save(tmp_path)


@attrs.frozen(eq=False, kw_only=True)
class Strangers(Artifact):
    """A plugin's own artifact."""

    kind = "specs-test-stranger"
    rows: np.ndarray = per_image()
    table: dict[str, tuple[int, ...]] = attrs.field(factory=dict)


def test_a_plugins_own_artifact_is_found_by_its_kind(tmp_path):
    kinds.register(Strangers)
    Strangers(rows=np.arange(3), table={"a": (1, 2)}).save(tmp_path)
    loaded = Artifact.load(tmp_path)
    assert isinstance(loaded, Strangers)
    assert loaded.table == {"a": (1, 2)}


@attrs.frozen(eq=False, kw_only=True)
class Clashing(Artifact):
    """Names that numpy's own functions use, and names that hold dots."""

    kind = "specs-test-clashing"
    file: np.ndarray
    args: np.ndarray
    nested: dict[str, dict[str, np.ndarray]] = attrs.field(factory=dict)


def test_fields_may_be_called_as_numpys_arguments_are(tmp_path):
    Clashing(file=np.zeros(2), args=np.ones(3)).save(tmp_path)
    loaded = Clashing.load(tmp_path)
    assert (loaded.file.shape, loaded.args.shape) == ((2,), (3,))


def test_two_arrays_with_one_path_are_refused_instead_of_mixed_up(tmp_path):
    nested = {"a": {"b.c": np.zeros(1)}, "a.b": {"c": np.ones(1)}}
    with pytest.raises(TypeError, match="two arrays have this path"):
        Clashing(file=np.zeros(1), args=np.zeros(1), nested=nested).save(tmp_path)


def test_nothing_cannot_be_joined():
    with pytest.raises(ValueError, match="nothing to join"):
        Heatmap.concat([])


def test_shards_that_disagree_cannot_be_joined():
    one = Split(images=np.zeros((1, 1, 2, 2), dtype=np.float32), labels=np.zeros(1, dtype=np.int64))
    with pytest.raises(ValueError, match="missing in others"):
        Split.concat([one, attrs.evolve(one, labels=None)])
