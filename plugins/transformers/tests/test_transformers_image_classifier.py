"""Folders of save_pretrained: logits, names and preprocessing against transformers itself."""

import numpy as np
import pytest
import sidelight_transformers
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sidelight_specs.facts import DataFacts
from sidelight_specs.testing import ToyRun
from sidelight_transformers.comparison import own_processor
from sidelight_transformers.image_classifier import import_transformers

(DESCRIPTOR,) = (one for one in sidelight_transformers.sidelight_classifiers() if one.name == "image-classifier")
TYPES = ("vit", "deit", "dinov2_with_registers", "swin", "convnext", "resnet", "beit", "mobilevit")


def theirs(classifier, image):
    """(1, C, H, W) by the folder's own image processor."""
    processor = own_processor(import_transformers(), classifier.configuration)
    return processor.preprocess([image], return_tensors="pt")["pixel_values"]


def picture(size, seed=0):
    """A smooth random picture, as photographs are."""
    noise = np.random.default_rng(seed).random((7, 7, 3), dtype=np.float32)
    return Image.fromarray((noise * 255).astype(np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)


def tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255


def centre(images, size):
    top, left = ((images.shape[-2] - size[0]) // 2, (images.shape[-1] - size[1]) // 2)
    return images[..., top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("model_type", TYPES)
def test_logits_are_those_of_transformers_on_a_picture(saved, load, model_type, tmp_path):
    folder, model = saved(model_type)
    run = ToyRun()
    classifier = load(folder, run)
    processor = classifier.configuration.processor
    picture(processor.resized).save(tmp_path / "a.png")  # of the size before the crop
    image = Image.open(tmp_path / "a.png")
    with torch.no_grad():
        expected = model(pixel_values=theirs(classifier, image)).logits
    scores = classifier.scores(centre(tensor(image), processor.size))
    assert torch.allclose(scores, expected, atol=1e-5 * max(1.0, expected.abs().max().item()))
    assert run.warnings == []


@pytest.mark.parametrize("model_type", TYPES)
def test_facts_are_what_the_model_turns_out_to_be(saved, load, model_type):
    folder, _ = saved(model_type)
    params = DESCRIPTOR.params(path=str(folder))
    assert list(DESCRIPTOR.mistakes(params)) == []
    facts, classifier = DESCRIPTOR.facts(params, DataFacts()), load(folder)
    assert facts.shape == classifier.input_shape
    assert facts.classes == classifier.class_names == ("cat", "dog", "owl")
    assert facts.task == classifier.task == "multiclass"
    assert classifier.scores(torch.rand(2, *facts.shape)).shape == (2, 3)


@pytest.mark.parametrize("model_type", TYPES)
def test_gradients_and_blocks_are_there(saved, load, model_type):
    folder, _ = saved(model_type)
    classifier = load(folder)
    images = torch.rand(2, *classifier.input_shape, requires_grad=True)
    names = classifier.layers
    assert len(names) > 5
    assert all(name.startswith("model.") for name in names)
    with classifier.watch(names) as seen:
        (gradient,) = torch.autograd.grad(classifier.scores(images)[:, 1].sum(), images)
    assert gradient.abs().max() > 0
    assert set(seen) == set(names)


@pytest.mark.parametrize("model_type", ["vit", "dinov2_with_registers", "beit"])
def test_eager_attention_gives_the_same_logits(saved, load, images, model_type):
    folder, _ = saved(model_type)
    classifier = load(folder)
    network = classifier.module.model
    assert network.config._attn_implementation == "sdpa"
    scores = classifier.scores(images)
    network.set_attn_implementation("eager")
    assert torch.allclose(classifier.scores(images), scores, atol=1e-5)


@pytest.mark.parametrize("model_type", ["vit", "convnext", "mobilevit"])
@pytest.mark.parametrize("size", [(90, 90), (20, 20)])
def test_resizing_is_that_of_pillow_up_to_its_rounding(saved, load, model_type, size):
    """Both filter alike; Pillow rounds to 1/255 after each direction and computes weights in fixed point."""
    classifier = load(saved(model_type)[0])
    processor = classifier.configuration.processor
    image = picture(size)
    ours = []
    classifier.module.model.register_forward_pre_hook(lambda _, args, kwargs: ours.append(args[0]), with_kwargs=True)
    share = processor.crop if isinstance(processor.crop, float) else 1
    keep = round(size[0] * share)
    classifier.scores(centre(tensor(image), (keep, keep)))
    difference = (ours[0] - theirs(classifier, image)).abs() * torch.tensor(processor.std).view(-1, 1, 1)
    # the crop before resizing is rounded to whole pixels, by up to half a pixel of the smooth picture
    assert difference.mean() < (0.004 if share == 1 else 0.03)
    if share == 1:
        assert difference.max() < 2.5 / 255


def test_a_pickle_of_weights_gives_the_same_logits(saved, load, images, tmp_path):
    folder, _ = saved()
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    assert torch.equal(load(tmp_path).scores(images), load(folder).scores(images))


def test_shards_give_the_same_logits(saved, load, images, tmp_path):
    folder, model = saved()
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    (tmp_path / "preprocessor_config.json").write_bytes((folder / "preprocessor_config.json").read_bytes())
    assert torch.equal(load(tmp_path).scores(images), load(folder).scores(images))


def test_half_precision_is_computed_in_single(folder, load, images, edit):
    weights = load_file(folder / "model.safetensors")
    expected = load(folder).scores(images)
    save_file({name: one.half() for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    edit(folder / "config.json", dtype="float16")
    scores = load(folder).scores(images)
    assert scores.dtype == torch.float32
    assert load(folder).module.model.dtype == torch.float32
    assert torch.allclose(scores, expected, atol=1e-2)


def test_loading_leaves_the_random_stream_and_the_log_as_they_were(folder, load):
    logging = import_transformers().logging
    verbosity, bars, state = logging.get_verbosity(), logging.is_progress_bar_enabled(), torch.get_rng_state()
    _ = load(folder).module
    assert torch.equal(torch.get_rng_state(), state)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (verbosity, bars)


def test_nothing_is_printed(folder, load, capfd):
    _ = load(folder).module
    assert capfd.readouterr() == ("", "")


def test_a_grey_model(make, load, tmp_path):
    make(tmp_path, channels=1)
    classifier = load(tmp_path, run := ToyRun())
    assert classifier.input_shape == (1, 32, 32)
    assert DESCRIPTOR.facts(DESCRIPTOR.params(path=str(tmp_path)), DataFacts()).shape == (1, 32, 32)
    assert classifier.scores(torch.rand(2, 1, 32, 32)).shape == (2, 3)
    assert run.warnings == []


@pytest.mark.parametrize(
    ("problem", "options", "task", "names"),
    [
        (None, {}, "regression", ("tumour",)),
        ("regression", {}, "regression", ("tumour",)),
        ("multi_label_classification", {}, "binary", ("not tumour", "tumour")),
        (None, {"task": "binary"}, "binary", ("not tumour", "tumour")),
        (None, {"task": "binary", "classes": ("well", "ill")}, "binary", ("well", "ill")),
    ],
)
def test_one_score(make, load, edit, tmp_path, problem, options, task, names):
    make(tmp_path, labels=("tumour",))
    edit(tmp_path / "config.json", problem_type=problem)
    classifier, params = load(tmp_path, **options), DESCRIPTOR.params(path=str(tmp_path), **options)
    facts = DESCRIPTOR.facts(params, DataFacts())
    assert list(DESCRIPTOR.mistakes(params)) == []
    assert (classifier.task, classifier.class_names) == (facts.task, facts.classes) == (task, names)
    assert ("classes" in DESCRIPTOR.provided_by(params)) == (task == "binary")
    assert classifier.scores(torch.rand(2, 3, 32, 32)).shape == (2, 1)


def test_one_score_without_a_name(make, load, tmp_path):
    make(tmp_path, labels=("LABEL_0",))
    assert load(tmp_path, task="binary").class_names == ("class 0", "class 1")


def test_two_labels_that_transformers_does_not_write(folder, edit, make, load, tmp_path):
    make(tmp_path / "two", labels=("LABEL_0", "LABEL_1"))
    edit(tmp_path / "two" / "config.json", id2label=None, label2id=None)
    assert load(tmp_path / "two").class_names == ("LABEL_0", "LABEL_1")


def test_a_name_that_comes_again_gets_its_index(make, load, tmp_path):
    make(tmp_path, labels=("crane", "owl", "crane"))
    assert load(tmp_path).class_names == ("crane (0)", "owl", "crane (2)")


def test_options_come_before_the_folder(folder, load, images):
    classifier = load(folder, mean=(0.0,), std=(1.0,), classes=("a", "b", "c"))
    with torch.no_grad():
        expected = classifier.module.model(pixel_values=images).logits
    assert torch.equal(classifier.scores(images), expected)
    assert classifier.class_names == ("a", "b", "c")


def test_without_a_processor_the_defaults_of_the_type_are_assumed_and_said(make, load, images, tmp_path, saved):
    make(tmp_path, processor=False)
    (warning,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(tmp_path)))
    assert not warning.refused
    assert "has no preprocessor_config.json: assumed are the defaults of ViTImageProcessor, 32x32, mean 0.5" in (
        warning.message
    )
    assert "save_pretrained(FOLDER); or set height, width, mean and std" in warning.fix
    assert torch.equal(load(tmp_path).scores(images), load(saved()[0]).scores(images))
    assert list(DESCRIPTOR.mistakes(DESCRIPTOR.params(path=str(tmp_path), mean=(0.5,), std=(0.5,)))) == []


def test_the_processor_inside_a_processor_of_text_and_images(folder, load, images):
    expected = load(folder).scores(images)
    content = (folder / "preprocessor_config.json").read_text()
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text('{"image_processor": ' + content + ', "processor_class": "Any"}')
    assert torch.equal(load(folder).scores(images), expected)


def test_the_fingerprint_follows_the_files(folder, edit):
    params = DESCRIPTOR.params(path=str(folder))
    prints = [DESCRIPTOR.fingerprint(params)]
    edit(folder / "preprocessor_config.json", image_mean=[0.4, 0.4, 0.4])
    prints.append(DESCRIPTOR.fingerprint(params))
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "more": torch.zeros(1)}, folder / "model.safetensors")
    prints.append(DESCRIPTOR.fingerprint(params))
    assert len(set(prints)) == 3


def test_weights_that_are_not_used_cost_nothing(folder, load, images):
    expected = load(folder).scores(images)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "extra.weight": torch.zeros(2)}, folder / "model.safetensors", {"format": "pt"})
    assert torch.equal(load(folder).scores(images), expected)
