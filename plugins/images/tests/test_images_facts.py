"""Facts that descriptors tell about data sets, held against the data sets."""

from importlib import import_module
from pathlib import Path

import pytest
import sidelight_images
from sidelight_images import facts
from sidelight_images.faces.factors import FACTORS
from sidelight_images.names import FACE_CLASSES
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun

EXAMPLES = Path(sidelight_images.__file__).parent / "examples"
CUTOUTS = str(EXAMPLES / "cutouts")
DESCRIPTORS = {one.name: one for one in sidelight_images.sidelight_data()}
GOOD = [
    ("digits", {}),
    ("digits", {"test": 100, "classes": ("4", "9"), "square": "4", "size": 28}),
    ("digits", {"keep": {"8": 3}}),
    ("optical-digits", {"test": 300}),
    ("fashion", {"path": str(EXAMPLES / "idx"), "square": "any"}),
    ("faces", {"size": 16, "train": 5, "test": 3, "label": "glasses", "confounds": {"smile": 0.8}}),
    ("faces", {"size": 16, "train": 5, "test": 3}),
    ("faces", {"size": 16, "train": 5, "test": 9, "label": ("hair-colour", "beard")}),
    (
        "faces",
        {"size": 16, "train": 5, "test": 9, "label": ("hair-colour", "beard"), "leave_out": ("light hair, beard",)},
    ),
    ("photos", {"names": ("coffee",), "shares": (1.0, 0.5), "size": 16}),
    ("printed", {"size": 32, "train": 3, "test": 2, "height": 6}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "train": 3, "validation": 2, "test": 2}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "test": 3, "validation_share": 0.0, "test_share": 1.0}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "groups": {"warm": ("red", "orange"), "cold": ("blue", "purple")}}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "test": 9, "aligned": {"birds": "sky", "mammals": "grass"}}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "test": 9, "confounds": {"mark": 0.9, "size": 0}, "vary": ("tint",)}),
    ("cutouts", {"folder": CUTOUTS, "size": 16, "test": 9, "backgrounds_folder": str(EXAMPLES / "shapes")}),
    ("folder", {"path": str(EXAMPLES / "shapes"), "size": 8}),
    ("folder", {"path": str(EXAMPLES / "shapes"), "size": 8, "mode": "grey", "test_share": 1.0, "limit": 3}),
    ("folder", {"path": str(EXAMPLES / "shapes/circle"), "size": 8, "seed": 1}),
]
WRONG = [
    ("digits", {"classes": ("ten",)}, "classes"),
    ("digits", {"classes": ("4", "4")}, "classes"),
    ("digits", {"square": "4", "classes": ("5", "6")}, "square"),
    ("digits", {"square": "ten"}, "square"),
    ("digits", {"keep": {"4": 1}, "leave_out": ("4",)}, "leave_out"),
    ("fashion", {"path": "nowhere"}, "path"),
    ("faces", {"confounds": {"smile": 0.9}}, "confounds"),
    ("faces", {"confounds": {"hat": 0.9}}, "confounds"),
    ("faces", {"label": ("smile", "smile")}, "label"),
    ("faces", {"label": tuple(FACE_CLASSES)}, "label"),  # 33 million classes
    ("printed", {"first_photos": ("coffee",), "second_photos": ("chelsea",), "test_photos": ("china",)}, "test_photos"),
    ("faces", {"label": ("smile", "beard"), "confounds": {"beard": 0.9}}, "confounds"),
    ("faces", {"label": ("smile", "beard"), "leave_out": ("beard",)}, "leave_out"),
    ("photos", {"names": ()}, "names"),
    ("printed", {"test_photos": ("camera",)}, "test_photos"),
    ("printed", {"train_photos": ()}, "train_photos"),
    ("cutouts", {"folder": "nowhere"}, "folder"),
    ("cutouts", {"folder": CUTOUTS + "/birds"}, "folder"),
    ("cutouts", {"folder": CUTOUTS, "classes": ("fish",)}, "classes"),
    ("cutouts", {"folder": CUTOUTS, "classes": ("birds", "birds")}, "classes"),
    ("cutouts", {"folder": CUTOUTS, "groups": {"few": ("blue",)}, "classes": ("birds", "few")}, "classes"),
    ("cutouts", {"folder": CUTOUTS, "groups": {"warm": ("green",)}}, "groups"),
    ("cutouts", {"folder": CUTOUTS, "aligned": {"fish": "sky"}}, "aligned"),
    ("cutouts", {"folder": CUTOUTS, "aligned": {"birds": "moon"}}, "aligned"),
    ("cutouts", {"folder": CUTOUTS, "backgrounds": ("sky", "sky")}, "backgrounds"),
    ("cutouts", {"folder": CUTOUTS, "backgrounds": ("moon",)}, "backgrounds"),
    ("cutouts", {"folder": CUTOUTS, "backgrounds": ("sky",), "confounds": {"background": 0.9}}, "backgrounds"),
    ("cutouts", {"folder": CUTOUTS, "backgrounds_folder": "nowhere"}, "backgrounds_folder"),
    ("cutouts", {"folder": CUTOUTS, "confounds": {"cut-out": 0.9}}, "confounds"),
    ("cutouts", {"folder": CUTOUTS, "confounds": {"background": 0.9}, "aligned": {"birds": "sky"}}, "confounds"),
    ("cutouts", {"folder": CUTOUTS, "confounds": {"mark": 0.9}, "classes": ("birds",)}, "confounds"),
    ("cutouts", {"folder": CUTOUTS, "label_noise": 0.1, "classes": ("birds",)}, "label_noise"),
    ("cutouts", {"folder": CUTOUTS, "scale": (0.8, 0.4)}, "scale"),
    ("cutouts", {"folder": CUTOUTS, "validation_share": 0.6, "test_share": 0.6}, "test_share"),
    ("folder", {"path": "nowhere"}, "path"),
    ("folder", {"path": str(EXAMPLES / "idx")}, "path"),
]


