"""Measuring an edit on many images: random edits are as large as the edit, and the server keeps edits first."""

import json
import threading

import numpy as np
import pytest
import torch
from sidelight_explorer.explainers.session_edits import hypothesis_tests
from sidelight_explorer.latent_edit import LatentEdit
from sidelight_explorer.measuring import measure
from sidelight_explorer.models import Models
from sidelight_explorer.session.edit import plain, read_edit
from sidelight_explorer.session.file import read_session, write_session
from sidelight_explorer.session.measure import (
    read_curve,
    read_measured,
    read_open_edit,
    read_test,
    write_curve,
    write_open_edit,
)
from sidelight_explorer.session.style import draw_id
from sidelight_explorer.validation import InvalidInput
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from starlette.testclient import TestClient

HEADERS = {"x-sidelight-token": "the token"}
SHAPE = (1, 32, 32)


@pytest.fixture
def models():
    return Models(ToyGenerator(SHAPE, "w"), {"main": ToyClassifier(SHAPE)}, 4, "cpu")


def drawn(models, count, seed=0):
    return models.generator.sample(count, np.random.default_rng(seed)).numpy()


def test_random_edits_are_as_long_in_w_and_change_the_image_as_much(models):
    bases, others = drawn(models, 6), drawn(models, 6, 1)
    pairs = [
        (LatentEdit(base), LatentEdit((base + 0.4 * (other - base)).astype(np.float32)))
        for base, other in zip(bases, others, strict=True)
    ]
    directions, asked = drawn(models, 8, 2)[::2] - drawn(models, 8, 2)[1::2], []
    real = models.score

    def score(edits, classifier, priority):
        asked.append(np.stack([edit.latents for edit in edits]))
        return real(edits, classifier, priority)

    models.score = score
    steps = []
    found = measure(models, pairs, directions, "main", 1, lambda done, total: steps.append((done, total)))
    assert len(found.before) == len(found.after) == len(found.turned) == 6
    sizes = [one.size for one in found.controls]
    assert sizes.count("w") == sizes.count("image") == 4
    lengths = np.linalg.norm(np.stack([after.latents - before.latents for before, after in pairs]), axis=2)
    of_w = asked[2] - bases[:4]  # after the images before and after: the first random edit of the first batch
    assert np.linalg.norm(of_w, axis=2) == pytest.approx(lengths[:4], rel=1e-4)
    assert all(one.moved == pytest.approx(found.image, rel=0.1) for one in found.controls if one.size == "image")
    assert found.w == pytest.approx(np.sqrt((lengths**2).sum(1)).mean(), rel=1e-5)
    assert all(total == 6 * 10 for _, total in steps)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_scores_are_the_displayed_ones_and_a_batch_is_as_good_as_one(models):
    bases, others = drawn(models, 5), drawn(models, 5, 1)
    pairs = [(LatentEdit(base), LatentEdit(other)) for base, other in zip(bases, others, strict=True)]
    found = measure(models, pairs, np.zeros((0, 2, 3)), "main", 1)
    with torch.no_grad():
        for values, rows in ((found.before, bases), (found.after, others)):
            images = models.generator.synthesize(torch.from_numpy(rows))
            expected = models.classifiers["main"].scores(images).softmax(1)[:, 1]
            assert values == pytest.approx(expected.numpy(), abs=1e-5)
    assert found.controls == ()


def test_an_edit_of_the_style_space_has_no_length_in_w(world):
    slider = next(one for one in world.state.sliders.values())
    base = LatentEdit(world.state.styles.latents("draw-3-0-100"))
    edited = slider.apply(base, 1.0)
    moves_w = not np.array_equal(edited.latents, base.latents)
    directions = np.stack([world.state.styles.random_direction(0, number) for number in range(2)])
    found = measure(world.state.models, [(base, edited)], directions, "main", 0)
    assert {one.size for one in found.controls} == ({"w", "image"} if moves_w else {"image"})


