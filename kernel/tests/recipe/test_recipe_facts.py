"""Facts that descriptors tell, compared before anything is loaded: with invented components."""

from __future__ import annotations

import os

import pytest
from sidelight_specs import (
    AttributeFinderDescriptor,
    ClassifierDescriptor,
    DataDescriptor,
    ExplainerDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    MetricDescriptor,
    Need,
    param,
    params,
)
from sidelight_specs.facts import ClassifierFacts, DataFacts, GeneratorFacts, Mistake

RECIPE = "recipe: 1\ndata: {use: shop/photos}\nclassifier: {use: shop/net}\n"


@params
class PathParams:
    path: str = param("", "A file.")


class Photos(DataDescriptor):
    told = DataFacts(shape=(3, 8, 8), splits={"train": 9, "test": 4}, classes=("cat", "dog"))

    def facts(self, params):
        return self.told


class Net(ClassifierDescriptor):
    told = ClassifierFacts(shape=(3, 8, 8), classes=("cat", "dog"), task="multiclass")

    def facts(self, params, data):
        return self.told

    def files(self, params):
        return {"path": params.path}

    def absence(self, params, capability):
        return "its file hides them: export it anew" if capability == "activations" else ""


class Gan(GeneratorDescriptor):
    told = GeneratorFacts(shape=(3, 8, 8))

    def facts(self, params, data):
        return self.told


class Heat(ExplainerDescriptor):
    def misfits(self, params, given):
        if given.explained.shape == (3, 8, 8):
            yield Mistake("too small for eyes", "use larger images", refused=False)


@pytest.fixture(autouse=True)
def shop(catalog):
    """The invented components, by name, so that a test can change what they tell."""
    needs = (Need("classifier", capabilities=("activations",), optional=True),)
    both = (Need("classifier"), Need("generator"), Need("inverter"))
    components = [
        Photos(name="photos", summary="Photos.", factory="shop.a:A"),
        Net(name="net", summary="A file.", params=PathParams, factory="shop.a:A"),
        Gan(name="gan", summary="A GAN.", factory="shop.a:A"),
        InverterDescriptor(name="inv", summary="Inverts.", factory="shop.a:A", needs=(Need("generator"),)),
        Heat(name="heat", summary="Heat.", factory="shop.a:A", needs=(Need("classifier"),), gives="heatmap"),
        ExplainerDescriptor(name="cam", summary="Cam.", factory="shop.a:A", needs=needs, gives="heatmap"),
        ExplainerDescriptor(name="walk", summary="Walks.", factory="shop.a:A", needs=both, gives="counterfactual"),
        AttributeFinderDescriptor(name="find", summary="Finds.", factory="shop.a:A"),
        MetricDescriptor(
            name="far", summary="Far.", factory="shop.a:A", needs=(Need("generator"),), accepts=("counterfactual",)
        ),
    ]
    catalog.found |= {(f"shop/{one.name}", one.role): one for one in components}
    return {one.name: one for one in components}


def tell(monkeypatch, kind, **facts):
    monkeypatch.setattr(kind, "told", type(kind.told)(**facts))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("explain: {split: tset}", ('no split "tset"', "known are train, test", 'did you mean "test"')),
        ("explain: {indices: [4]}", ('no image 4 in the split "test"', "from 0 to 3")),
        ("explain: {labels: [cow]}", ('the data has no class "cow"', "known are cat, dog")),
        ("explain: {labels: [2]}", ('the data has no class "2"',)),
        ("explain: {target: cow}", ('the classifier has no class "cow"', "or one of auto, expected, second")),
        ("explain: {targets: {cat: cat}}", ('why "cat" and not "cat"',)),
        ("attribute_finders: {use: shop/find}", ("no inverter", 'a section "inverter"', "gans/encoder, shop/inv")),
    ],
)
def test_what_the_recipe_asks_for_does_not_exist(mistake, text, said):
    found = mistake(RECIPE + text + "\n")
    assert found.startswith("recipe.yaml:4:")
    assert all(part in found for part in said), found


@pytest.mark.parametrize("text", ["target: 1", "target: dog", "target: all", "labels: [cat, 1]", "indices: [3, 0]"])
def test_what_exists_is_accepted(load, text):
    assert load(RECIPE + f"explain: {{{text}}}\n").warnings == ()


def test_of_what_is_not_known_nothing_follows(load, monkeypatch):
    tell(monkeypatch, Photos)
    tell(monkeypatch, Net)
    assert load(RECIPE + "explain: {split: x, indices: [999], target: cow}\n").warnings == ()


