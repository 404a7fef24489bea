"""Folders from strangers run no code and reach no other file, where transformers on its own would, or could."""

import json
import os
import pickle
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file
from sidelight_specs import UserError
from sidelight_transformers.image_classifier import import_transformers, known_options


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A path that exists once a payload ran; meanwhile nothing may connect."""

    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    path = tmp_path / "ran"
    yield path
    assert not path.exists()


@pytest.mark.parametrize("protocol", ["zip", "old", "bare"])
def test_a_pickled_payload_is_refused(folder, load, marker, protocol):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    if protocol == "bare":
        path.write_bytes(pickle.dumps(Payload(marker)))
    else:
        torch.save(weights | {"a": Payload(marker)}, path, _use_new_zipfile_serialization=protocol == "zip")
    with pytest.raises(UserError, match=r"pytorch_model\.bin (has the name|cannot be read)"):
        _ = load(folder).module


def test_a_pickle_beside_safetensors_is_not_opened(folder, load, images, marker):
    expected = load(folder).scores(images)
    for name in ("pytorch_model.bin", "training_args.bin", ".metadata", "optimizer.pt"):
        (folder / name).write_bytes(pickle.dumps(Payload(marker)))
    assert torch.equal(load(folder).scores(images), expected)


def test_a_module_of_the_folder_is_refused_and_never_imported(folder, edit, load, marker):
    code = f"import os\nos.mkdir({str(marker)!r})\nfrom transformers import ViTForImageClassification as Own\n"
    for name in ("modeling_own.py", "configuration_own.py", "image_processing_own.py", "__init__.py"):
        (folder / name).write_text(code)
    _ = load(folder).module  # nothing names them
    edit(folder / "config.json", auto_map={"AutoModelForImageClassification": "modeling_own.Own"})
    with pytest.raises(UserError, match="names code of its own"):
        _ = load(folder).module
    edit(folder / "config.json", auto_map=None)
    edit(folder / "preprocessor_config.json", auto_map={"AutoImageProcessor": "image_processing_own.Own"})
    with pytest.raises(UserError, match="names code of its own"):
        _ = load(folder).module


@pytest.mark.parametrize(
    "values",
    [
        {"transformers_weights": "/etc/passwd"},
        {"attn_implementation": "stranger/kernel"},
        {"_attn_implementation": "stranger/kernel"},
        {"_attn_implementation_internal": "stranger/kernel"},
        {"experts_implementation": "stranger/kernel"},
        {"fusion_config": {"patch_embeddings": True}},
        {"kernel_config": {"Attention": "stranger/kernel:Own"}, "use_kernels": True},
        {"distributed_config": {"tp_plan": "auto"}},
        {"dtype": "load", "torch_dtype": "load"},
        {"to_dict": 1, "__class__": "x", "save_pretrained": None, "_name_or_path": "stranger/model"},
        {"output_attentions": True, "return_dict": False, "output_hidden_states": True},
        {"base_model_tp_plan": {"layers.*": "colwise"}, "architectures": ["os.system", "ViTForImageClassification"]},
        {"label2id": {"cat": "x"}, "num_labels": 10**9},
        {"use_cache": "../..", "peft": {"base_model_name_or_path": "stranger/model"}},
    ],
    ids=lambda values: next(iter(values)),
)
def test_options_that_say_how_to_load_are_dropped(folder, edit, load, images, marker, values):
    expected = load(folder).scores(images)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | values))
    assert torch.equal(load(folder).scores(images), expected)


def test_an_adapter_beside_the_model_is_not_followed(folder, load, images, marker):
    expected = load(folder).scores(images)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "stranger/model", "peft_type": "LORA"}')
    (folder / "adapter_model.safetensors").write_bytes(b"")
    assert torch.equal(load(folder).scores(images), expected)


def test_an_index_reaches_no_file_outside_the_folder(folder, load, tmp_path, marker):
    save_file({"secret": torch.ones(1)}, tmp_path / "secret.safetensors")
    (folder / "model.safetensors").unlink()
    for name in ("../secret.safetensors", str(tmp_path / "secret.safetensors"), "..", "x/../../secret.safetensors"):
        index = {"weight_map": {"secret": name}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(UserError, match=r"which is no \.safetensors file beside it"):
            _ = load(folder).module


def test_a_header_that_promises_more_than_the_file_is_refused(folder, load):
    path = folder / "model.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(UserError, match="is no safetensors file, or incomplete"):
        _ = load(folder).module


def test_options_of_parts_are_the_parts_own():
    transformers = import_transformers()
    given = {
        "vision_config": {"hidden_size": 16, "attn_implementation": "stranger/kernel", "to_dict": 1},
        "projection_dim": 4,
        "trust_remote_code": True,
    }
    assert known_options(transformers.CLIPConfig, given) == {"vision_config": {"hidden_size": 16}, "projection_dim": 4}
