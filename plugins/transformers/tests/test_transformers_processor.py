"""Image processors read from their JSON, against transformers' own classes."""

import pytest
from sidelight_specs import UserError
from sidelight_transformers import processor as reading
from sidelight_transformers.architectures import ATTENTION, FIXED_SIZE, NOT_EXPLAINED, PROCESSORS
from sidelight_transformers.comparison import compare
from sidelight_transformers.folder import ModelFolder
from sidelight_transformers.image_classifier import import_transformers
from sidelight_transformers.processor import DEFAULTS, OPTIONS, Processor

import_transformers()
from transformers.models.auto import image_processing_auto as auto  # noqa: E402
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES  # noqa: E402

HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_defaults_are_those_of_the_class(kind):
    made = auto.get_image_processor_class_from_name(kind)
    theirs = {name: getattr(made, name, None) for name in OPTIONS}
    ours = {name: DEFAULTS[kind].get(name) for name in OPTIONS}
    if not theirs["do_center_crop"]:  # a crop that is not done
        theirs["do_center_crop"] = theirs["crop_size"] = None
    assert theirs == ours
    assert made.default_to_square is not (kind in reading._BY_SHORT_SIDE)


def test_processors_are_those_that_transformers_takes_for_a_type():
    theirs = {
        kind: auto.IMAGE_PROCESSOR_MAPPING_NAMES.get(kind) for kind in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    }
    for model_type, named in theirs.items():
        if named and model_type not in NOT_EXPLAINED:
            assert PROCESSORS[model_type] in named.values(), model_type
    unknown = {kind for kind, named in theirs.items() if not named} - set(NOT_EXPLAINED)
    assert unknown == {"dinov2_with_registers", "hgnet_v2"}
    assert set(PROCESSORS) - set(theirs) == set()
    assert set(PROCESSORS) >= ATTENTION | FIXED_SIZE


@pytest.mark.parametrize(
    ("values", "size", "resized", "crop"),
    [
        ({"image_processor_type": "ViTImageProcessor", "size": 224}, (224, 224), (224, 224), "whole"),
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": [96, 64]}, (96, 64), (96, 64), "whole"),
        ({"image_processor_type": "ConvNextImageProcessorFast", "size": 224}, (224, 224), (256, 256), 224 / 256),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
            (384, 384),
            (384, 384),
            "whole",
        ),
        ({"image_processor_type": "DeiTImageProcessor"}, (224, 224), (256, 256), 224 / 256),
        (
            {"image_processor_type": "BitImageProcessorPil", "size": {"shortest_edge": 256}},
            (224, 224),
            (256, 256),
            0.875,
        ),
        ({"image_processor_type": "LevitImageProcessor"}, (224, 224), (256, 256), 0.875),
        ({"image_processor_type": "PerceiverImageProcessor"}, (224, 224), (256, 256), 0.875),
        ({"image_processor_type": "PoolFormerImageProcessor"}, (224, 224), (248, 248), 224 / 248),
        ({"image_processor_type": "TextNetImageProcessor", "size": {"shortest_edge": 70}}, (96, 96), (96, 96), None),
        ({"do_resize": False, **HALF}, (48, 48), (48, 48), None),
        ({"do_resize": False, "do_center_crop": True, "crop_size": 40, **HALF}, (40, 40), (40, 40), None),
    ],
)
def test_sizes(values, size, resized, crop):
    found = Processor.read(values, "", (48, 48), "p.json")
    assert (found.size, found.resized, found.crop) == (size, resized, crop)


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        (HALF, (0.5,) * 3, (0.5,) * 3),
        ({**HALF, "do_normalize": False}, (0.0,), (1.0,)),
        ({**HALF, "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False}, (0.5,), (0.5,)),
        ({**HALF, "do_rescale": False, "image_mean": [127.5] * 3, "image_std": [255.0] * 3}, (0.5,) * 3, (1.0,) * 3),
        ({**HALF, "include_top": True}, (0.5,) * 3, (0.25,) * 3),
        ({"image_mean": 0.2, "image_std": 0.1}, (0.2,), (0.1,)),
    ],
)
def test_mean_and_deviation_of_images_in_0_to_1(values, mean, std):
    found = Processor.read({"size": 32, **values}, "", None, "p.json")
    assert found.mean == pytest.approx(mean)
    assert found.std == pytest.approx(std)