def test_an_edit_is_applied_as_the_page_pastes_it():
    value = {"layers": [None, [None, "draw-0-1-100", 40]], "moves": {"a": 0, "b": 30}}
    edit = read_open_edit(value, 2)
    assert write_open_edit(edit) == value
    spec = read_edit({"layers": [["x", "y", 20], ["u", "v", 10]], "moves": {"a": 50, "c": 7}}, 2)
    after = edit.apply(spec)
    assert [(mix.start, mix.end, mix.share) for mix in after.layers] == [("x", "y", 20), ("u", "draw-0-1-100", 40)]
    assert after.moves == (("b", 30), ("c", 7))
    assert edit.styles == {"draw-0-1-100"}
    for bad in (
        {"layers": [None]},
        {"layers": [None, ["a", 3]]},
        {"layers": [None, [1, "a", 3]]},
        {"layers": [None, None], "moves": {"a": 101}},
        {"layers": [None, None], "else": 1},
    ):
        with pytest.raises(InvalidInput):
            read_open_edit(bad, 2)


def wish(world, **changes):
    slider = next(iter(world.state.sliders))
    return {
        "edit": {"layers": [None, None], "moves": {slider: 100}},
        "on": "draws",
        "count": 6,
        "seed": 5,
        "controls": 3,
        "classifier": "main",
        "target": 1,
        **changes,
    }


@pytest.fixture
def tab(world):
    with TestClient(world.app, base_url="http://127.0.0.1:9") as client:
        yield Tab(world, client)


class Tab:
    def __init__(self, world, client):
        self.world, self.client = world, client
        self.path = f"/api/tabs/{self.post('/api/tabs').json()['tab']}"

    @property
    def own(self):
        return self.world.live.clients.find(self.path.rsplit("/", 1)[1])

    def post(self, path, body=None):
        return self.client.post(path, headers=HEADERS, json=body)

    def done(self, body):
        """The job of a test, when it is over."""
        answer = self.post(f"{self.path}/test", body)
        assert answer.status_code == 202, answer.text
        job = self.own.jobs[answer.json()["job"]]
        self.world.live.jobs._tests.submit(lambda: None).result(30)
        return job


def test_fresh_draws_are_measured_with_what_the_page_can_make_again(world, tab):
    job = tab.done(wish(world))
    assert job.state == "done", job.message
    measured = read_measured(job.result)
    assert measured.names == tuple(draw_id(5, index, 100) for index in range(6))
    specs = [plain(name, 2) for name in measured.names]
    shown = [image.drawn.values["main"][1] for image in world.state.show(specs)]
    assert measured.before == pytest.approx(shown, abs=1e-4)
    slider = next(iter(world.state.sliders))
    moved = [{"layers": [[name, name, 0]] * 2, "moves": {slider: 100}} for name in measured.names]
    curve = {"specs": [moved[:2], moved[2:]], "classifier": "main", "target": 1}
    scores = tab.post(f"{tab.path}/curve", curve).json()["scores"]
    assert list(map(len, scores)) == [2, 4]
    assert [score for row in scores for score in row] == pytest.approx(measured.after, abs=1e-4)
    assert measured.grouped == "answer"
    assert set(measured.groups) <= set(world.classifiers["main"].class_names)
    assert tab.done(wish(world)).result == job.result, "the same wish gives the same numbers"
    assert tab.done(wish(world, seed=6)).result != job.result


def test_images_of_the_data_come_with_their_labels_and_the_gallery_as_it_began(world, tab):
    job = tab.done(wish(world, on="data", split="test", count=4))
    assert job.state == "done", job.message
    measured = read_measured(job.result)
    split = world.stage.parts("data")[0].component().split("test")
    rows = [int(name.split("-")[2]) for name in measured.names]
    assert measured.groups == tuple(split.class_names[split.labels[row]] for row in rows)
    assert measured.grouped == "label"
    document = tab.post("/api/tabs").json()["document"]
    images = [image["start"] for image in document["images"]]
    job = tab.done(wish(world, on="gallery", count=len(images), images=images))
    assert len(job.result["before"]) == len(images)
    job = tab.done(wish(world, classifier="two", target=0))
    assert job.state == "done"


