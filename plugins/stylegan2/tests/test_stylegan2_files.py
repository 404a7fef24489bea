"""Checkpoints of other implementations: read exactly, and nothing in them is run.

The files are written here in the forms that those implementations write, with the classes that these need made up for
the moment of writing.
"""

import argparse
import io
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_stylegan2.files.checkpoint import load_checkpoint
from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network, StyledConvolution
from sidelight_stylegan2.params import PretrainedParams
from sidelight_stylegan2.pretrained import Pretrained

REFERENCE = Path(__file__).parent / "data" / "stylegan2_32_uncond.npz"
BUFFERS = ("resample_filter", "noise_const", "w_avg")


class Bomb:
    """Touches a file when it is unpickled by Python."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


class Evaluated(Bomb):
    def __reduce__(self):
        return eval, (f"open({str(self.path)!r}, 'w').close()",)


class Persistent:
    """An object as NVIDIA's networks are pickled: a function's name, and a dict with source code and attributes."""

    def __init__(self, class_name, state, source="class Layer: pass"):
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}

    def __reduce__(self):
        meta = sys.modules["dnnlib.util"].EasyDict(self.meta)
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


@pytest.fixture
def nvidia_modules(monkeypatch):
    """Modules of NVIDIA's names, for as long as a file is written."""
    util, persistence = types.ModuleType("dnnlib.util"), types.ModuleType("torch_utils.persistence")
    util.EasyDict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    persistence._reconstruct_persistent_obj = lambda meta: None
    persistence._reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    persistence._reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    for name, module in {"dnnlib.util": util, "torch_utils.persistence": persistence}.items():
        monkeypatch.setitem(sys.modules, name.partition(".")[0], types.ModuleType(name.partition(".")[0]))
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE, allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


def official(reference):
    return {name.removeprefix("sd/"): value for name, value in reference.items() if name.startswith("sd/")}


def module_of(weights, **attributes):
    """Nested persistent objects that hold a state dict as modules of torch do."""
    parameters, buffers, children = {}, {}, {}
    for name, value in weights.items():
        head, _, rest = name.partition(".")
        if rest:
            children.setdefault(head, {})[rest] = value
        elif name in BUFFERS:
            buffers[name] = value
        else:
            parameters[name] = torch.nn.Parameter(value)
    modules = {head: module_of(inner, **attributes) for head, inner in children.items()}
    own = {"training": False, "_parameters": parameters, "_buffers": buffers, "_non_persistent_buffers_set": set()}
    return Persistent("Layer", {**own, "_modules": modules, "_init_args": (), **attributes})


def nvidia_file(path, weights, extra=None, protocol=4, **attributes):
    networks = {"training_set_kwargs": {"resolution": 32, "scale": np.float64(0.5)}, "augment_pipe": None}
    networks |= {"G": None, "D": None, "G_ema": module_of(weights, conv_clamp=None, activation="lrelu", **attributes)}
    path.write_bytes(pickle.dumps({**networks, **(extra or {})}, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_file_of_nvidias_gives_the_images_of_its_network(tmp_path, reference, nvidia_modules, protocol):
    path = nvidia_file(tmp_path / "network.pkl", official(reference), protocol=protocol)
    found = load_checkpoint(path)
    assert found.centered
    torch.testing.assert_close(found.network(reference["ws"]), reference["img_const"], atol=1e-4, rtol=0)


def test_a_limit_of_activations_is_kept(tmp_path, reference, nvidia_modules):
    path = nvidia_file(tmp_path / "network.pkl", official(reference), img_channels=3)
    assert load_checkpoint(path).network.architecture.clamp is None
    limited = module_of(official(reference), conv_clamp=0.5, activation="lrelu")
    path.write_bytes(pickle.dumps({"G_ema": limited}))
    network = load_checkpoint(path).network
    assert network.architecture.clamp == 0.5
    largest = []
    for layer in network.synthesis.stack:
        if isinstance(layer, StyledConvolution):
            layer.register_forward_hook(lambda _module, _inputs, features: largest.append(features.abs().max()))
    network(reference["ws"])
    assert max(largest) == 0.5


def official_weights(network):
    """Ours by NVIDIA's names, with the filters that it keeps beside them."""
    found = {"mapping.w_avg": network.mapping.center, "synthesis.b4.const": network.synthesis.constant}
    for place, layer in enumerate(network.mapping.layers):
        found |= {f"mapping.fc{place}.weight": layer.weight, f"mapping.fc{place}.bias": layer.bias}
    found |= {f"mapping.embed.{name}": value for name, value in network.mapping.embedding.named_parameters()}
    names = [f"b{size}.{part}" for size in (4, 8) for part in ("conv0", "conv1", "torgb")][1:]
    for name, layer in zip(names, network.synthesis.stack, strict=True):
        inner = {**dict(layer.named_parameters()), **dict(layer.named_buffers(recurse=False))}
        official = {"strength": "noise_strength", "noise": "noise_const"}
        for kind, value in inner.items():
            if kind != "taps":
                found[f"synthesis.{name}.{official.get(kind, kind)}"] = value
    return {name: value.detach().clone() for name, value in found.items()}


def test_a_conditional_file_of_nvidias_gives_the_images_of_its_network(tmp_path, nvidia_modules):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Architecture(image_channels=1, widths=(4, 3), z=5, w=6, mapping=2, classes=3)).eval()
        z, labels = torch.randn(3, 5), torch.tensor([2, 0, 1])
    found = load_checkpoint(nvidia_file(tmp_path / "network.pkl", official_weights(network)))
    assert found.network.architecture == network.architecture
    torch.testing.assert_close(found.network(found.network.map(z, labels)), network(network.map(z, labels)))


def test_source_code_in_the_file_is_not_run(tmp_path, reference, nvidia_modules):
    mark = tmp_path / "ran"
    networks = {"G_ema": module_of(official(reference), conv_clamp=None)}
    networks["G_ema"].meta["module_src"] = f"open({str(mark)!r}, 'w').close()"
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(networks))
    load_checkpoint(tmp_path / "network.pkl")
    assert not mark.exists()


