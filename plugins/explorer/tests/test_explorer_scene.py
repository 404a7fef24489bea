"""Styles, mixing, attributes, the region, documents: what the page's images are made of."""

import json
import shutil
import subprocess
import threading
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from sidelight_explorer.models import Models
from sidelight_explorer.server.jobs import Jobs
from sidelight_explorer.server.priority_lock import Rank, Turns
from sidelight_explorer.server.validation import Bad
from sidelight_explorer.session.edit import Mix, Spec, group_layers, plain, read_spec, with_style, write_spec
from sidelight_explorer.session.export import wanted
from sidelight_explorer.session.file import read_document, read_latents, write_document, write_latents
from sidelight_explorer.session.latent_edit import Point, located
from sidelight_explorer.session.slider import movable, movables
from sidelight_explorer.session.slider_file import Sliders, read_slider, write_slider
from sidelight_explorer.w_region import region
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator

SHAPE = (1, 32, 32)
SPECJS = Path(__file__).parent.parent / "src/sidelight_explorer/web/spec.js"
CASES = [
    Spec((Mix("a", "b", 0), Mix("a", "b", 100)), ()),
    Spec((Mix("a", "b", 37), Mix("b", "b", 50)), (("f.0", -20), ("f.1", 5))),
    Spec((Mix("draw-1-2-85", "average", 1), Mix("a", "a", 100)), ()),
]


def test_a_mix_is_linear_in_each_layer_and_ends_at_its_styles():
    w = {"a": np.zeros((2, 3), np.float32), "b": np.arange(6, dtype=np.float32).reshape(2, 3)}
    spec = Spec((Mix("a", "b", 25), Mix("a", "b", 100)))
    np.testing.assert_allclose(located(spec, w.__getitem__, {}).latents, [0.25 * w["b"][0], w["b"][1]])
    assert located(plain("b", 2), w.__getitem__, {}).key == located(spec, lambda _: w["b"], {}).key


def test_groups_are_adjacent_and_the_first_are_larger():
    assert group_layers(18, 4) == [range(5), range(5, 10), range(10, 14), range(14, 18)]
    assert group_layers(3, 3) == [range(1), range(1, 2), range(2, 3)]
    edited = with_style(plain("a", 3), range(1, 3), "b", 40)
    assert edited.layers == (Mix("a", "a", 0), Mix("a", "b", 40), Mix("a", "b", 40))


