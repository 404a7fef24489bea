"""Names of sliders, saved directions, and what the run keeps of them."""

import json

import attrs
import numpy as np
import pytest
from sidelight_explorer._params import WebParams
from sidelight_explorer.explainers.session_edits import session_edits
from sidelight_explorer.export import precomputed_edits
from sidelight_explorer.renderer import Web
from sidelight_explorer.server import listener
from sidelight_explorer.server.app import application
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.edit import Mix, plain, with_move, with_style, write_edit
from sidelight_explorer.session.file import SavedSession, read_session, with_sliders, write_session
from sidelight_explorer.session.names import FILE, MOST_BYTES, KeptNames, Label
from sidelight_explorer.session.slider import (
    MOST_LOADED,
    Sliders,
    make_slider,
    opposites,
    read_slider,
    saved_slider,
    write_slider,
)
from sidelight_explorer.validation import InvalidInput
from sidelight_specs import UserError
from sidelight_specs.results import Attribute
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from starlette.testclient import TestClient

from .conftest import TOKEN

WAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def client(world, tmp_path):
    """A visitor of a run that keeps names; `post(name, body)`."""
    with visit(world, tmp_path) as one:
        yield one


class Visitor:
    def __init__(self, http):
        self.http = http
        self.entered = http.post("/api/tabs", headers={"x-sidelight-token": TOKEN}).json()

    def post(self, name, body):
        address = f"/api/tabs/{self.entered['tab']}/{name}"
        return self.http.post(address, json=body, headers={"x-sidelight-token": TOKEN})


class visit:
    def __init__(self, world, folder):
        names = folder and KeptNames(folder, (2, 3))
        world.state.sliders.keep(names.directions if names else ())
        live = LiveState(world.state, world.stage, world.session, own={}, encodes=False, names=names)
        self.client = TestClient(application(live, TOKEN, upload=1 << 20), base_url="http://127.0.0.1")

    def __enter__(self):
        return Visitor(self.client.__enter__())

    def __exit__(self, *details):
        self.client.__exit__(*details)


def first(world):
    return next(iter(world.state.sliders))


def test_opposite_sliders_share_an_axis_and_say_which_way_they_go():
    up, down = (Attribute(name="n", coordinate=7, shift=sign * 2.0, value=sign * 3.0) for sign in (1, -1))
    pair = [make_slider("style", attribute, None) for attribute in (up, down)]
    pair += [make_slider("way", Attribute(name="n", coordinate=0, shift=1.0), sign * WAY) for sign in (1, -1)]
    other = make_slider("way", Attribute(name="n", coordinate=0, shift=1.0), WAY[::-1])
    axes = [slider.axis for slider in pair]
    assert axes[0] == axes[1] == "7"
    assert axes[2] == axes[3] != other.axis
    assert [slider.rises for slider in pair] == [True, False, True, False]
    for slider in pair:
        assert read_slider(json.loads(json.dumps(write_slider(slider))), 2).rises == slider.rises


def test_a_page_from_disk_holds_both_ends_of_a_pair_and_starred_sliders_first(world):
    up, down = (
        make_slider("style", Attribute(name="n", coordinate=4, shift=sign * 2.0, value=sign * 3.0), None)
        for sign in (1, -1)
    )
    assert opposites([up, down, up]) == {up.id: down.id, down.id: up.id}
    saved = saved_slider("mine", WAY)
    image = attrs.evolve(world.session.images[0], now=with_move(world.session.images[0].start, up.id, 100))
    labels = {down.id: Label(hidden=True), saved.id: Label(starred=True)}
    session = attrs.evolve(world.session, images=(image,), styles=(), sliders=(saved,), labels=labels)
    sliders = {one.id: one for one in (up, down)}
    edits = [edit.moves for edit in precomputed_edits(session, 100, sliders)][2:]
    assert edits[0] == tuple(sorted([(up.id, 100), (saved.id, 100)])), "the session's own, and the starred one first"
    assert edits[-1] == ((down.id, 100),), "one end is left for the other"