def in_the_table(mark, weights):
    return {"G_ema": module_of(weights), "planted": Bomb(mark)}


def in_the_state(mark, weights):
    return {"G_ema": module_of(weights, planted=Evaluated(mark))}


def in_place_of_a_weight(mark, weights):
    return {"G_ema": module_of({**weights, "mapping.w_avg": Bomb(mark)})}


class PlantedStorage:
    """A storage inside the pickle, whose own bytes are the bomb."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        buffer = io.BytesIO()
        torch.save(Bomb(self.mark), buffer, _use_new_zipfile_serialization=False)
        return torch.storage._load_from_bytes, (buffer.getvalue(),)


def in_the_bytes_of_a_storage(mark, weights):
    return {"G_ema": module_of(weights), "planted": PlantedStorage(mark)}


@pytest.mark.parametrize("plant", [in_the_table, in_the_state, in_place_of_a_weight, in_the_bytes_of_a_storage])
def test_the_malicious_twin_is_refused_by_name_and_runs_nothing(tmp_path, reference, nvidia_modules, plant):
    mark, path = tmp_path / "ran", tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps(plant(mark, official(reference))))
    with pytest.raises(UserError, match=r"posix\.system|nt\.system|builtins\.eval") as caught:
        load_checkpoint(path)
    assert "nothing in it was run" in str(caught.value)
    assert not mark.exists()


def test_the_planted_bombs_are_live(tmp_path):
    for kind in (Bomb, Evaluated):
        mark = tmp_path / kind.__name__
        pickle.loads(pickle.dumps(kind(mark)))
        assert mark.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02(S'touch x'\ncos\nsystem\no.",  # OBJ
        b"\x80\x02(S'touch x'\nios\nsystem\n.",  # INST
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02cbuiltins\nset\n}(S'__call__'\nK\x01ub.",  # attributes for a name
        b"\x80\x02K\x01K\x02\x86R.",  # a call of a number
        b"\x80\x02}((K\x01K\x02tK\x01u.",  # a nested key
    ],
)
def test_operations_that_data_does_not_need_are_refused(tmp_path, pickled):
    (tmp_path / "network.pkl").write_bytes(pickled)
    with pytest.raises(UserError, match=r"does not read|cannot be read"):
        load_checkpoint(tmp_path / "network.pkl")


# rosinality's names and scaling, from ours


def rosinality_weights(network, noise=True):
    found, sizes = {}, [4] + [size for level in (8, 16) for size in (level, level)]
    for place in range(network.architecture.mapping):
        layer = network.mapping.layers[place]
        found |= {f"style.{place + 1}.weight": layer.weight, f"style.{place + 1}.bias": layer.bias}
    found["input.input"] = network.synthesis.constant[None]
    names = ["conv1", "to_rgb1", "convs.0", "convs.1", "to_rgbs.0", "convs.2", "convs.3", "to_rgbs.1"]
    for name, layer in zip(names, network.synthesis.stack, strict=True):
        rgb = "rgb" in name
        scale = 1.0 if rgb else (layer.weight[0].numel()) ** 0.5
        found[f"{name}.conv.weight"] = layer.weight[None] * scale
        found[f"{name}.conv.modulation.weight"], found[f"{name}.conv.modulation.bias"] = (
            layer.affine.weight,
            layer.affine.bias,
        )
        if rgb:
            found[f"{name}.bias"] = layer.bias[None, :, None, None]
        else:
            found[f"{name}.activate.bias"], found[f"{name}.noise.weight"] = layer.bias, layer.strength[None]
    kernel = torch.tensor([1.0, 3, 3, 1])
    found["convs.0.conv.blur.kernel"] = 4 * torch.outer(kernel, kernel) / 64
    found["to_rgbs.0.upsample.kernel"] = 4 * torch.outer(kernel, kernel) / 64
    layers = [layer for layer in network.synthesis.stack if hasattr(layer, "strength")]
    if noise:
        found |= {f"noises.noise_{place}": layer.noise[None, None] for place, layer in enumerate(layers)}
    assert [layer.noise.shape[0] for layer in layers] == sizes
    return {name: value.detach().clone() for name, value in found.items()}


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Architecture(image_channels=3, widths=(6, 5, 4), z=7, w=7, mapping=3))
        for name, value in network.state_dict().items():
            if name.endswith(("bias", "strength", "center")):
                value += torch.randn_like(value) * 0.1
    return network.eval().requires_grad_(False)


def latents(network):
    return network.map(torch.randn(2, 7, generator=torch.Generator().manual_seed(0)))


def rosinality_file(path, network, old=False, **kept):
    checkpoint = {
        "g_ema": rosinality_weights(network),
        "g_optim": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.002, "params": [0]}]},
        "args": argparse.Namespace(size=16, mixing=0.9),
        "ada_aug_p": 0.0,
        **kept,
    }
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not old)
    return path


@pytest.mark.parametrize("old", [False, True])
def test_a_file_of_rosinalitys_gives_the_images_of_its_network(tmp_path, network, old):
    path = rosinality_file(tmp_path / "network.pt", network, old, latent_avg=network.mapping.center)
    found = load_checkpoint(path)
    assert found.centered
    assert not found.remarks
    w = latents(network)
    torch.testing.assert_close(latents(found.network), w)
    torch.testing.assert_close(found.network(w), network(w), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.network.mapping.center, network.mapping.center)


@pytest.mark.parametrize("old", [False, True])
def test_its_malicious_twin_runs_nothing(tmp_path, network, old):
    mark = tmp_path / "ran"
    path = rosinality_file(tmp_path / "network.pt", network, old, planted=Bomb(mark))
    with pytest.raises(UserError, match=r"(posix|nt)\.system.*nothing in it was run"):
        load_checkpoint(path)
    assert not mark.exists()


def test_without_an_average_w_it_is_computed_and_without_noise_it_is_said(tmp_path, network):
    path = rosinality_file(tmp_path / "network.pt", network)
    torch.save({"g_ema": rosinality_weights(network, noise=False)}, path)
    run = ToyRun()
    generator = Pretrained(PretrainedParams(path=str(path)), run=run)
    z = torch.randn(4096, 7, generator=torch.Generator().manual_seed(1))
    expected = network.mapping(z).mean(0)
    torch.testing.assert_close(generator.network.mapping.center, expected, atol=0.1, rtol=0.1)
    assert "no noise images" in run.warnings[0]
    w = latents(network)
    torch.testing.assert_close(generator.network(w), network(w, "none"), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 0.02)])
def test_our_own_file_gives_the_images_of_its_network(tmp_path, network, dtype, tolerance):
    save_network(network, tmp_path / "network.safetensors", dtype)
    found, w = load_checkpoint(tmp_path / "network.safetensors").network, latents(network)
    assert found.architecture == network.architecture
    assert float((found(w) - network(w)).abs().max()) <= tolerance


def test_what_is_no_generator_is_said(tmp_path, network, reference, nvidia_modules):
    def refused(path, message):
        with pytest.raises(UserError, match=message):
            load_checkpoint(path)

    path = tmp_path / "network.pkl"
    refused(tmp_path / "absent.pkl", "there is no file")
    path.write_bytes(b"")
    refused(path, "no checkpoint that Sidelight knows")
    path.write_bytes(pickle.dumps({"G": 1}))
    refused(path, "no generator named G_ema")
    path.write_bytes(
        pickle.dumps({"G_ema": module_of({**official(reference), "synthesis.input.freqs": torch.ones(2)})})
    )
    refused(path, "StyleGAN3")
    path.write_bytes(pickle.dumps({"G_ema": module_of(official(reference), architecture="resnet")}))
    refused(path, "skip connections")
    cut = {name: value for name, value in official(reference).items() if name != "synthesis.b8.conv0.weight"}
    path.write_bytes(pickle.dumps({"G_ema": module_of(cut)}))
    refused(path, "layers.2.weight is missing")
    torch.save({"GAN": {}, "version": "1"}, path)
    refused(path, "no weights named g_ema")
    save_file({"weight": torch.zeros(2)}, path)
    refused(path, 'has the format ""')
    sys.modules["dnnlib.util"].Network = type("Network", (), {"__module__": "dnnlib.util", "__qualname__": "Network"})
    path.write_bytes(pickle.dumps(sys.modules["dnnlib.util"].Network()))
    refused(path, r"dnnlib\.util\.Network")


@pytest.mark.parametrize("kind", ["nvidia", "zip", "old", "own"])
def test_a_damaged_file_is_a_users_error(tmp_path, network, nvidia_modules, kind):
    path = tmp_path / "network"
    if kind == "nvidia":
        path.write_bytes(pickle.dumps({"G_ema": module_of({"mapping.fc0.weight": torch.randn(3, 3)})}))
    elif kind == "own":
        save_network(network, path)
    else:
        rosinality_file(path, network, kind == "old")
    whole, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 3000), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(damaged) // 2, len(damaged) + 1)])
        try:
            load_checkpoint(path)
            outcomes.add("read")  # the damage hit a number
        except UserError:
            outcomes.add("refused")
    assert "refused" in outcomes