def test_a_regression_is_asked_about_no_class(load, monkeypatch):
    tell(monkeypatch, Net, classes=("age",), task="regression")
    assert load(RECIPE + "explain: {target: cow}\n").warnings == ()


def test_the_split_and_the_number_follow_the_data(load, monkeypatch):
    assert (load(RECIPE).explain.split, load(RECIPE).explain.count) == ("test", 8)
    tell(monkeypatch, Photos, shape=(3, 8, 8), splits={"all": 30}, classes=())
    recipe = load(RECIPE)
    assert (recipe.explain.split, recipe.explain.count, recipe.warnings) == ("all", None, ())
    tell(monkeypatch, Photos, shape=(3, 8, 8), splits={"all": 5000}, classes=())
    assert [one.message for one in load(RECIPE).warnings] == ["shop/photos: all 5,000 images are explained"]
    tell(monkeypatch, Photos, shape=(3, 8, 8), splits={"test": 30}, classes=())
    assert [one.message for one in load(RECIPE).warnings] == ["shop/photos: only 8 of 30 images are explained"]
    tell(monkeypatch, Photos, shape=(3, 8, 8), splits={"all": 30}, classes=(), is_named=True)
    recipe = load(RECIPE)
    assert (recipe.explain.split, recipe.explain.count, recipe.warnings) == ("all", None, ())
    assert recipe.plain["explain"]["split"] == "all"
    assert recipe.plain["explain"]["count"] is None
    assert load(RECIPE + "explain: {count: 3}\n").explain.count == 3
    assert load(RECIPE + "explain: {choose: lowest-margin}\n").explain.count == 8


def test_images_by_name(mistake, load, monkeypatch):
    tell(monkeypatch, Photos, shape=(3, 8, 8), splits={"all": 2}, ids={"all": ("a/cat.jpg", "dog.jpg")})
    assert load(RECIPE + "explain: {images: [cat.jpg]}\n").explain.images == ("cat.jpg",)
    found = mistake(RECIPE + "explain: {images: [dog.jpg, cta.jpg]}\n")
    assert found.startswith("recipe.yaml:4:")
    assert all(part in found for part in ('explain.images: there is no image "cta.jpg"', 'did you mean "cat.jpg"?'))
    for other in ("indices: [0]", "choose: errors", "labels: [0]"):
        assert "exclude each other" in mistake(RECIPE + f"explain: {{images: [dog.jpg], {other}}}\n")


def test_channels_and_sizes(mistake, load, monkeypatch):
    tell(monkeypatch, Net, shape=(1, 8, 8))
    assert "shop/net takes images of 1 channel, 8x8, shop/photos gives 3 channels, 8x8" in mistake(RECIPE)
    tell(monkeypatch, Net, shape=(3, 16, 16), resizes=False)
    assert "give images of 16x16" in mistake(RECIPE)
    tell(monkeypatch, Net, shape=(3, 16, 16))
    (warning,) = load(RECIPE).warnings
    assert "images of 8x8 are enlarged to the 16x16 of shop/net" in warning.render()
    tell(monkeypatch, Net, shape=(3, 4, 4))
    assert load(RECIPE).warnings == ()


def test_a_generator_of_other_images(mistake, load, monkeypatch):
    text = RECIPE + "generator: {use: shop/gan}\ninverter: {use: shop/inv}\nexplainers: {w: {use: shop/walk}}\n"
    load(text)
    tell(monkeypatch, Gan, shape=(3, 4, 4))
    assert (
        "shop/walk inverts images of 3 channels, 8x8 from shop/photos, and shop/gan makes 3 channels, 4x4"
        in mistake(text)
    )


def test_images_that_no_inverter_inverts(load, monkeypatch):
    text = RECIPE + "generator: {use: shop/gan}\ninverter: {use: shop/inv}\n"
    assert load(text).warnings == ()
    tell(monkeypatch, Gan, shape=(3, 4, 4))
    (warning,) = load(text).warnings
    assert "shop/inv inverts none of the explained images: they have 3 channels, 8x8" in warning.message
    second = text.replace("{use: shop/inv}", "{inverter: {use: shop/inv, needs: {generator: own}}, b: {use: shop/inv, "
                          "needs: {generator: own}}}").replace("{use: shop/gan}", "{own: {use: shop/gan}}")  # fmt: skip
    assert len(load(second).warnings) == 1


