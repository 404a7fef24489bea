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
from sidelight_explorer.export import precomputed_edits
from sidelight_explorer.latent_edit import LatentEdit
from sidelight_explorer.models import DrawnImage, Models
from sidelight_explorer.priority_lock import Priority, PriorityLock
from sidelight_explorer.server.jobs import Jobs
from sidelight_explorer.session.edit import EditSpec, Mix, group_layers, plain, read_edit, with_style, write_edit
from sidelight_explorer.session.file import read_latents, read_session, write_latents, write_session
from sidelight_explorer.session.slider import Sliders, latent_edit, make_slider, read_slider, sliders_of, write_slider
from sidelight_explorer.session.state import ShownImage
from sidelight_explorer.validation import InvalidInput
from sidelight_explorer.w_region import w_region
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator

SHAPE = (1, 32, 32)
SPECJS = Path(__file__).parent.parent / "src/sidelight_explorer/web/spec.js"
CASES = [
    EditSpec((Mix("a", "b", 0), Mix("a", "b", 100)), ()),
    EditSpec((Mix("a", "b", 37), Mix("b", "b", 50)), (("f.0", -20), ("f.1", 5))),
    EditSpec((Mix("draw-1-2-85", "average", 1), Mix("a", "a", 100)), ()),
]


def test_a_mix_is_linear_in_each_layer_and_ends_at_its_styles():
    w = {"a": np.zeros((2, 3), np.float32), "b": np.arange(6, dtype=np.float32).reshape(2, 3)}
    spec = EditSpec((Mix("a", "b", 25), Mix("a", "b", 100)))
    np.testing.assert_allclose(latent_edit(spec, w.__getitem__, {}).latents, [0.25 * w["b"][0], w["b"][1]])
    assert latent_edit(plain("b", 2), w.__getitem__, {}).key == latent_edit(spec, lambda _: w["b"], {}).key


def test_groups_are_adjacent_and_the_first_are_larger():
    assert group_layers(18, 4) == [range(5), range(5, 10), range(10, 14), range(14, 18)]
    assert group_layers(3, 3) == [range(1), range(1, 2), range(2, 3)]
    edited = with_style(plain("a", 3), range(1, 3), "b", 40)
    assert edited.layers == (Mix("a", "a", 0), Mix("a", "b", 40), Mix("a", "b", 40))