@pytest.mark.parametrize(
    "values",
    [
        {"image_processor_type": "EfficientNetImageProcessor", "size": 32, "rescale_offset": True},
        {"image_processor_type": "EfficientNetImageProcessor", "size": 32, "include_top": False, "resample": 0},
        {"image_processor_type": "MobileViTImageProcessor", "size": 40, "crop_size": 32},
        {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32},
        {"image_processor_type": "PerceiverImageProcessor", "size": 32, "crop_size": 40},
        {"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32},
        {"image_processor_type": "TextNetImageProcessor", "size": {"shortest_edge": 40}},
        {"image_processor_type": "SegformerImageProcessor", "size": {"height": 32, "width": 48}},
        {"image_processor_type": "DonutImageProcessor", "size": {"height": 48, "width": 32}},
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 33}, "crop_size": 32},
        {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}},
        {"image_processor_type": "PvtImageProcessor", "size": 32, "do_normalize": False},
        {"image_processor_type": "BeitImageProcessor", "size": 32, "do_rescale": False, "image_std": [90.0] * 3},
        {"image_processor_type": "MobileNetV1ImageProcessor", "size": {"shortest_edge": 41}, "crop_size": 32},
    ],
    ids=lambda values: values["image_processor_type"],
)
def test_what_is_read_is_what_the_class_does(folder, edit, values):
    (folder / "preprocessor_config.json").write_text("{}")
    edit(folder / "preprocessor_config.json", **values)
    assert compare(import_transformers(), ModelFolder.read(folder)) == ""


def test_a_class_that_does_more_is_refused(folder, monkeypatch):
    made = auto.get_image_processor_class_from_name("ViTImageProcessorPil")
    before = made._preprocess

    def darker(self, images, **options):
        return before(self, [image // 2 for image in images], **options)

    monkeypatch.setattr(made, "_preprocess", darker)
    with pytest.raises(UserError, match="preprocesses by more than size, mean and std"):
        compare(import_transformers(), ModelFolder.read(folder))


def test_a_class_that_is_not_known_is_said(folder, edit):
    edit(folder / "preprocessor_config.json", image_processor_type="NewImageProcessor")
    reason = compare(import_transformers(), ModelFolder.read(folder))
    assert "has no NewImageProcessor" in reason


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": "large"}, 'size is "large", height and width, or shortest_edge was expected'),
        ({"size": {"longest_edge": 224}}, "gives every image a size of its own (size: longest_edge)"),
        ({"size": 1_000_000}, "size is 1000000, a whole number from 8 to 4096 was expected"),
        ({"size": True}, "size is true"),
        (
            {"size": 32, "image_mean": ["a"]},
            "image_mean is a list, a list of numbers, one for each channel was expected",
        ),
        ({"size": 32, "image_std": [0.0]}, "image_std is a list, positive numbers was expected"),
        ({"size": 32, "image_mean": [float("inf")]}, "image_mean is a list"),
        ({"size": 32, "rescale_factor": 0}, "rescale_factor is 0, a positive number was expected"),
        ({"size": 32, "do_rescale": "yes"}, 'do_rescale is "yes", true or false was expected'),
        ({"size": 32, "resample": 9}, "resample is 9, a whole number from 0 to 5 was expected"),
        ({"do_resize": False}, "p.json does not resize images"),
    ],
)
def test_options_of_a_wrong_form(values, message):
    with pytest.raises(UserError) as caught:
        Processor.read({**HALF, **values}, "", None, "p.json")
    assert caught.value.message.startswith("p.json")
    assert message in caught.value.message
    assert caught.value.fix.startswith("set ")