def test_true_factors_are_read_where_the_data_has_them(world, tab, monkeypatch):
    def learned(data, run):
        class Reader:
            names, r_squared = ("rows", "columns", "unread"), np.array([0.9, 0.8, 0.1])

            def half_ranges(self, before, after):
                change = (after - before).mean((1, 2, 3)).numpy()
                return np.stack([change, 2 * change + 1, change], 1)

        return Reader()

    monkeypatch.setattr("sidelight_toolkit.factors.factor_regressor", learned)
    assert tab.post("/api/tabs").json()["facts"]["factors"] is False, "nobody keeps the network here"
    assert tab.post(f"{tab.path}/test", wish(world, factors=True)).status_code == 409
    world.live._run = object()
    del world.live.__dict__["_measurer"]
    assert tab.post("/api/tabs").json()["facts"]["factors"] is True
    job = tab.done(wish(world, factors=True))
    factors = read_measured(job.result).factors
    assert [factor.name for factor in factors] == ["columns", "rows"], "the largest first, the unread left out"
    assert factors[0].low <= factors[0].change <= factors[0].high


def test_what_cannot_be_measured_is_refused_in_words(world, tab):
    for changes, code in (
        ({"on": "nowhere"}, 400),
        ({"count": 0}, 400),
        ({"count": 501}, 400),
        ({"controls": 101}, 400),
        ({"classifier": "three"}, 400),
        ({"target": 99}, 400),
        ({"on": "data", "split": "attic"}, 404),
        ({"on": "gallery"}, 422),
        ({"edit": {"layers": [None]}}, 400),
        ({"edit": {"layers": [None, None], "moves": {"a": 1.5}}}, 400),
    ):
        answer = tab.post(f"{tab.path}/test", wish(world, **changes))
        assert answer.status_code == code, (changes, answer.text)
        assert set(answer.json()) == {"error"}
    for edit, message in (
        ({"layers": [None, None], "moves": {}}, "changes none"),
        ({"layers": [None, None], "moves": {"unknown": 5}}, "no attribute"),
        ({"layers": [["unknown", None, 0], None], "moves": {}}, "no style"),
    ):
        job = tab.done(wish(world, edit=edit))
        assert job.state == "failed"
        assert message in job.message
    many = {"specs": [[]] * 1501, "classifier": "main", "target": 1}
    assert tab.post(f"{tab.path}/curve", many).status_code == 400
    spec = {"layers": [["average", "average", 0]] * 2, "moves": {}}
    assert tab.post(f"{tab.path}/curve", {**many, "specs": [[spec] * 800] * 2}).status_code == 413


def test_a_test_can_be_cancelled_and_an_inversion_does_not_wait_for_it(world, tab):
    begun, leave = threading.Event(), threading.Event()
    real = world.state.models.score

    def score(*arguments):
        begun.set()
        leave.wait(10)
        return real(*arguments)

    world.state.models.score = score
    answer = tab.post(f"{tab.path}/test", wish(world, count=50, controls=20))
    assert begun.wait(10)
    inversion = tab.post(f"{tab.path}/data", {"split": "test", "index": 0}).json()["job"]
    world.live.jobs._pool.submit(lambda: None).result(10)
    assert tab.own.jobs[inversion].state == "done"
    job = tab.own.jobs[answer.json()["job"]]
    assert job.state == "running"
    assert tab.post(f"{tab.path}/cancel", {"job": job.id}).status_code == 200
    leave.set()
    world.live.jobs._tests.submit(lambda: None).result(10)
    assert job.state == "cancelled"