@pytest.mark.skipif(shutil.which("node") is None, reason="NOT RUN: node is not installed")
def test_page_and_server_give_an_image_the_same_key():
    program = f"import {{ keyOf }} from {json.dumps(SPECJS.as_uri())}; " + (
        f"console.log(JSON.stringify({json.dumps([write_edit(spec) for spec in CASES])}.map(keyOf)))"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [spec.key for spec in CASES]
    assert [read_edit(write_edit(spec), 2) for spec in CASES] == CASES


def test_styles_are_fixed_by_their_id_and_truncation_pulls_to_the_average(world):
    styles, mean = world.state.styles, world.state.region.mean
    whole = styles.latents("draw-5-0-100")
    np.testing.assert_array_equal(whole, styles.latents("draw-5-0-100"))
    assert not np.array_equal(whole, styles.latents("draw-5-1-100"))
    np.testing.assert_allclose(styles.latents("draw-5-0-50") - mean, 0.5 * (whole - mean), atol=1e-6)
    np.testing.assert_allclose(styles.latents("draw-5-0-0"), mean, atol=1e-6)
    for unknown in ("run-0", "upload-0", "draw-1", "data-test-0"):
        with pytest.raises(InvalidInput, match="no style"):
            styles.latents(unknown)
    own = {"run-0": whole}
    assert styles.latents("run-0", own) is whole


def test_draws_towards_an_end_score_as_no_other_candidates_do(world):
    def scores(names):
        return [one.drawn.values["main"][1] for one in world.state.show([plain(name, 2) for name in names])]

    extremes = world.state.styles.extremes
    best = extremes("main", 1, high=True, seed=3, count=3, pool=20, percent=100)
    worst = extremes("main", 1, high=False, seed=3, count=3, pool=20, percent=100)
    everything = scores([f"draw-3-{index}-100" for index in range(20)])
    assert sorted(scores(best)) == sorted(everything)[-3:]
    assert sorted(scores(worst)) == sorted(everything)[:3]


def test_scores_are_shown_as_the_task_says(world):
    (one,) = world.state.show([plain("draw-1-0-100", 2)])
    multi, binary = one.drawn.values["main"], one.drawn.values["two"]
    assert multi.sum() == pytest.approx(1, abs=1e-5)
    assert binary[0] == -binary[1]
    point = latent_edit(plain("draw-1-0-100", 2), world.state.styles.latents, {})
    image = world.generator.synthesize(torch.from_numpy(point.latents[None]))
    assert binary[1] == pytest.approx(float(world.classifiers["two"].scores(image).tanh()[0, 0]), abs=1e-5)


def test_attributes_move_a_coordinate_or_a_direction_or_set_a_value():
    generator = ToyGenerator(SHAPE, "w")
    start = LatentEdit(np.zeros((2, 3), np.float32))
    direction = np.full((2, 3), 6**-0.5, np.float32)
    shift, value = (Attribute(name=n, coordinate=4, shift=2.0, value=v) for n, v in (("shift", None), ("value", 5.0)))
    back = Attribute(name="back", coordinate=4, direction=-1, shift=-1.0)
    found = {
        "style": Attributes(attributes=(shift, value)),
        "way": Attributes(
            attributes=(shift, attrs.evolve(shift, shift=1.0), back), directions=np.stack([direction] * 3)
        ),
    }
    sliders = sliders_of(found, generator, True)
    added_by, put_by, along = sliders.values()
    assert [name.partition(".")[0] for name in sliders] == ["style", "style", "way"]
    assert added_by.apply(start, 0.5).moves == ((shift, 0.5),)
    assert added_by.apply(start, -0.5).moves == ((shift, -0.5),)
    assert put_by.apply(start, 0.5).moves == ((value, 0.5),)
    assert put_by.apply(start, -0.5).moves == ((value, 0.0),), "a value is reached from one side"
    np.testing.assert_allclose(along.apply(start, -0.5).latents, -direction)
    assert sliders_of({"style": found["style"]}, generator, False) == {}


@pytest.mark.parametrize(("names", "lowering"), [(("age",), 2), (("old", "young"), 0)])
def test_what_lowers_a_value_has_sliders_beside_as_many_that_raise_it(names, lowering):
    effects = [*range(20, 0, -1), -3.0, -2.0]
    ranked = tuple(
        Attribute(name=f"{effect}", coordinate=4, shift=1.0, value=float(effect), effect=effect) for effect in effects
    )
    found = {"style": Attributes(attributes=ranked, class_names=names)}
    shown = [one.attribute.effect for one in sliders_of(found, ToyGenerator(SHAPE, "w"), True).values()]
    assert [effect for effect in shown if effect > 0] == list(range(20, 8, -1))
    assert sum(effect < 0 for effect in shown) == lowering


def test_moving_an_attribute_moves_the_image(world):
    still, moved = world.state.show(
        [EditSpec(plain("draw-1-0-100", 2).layers, moves) for moves in ((), ((next(iter(world.state.sliders)), 100),))]
    )
    assert still.drawn.values["main"][0] != moved.drawn.values["main"][0]
    with pytest.raises(InvalidInput, match="no attribute"):
        world.state.show([EditSpec(plain("draw-1-0-100", 2).layers, (("finder.9", 100),))])


def test_a_slider_comes_with_its_session_and_says_truly_what_it_moves():
    generator, start = ToyGenerator(SHAPE, "w"), LatentEdit(np.zeros((2, 3), np.float32))
    for direction in (None, np.full((2, 3), 0.5, np.float32)):
        slider = make_slider("finder", Attribute(name="smile", coordinate=4, shift=2.0, effect=0.5), direction)
        sliders = Sliders({}, generator, styled=True)
        sliders.load([read_slider(json.loads(json.dumps(write_slider(slider))), layers=2)])
        again = sliders[slider.id]
        assert again.attribute == slider.attribute
        np.testing.assert_array_equal(again.apply(start, 0.5).latents, slider.apply(start, 0.5).latents)
        with pytest.raises(InvalidInput, match="not that of what"):
            read_slider({**write_slider(slider), "shift": 1.0, "direction": None, "coordinate": 5}, layers=2)
        with pytest.raises(InvalidInput, match="another generator"):
            Sliders({}, generator, styled=False).load(
                [make_slider("finder", slider.attribute, None if direction is None else direction[:, :2])]
            )


def test_the_region_holds_what_is_sampled_and_not_what_is_far():
    known = w_region(ToyGenerator(SHAPE, "w"), 500, ToyRun())
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
    known = w_region(generator, 2000, ToyRun())
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
    sliders = sliders_of(found, ToyGenerator(SHAPE, "w"), True)
    assert [slider.towards for slider in sliders.values()] == ["smile", "young", "class 1", ""]
    kept = [read_slider(json.loads(json.dumps(write_slider(one))), layers=2).towards for one in sliders.values()]
    assert kept == ["smile", "young", "class 1", ""]


def test_a_document_survives_saving_and_another_generators_is_refused(world):
    document = attrs.evolve(world.session, notes=())
    value = json.loads(json.dumps(write_session(document)))
    assert read_session(value, 2) == document
    with pytest.raises(InvalidInput, match="2 layers, this one has 3"):
        read_session(value, 3)
    with pytest.raises(InvalidInput, match="unknown key 'extra'"):
        read_session({**value, "extra": 1}, 2)
    with pytest.raises(InvalidInput, match="same id"):
        read_session({**value, "images": value["images"] * 2}, 2)
    latents = {"upload-1": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)}
    read = read_latents(json.loads(json.dumps(write_latents(latents))), (2, 3))
    np.testing.assert_array_equal(read["upload-1"], latents["upload-1"])
    for bad in ({"a": "AAAA"}, {"a": "not base64"}, write_latents({"a": np.full((2, 3), np.nan, np.float32)})):
        with pytest.raises(InvalidInput):
            read_latents(bad, (2, 3))