def test_a_metric_of_another_generator_measures_nothing(load):
    text = (
        RECIPE + "generator: {a: {use: shop/gan}, b: {use: shop/gan}}\n"
        "inverter: {use: shop/inv, needs: {generator: a}}\n"
        "explainers: {w: {use: shop/walk, needs: {generator: a}}}\n"
        "metrics: {far: {use: shop/far, needs: {generator: b}}}\n"
    )
    (warning,) = load(text).warnings
    assert "shop/far measures nothing: shop/walk used another generator" in warning.message
    assert load(text.replace("generator: b}", "generator: a}")).warnings == ()


def test_class_names_without_one_in_common(load, monkeypatch):
    tell(monkeypatch, Net, classes=("0", "1"), task="multiclass")
    (warning,) = load(RECIPE).warnings
    assert "no class of the data (cat, dog) is one of the classifier (0, 1)" in warning.message
    tell(monkeypatch, Net, classes=("dog", "1"), task="multiclass")
    assert load(RECIPE).warnings == ()


def test_a_component_s_own_warning_is_no_mistake(load):
    (warning,) = load(RECIPE + "explainers: {h: {use: shop/heat}}\n").warnings
    assert warning.render().splitlines() == [
        "recipe.yaml:4:23: shop/heat: too small for eyes",
        "    explainers: {h: {use: shop/heat}}",
        " " * 26 + "^",
        "  hint: use larger images",
    ]


def test_a_lacking_capability_is_told_with_its_reason_and_how_to_do_without(mistake):
    found = mistake(RECIPE + "explainers: {c: {use: shop/cam}}\n")
    assert "hint: its file hides them: export it anew; or do without it: needs: {classifier: null}" in found


@pytest.mark.parametrize("made", ["nothing", "folder", "pipe"])
def test_a_file_that_is_not_there(mistake, load, tmp_path, made):
    (tmp_path / "model.pt").write_text("x")
    if made == "folder":
        (tmp_path / "model.pb").mkdir()
    elif made == "pipe":
        os.mkfifo(tmp_path / "model.pb")
    text = RECIPE.replace("shop/net", "shop/net, with: {path: PATH}")
    found = mistake(text.replace("PATH", "model.pb"))
    assert found.startswith("recipe.yaml:3:42: ")
    assert ('there is no file "model.pb"' if made == "nothing" else '"model.pb" is no plain file') in found
    assert 'did you mean "model.pt"?' in found
    load(text.replace("PATH", "model.pt"))


@pytest.mark.parametrize("hook", ["files", "mistakes", "facts", "misfits", "absence", "provided_by"])
def test_a_plugin_that_fails_to_tell_is_named(mistakes, monkeypatch, hook):
    def fails(*_):
        raise RuntimeError("no idea")

    monkeypatch.setattr(Net, hook, fails)
    found = mistakes(RECIPE + "explainers: {c: {use: shop/cam}}\n")
    assert any("shop/net cannot tell its" in text and "no idea" in text for text in found)


@pytest.mark.parametrize(
    ("kind", "hook", "answer"),
    [
        (Photos, "facts", lambda *_: {"shape": (3, 8, 8)}),
        (Photos, "facts", lambda *_: DataFacts(splits=["train", "test"])),
        (Photos, "facts", lambda *_: DataFacts(shape=(8, 8))),
        (Photos, "facts", lambda *_: DataFacts(classes="cat")),
        (Photos, "mistakes", lambda *_: ["wrong"]),
        (Net, "facts", lambda *_: DataFacts()),
        (Net, "files", lambda *_: 3),
        (Net, "misfits", lambda *_: 3),
        (Gan, "facts", lambda *_: GeneratorFacts(shape=(3, 8, -8))),
    ],
)
def test_a_plugin_that_tells_something_else_is_named(mistakes, monkeypatch, kind, hook, answer):
    monkeypatch.setattr(kind, hook, answer)
    text = RECIPE + "generator: {use: shop/gan}\ninverter: {use: shop/inv}\nexplainers: {w: {use: shop/walk}}\n"
    found = mistakes(text)
    assert len(found) == 1
    assert f"shop/{kind.__name__.lower()} cannot tell its {hook} with these parameters: " in found[0]


def test_a_finished_run_needs_neither_files_nor_facts(load):
    text = RECIPE.replace("shop/net", "shop/net, with: {path: gone.pt}") + "explain: {split: gone}\n"
    assert load(text, finished=True).classifier.params.path == "gone.pt"
