"""ONNX graphs as torch modules: files of both of torch's exporters, layers, groups of images, refusals, damage."""

import random
import warnings

import numpy as np
import pytest
import torch
from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.onnx_file import read_graph
from sidelight_classifiers.files.onnx_graph import OnnxGraph
from sidelight_classifiers.files.onnx_inspection import gradient_free, header
from sidelight_classifiers.files.onnx_model import OnnxModel
from sidelight_classifiers.params import OnnxParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.feature_layer import LayerFinder
from sidelight_toolkit.options import LayerParams
from torch import nn

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SHAPE = (3, 16, 16)
OPTIONS = {"channels": 3, "height": 16, "width": 16}


class Residual(nn.Module):
    """Convolutions with batch normalisation, a skip connection, squeeze and excitation, and a pooled linear head."""

    def __init__(self, classes=4, channels=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.GroupNorm(2, 8), nn.SiLU())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8, classes)

    def forward(self, images):
        x = self.stem(images)
        y = self.block(x)
        x = self.pool(x + y * self.gate(y))
        return self.head(x.mean((2, 3)))


class Transformer(nn.Module):
    """A vision transformer of two blocks on 4 x 4 patches, with a class token."""

    def __init__(self, classes=4, channels=3, width=12, heads=2):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 17, width) / 4)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(2)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        count, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(count, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        y = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1) @ value
        x = x + self.proj(y.transpose(1, 2).reshape(count, tokens, width))
        return x + self.mlp(self.norm2(x))