@pytest.mark.skipif(shutil.which("node") is None, reason="NOT RUN: node is not installed")
def test_page_and_server_give_an_image_the_same_key():
    program = f"import {{ keyOf }} from {json.dumps(SPECJS.as_uri())}; " + (
        f"console.log(JSON.stringify({json.dumps([write_spec(spec) for spec in CASES])}.map(keyOf)))"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [spec.key for spec in CASES]
    assert [read_spec(write_spec(spec), 2) for spec in CASES] == CASES


def test_styles_are_fixed_by_their_id_and_truncation_pulls_to_the_average(world):
    styles, mean = world.scene.styles, world.scene.region.mean
    whole = styles.latents("draw-5-0-100")
    np.testing.assert_array_equal(whole, styles.latents("draw-5-0-100"))
    assert not np.array_equal(whole, styles.latents("draw-5-1-100"))
    np.testing.assert_allclose(styles.latents("draw-5-0-50") - mean, 0.5 * (whole - mean), atol=1e-6)
    np.testing.assert_allclose(styles.latents("draw-5-0-0"), mean, atol=1e-6)
    for unknown in ("run-0", "upload-0", "draw-1", "data-test-0"):
        with pytest.raises(Bad, match="no style"):
            styles.latents(unknown)
    own = {"run-0": whole}
    assert styles.latents("run-0", own) is whole


def test_draws_towards_an_end_score_as_no_other_candidates_do(world):
    def scores(names):
        return [one.drawn.values["main"][1] for one in world.scene.show([plain(name, 2) for name in names])]

    reaching = world.scene.styles.reaching
    best = reaching("main", 1, high=True, seed=3, count=3, pool=20, percent=100)
    worst = reaching("main", 1, high=False, seed=3, count=3, pool=20, percent=100)
    everything = scores([f"draw-3-{index}-100" for index in range(20)])
    assert sorted(scores(best)) == sorted(everything)[-3:]
    assert sorted(scores(worst)) == sorted(everything)[:3]


def test_scores_are_shown_as_the_task_says(world):
    (one,) = world.scene.show([plain("draw-1-0-100", 2)])
    multi, binary = one.drawn.values["main"], one.drawn.values["two"]
    assert multi.sum() == pytest.approx(1, abs=1e-5)
    assert binary[0] == -binary[1]
    point = located(plain("draw-1-0-100", 2), world.scene.styles.latents, {})
    image = world.generator.synthesize(torch.from_numpy(point.latents[None]))
    assert binary[1] == pytest.approx(float(world.classifiers["two"].scores(image).tanh()[0, 0]), abs=1e-5)


def test_attributes_move_a_coordinate_or_a_direction_or_set_a_value():
    generator = ToyGenerator(SHAPE, "w")
    start = np.zeros((2, 3), np.float32)
    direction = np.full((2, 3), 6**-0.5, np.float32)
    shift, value = (Attribute(name=n, coordinate=4, shift=2.0, value=v) for n, v in (("shift", None), ("value", 5.0)))
    back = Attribute(name="back", coordinate=4, direction=-1, shift=-1.0)
    found = {
        "style": Attributes(attributes=(shift, value)),
        "way": Attributes(
            attributes=(shift, attrs.evolve(shift, shift=1.0), back), directions=np.stack([direction] * 3)
        ),
    }
    sliders = movables(found, generator, True)
    added_by, put_by, along = sliders.values()
    assert [name.partition(".")[0] for name in sliders] == ["style", "style", "way"]
    (added,), (put,) = (slider.moved(start, 0.5)[1] for slider in (added_by, put_by))
    ten = np.full(5, 10.0)
    assert added.attribute.apply(ten, added.factor)[4] == 11.0
    assert put.attribute.apply(ten, put.factor)[4] == 7.5
    np.testing.assert_allclose(along.moved(start, -0.5)[0], -direction)
    assert movables({"style": found["style"]}, generator, False) == {}


def test_moving_an_attribute_moves_the_image(world):
    still, moved = world.scene.show(
        [Spec(plain("draw-1-0-100", 2).layers, moves) for moves in ((), ((next(iter(world.scene.movables)), 100),))]
    )
    assert still.drawn.values["main"][0] != moved.drawn.values["main"][0]
    with pytest.raises(Bad, match="no attribute"):
        world.scene.show([Spec(plain("draw-1-0-100", 2).layers, (("finder.9", 100),))])


def test_a_slider_comes_with_its_session_and_says_truly_what_it_moves():
    generator = ToyGenerator(SHAPE, "w")
    for direction in (None, np.full((2, 3), 0.5, np.float32)):
        slider = movable("finder", Attribute(name="smile", coordinate=4, shift=2.0, effect=0.5), direction)
        sliders = Sliders({}, generator, styled=True)
        sliders.keep([read_slider(json.loads(json.dumps(write_slider(slider))), layers=2)])
        again = sliders[slider.id]
        assert again.attribute == slider.attribute
        np.testing.assert_array_equal(again.moved(np.zeros((2, 3)), 0.5)[0], slider.moved(np.zeros((2, 3)), 0.5)[0])
        with pytest.raises(Bad, match="not that of what"):
            read_slider({**write_slider(slider), "shift": 1.0, "direction": None, "coordinate": 5}, layers=2)
        with pytest.raises(Bad, match="another generator"):
            Sliders({}, generator, styled=False).keep(
                [movable("finder", slider.attribute, None if direction is None else direction[:, :2])]
            )


def test_the_region_holds_what_is_sampled_and_not_what_is_far():
    known = region(ToyGenerator(SHAPE, "w"), 500, ToyRun())
    samples = ToyGenerator(SHAPE, "w").sample(500, np.random.default_rng(5)).numpy()
    inside = np.mean([known.distance(one) <= 1 for one in samples])
    assert inside == pytest.approx(0.99, abs=0.02)
    assert known.distance(known.mean) == 0
    assert known.distance(known.mean + 10) > 1.5


class Mapped(ToyGenerator):
    """W of a mapping network with random weights: two layers of leaky ReLU, as in StyleGAN2, spread over one latent."""

    def __init__(self, spread, mapped):
        super().__init__(SHAPE, "w")
        generator = torch.Generator().manual_seed(3)
        width = len(spread)
        self.spread = spread
        self.weights = [torch.randn(width, width, generator=generator) * (2 / width) ** 0.5 for _ in range(2 * mapped)]

    def sample(self, count, rng):
        w = torch.from_numpy(rng.standard_normal((count, len(self.spread))).astype(np.float32)) * self.spread
        for weights in self.weights:
            w = torch.nn.functional.leaky_relu(w @ weights, 0.2)
        return w[:, None].expand(-1, 2, -1)


@pytest.mark.parametrize("width", [64, 98, 256, 512])
@pytest.mark.parametrize("kind", ["isotropic", "falling", "mapped"])
def test_one_fresh_draw_in_a_hundred_lies_outside_of_the_region(width, kind):
    spread = 1 / torch.arange(1, width + 1) if kind == "falling" else torch.ones(width)
    generator = Mapped(spread, kind == "mapped")
    known = region(generator, 2000, ToyRun())
    fresh = generator.sample(1500, np.random.default_rng(9)).numpy()
    flagged = np.mean([known.distance(one) > 1 for one in fresh])
    assert 0.002 <= flagged <= 0.025, "the edge and this share are both counted: three standard errors of either"
    assert known.distance(known.mean + 3 * (fresh[0] - known.mean)) > 1


def test_a_slider_is_headed_by_the_class_of_its_finders_own_classifier():
    """The page's first classifier may call its classes otherwise."""
    step = Attribute(name="a", coordinate=4, shift=2.0, target=1)
    way = np.full((1, 2, 3), 6**-0.5, np.float32)
    found = {
        "style": Attributes(attributes=(step,), class_names=("frown", "smile")),
        "way": Attributes(attributes=(step,), directions=way, class_names=("old", "young")),
        "silent": Attributes(attributes=(step,)),
        "age": Attributes(attributes=(attrs.evolve(step, target=0, shift=3.0),), class_names=("age",)),
    }
    sliders = movables(found, ToyGenerator(SHAPE, "w"), True)
    assert [slider.towards for slider in sliders.values()] == ["smile", "young", "class 1", ""]
    kept = [read_slider(json.loads(json.dumps(write_slider(one))), layers=2).towards for one in sliders.values()]
    assert kept == ["smile", "young", "class 1", ""]


def test_a_document_survives_saving_and_another_generators_is_refused(world):
    document = attrs.evolve(world.document, notes=())
    value = json.loads(json.dumps(write_document(document)))
    assert read_document(value, 2) == document
    with pytest.raises(Bad, match="2 layers, this one has 3"):
        read_document(value, 3)
    with pytest.raises(Bad, match="unknown key 'extra'"):
        read_document({**value, "extra": 1}, 2)
    with pytest.raises(Bad, match="same id"):
        read_document({**value, "images": value["images"] * 2}, 2)
    latents = {"upload-1": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)}
    read = read_latents(json.loads(json.dumps(write_latents(latents))), (2, 3))
    np.testing.assert_array_equal(read["upload-1"], latents["upload-1"])
    for bad in ({"a": "AAAA"}, {"a": "not base64"}, write_latents({"a": np.full((2, 3), np.nan, np.float32)})):
        with pytest.raises(Bad):
            read_latents(bad, (2, 3))