def test_a_saved_direction_moves_its_layers_and_is_known_by_its_length():
    whole, part, longer = saved_slider("a +50%", WAY), saved_slider("b", WAY, (1, 2)), saved_slider("c", 2 * WAY)
    assert whole.name == "a +50%", "a user's name is left as it is"
    np.testing.assert_array_equal(part.direction, [[0, 0, 0], WAY[1]])
    assert len({whole.id, part.id, longer.id}) == 3
    assert read_slider(json.loads(json.dumps(write_slider(longer))), 2).id == longer.id
    with pytest.raises(InvalidInput, match="nothing in W"):
        saved_slider("none", np.zeros((2, 3), np.float32))
    with pytest.raises(InvalidInput, match="nothing in W"):
        saved_slider("none", np.stack([WAY[1], 0 * WAY[1]]), (1, 2))


def test_an_edit_becomes_a_slider_that_adds_the_same_difference_to_any_image(world, client):
    start = plain("draw-1-0-100", 2)
    now = with_style(start, range(1, 2), "draw-2-0-100", 60)
    made = client.post("direction", {"name": "mine", "start": write_edit(start), "now": write_edit(now)}).json()
    slider = read_slider(made, 2)
    assert (slider.name, slider.finder) == ("mine", "saved")
    latents = world.state.styles.latents
    difference = 0.6 * (latents("draw-2-0-100") - latents("draw-1-0-100"))
    np.testing.assert_allclose(slider.direction, [0 * difference[0], difference[1]], atol=1e-6)
    moved, same = world.state.show([with_move(start, slider.id, 100), now])
    np.testing.assert_allclose(moved.drawn.pixels, same.drawn.pixels, atol=1)
    part = client.post("direction", {"name": "top", "slider": slider.id, "layers": [1, 2]}).json()
    np.testing.assert_allclose(read_slider(part, 2).direction, slider.direction)


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"now": None}, 400, "now"),
        ({"layers": [1, 1]}, 400, "layers"),
        ({"layers": [0, 3]}, 400, "layers"),
        ({"layers": [0]}, 400, "layers"),
        ({"name": "two\nlines"}, 400, "one line"),
        ({"name": 7}, 400, "text"),
        ({"slider": "finder.9"}, 404, "no attribute"),
        ({"extra": 1}, 400, "extra"),
        ({"layers": [0, 1]}, 409, "nothing in W"),
    ],
)
def test_a_direction_that_cannot_be_made_is_refused(client, change, status, word):
    start = plain("draw-1-0-100", 2)
    now = with_style(start, range(1, 2), "draw-2-0-100")
    wish = {"name": "mine", "start": write_edit(start), "now": write_edit(now), **change}
    answer = client.post("direction", wish)
    assert answer.status_code == status
    assert word in answer.json()["error"]


def test_a_coordinate_of_the_style_space_is_no_direction_in_w(world, client):
    coordinate = make_slider("style", Attribute(name="s", coordinate=4, shift=2.0), None)
    world.state.sliders.load([coordinate])
    answer = client.post("direction", {"name": "part", "slider": coordinate.id, "layers": [0, 1]})
    assert (answer.status_code, "one layer" in answer.json()["error"]) == (409, True)
    start = plain("draw-1-0-100", 2)
    moved = with_move(start, coordinate.id, 50)
    assert (
        client.post("direction", {"name": "a", "start": write_edit(start), "now": write_edit(moved)}).status_code == 409
    )


def test_names_are_kept_with_the_run_and_there_at_the_next_visit(world, client, tmp_path):
    start, slider = plain("draw-1-0-100", 2), first(world)
    now = with_style(start, range(2), "draw-2-0-100")
    made = client.post("direction", {"name": "mine", "start": write_edit(start), "now": write_edit(now)}).json()
    labels = {slider: {"name": "lips", "starred": True}, made["id"]: {"name": "mine"}}
    assert client.post("names", {"labels": labels}).status_code == 200
    with visit(world, tmp_path) as again:
        document = again.entered["document"]
        assert again.entered["facts"]["keepsNames"]
        assert document["labels"] == labels
        assert [one["id"] for one in document["sliders"]] == [made["id"]]
        assert again.post("names", {"labels": {slider: {"hidden": True}, made["id"]: None}}).status_code == 200
    with visit(world, tmp_path) as last:
        assert last.entered["document"]["labels"] == {slider: {"hidden": True}}
        assert last.entered["document"]["sliders"] == []
    assert [path.name for path in (tmp_path / FILE).parent.iterdir()] == ["names.json"], "no draft is left"