class Windows(nn.Module):
    """Attention in shifted windows (Swin): roll, window partition, layers on (N, h, w, C), masks by assignment."""

    def __init__(self, classes=4):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, stride=2)
        self.norm = nn.LayerNorm(8)
        self.block = Block(8, 2)
        self.head = nn.Linear(8, classes)

    def forward(self, images):
        x = self.norm(self.patches(images).permute(0, 2, 3, 1))  # (N, 8, 8, C)
        count, height, width, channels = x.shape
        x = torch.roll(x, (-2, -2), (1, 2))
        x = nn.functional.pad(x, (0, 0, 0, (4 - width % 4) % 4, 0, (4 - height % 4) % 4))
        x = x.view(count, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, channels)
        x = self.block(x).view(count, height // 4, width // 4, 4, 4, channels)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(count, height, width, channels)
        mask = torch.zeros(height, width)
        mask[:2, 3:] = 1.0
        return self.head((torch.roll(x, (2, 2), (1, 2)) * (1 + mask[..., None])).mean((1, 2)))


NETWORKS = {"residual": Residual, "transformer": Transformer, "windows": Windows}
EXPORTERS = ("legacy-11", "legacy-13", "legacy-17", "legacy-20", "dynamo")


def export(model, path, exporter, shape=SHAPE, free=True):
    """The file that torch's older or newer exporter writes."""
    images = torch.rand(2 if free else 1, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            shapes = ({0: torch.export.Dim("batch")},) if free else None
            torch.onnx.export(model, (images,), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
        else:
            axes = {"images": {0: "batch"}, "scores": {0: "batch"}} if free else None
            names = {"input_names": ["images"], "output_names": ["scores"], "dynamic_axes": axes}
            opset = int(exporter.partition("-")[2])
            torch.onnx.export(model, (images,), path, dynamo=False, opset_version=opset, **names)
    return path


@pytest.fixture(scope="module")
def networks():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = {name: kind() for name, kind in NETWORKS.items()}
        networks["residual"](torch.rand(8, *SHAPE))  # statistics of the batch normalisation
    return {name: network.eval().requires_grad_(False) for name, network in networks.items()}


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    folder, files = tmp_path_factory.mktemp("exported"), {}

    def file(name, exporter, free=True):
        key = (name, exporter, free)
        if key not in files:
            files[key] = export(networks[name], folder / f"{'-'.join(map(str, key))}.onnx", exporter, free=free)
        return files[key]

    return file


def load(path, run=None, **options):
    return OnnxModel(OnnxParams(path=str(path), **{**OPTIONS, **options}), run=run or ToyRun())


@pytest.fixture
def images():
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_and_gradients_are_those_of_the_exported_network(name, exporter, networks, exported, images):
    network, path = networks[name], exported(name, exporter)
    assert gradient_free(path, "") == ""
    classifier = load(path)
    ours, theirs = (images.clone().requires_grad_() for _ in range(2))
    scores, expected = classifier.scores(ours), network(theirs)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
    (gradient,), (wanted,) = (
        torch.autograd.grad(each[:, 1].sum(), given) for each, given in ((scores, ours), (expected, theirs))
    )
    torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-6)
    module = classifier.module.double()
    assert torch.autograd.gradcheck(module, images[:1].double().requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("exporter", ["legacy-13", "legacy-17", "dynamo"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_layer_of_grad_cam_is_that_of_the_network(name, exporter, networks, exported, images):
    classifier = load(exported(name, exporter))

    class Original(TorchClassifier):
        task, class_names, input_shape = "multiclass", tuple("abcd"), SHAPE
        module = nn.Sequential()

    Original.module.add_module("model", networks[name])
    ours, theirs = (LayerFinder(each, LayerParams())(images) for each in (classifier, Original()))
    assert (ours.name, ours.layout) == (theirs.name, theirs.layout)
    with classifier.watch([ours.name]) as seen:
        classifier.scores(images)
    with Original().watch([theirs.name]) as wanted:
        Original().scores(images)
    torch.testing.assert_close(seen[ours.name], wanted[theirs.name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exporter", ["legacy-13", "legacy-17", "dynamo"])
def test_layers_that_exporters_take_apart_are_whole_again(exporter, exported):
    called = {
        name: [step.operator for step in load(exported(name, exporter)).module.model._steps]
        for name in ("residual", "transformer")
    }
    assert called["transformer"].count("LayerNormalization") == 5
    assert called["transformer"].count("Gelu") == 2
    assert called["transformer"].count("Linear") == 8  # qkv, projection and both of the MLP; the head is a Gemm
    assert called["residual"].count("Silu") == 1
    assert not {"Erf", "Sigmoid"} & {*called["transformer"], *called["residual"]}


def test_a_product_that_only_looks_like_a_layer_is_left_as_it_is(tmp_path, images):
    nodes = [
        helper.make_node("Sigmoid", ["images"], ["s"]),
        helper.make_node("Add", ["images", "one"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "s"], ["product"]),  # (x + 1) sigmoid(x)
        helper.make_node("Div", ["product", "three"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["p"]),
        helper.make_node("Mul", ["product", "p"], ["m"]),
        helper.make_node("Mul", ["m", "half"], ["y"]),  # the divisor is not sqrt(2)
    ]
    numbers = {"one": np.float32(1), "three": np.float32(3), "half": np.float32(0.5)}
    classifier = load(write(tmp_path / "m.onnx", [*nodes, *mean("y")], constants=numbers))
    assert not {"Silu", "Gelu"} & {step.operator for step in classifier.module.model._steps}
    x = (images + 1) * images.sigmoid()
    torch.testing.assert_close(classifier.scores(images), (0.5 * x * (1 + torch.erf(x / 3))).mean((2, 3)))


def test_layers_are_named_as_in_the_network(exported):
    for exporter in ("legacy-17", "dynamo"):
        layers = load(exported("residual", exporter)).layers
        assert {"model.stem", "model.stem.2", "model.block.2", "model.gate.1", "model.pool", "model.head"} <= {*layers}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_for_one_image_shows_its_layers_for_many(name, exported, images):
    free, one = (exported(name, "legacy-17", free) for free in (True, False))
    classifier, other = load(free), load(one)
    assert other.module.model.fixed == 1
    layer = {"residual": "model.block", "transformer": "model.blocks.0", "windows": "model.norm"}[name]
    results = []
    for each in (classifier, other):
        with each.watch([layer]) as seen:
            scores = each.scores(images.requires_grad_())
        results.append((scores, seen[layer], *torch.autograd.grad(scores[:, 0].sum(), [images, seen[layer]])))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_group_that_is_filled_up_shows_no_more_than_the_images(count, tmp_path):
    path = tmp_path / "m.onnx"
    write(path, [helper.make_node("Relu", ["images"], ["y"], name="rectifier"), *mean("y")], batch=3)
    classifier = load(path, task="multiclass")
    images = torch.rand(count, *SHAPE) - 0.5
    with classifier.watch(["model.rectifier"]) as seen:
        scores = classifier.scores(images)
    torch.testing.assert_close(seen["model.rectifier"], images.relu())
    torch.testing.assert_close(scores, images.relu().mean((2, 3)))


def write(path, nodes, batch="batch", constants=(), opset=17, outputs=("scores",)):
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, *SHAPE])
    named = [helper.make_empty_tensor_value_info(name) for name in outputs]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()]
    graph = helper.make_graph(nodes, "graph", [images], named, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def mean(name="images", output="scores"):
    return [helper.make_node("ReduceMean", [name], [output], axes=[2, 3], keepdims=0)]


@pytest.mark.parametrize(
    ("channels", "classes", "task"), [(1, 4, "multiclass"), (3, 1, "binary"), (1, 1, "regression")]
)
def test_grey_binary_and_regression_models_have_gradients(channels, classes, task, tmp_path):
    torch.manual_seed(0)
    network = Residual(classes, channels).eval()
    export(network, tmp_path / "m.onnx", "legacy-17", (channels, 16, 16))
    classifier = load(tmp_path / "m.onnx", channels=channels, task=task)
    images = torch.rand(2, channels, 16, 16, requires_grad=True)
    scores = classifier.scores(images)
    torch.testing.assert_close(scores, network(images), rtol=1e-4, atol=1e-5)
    assert torch.autograd.grad(scores.sum(), images)[0].abs().max() > 0


def test_only_what_the_chosen_output_depends_on_needs_gradients(tmp_path, images):
    nodes = [*mean(), helper.make_node("Atan", ["scores"], ["angles"])]
    path = write(tmp_path / "m.onnx", nodes, outputs=("scores", "angles"))
    assert gradient_free(path, "scores") == ""
    assert gradient_free(path, "angles") == "the operator Atan"
    assert load(path, output="scores").scores(images.requires_grad_()).requires_grad
    assert not load(path, output="angles").scores(images).requires_grad


def test_a_black_box_shows_no_layers(tmp_path):
    classifier = load(write(tmp_path / "m.onnx", mean()), black_box=True)
    assert classifier.layers == ()
    with pytest.raises(SidelightError, match="shows no layers"):
        classifier.watch(["model"])


def test_a_file_that_torch_computes_otherwise_is_refused(tmp_path, images, monkeypatch):
    from sidelight_classifiers.files import onnx_graph

    path = write(tmp_path / "m.onnx", mean())
    (function, names), table = onnx_graph.OPERATORS["ReduceMean"], dict(onnx_graph.OPERATORS)
    table["ReduceMean"] = (lambda node, *inputs: 1.001 * function(node, *inputs), names)
    monkeypatch.setattr(onnx_graph, "OPERATORS", table)
    with pytest.raises(UserError, match=r"gives other scores in torch than in onnxruntime") as caught:
        load(path).scores(images)
    assert "`black_box: true`" in caught.value.fix
    torch.testing.assert_close(load(path, black_box=True).scores(images), images.mean((2, 3)))


def test_rounding_that_a_network_amplifies_is_no_other_score(exported, images, monkeypatch):
    from sidelight_classifiers.files import onnx_model

    monkeypatch.setattr(onnx_model, "AGREEMENT", 0.0)  # as if any difference were too large
    classifier = load(exported("residual", "legacy-17"))
    assert classifier.scores(images).shape == (3, 4)
    assert classifier.scores(images).dtype == next(classifier.module.buffers()).dtype == torch.float32


def test_an_option_of_an_operator_that_torch_has_not_is_refused_by_name(tmp_path, images):
    node = helper.make_node("Resize", ["images", "", "scales"], ["y"], mode="cubic", cubic_coeff_a=-0.5)
    path = write(tmp_path / "m.onnx", [node, *mean("y")], constants={"scales": np.float32([1, 1, 2, 2])})
    with pytest.raises(UserError, match="cannot be differentiated: the operator Resize with mode cubic") as caught:
        load(path).scores(images)
    assert "`black_box: true`" in caught.value.fix
    assert load(path, black_box=True).scores(images).shape == (3, 3)


def test_a_later_run_needs_no_onnxruntime(tmp_path, images, monkeypatch):
    from sidelight_classifiers.files import onnx_model

    kept = {}
    run = ToyRun()
    run.cached = lambda key, make: kept[key] if key in kept else kept.setdefault(key, make())
    path = write(tmp_path / "m.onnx", mean())
    scores = load(path, run).scores(images)
    monkeypatch.setattr(onnx_model, "Runtime", None)
    torch.testing.assert_close(load(path, run).scores(images), scores)


def test_modules_called_as_torchs_own_attributes_can_be_watched(tmp_path):
    nodes = [
        helper.make_node("Relu", ["images"], ["y"], name="/dtype/forward/Relu"),
        helper.make_node("ReduceMean", ["y"], ["scores"], name="/_steps/a-b/ReduceMean", axes=[2, 3], keepdims=0),
    ]
    layers = load(write(tmp_path / "m.onnx", nodes)).layers
    assert layers == ("model.dtype_", "model.dtype_.forward_", "model._steps_", "model._steps_.a_b")


BOMBS = {
    "Expand": ([helper.make_node("Expand", ["images", "n"], ["y"])], {"n": np.array([10**6, 3, 16, 16])}),
    "Tile": ([helper.make_node("Tile", ["images", "n"], ["y"])], {"n": np.array([1, 1, 10**4, 10**4])}),
    "Range": ([helper.make_node("Range", ["a", "b", "c"], ["r"]), helper.make_node("ReduceSum", ["r"], ["s"]),
               helper.make_node("Add", ["images", "s"], ["y"])],
              {"a": np.float32(0), "b": np.float32(1e9), "c": np.float32(1e-9)}),
    "Resize": ([helper.make_node("Resize", ["images", "", "n"], ["y"])], {"n": np.float32([1, 1, 1e4, 1e4])}),
    "Pad": ([helper.make_node("Pad", ["images", "n"], ["y"])], {"n": np.array([0, 0, 0, 0, 0, 0, 10**5, 10**5])}),
    "Gather": ([helper.make_node("Gather", ["images", "n"], ["y"], axis=3)], {"n": np.array([16])}),
    "ScatterND": ([helper.make_node("ScatterND", ["images", "n", "u"], ["y"])],
                  {"n": np.array([[0, 5]]), "u": np.zeros((1, 16, 16), np.float32)}),
    "Div": ([helper.make_node("Shape", ["images"], ["n"]), helper.make_node("Div", ["n", "u"], ["d"]),
             helper.make_node("Expand", ["images", "d"], ["y"])], {"u": np.int64(0)}),
    "BatchNormalization": ([helper.make_node("BatchNormalization", ["images", *"wwww"], ["y"])],
                           {"w": np.zeros(1, np.float32)}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_arguments_that_take_memory_or_leave_their_bounds_are_refused(name, tmp_path):
    nodes, constants = BOMBS[name]
    path = write(tmp_path / "m.onnx", [*nodes, *mean("y")], constants=constants)
    with pytest.raises((ValueError, Unsupported)):
        OnnxGraph(read_graph(path, tensors=True), "scores", tmp_path, SHAPE)


def test_damaged_files_are_read_or_refused_and_nothing_else(exported, tmp_path):
    whole = bytearray(exported("residual", "legacy-17").read_bytes())
    chance = random.Random(0)
    for number in range(150):
        data = whole[: chance.randrange(len(whole))] if number % 3 == 0 else bytearray(whole)
        for _ in range(number % 5):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(data)
        header(path)  # None, or what can be read of it
        try:
            read_graph(path, tensors=True)
        except (ValueError, Unsupported):  # UnicodeDecodeError is one
            continue


def test_the_header_is_read_without_the_weights(exported):
    graph = header(exported("transformer", "legacy-17"))
    assert not graph.tensors
    assert "token" in graph.constants
    assert [port.sizes for port in graph.images] == [(None, *SHAPE)]
    assert [port.sizes for port in graph.outputs] == [(None, 4)]
    assert {node.operator for node in graph.nodes} >= {"Conv", "MatMul", "Softmax"}