def made(name, options):
    descriptor = DESCRIPTORS[name]
    params = descriptor.params(**options)
    module, _, factory = descriptor.factory.partition(":")
    return descriptor, params, getattr(import_module(module), factory)(params, run=ToyRun())


@pytest.mark.parametrize(("name", "options"), GOOD)
def test_facts_are_what_the_data_turn_out_to_be(name, options):
    descriptor, params, data = made(name, options)
    assert list(descriptor.mistakes(params)) == []
    facts = descriptor.facts(params)
    assert tuple(facts.splits) == tuple(data.splits)
    assert facts.fingerprint == data.fingerprint()
    assert set(facts.factors) == set(data.factor_ranges)
    for split, count in facts.splits.items():
        found = data.split(split)
        assert count in (None, len(found))
        assert facts.shape == found.images.shape[1:]
        assert facts.classes == tuple(found.class_names)
        assert set(facts.masks[split]) == set(found.masks)


def test_numbers_of_images_are_told_where_nothing_is_left_out():
    params = DESCRIPTORS["digits"].params()
    assert DESCRIPTORS["digits"].facts(params).splits == {"train": 4000, "test": 1000}


@pytest.mark.parametrize(("name", "options", "option"), WRONG)
def test_mistakes_are_what_the_data_refuse(name, options, option):
    descriptor, params, data = made(name, options)
    assert {mistake.option for mistake in descriptor.mistakes(params)} == {option}
    with pytest.raises(UserError):
        [data.split(split) for split in ("train", "test")]


def test_the_classes_of_a_label_that_cannot_be_crossed_are_not_listed():
    params = sidelight_images.FacesParams(label=tuple(FACE_CLASSES)[:12])
    assert facts.faces_facts(params).classes is None


def test_the_names_of_the_factors_are_those_of_the_table():
    assert [factor.name for factor in FACTORS] == list(FACE_CLASSES)


def test_a_folder_beyond_the_limit_is_not_counted(monkeypatch):
    monkeypatch.setattr(facts, "MOST_FILES", 3)
    descriptor, params, _ = made("folder", {"path": str(EXAMPLES / "shapes")})
    assert list(descriptor.mistakes(params)) == []
    assert descriptor.facts(params).splits is None