def test_directions_that_a_run_keeps_are_not_forgotten_for_others(world, client, monkeypatch):
    start = plain("draw-1-0-100", 2)
    now = with_style(start, range(2), "draw-2-0-100")
    made = client.post("direction", {"name": "mine", "start": write_edit(start), "now": write_edit(now)}).json()
    drawn, rng = {"specs": [write_edit(with_move(start, made["id"], 50))]}, np.random.default_rng(0)
    for labels, status in (({made["id"]: {"name": "mine"}}, 200), ({made["id"]: None}, 404)):
        assert client.post("names", {"labels": labels}).status_code == 200
        others = rng.normal(size=(MOST_LOADED, 2, 3)).astype(np.float32)
        world.state.sliders.load(saved_slider("other", direction) for direction in others)
        assert client.post("draw", drawn).status_code == status


def test_what_a_run_keeps_is_newer_than_the_session_that_pages_begin_with(world, tmp_path):
    world.session = attrs.evolve(world.session, labels={first(world): Label("old", starred=True), "gone.1": Label("g")})
    with visit(world, tmp_path) as one:
        assert one.post("names", {"labels": {first(world): {}}}).status_code == 200
    with visit(world, tmp_path) as again:
        assert again.entered["document"]["labels"] == {first(world): {}, "gone.1": {"name": "g"}}


@pytest.mark.parametrize(
    ("labels", "status"),
    [
        ({"finder.9": {"name": "x"}}, 404),
        ({"a": {"name": "x" * 201}}, 400),
        ({"a": {"name": "a\u0000b"}}, 400),
        ({"a": {"name": "\ud800"}}, 400),
        ({"a": {"starred": 1}}, 400),
        ({"a": {"colour": "red"}}, 400),
        ({"a": []}, 400),
        ([], 400),
        ({str(index): None for index in range(1001)}, 400),
    ],
)
def test_labels_that_are_none_are_refused_and_change_nothing(client, tmp_path, labels, status):
    body = json.dumps({"labels": labels}).encode()
    address = f"/api/tabs/{client.entered['tab']}/names"
    answer = client.http.post(address, content=body, headers={"x-sidelight-token": TOKEN})
    assert answer.status_code == status
    assert not (tmp_path / FILE).exists()
    assert client.http.post(address, content=b'{"labels": {}}').status_code == 403, "without the token"


def test_what_a_run_keeps_is_bounded(tmp_path):
    names = KeptNames(tmp_path, (2, 200_000))
    large = saved_slider("large", np.ones((2, 200_000), np.float32))
    assert 2 * 200_000 * 4 < MOST_BYTES < 3 * 200_000 * 4 * 2
    others = {f"saved.{index}": large for index in range(3)}
    with pytest.raises(InvalidInput, match="at most 4 MiB"):
        names.change(dict.fromkeys(others, Label("large")), others)
    assert not names.labels
    assert not (tmp_path / FILE).exists()


def test_a_folder_that_cannot_be_written_says_so(world, tmp_path):
    (tmp_path / "explorer").write_text("a file where the folder goes")
    with visit(world, tmp_path) as one:
        answer = one.post("names", {"labels": {first(world): {"name": "lips"}}})
        assert (answer.status_code, "cannot be kept" in answer.json()["error"]) == (409, True)
    with visit(world, None) as one:
        assert not one.entered["facts"]["keepsNames"]
        assert one.post("names", {"labels": {}}).status_code == 409


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "labels": {}, "sliders": []}', '{"format": 1}'])
def test_a_damaged_file_of_names_is_named_and_not_overwritten(tmp_path, text):
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UserError, match=r"names\.json") as caught:
        KeptNames(tmp_path, (2, 3))
    assert "remove" in caught.value.fix
    assert path.read_text() == text