def test_an_export_holds_each_images_edits_up_to_the_number_asked_for(world):
    document = world.session
    bare, some, more = (list(precomputed_edits(document, count, world.state.sliders)) for count in (0, 5, 100))
    assert len(some) - len(bare) == 5 * len(document.images)
    edited = with_style(document.images[0].now, group_layers(2, 2)[0], document.styles[0].id)
    assert edited in some
    assert edited not in bare
    ends = {
        (name, end)
        for name, one in world.state.sliders.items()
        for end in (100, -100)
        if not (one.one_sided and end < 0)
    }
    assert {spec.moves for spec in more} == {(), *((move,) for move in ends)}


def test_edits_go_before_cells_and_long_work_gives_way():
    lock, order, ready = PriorityLock(), [], threading.Event()

    def take(priority):
        with lock.hold(priority):
            order.append(priority)

    def long():
        with lock.hold(Priority.BACKGROUND):
            ready.set()
            while len(lock_waiting()) < 2:
                pass
            lock.yield_to_waiters(Priority.BACKGROUND)
            order.append(Priority.BACKGROUND)

    def lock_waiting():
        return [rank for rank, count in lock._waiting.items() for _ in range(count)]

    threads = [threading.Thread(target=long)]
    threads[0].start()
    ready.wait(10)
    for priority in (Priority.CELLS, Priority.EDIT):
        threads.append(threading.Thread(target=take, args=(priority,)))
        threads[-1].start()
    for thread in threads:
        thread.join(10)
    assert order == [Priority.EDIT, Priority.CELLS, Priority.BACKGROUND]