def test_a_session_keeps_tests_and_older_files_open(world, tab):
    measured = tab.done(wish(world)).result
    document = tab.post("/api/tabs").json()["document"]
    test = {"expected": "up", "least": 0.05, "measure": wish(world), "measured": measured}
    styled = wish(world, edit={"layers": [[None, "draw-9-9-100", 60], None], "moves": {}})
    note = {"id": "n1", "image": "i0", "text": "rows decide", "verdict": "verified"}
    document["notes"] = [note, {**note, "id": "n2", "tests": [test, {**test, "measure": styled}], "reason": "I saw it"}]
    saved = tab.post(f"{tab.path}/save", document).json()
    assert saved["notes"][0] == note, "what an older page knows looks as it did"
    assert saved["notes"][1]["tests"][0]["measured"] == measured
    assert saved["notes"][1]["reason"] == "I saw it"
    assert "draw-9-9-100" in saved["latents"]
    assert [slider["id"] for slider in saved["sliders"]] == [next(iter(world.state.sliders))]
    assert tab.post(f"{tab.path}/open", saved).status_code == 200
    session = read_session(saved, 2)
    assert read_session(write_session(session), 2).notes == session.notes
    outcome = session.notes[1].tests[0].outcome
    assert outcome.count == 6
    assert outcome.verdict in ("supported", "contradicted", "not established")
    for key, bad in (
        ("before", measured["before"][1:]),
        ("before", []),
        ("turned", [True]),
        ("after", [1e300] * 6),
        ("controls", [{"size": "w", "change": 0, "turned": 2, "moved": 0}]),
        ("groups", [3] * 6),
        ("moved", {}),
    ):
        with pytest.raises(InvalidInput):
            read_test({**test, "measured": {**measured, key: bad}}, 2)
    assert json.loads(json.dumps(saved)) == saved
    with pytest.raises(InvalidInput, match="at most 20"):
        read_session({**saved, "notes": [{**note, "tests": [test] * 21}]}, 2)


def test_a_curve_is_kept_and_a_crooked_one_refused():
    curve = {
        "along": "lips, %",
        "image": "face 1",
        "classifier": "main",
        "target": 1,
        "positions": [0.0, 50.0, 100.0],
        "scores": [0.1, 0.5, 0.9],
        "band": {"count": 24, "mean": [0.2, 0.3, 0.4], "low": [0.1, 0.1, 0.1], "high": [0.5, 0.6, 0.7]},
    }
    written = json.loads(json.dumps(write_curve(read_curve(curve))))
    assert written == curve
    bare = {key: value for key, value in curve.items() if key != "band"}
    assert json.loads(json.dumps(write_curve(read_curve(bare)))) == bare
    for changes in (
        {"scores": [0.1]},
        {"positions": [], "scores": []},
        {"band": {**curve["band"], "low": [0.1]}},
        {"scores": ["a"] * 3},
        {"target": -1},
        {"else": 1},
    ):
        with pytest.raises(InvalidInput):
            read_curve({**curve, **changes})


def test_the_report_gets_each_test_with_its_verdict_and_numbers(world, tab):
    measured = tab.done(wish(world)).result
    document = tab.post("/api/tabs").json()["document"]
    test = {"expected": "up", "least": 0.05, "measure": wish(world), "measured": measured}
    note = {"id": "n1", "image": "i0", "text": "columns decide", "verdict": "falsified", "reason": "it looks otherwise"}
    document["notes"] = [{**note, "tests": [test, test]}, {**note, "id": "n2", "tests": [test, test]}]
    session = read_session(document, 2)
    found = hypothesis_tests(session)
    items = found.items
    found.validate()
    assert found.view(11), "a run of more images than the test shows it too"
    assert [item.name for item in items] == [
        "columns decide (test 1)",
        "columns decide (test 2)",
        "columns decide (test 1) [n2]",
        "columns decide (test 2) [n2]",
    ]
    outcome = session.notes[0].tests[0].outcome
    assert items[0].value == pytest.approx(outcome.mean, abs=1e-6)
    assert items[0].interval == (outcome.low, outcome.high)
    assert items[0].help == str(outcome)
    assert items[0].settings["verdict"] == "falsified, because it looks otherwise"
    assert items[0].settings["by the rule"] == outcome.verdict
