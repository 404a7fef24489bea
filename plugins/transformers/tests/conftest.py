import json

import pytest
import torch
from sidelight_specs.testing import ToyRun
from sidelight_transformers.image_classifier import ImageClassifier, import_transformers
from sidelight_transformers.params import ImageClassifierParams

TOKENS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
FORWARD = {**TOKENS, "intermediate_size": 64}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
WINDOWS = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}
PYRAMID = {"image_size": 32, "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]}
CLIP = {**FORWARD, "projection_dim": 16}

TINY = {  # type of model: options of its configuration, options of its image processor
    "vit": (FORWARD, {"size": {"height": 32, "width": 32}}),
    "deit": (FORWARD, {"size": {"height": 36, "width": 36}, "crop_size": {"height": 32, "width": 32}}),
    "dinov2_with_registers": (
        TOKENS,
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    ),
    "swin": (WINDOWS, {"size": {"height": 32, "width": 32}}),
    "convnext": (
        {"num_stages": 2, **STAGES},
        {"size": {"shortest_edge": 28}, "crop_pct": 0.875},
    ),
    "resnet": (
        {"embedding_size": 8, "layer_type": "basic", **STAGES},
        {"size": {"shortest_edge": 32}, "crop_pct": 0.875},
    ),
    "beit": (FORWARD, {"size": {"height": 32, "width": 32}}),
    "mobilevit": (
        {
            "image_size": 32,
            "hidden_sizes": [16, 16, 16],
            "neck_hidden_sizes": [8, 8, 8, 8, 16, 16, 32],
            "num_attention_heads": 2,
        },
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    ),
}


def processor_class(model_type):
    """The image processor of a type, by Pillow."""
    from sidelight_transformers.architectures import PROCESSORS
    from transformers.models.auto import image_processing_auto as auto

    return auto.get_image_processor_class_from_name(PROCESSORS[model_type] + "Pil")


def save(folder, model_type="vit", labels=("cat", "dog", "owl"), processor=True, channels=3, seed=0, **options):
    """Save a tiny random model and its image processor as save_pretrained does."""
    transformers = import_transformers()
    config_options, processor_options = TINY[model_type]
    config = transformers.AutoConfig.for_model(
        model_type,
        **config_options,
        **({"num_channels": channels} if channels != 3 else {}),
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        **options,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
        model = (network[0] if isinstance(network, tuple) else network)(config).eval()
        for parameter in model.parameters():  # transformers begins with weights so small that every image looks alike
            if parameter.ndim > 1:
                torch.nn.init.xavier_uniform_(parameter)
    transformers.logging.disable_progress_bar()
    model.save_pretrained(folder)
    if processor:
        values = dict(processor_options)
        if channels != 3:
            values |= {"image_mean": [0.5] * channels, "image_std": [0.5] * channels}
        processor_class(model_type)(**values).save_pretrained(folder)
    return model


@pytest.fixture(scope="session")
def tiny():
    """Type of model to the options of `make`'s configuration and image processor."""
    return TINY


@pytest.fixture(scope="session")
def make():
    """Function that saves a tiny model: `make(folder, model_type="vit", labels=..., **options)`."""
    return save


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Folder of a tiny model of a type, saved once."""
    folders = {}

    def folder_of(model_type="vit"):
        if model_type not in folders:
            folder = tmp_path_factory.mktemp(model_type)
            folders[model_type] = folder, save(folder, model_type)
        return folders[model_type]

    return folder_of


@pytest.fixture
def folder(tmp_path):
    """A tiny ViT of the test's own, to be spoilt."""
    save(tmp_path / "vit")
    return tmp_path / "vit"


@pytest.fixture
def load():
    def build(path, run=None, **options):
        return ImageClassifier(ImageClassifierParams(path=str(path), **options), run=run or ToyRun())

    return build


@pytest.fixture
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def edit():
    """Function that changes keys of a JSON file; None drops one."""

    def change(path, **values):
        content = json.loads(path.read_text()) | values
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return change
