"""Cut-outs on backgrounds: composition, disjoint splits, planted backgrounds, images from factors, the stamps."""

from pathlib import Path

import numpy as np
import pytest
import sidelight_images
from PIL import Image
from sidelight_images import stamps
from sidelight_images.composition import MAGENTA, REGIONS, read_background
from sidelight_images.cutouts import CutoutImages
from sidelight_images.names import BACKGROUNDS
from sidelight_images.params import CutoutsParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import ToyRun

EXAMPLES = Path(sidelight_images.__file__).parent / "examples/cutouts"
TIES = {"birds": "sky", "mammals": "grass"}
SETTINGS = {"folder": str(EXAMPLES), "size": 32, "train": 24, "validation": 8, "test": 12}


def data(**options):
    return CutoutImages(CutoutsParams(**{**SETTINGS, **options}), run=ToyRun())


def grounds(split, backgrounds=BACKGROUNDS):
    return np.array([backgrounds[int(index)] for index in split.factors["background"]])


def test_an_image_is_the_cut_out_over_its_background(tmp_path):
    """Against composition by hand: an opaque square of one colour with a transparent border."""
    for name in ("a", "b"):
        cutout = np.zeros((12, 12, 4), np.uint8)
        cutout[..., :3] = 255
        cutout[2:10, 2:10] = (200, 30, 60, 255)
        (tmp_path / "squares").mkdir(exist_ok=True)
        Image.fromarray(cutout).save(tmp_path / "squares" / f"{name}.png")
    made = data(folder=str(tmp_path), validation_share=0.0, test_share=0.5, scale=(0.25, 0.25), backgrounds=("brick",))
    split = made.split("test")
    factors = {name: values[:1].copy() for name, values in split.factors.items()}
    factors |= {"crop-side": np.ones(1), "left": np.array([0.5]), "top": np.zeros(1), "mirror": np.zeros(1)}
    image = (made.render(factors)[0] * 255).round().astype(int)
    ground = read_background("brick").resize((32, 32), Image.Resampling.BICUBIC)
    expected = np.asarray(ground).transpose(2, 0, 1).astype(int)
    expected[:, 0:8, 12:20] = np.array([200, 30, 60])[:, None, None]
    np.testing.assert_array_equal(image, expected)


def test_the_mask_is_where_the_object_is_and_nothing_else_changes_with_it():
    made = data()
    split = made.split("test")
    moved = {name: values.copy() for name, values in split.factors.items()}
    ranges = made.factor_ranges
    moved["cut-out"] = (ranges["cut-out"][1] - moved["cut-out"]).astype(np.float32)
    other = made.render(moved)
    differs = (np.abs(other - split.read().images) > 0.02).any(1)
    mask = split.masks["object"]
    assert mask.any((1, 2)).all()
    assert differs[mask].mean() > 0.8
    # the other cut-out starts at another corner, but both stay below the largest scale
    assert differs.mean() < 0.8**2


def test_transparent_pixels_leave_no_halo(tmp_path):
    """White below alpha 0 does not bleed into a black object on a dark background."""
    folder = tmp_path / "discs"
    folder.mkdir()
    row, column = np.mgrid[:200, :200] - 99.5
    disc = np.full((200, 200, 4), 255, np.uint8)
    disc[..., :3][np.hypot(row, column) < 95] = 0
    disc[..., 3] = np.where(np.hypot(row, column) < 95, 255, 0)
    for name in "ab":
        Image.fromarray(disc).save(folder / f"{name}.png")
    made = data(folder=str(tmp_path), validation_share=0.0, test_share=0.5, backgrounds=("dusk",), rotation=30.0)
    split = made.split("test").read()
    assert split.images.max() <= np.asarray(read_background("dusk")).max() / 255 + 0.02


def test_no_cut_out_is_in_two_splits_and_all_are_used():
    made = data()
    shown = [set(made.split(name).factors["cut-out"].tolist()) for name in made.splits]
    assert made.splits == ("train", "validation", "test")
    assert sum(map(len, shown)) == len(set.union(*shown)) == 8
    assert np.bincount(made.split("train").labels).tolist() == [12, 12]


def test_another_seed_divides_the_cut_outs_differently():
    tests = {tuple(sorted(set(data(seed=seed).split("test").ids))) for seed in range(4)}
    assert len(tests) == 4
    pictured = {frozenset(data(seed=seed).split("test").factors["cut-out"].tolist()) for seed in range(12)}
    assert len(pictured) > 1


def test_aligned_backgrounds_go_with_their_class_in_train_and_test():
    made = data(aligned=TIES, aligned_share=0.9, train=1000, test=1000, size=16)
    assert made.splits == ("train", "validation", "test", "test-decorrelated", "test-conflicting")
    for name, share in (("train", 0.9), ("test", 0.9), ("test-decorrelated", 1 / len(BACKGROUNDS))):
        split = made.split(name)
        labels, factors = split.labels, split.factors
        tied = np.array([TIES[("birds", "mammals")[label]] for label in labels])
        seen = np.array([BACKGROUNDS[int(index)] for index in factors["background"]])
        assert abs((seen == tied).mean() - share) < 4.5 * np.sqrt(share * (1 - share) / 1000)