def test_of_equal_priority_who_waits_longest_is_first():
    lock, taken, ready = PriorityLock(), [], threading.Event()

    def once(name):
        with lock.hold(Priority.BACKGROUND):
            taken.append(name)

    def often():
        for step in range(1000):
            with lock.hold(Priority.BACKGROUND):
                taken.append("often")
                if step == 0:
                    waiting.start()
                    while not lock._waiting[Priority.BACKGROUND]:
                        pass
            if "once" in taken:
                break
        ready.set()

    waiting = threading.Thread(target=once, args=("once",))
    threading.Thread(target=often).start()
    assert ready.wait(20)
    waiting.join(20)
    assert taken[:2] == ["often", "once"]


def test_a_job_that_fails_says_why_and_the_next_one_is_done():
    heard, done = [], threading.Event()

    def tell(job):
        heard.append((job.label, job.state, job.message))
        if job.label == "good" and job.state == "done":
            done.set()

    jobs = Jobs(PriorityLock())
    jobs.submit("bad", lambda _: 1 / 0, tell)
    cancelled = jobs.submit("never", lambda _: {}, tell, models=False)
    cancelled.cancel()
    jobs.submit("good", lambda _: {"answer": 1}, tell)
    assert done.wait(10)
    assert ("bad", "failed", "ZeroDivisionError: division by zero") in heard
    assert heard[-1] == ("good", "done", "")
    jobs.close()


def test_a_job_that_waits_is_cancelled_at_once():
    heard, leave, begun = [], threading.Event(), threading.Event()

    def first(_):
        begun.set()
        leave.wait(10)
        return {}

    jobs = Jobs(PriorityLock())
    jobs.submit("first", first, lambda _: None, models=False)
    assert begun.wait(10)
    second = jobs.submit("second", lambda _: {}, lambda job: heard.append(job.state), models=False)
    second.cancel()
    second.cancel()
    assert heard == ["cancelled"]
    leave.set()
    last = threading.Event()
    jobs.submit("last", lambda _: {}, lambda job: last.set() if job.state == "done" else None, models=False)
    assert last.wait(10)
    assert heard == ["cancelled"]
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
        (drawn,) = models.draw([LatentEdit(row)], Priority.EDIT)
        assert drawn.values["late"].shape == (2,)
    images = torch.from_numpy(drawn.pixels).permute(2, 0, 1)[None].float().requires_grad_()
    late.scores(images).sum().backward()
    assert (images.grad == 2).all()


def test_large_images_are_drawn_few_at_a_time():
    shape, sizes = (1, 512, 512), []

    class Watched(ToyGenerator):
        def synthesize_styles(self, styles):
            sizes.append(len(styles))
            return super().synthesize_styles(styles)

    generator = Watched(shape, "w")
    models = Models(generator, {"main": ToyClassifier(shape)}, 16, "cpu")
    rows = generator.sample(5, np.random.default_rng(0)).numpy()
    assert len(models.draw([LatentEdit(row) for row in rows], Priority.EDIT)) == 5
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(
    ("size", "side", "exact", "kind"),
    [
        (64, 1024, False, "png"),
        (256, 1024, False, "webp"),
        (256, 64, False, "webp"),
        (256, 1024, True, "png"),
    ],
)
def test_large_pictures_go_to_the_page_as_webp_unless_they_are_compared(size, side, exact, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    sent = ShownImage(DrawnImage(pixels, {"main": np.ones(2, np.float32)}), 0.5).plain(side, {}, exact=exact)
    assert sent["src"].startswith(f"data:image/{kind};base64,")
    assert sent["values"] == {"main": {"0": 1.0, "1": 1.0}}
