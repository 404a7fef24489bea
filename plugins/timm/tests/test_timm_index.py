"""timm's tables, read as text, say what timm itself says."""

import subprocess
import sys

import pytest
from sidelight_timm import model_index
from sidelight_timm.model import import_timm

KEYS = ("input_size", "mean", "std", "crop_pct", "interpolation", "num_classes", "first_conv", "classifier")
FIXED = (*KEYS, "fixed_input_size", "crop_mode", "label_names")


def test_every_architecture_is_found():
    timm = import_timm()
    assert set(model_index.architectures()) == set(timm.list_models())
    assert model_index.is_known("resnet18")
    assert model_index.is_known("vit_tiny_patch16_224_in21k")  # deprecated: it has another name now
    assert not model_index.is_known("resnet19")


def test_configurations_are_those_of_timm():
    """One in seven names, with and without tags; a few are written in a way that is not read, and are unknown."""
    timm = import_timm()
    from timm.models._pretrained import PretrainedCfg

    names = [*timm.list_models(include_tags=True), *timm.list_models()][::7]
    unknown = 0
    for name in names:
        expected, found = timm.get_pretrained_cfg(name), model_index.configuration(name)
        if found is None or expected is None:
            unknown += 1
            continue
        ours = PretrainedCfg(**found)
        assert [getattr(ours, key) for key in FIXED] == [getattr(expected, key) for key in FIXED], name
    assert unknown < 0.05 * len(names)


@pytest.mark.parametrize("columns", [1000, 11221, 11821, 21841, 21842, 21843])
def test_imagenets_subsets_have_a_name_for_each_class(columns):
    assert len(set(model_index.imagenet_names(columns))) == columns
    assert model_index.imagenet_names(7) == ()


@pytest.mark.processes
def test_nothing_heavy_is_imported():
    code = """
import sys
from sidelight_timm import model_index, sidelight_classifiers
from sidelight_timm.params import TimmParams
from sidelight_specs.facts import DataFacts
(descriptor,) = sidelight_classifiers()
assert descriptor.facts(TimmParams(architecture="resnet18", weights="random"), DataFacts()).shape == (3, 224, 224)
print(sorted({"torch", "timm", "torchvision", "PIL", "numpy", "safetensors"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_attention_by_the_source_text_is_that_of_the_layers():
    """One architecture of each of timm's modules, on the device `meta`; modules of mixed networks are left out."""
    import torch
    from sidelight_toolkit.live_model import has_attention

    timm = import_timm()
    modules = {path: name for name, path in model_index._sources().items() if path.stem not in model_index._MIXED}
    wrong = []
    for name in list(modules.values())[::4]:
        with torch.device("meta"):
            try:
                network = timm.create_model(name)
            except (RuntimeError, NotImplementedError):  # it computes with its weights when it is made
                continue
        if has_attention(network) != model_index.has_attention(name):
            wrong.append(name)
    assert not wrong