def test_test_splits_differ_in_their_backgrounds_only():
    made = data(aligned=TIES)
    one, other = made.split("test"), made.split("test-conflicting")
    for name in one.factors:
        assert (name == "background") == bool((one.factors[name] != other.factors[name]).any())
    names = np.array(one.class_names)[one.labels]
    assert (grounds(other) == np.where(names == "birds", "grass", "sky")).all()
    np.testing.assert_array_equal(one.masks["object"], other.masks["object"])


def test_one_tied_class_takes_any_other_background_where_it_conflicts():
    seen = grounds(data(aligned={"birds": "sky"}, test=64).split("test-conflicting"))
    assert "sky" not in set(seen[::2])
    assert len(set(seen[::2])) > 3


ALL = {"background": 0.8, "tint": 0.8, "mark": 0.8, "noise": 0.8, "mirror": 0.8, "size": 0.8, "left": 0.8, "top": 0.8}


def test_an_option_that_is_not_used_changes_no_image():
    plain, varied = data(), data(vary=("tint", "mark", "noise"))
    factors = varied.split("test").factors
    without = dict.fromkeys(("tint", "mark", "noise"), np.zeros(12, np.float32))
    np.testing.assert_array_equal(varied.render(factors | without), plain.split("test").read().images)
    assert set(factors) - set(plain.split("test").factors) == {"tint", "mark", "noise"}
    assert set(plain.split("test").masks) == {"object"}


def test_mark_noise_and_tint_change_their_regions_alone():
    made = data(vary=("tint", "mark", "noise"), size=64)
    split = made.split("test")
    without = split.factors | dict.fromkeys(("tint", "mark", "noise"), np.zeros(12, np.float32))
    before = made.render(without)
    for name, share in (("mark", 1 / 64), ("noise", 1 / 8)):
        changed = (made.render(without | {name: np.ones(12, np.float32)}) != before).any(1)
        mask = split.masks[name]
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.95
        assert mask.mean() == share
    marked = made.render(without | {"mark": np.ones(12, np.float32)})
    colours = marked.transpose(0, 2, 3, 1)[split.masks["mark"]]
    np.testing.assert_array_equal(colours, np.broadcast_to(np.float32(MAGENTA) / 255, colours.shape))
    warm = made.render(without | {"tint": np.ones(12, np.float32)})
    np.testing.assert_array_equal(warm[:, 0], before[:, 0])
    np.testing.assert_allclose(warm[:, 2], before[:, 2] / 2, atol=1 / 255)


def test_object_and_background_share_the_pixels_that_no_mark_covers():
    masks = data(vary=("mark",)).split("test").masks
    marks = data(vary=("mark",)).split("test").factors["mark"][:, None, None] * masks["mark"]
    np.testing.assert_array_equal(masks["object"] + masks["background"] + marks, np.ones_like(marks))


def own(factor, split, levels):
    """(N,) bool: the value is the one that its class owns."""
    values, labels, classes = split.factors[factor], split.labels, len(split.class_names)
    if factor == "background":
        return values == labels
    if factor in levels:
        return values == (labels == 0)
    low, high = {"tint": (-1, 1), "size": (0.4, 0.8)}.get(factor, (0, 1))
    return ((values - low) / (high - low) * classes).clip(0, classes - 1e-4).astype(int) == labels


@pytest.mark.parametrize("factor", ALL)
def test_a_dose_of_a_factor_goes_with_its_class(factor):
    made = data(confounds={factor: 0.8}, train=1000, validation=2, test=1000, size=16)
    chance = {"background": 1 / len(BACKGROUNDS)}.get(factor, 1 / 2)
    shares = {"train": 0.8 + 0.2 * chance, "test": 0.8 + 0.2 * chance, "test-decorrelated": chance}
    for name, share in (shares | {"test-conflicting": 0}).items():
        split = made.split(name)
        assert abs(own(factor, split, made.factor_levels).mean() - share) <= 4.5 * np.sqrt(share * (1 - share) / 1000)


def test_confounds_change_nothing_else_in_the_test_splits():
    made = data(confounds=ALL, test=32)
    splits = [made.split(name) for name in ("test", "test-decorrelated", "test-conflicting")]
    for name in splits[0].factors:
        differs = any((split.factors[name] != splits[0].factors[name]).any() for split in splits)
        assert differs == (name in ALL)
    assert [sorted(split.masks) for split in splits] == [["background", "mark", "noise", "object"]] * 3


def test_images_of_a_split_are_those_of_its_factors():
    made = data(confounds=ALL, label_noise=0.5, rotation=20.0)
    for name in made.splits:
        split = made.split(name).read()
        np.testing.assert_array_equal(made.render(split.factors), split.images)