def test_directions_of_another_generator_wait_for_it(tmp_path):
    one, other = saved_slider("one", WAY), saved_slider("other", np.ones((4, 3), np.float32))
    for slider, shape in ((one, (2, 3)), (other, (4, 3))):
        KeptNames(tmp_path, shape).change({slider.id: Label(slider.name)}, {slider.id: slider})
    for slider, shape in ((one, (2, 3)), (other, (4, 3))):
        names = KeptNames(tmp_path, shape)
        assert [each.name for each in names.directions] == [slider.name]
        assert names.left_out == 1


def test_a_session_holds_labels_stars_and_saved_directions_and_older_ones_open(world):
    saved, slider = saved_slider("mine", WAY), first(world)
    world.state.sliders.load([saved])
    styles = (attrs.evolve(world.session.styles[0], starred=True), *world.session.styles[1:])
    labels = {slider: Label("lips", starred=True), "gone.1": Label(hidden=True)}
    session = attrs.evolve(world.session, styles=styles, labels=labels, sliders=(saved,))
    value = json.loads(json.dumps(write_session(with_sliders(session, world.state.sliders))))
    again = read_session(value, 2)
    assert (again.labels, again.styles) == (labels, styles)
    assert {one.id for one in again.sliders} == {saved.id, slider}
    older = {key: part for key, part in value.items() if key != "labels"}
    older["sliders"] = [
        {key: part for key, part in one.items() if key not in ("along", "axis", "rises")} for one in value["sliders"]
    ]
    assert not read_session(older, 2).labels
    assert [one.axis for one in read_session(older, 2).sliders] == [one.axis for one in again.sliders]
    for crafted in (
        {"labels": {"a": {"name": 1}}},
        {"labels": []},
        {"styles": [{"id": "a", "name": "a", "starred": "yes"}]},
    ):
        with pytest.raises(InvalidInput):
            read_session({**value, **crafted}, 2)


def test_a_report_of_a_session_calls_sliders_by_their_new_names(world):
    start = world.session.images[0].start
    slider = make_slider("style", Attribute(name="channel 4, up", coordinate=4, shift=2.0), None)
    image = attrs.evolve(world.session.images[0], now=with_move(start, slider.id, 40))
    session = attrs.evolve(
        world.session, images=(image,), sliders=(slider,), labels={slider.id: Label("colour of the lips")}
    )
    latents = {name: world.state.styles.latents(name) for name in session.used_styles}
    known = Sliders({}, world.generator, styled=True)
    known.load([slider])
    (edit,) = session_edits(SavedSession(session, latents, known), "s.json").all
    assert edit.change.layer == "colour of the lips (channel 4, up), 40 %"


def test_serving_a_run_keeps_names_beside_it_unless_told_not_to(world, monkeypatch, tmp_path):
    served = {}
    monkeypatch.setattr(listener, "serve", lambda app, listening, opened, closing: (served.update(app=app), opened()))
    world.stage.roles["classifier"] = ()
    part = type(world.stage.roles["data"][0])
    world.stage.roles["classifier"] = (part("main", world.classifiers["main"]),)
    world.stage.folder = tmp_path
    needs = {"generator": world.generator, "classifier": world.classifiers["main"], "run": ToyRun()}
    small = {"images": 3, "styles": 2, "groups": 2, "region": 32}
    for names in (True, False):
        Web(WebParams(**small, names=names), **needs).serve(attrs.evolve(toy_results(), inversion=None), world.stage)
        token = world.stage.address.split("token=")[1]
        with TestClient(served["app"], base_url="http://127.0.0.1") as client:
            entered = client.post("/api/tabs", headers={"x-sidelight-token": token}).json()
            assert entered["facts"]["keepsNames"] == names


def test_a_mix_that_is_the_same_moves_nothing(world, client):
    start = plain("draw-1-0-100", 2)
    now = attrs.evolve(start, layers=(Mix("draw-1-0-100", "draw-2-0-100", 0), *start.layers[1:]))
    answer = client.post("direction", {"name": "none", "start": write_edit(start), "now": write_edit(now)})
    assert answer.status_code == 409