def test_an_export_holds_each_images_edits_up_to_the_number_asked_for(world):
    document = world.document
    bare, some, more = (list(wanted(document, count, world.scene.movables)) for count in (0, 5, 100))
    assert len(some) - len(bare) == 5 * len(document.images)
    edited = with_style(document.images[0].now, group_layers(2, 2)[0], document.styles[0].id)
    assert edited in some
    assert edited not in bare
    ends = {
        (name, end)
        for name, one in world.scene.movables.items()
        for end in (100, -100)
        if not (one.one_sided and end < 0)
    }
    assert {spec.moves for spec in more} == {(), *((move,) for move in ends)}


def test_edits_go_before_cells_and_long_work_gives_way():
    turns, order, ready = Turns(), [], threading.Event()

    def take(rank):
        with turns.turn(rank):
            order.append(rank)

    def long():
        with turns.turn(Rank.BACKGROUND):
            ready.set()
            while len(turns_waiting()) < 2:
                pass
            turns.give_way(Rank.BACKGROUND)
            order.append(Rank.BACKGROUND)

    def turns_waiting():
        return [rank for rank, count in turns._waiting.items() for _ in range(count)]

    threads = [threading.Thread(target=long)]
    threads[0].start()
    ready.wait(10)
    for rank in (Rank.CELLS, Rank.EDIT):
        threads.append(threading.Thread(target=take, args=(rank,)))
        threads[-1].start()
    for thread in threads:
        thread.join(10)
    assert order == [Rank.EDIT, Rank.CELLS, Rank.BACKGROUND]


def test_a_job_that_fails_says_why_and_the_next_one_is_done():
    heard, done = [], threading.Event()

    def tell(job):
        heard.append((job.label, job.state, job.message))
        if job.label == "good" and job.state == "done":
            done.set()

    jobs = Jobs(Turns())
    jobs.submit("bad", lambda _: 1 / 0, tell)
    cancelled = jobs.submit("never", lambda _: {}, tell, models=False)
    cancelled.cancel()
    jobs.submit("good", lambda _: {"answer": 1}, tell)
    assert done.wait(10)
    assert ("bad", "failed", "ZeroDivisionError: division by zero") in heard
    assert heard[-1] == ("good", "done", "")
    jobs.close()


class Late(ToyClassifier):
    """Makes its weights when it is first asked."""

    weights = None

    def scores(self, images):
        if self.weights is None:
            self.weights = torch.ones(2, images[0].numel(), requires_grad=True)
        return images.flatten(1) @ self.weights.T


def test_weights_made_at_the_first_image_still_have_gradients():
    generator, late = ToyGenerator(space="w"), Late()
    models = Models(generator, {"late": late}, 4, "cpu")
    rows = generator.sample(3, np.random.default_rng(0)).numpy()
    for row in rows:
        (drawn,) = models.draw([Point(row)], Rank.EDIT)
        assert drawn.values["late"].shape == (2,)
    images = torch.from_numpy(drawn.pixels).permute(2, 0, 1)[None].float().requires_grad_()
    late.scores(images).sum().backward()
    assert (images.grad == 2).all()