def test_labels_are_noisy_in_training_only_and_confounds_follow_them():
    noisy = data(label_noise=0.3, train=1000, size=16, confounds={"mark": 1.0})
    train, clean = noisy.split("train"), data(train=1000, size=16).split("train")
    assert abs((train.labels != clean.labels).mean() - 0.3) < 4.5 * np.sqrt(0.21 / 1000)
    np.testing.assert_array_equal(train.factors["cut-out"], clean.factors["cut-out"])
    np.testing.assert_array_equal(train.factors["mark"], train.labels == 0)
    np.testing.assert_array_equal(noisy.split("test").labels, data().split("test").labels)


def test_backgrounds_come_from_a_folder(tmp_path):
    colours = {"sea.png": (0, 60, 200), "sand.png": (220, 190, 120)}
    for name, colour in colours.items():
        Image.new("RGB", (50, 40), colour).save(tmp_path / name)
    made = data(backgrounds_folder=str(tmp_path), confounds={"background": 1.0})
    split = made.split("test").read()
    assert made.factor_levels["background"] == ("sand.png", "sea.png")
    for image, mask, label in zip(split.images, split.masks["object"], split.labels, strict=True):
        expected = np.float32(list(colours.values())[1 - label]) / 255
        outside = ~mask & (np.abs(image - expected[:, None, None]).max(0) < 1e-6)
        assert outside.sum() > 0.9 * (~mask).sum()
    assert made.fingerprint() != data().fingerprint()
    before = made.fingerprint()
    Image.new("RGB", (60, 40), "black").save(tmp_path / "sea.png")
    assert data(backgrounds_folder=str(tmp_path)).fingerprint() != before


def test_a_background_that_is_no_image_is_named(tmp_path):
    (tmp_path / "sea.png").write_text("no image")
    with pytest.raises(UserError, match=r"sea\.png") as caught:
        data(backgrounds_folder=str(tmp_path)).split("test").read()
    assert "backgrounds_folder" in caught.value.fix


def test_images_are_read_when_indexed_and_fit_their_ids():
    made = data()
    split = made.split("train")
    assert type(split.images).__name__ == "LazyImages"
    assert not split.masks
    assert split.ids[0].startswith("train-0-")
    assert len(made.split("test").masks["object"]) == 12


def test_groups_make_classes_of_cut_outs_and_of_classes():
    options = {"validation_share": 0.0, "test_share": 0.5, "groups": {"mix": ("red", "mammals"), "blue-birds": ()}}
    listed = stamps.list_cutouts(CutoutsParams(**{**SETTINGS, **options}, classes=("mix",)))
    assert listed.classes == ("mix",)
    assert {entry.relative for entry in listed.entries} == {
        "birds/red.png",
        *(f"mammals/{name}.png" for name in ("red", "orange", "blue", "purple")),
    }


def test_a_cut_out_in_two_classes_is_refused():
    options = {**SETTINGS, "groups": {"mine": ("birds",)}, "classes": ("birds", "mine")}
    (mistake,) = stamps.cutouts_mistakes(CutoutsParams(**options))
    assert "birds/" in mistake.message
    assert '"birds" and "mine"' in mistake.message


def test_factors_are_checked():
    made = data()
    factors = made.split("test").factors
    with pytest.raises(SidelightError, match="top"):
        made.render({name: values for name, values in factors.items() if name != "top"})
    with pytest.raises(SidelightError, match="finite"):
        made.render({**factors, "left": np.full(12, np.nan, np.float32)})


def test_a_picture_without_transparency_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (9, 9), "red").save(tmp_path / "photos" / f"{name}.png")
    with pytest.raises(UserError, match="no cut-out") as caught:
        data(folder=str(tmp_path)).split("test")
    assert "alpha" in caught.value.fix


def test_missing_stamps_come_with_the_way_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(stamps, "STAMPS_FOLDER", tmp_path)
    (mistake,) = stamps.cutouts_mistakes(CutoutsParams())
    assert "apt-get install tuxpaint-stamps-default" in mistake.fix
    with pytest.raises(UserError, match="stamps"):
        CutoutImages(CutoutsParams(), run=ToyRun()).split("test")


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_backgrounds_are_regions_of_photographs_that_are_there(name):
    ground = read_background(name)
    assert min(ground.size) >= 80
    assert np.asarray(ground).std() > 3
    assert set(REGIONS) == set(BACKGROUNDS)


@pytest.mark.skipif(not stamps.STAMPS_FOLDER.is_dir(), reason="tuxpaint-stamps-default is not installed")
def test_the_table_names_stamps_that_are_there():
    listed = stamps.list_cutouts(CutoutsParams())
    named = sum(len(stems.split()) for folders in stamps.STAMPS.values() for stems in folders.values())
    assert len(listed.entries) == named
    split = CutoutImages(CutoutsParams(size=64, test=22), run=ToyRun()).split("test").read()
    shares = split.masks["object"].mean((1, 2))
    assert 0.003 < shares.min() < shares.max() < 0.64
