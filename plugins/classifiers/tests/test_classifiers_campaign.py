"""More than a hundred hostile model files, read in this very process: none may run, crash or hang it."""

import json
import os
import pickle
import struct
import time
import warnings
import zipfile

import pytest
import torch
from sidelight_classifiers.files.onnx_model import OnnxModel
from sidelight_classifiers.files.torch_model import TorchModel
from sidelight_classifiers.params import OnnxParams, TorchParams
from sidelight_specs import SidelightError
from sidelight_specs.testing import ToyRun
from torch import nn

pytest.importorskip("onnx")
SECONDS = 2
"""CPU time of a trial."""

FILES = {}
"""Attack to the function that writes its file: gets honest files and a path, gives the path."""


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def members_of(source):
    with zipfile.ZipFile(source) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write(members, path, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    return path


def hostile(name, **options):
    """Register a builder of a file, or of several by `options` of its parameters."""

    def register(build):
        FILES[name] = lambda honest, path: build(honest, path, **options)
        return build

    return register


def variants(prefix, choices):
    """Register a builder once for each of `choices`, a mapping or a list."""
    items = choices.items() if isinstance(choices, dict) else ((str(choice), choice) for choice in choices)

    def register(build):
        for name, choice in items:
            FILES[f"{prefix} {name}"] = lambda honest, path, choice=choice: build(honest, path, choice)
        return build

    return register


# pickles


@variants("pickle of protocol", [0, 2, 4, 5])
def pickled(honest, path, protocol):
    path.write_bytes(pickle.dumps(Payload(honest["marker"]), protocol))


@variants("torch.save", {"zip": True, "old": False})
def saved(honest, path, new):
    torch.save(Payload(honest["marker"]), path, _use_new_zipfile_serialization=new)


# TorchScript: archives


def change_pickle(old, new, count=1):
    def change(members):
        assert old in members["data.pkl"]
        members["data.pkl"] = members["data.pkl"].replace(old, new, count)

    return change


def nested(depth, opening=b"]", closing=b"a"):
    return lambda members: members.update({"data.pkl": b"\x80\x02" + opening * depth + closing * (depth - 1) + b"."})


def tensor(size, stride=b"K\x01\x85", offset=b"K\x00", count=b"K\x08"):
    """A data.pkl with one tensor, in the storage `data/0`."""
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + count + b"tQ"
    made = (
        b"ctorch._utils\n_rebuild_tensor_v2\n"
        + storage
        + offset
        + size
        + stride
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )
    return b"\x80\x02c__torch__\nM\n)\x81}(X\x01\x00\x00\x00w" + made + b"ub."


def big(number):
    return b"\x8a\x08" + struct.pack("<q", number)


TENSORS = {
    "of a storage that is short": {"content": b"1234"},
    "of a storage that is missing": {"content": None},
    "larger than its storage": {"data": tensor(big(10**9) + b"\x85")},
    "of a huge storage": {"data": tensor(big(10**9) + b"\x85", count=big(10**12))},
    "of a negative storage": {"data": tensor(b"K\x01\x85", count=big(-1))},
    "of negative size": {"data": tensor(big(-5) + b"\x85")},
    "of a huge stride": {"data": tensor(b"K\x02\x85", big(10**15) + b"\x85")},
    "of a negative stride": {"data": tensor(b"K\x02\x85", big(-(10**6)) + b"\x85")},
    "at a huge offset": {"data": tensor(b"K\x01\x85", offset=big(10**12))},
    "at a negative offset": {"data": tensor(b"K\x01\x85", offset=big(-(10**6)))},
    "whose size overflows": {"data": tensor(big(2**62) + big(4) + b"\x86", b"K\x01K\x01\x86")},
}


@variants("TorchScript, a tensor", TENSORS)
def script_tensor(honest, path, change):
    members = members_of(honest["linear.ts"])
    if "data" in change:
        source = b"class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  w : Tensor\n"
        source += b"  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    w = self.w\n"
        source += b"    return torch.add(torch.mean(x, [2, 3]), torch.sum(w))\n"
        members = {name: content for name, content in members.items() if not name.startswith(("code/", "data"))}
        members |= {"code/__torch__.py": source, "data.pkl": change["data"], "data/0": bytes(32)}
    elif change["content"] is None:
        del members["data/0"]
    else:
        members["data/0"] = change["content"]
    return write(members, path)


PICKLES = {
    "nested in lists": nested(200_000),
    "nested in tuples": nested(200_000, b"(", b"t"),
    "without end": lambda members: members.update({"data.pkl": members["data.pkl"][:-1]}),
    "empty": lambda members: members.update({"data.pkl": b""}),
    "that lies in itself": lambda members: members.update({"data.pkl": b"\x80\x02]q\x00h\x00a."}),
    "that calls os.system": lambda members: members.update(
        {"data.pkl": b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."}
    ),
    "that calls a number": lambda members: members.update({"data.pkl": b"\x80\x02K\x00)R."}),
    "of a class of compiled code": change_pickle(b"c__torch__", b"c__torch__.torch.classes.quantized"),
    "with a quantized tensor": change_pickle(b"_rebuild_tensor_v2", b"_rebuild_qtensor"),
    "of ten million operations": lambda members: members.update({"data.pkl": b"\x80\x02" + b"NN00" * 2_500_000 + b"."}),
    "of a huge integer": lambda members: members.update({"data.pkl": b"\x80\x02\x8b\xff\xff\xff\x7f."}),
    "with a memo far away": lambda members: members.update({"data.pkl": b"\x80\x02Nr\xff\xff\xff\x7f."}),
    "of constants nested": lambda members: members.update(
        {"constants.pkl": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."}
    ),
}


@variants("TorchScript, a pickle", PICKLES)
def script_pickle(honest, path, change):
    members = members_of(honest["linear.ts"])
    change(members)
    return write(members, path)


# TorchScript: code


def added(made):
    """The end of a body whose scores depend on what is made."""
    return f"return torch.add(y, torch.sum({made}))"


BODIES = {
    "loops for ever": "while True:\n      pass\n    return y",
    "loops over 10^15": "for i in range(1000000000000000):\n      y = torch.add(y, y)\n    return y",
    "loops for other batches": "n = torch.size(x, 0)\n    while torch.eq(n, 7):\n      n = n\n    return y",
    "doubles a list": "l = [1]\n    for i in range(60):\n      l = torch.add(l, l)\n    return y",
    "extends a list by itself": "l = [1]\n    for i in range(60):\n      torch.extend(l, l)\n    return y",
    "doubles a text": 's = "a"\n    for i in range(60):\n      s = torch.add(s, s)\n    return y',
    "doubles a tensor": "z = y\n    for i in range(60):\n      z = torch.cat([z, z])\n    return y",
    "makes a huge tensor": added("torch.ones([1000000000000])"),
    "divides the least integer": "return torch.add(y, torch.floordiv(torch.neg(9223372036854775807), 0))",
    "truncates the least integer": (
        "a = torch.full([3], -9223372036854775807 - 1, dtype=4)\n"
        "    b = torch.full([3], -1, dtype=4)\n    " + added('torch.div(a, b, rounding_mode="trunc")')
    ),
    "reads past a value in attention": (
        "return torch.add(y, torch.sum(torch.scaled_dot_product_attention("
        "torch.ones([1, 2, 3, 64]), torch.ones([1, 2, 1000000, 64]), torch.ones([1, 2, 1, 64]))))"
    ),
    "reads past batch statistics": (
        "a, b, c = torch.native_batch_norm(torch.ones([1, 10000000, 1, 1]), torch.ones([1]), torch.ones([1]), "
        "torch.ones([1]), torch.ones([1]), False, 0.1, 1.0e-05)\n    " + added("a")
    ),
    "attends with no heads": (
        "q = torch.ones([2, 3, 4])\n    a, b = torch._native_multi_head_attention(q, q, q, 4, 0, "
        "torch.ones([12, 4]), torch.ones([12]), torch.ones([4, 4]), torch.ones([4]))\n    " + added("a")
    ),
    "normalises weights past their norms": (added("torch._weight_norm(torch.ones([10000000, 1]), torch.ones([1]), 0)")),
    "reduces with a filter past the image": (
        added("torch._upsample_bilinear2d_aa(x, [8, 8], False, 1.0e-07, 1.0e-07)")
    ),
    "indexes out of bounds": added("torch.index_select(x, 0, torch.full([1], 1000000000000, dtype=4))"),
    "makes a sparse tensor": (
        "i = torch.full([1, 1], 1000000000, dtype=4)\n"
        "    " + added("torch.to_dense(torch._sparse_coo_tensor_unsafe(i, torch.ones([1]), [3]))")
    ),
    "views memory": added("torch.as_strided(x, [3], [1000000000], 0)"),
    "sets storage": "return torch.set_(y, x)",
    "resizes": "return torch.resize_(y, [3, 100000000])",
    "shows memory": added("torch.empty([100])"),
    "turns gradients off": "torch.set_grad_enabled(False)\n    return y",
    "seeds": "torch.manual_seed(1)\n    return y",
    "saves": 'torch.save(y, "ran")\n    return y',
    "maps a file": 'return torch.add(y, torch.from_file("ran", True, 1))',
    "forks": "f = fork(torch.relu, y)\n    return y",
    "prints": 'print("hello")\n    return y',
    "reads an uninitialised value": "z = uninitialized(Tensor)\n    return torch.add(y, z)",
    "casts an integer to a tensor": "z = unchecked_cast(Tensor, 3)\n    return torch.add(y, z)",
    "turns pixels into a size": added("torch.ones([int(torch.mul(torch.sum(x), 100000000.))])"),
    "repeats by a tensor": added("torch.repeat_interleave(torch.full([3], 100000000000, dtype=4))"),
    "splits into a billion": "l = torch.tensor_split(y, torch.full([1], 1000000000, dtype=4), 0)\n    return y",
    "calls a method of compiled code": "z = ops.mkldnn_prepacked.conv2d_run(x, x)\n    return y",
    "raises": 'ops.prim.RaiseException("now")\n    return y',
    "imports": "import os\n    return y",
    "nests parentheses": "return " + "(" * 50_000 + "y" + ")" * 50_000,
    "nests attributes": "return y" + ".data" * 100_000,
    "nests minus signs": "return " + "-" * 100_000 + "1",
}


@variants("TorchScript that", BODIES)
def script_code(honest, path, body):
    members = members_of(honest["linear.ts"])
    (name,) = [name for name in members if name.endswith(".py")]
    head, _, _ = members[name].partition(b"    return")
    members[name] = head + f"    y = torch.mean(x, [2, 3])\n    {body}\n".encode()
    return write(members, path)


@hostile("TorchScript with __setstate__")
def script_state(honest, path):
    members = members_of(honest["linear.ts"])
    for name in members:
        if name.endswith(".py"):
            members[name] += b"  def __setstate__(self: __torch__.M, state: int) -> NoneType:\n    return None\n"
    return write(members, path)


# archives


@hostile("zip bomb")
def bomb(honest, path):
    return write({"models/model.json": b" " * (200 << 20)}, path, zipfile.ZIP_DEFLATED)


@hostile("archive of twenty thousand members")
def crowd(honest, path):
    return write({f"data/{number}": b"" for number in range(20_000)}, path)


@variants(
    "member called", ["../../etc/passwd", "/etc/passwd", "code/../../x.py", "data/..\\x", "extra/producer_info.json"]
)
def escaping(honest, path, name):
    return write({**members_of(honest["linear.ts"]), name: b"x = 1"}, path)


# exported programs


def program(change):
    def apply(members):
        model = json.loads(members["models/model.json"])
        change(model, model["graph_module"]["graph"])
        members["models/model.json"] = json.dumps(model).encode()

    return apply


def weights(change):
    def apply(members):
        name = "data/weights/model_weights_config.json"
        table = json.loads(members[name])
        change(next(iter(table["config"].values())))
        members[name] = json.dumps(table).encode()

    return apply


def meta(**changes):
    return weights(lambda entry: entry["tensor_meta"].update(changes))


def input_size(size):
    def change(model, graph):
        name = model["graph_module"]["signature"]["input_specs"][-1]["user_input"]["arg"]["as_tensor"]["name"]
        graph["tensor_values"][name]["sizes"] = size

    return program(change)


def first_target(target):
    return program(lambda _, graph: graph["nodes"][0].update(target=target))


INT = "as_int"
EXPORTED = {
    "sizes not numbers": input_size([float("nan")] * 4),
    "sizes texts": input_size([{INT: "3"}] * 4),
    "sizes missing": input_size(None),
    "size nested": input_size([{INT: {INT: 3}}] * 4),
    "a short weight": lambda members: members.update({"data/weights/weight_0": b"1234"}),
    "a weight elsewhere": weights(lambda entry: entry.update(path_name="../../etc/passwd")),
    "a pickled weight": weights(lambda entry: entry.update(use_pickle=True)),
    "a huge weight": meta(sizes=[{INT: 10**9}, {INT: 10**9}]),
    "a negative weight": meta(sizes=[{INT: -2}, {INT: -2}]),
    "a stride of zero": meta(sizes=[{INT: 10**12}], strides=[{INT: 0}]),
    "a huge offset": meta(storage_offset={INT: 10**15}),
    "a negative offset": meta(storage_offset={INT: -8}),
    "an unknown type": meta(dtype=99),
    "save": first_target("torch.ops.aten.save.default"),
    "from_file": first_target("torch.ops.aten.from_file.default"),
    "set_grad_enabled": first_target("torch.ops.aten.set_grad_enabled.default"),
    "manual_seed": first_target("torch.ops.aten.manual_seed.default"),
    "a sparse tensor": first_target("torch.ops.aten._sparse_coo_tensor_unsafe.default"),
    "as_strided": first_target("torch.ops.aten.as_strided.default"),
    "os.system": first_target("os.system"),
    "a class": first_target("torch.ops.aten.relu.__class__"),
    "pow": first_target("_operator.pow"),
    "an argument of no kind": program(lambda _, graph: graph["nodes"][0]["inputs"].append({"name": "x", "arg": {}})),
    "another version": program(lambda model, _: model["schema_version"].update(major=7)),
    "nested json": lambda members: members.update({"models/model.json": b"[" * 1_000_000}),
    "a node that feeds itself": program(
        lambda _, graph: graph["nodes"][0]["inputs"][0]["arg"].update(graph["nodes"][-1]["outputs"][0])
    ),
    "no nodes": program(lambda _, graph: graph["nodes"].clear()),
}


@variants("exported program with", EXPORTED)
def exported(honest, path, change):
    members = members_of(honest["linear.pt2"])
    change(members)
    return write(members, path)


CALLS = {
    "attention past its values": ("scaled_dot_product_attention", ([1, 2, 3, 64], [1, 2, 10**6, 64], [1, 2, 1, 64])),
    "statistics past their end": (
        "_native_batch_norm_legit_no_training",
        ([1, 10**7, 1, 1], [1], [1], [1], [1], 0.1, 1e-5),
    ),
    "norms past their end": ("_weight_norm", ([10**7, 1], [1])),
}


@variants("exported program that reads", CALLS)
def exported_call(honest, path, call):
    """A graph that calls an operator on tensors of given shapes, made by `aten.ones`."""
    name, arguments = call
    members = members_of(honest["linear.pt2"])

    def change(_, graph):
        nodes, given = [], []
        for number, argument in enumerate(arguments):
            if isinstance(argument, float):
                given.append({"name": f"a{number}", "arg": {"as_float": argument}, "kind": 1})
                continue
            output = f"made{number}"
            nodes.append(
                {
                    "target": "torch.ops.aten.ones.default",
                    "inputs": [{"name": "size", "arg": {"as_ints": argument}, "kind": 1}],
                    "outputs": [{"as_tensor": {"name": output}}],
                    "metadata": {},
                }
            )
            given.append({"name": f"a{number}", "arg": {"as_tensor": {"name": output}}, "kind": 1})
        several = [{"as_tensor": {"name": f"out{number}"}} for number in range(3 if "batch" in name else 1)]
        nodes.append({"target": f"torch.ops.aten.{name}.default", "inputs": given, "outputs": several, "metadata": {}})
        graph["nodes"] = nodes + graph["nodes"]

    program(change)(members)
    return write(members, path)


# ONNX


def onnx_model(nodes, path, functions=(), initializers=(), opsets=()):
    from onnx import TensorProto, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "hostile", [images], [scores], list(initializers))
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(*each) for each in opsets)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))
    path.write_bytes(model.SerializeToString())
    return path


def reduced(name="images"):
    from onnx import helper

    return [helper.make_node("ReduceMean", [name], ["scores"], axes=[2, 3], keepdims=0)]


@variants(
    "ONNX operator", ["RandomNormal", "Multinomial", "StringConcat", "SequenceEmpty", "LSTM", "ImageDecoder", "NonZero"]
)
def onnx_operator(honest, path, name):
    from onnx import helper

    return onnx_model([helper.make_node(name, ["images"], ["unused"]), *reduced()], path)


@hostile("ONNX loop without end")
def onnx_loop(honest, path):
    from onnx import TensorProto, helper

    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    return onnx_model([helper.make_node("Loop", ["", "true"], [], body=body), *reduced()], path, initializers=[true])


@variants("ONNX functions", ["billion", "recursive"])
def onnx_functions(honest, path, kind):
    from onnx import helper

    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(12):
        called = f"F{level if kind == 'recursive' else level + 1}"
        body = [helper.make_node(called, ["x"], [f"y{number}"], domain="own") for number in range(10)]
        if level == 11 and kind == "billion":
            body = [helper.make_node("Identity", ["x"], ["y0"])]
        body.append(helper.make_node("Identity", ["y0"], ["y"]))
        functions.append(helper.make_function("own", f"F{level}", ["x"], ["y"], body, opsets))
    nodes = [helper.make_node("F0", ["images"], ["z"], domain="own"), *reduced("z")]
    return onnx_model(nodes, path, functions, opsets=[("own", 1)])


def onnx_shapes():
    from onnx import TensorProto, helper

    huge = helper.make_tensor("huge", TensorProto.INT64, [2], [10**7, 10**6])
    short = TensorProto(name="short", data_type=TensorProto.FLOAT, dims=[10**9], raw_data=b"1234")
    negative = TensorProto(name="short", data_type=TensorProto.FLOAT, dims=[-4], raw_data=b"1234" * 4)
    index = helper.make_tensor("index", TensorProto.INT64, [1], [10**12])
    add = [
        helper.make_node("ReduceSum", ["z"], ["s"], keepdims=0),
        helper.make_node("ReduceMean", ["images"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["m", "s"], ["scores"]),
    ]
    return {
        "a huge tensor": ([helper.make_node("ConstantOfShape", ["huge"], ["z"]), *add], [huge]),
        "a short tensor": ([helper.make_node("Identity", ["short"], ["z"]), *add], [short]),
        "a negative tensor": ([helper.make_node("Identity", ["short"], ["z"]), *add], [negative]),
        "an index out of bounds": ([helper.make_node("Gather", ["images", "index"], ["z"]), *add], [index]),
    }


@variants("ONNX with", ["a huge tensor", "a short tensor", "a negative tensor", "an index out of bounds"])
def onnx_tensor(honest, path, name):
    nodes, initializers = onnx_shapes()[name]
    return onnx_model(nodes, path, initializers=initializers)


@hostile("ONNX nested deeply")
def onnx_nested(honest, path):
    content = b""
    for _ in range(3000):
        content = b"\x2a" + _varint(len(content) + 2) + b"\x0a\x00" + content
    path.write_bytes(b"\x08\x08" + b"\x3a" + _varint(len(content)) + content)


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.mean((2, 3))
        return y @ self.weight


def honest_files(folder):
    """The files that hostile ones are made of, and a path that exists once something ran."""
    model = Linear().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(model).save(folder / "linear.ts")
        shapes = ({0: torch.export.Dim("batch")},)
        torch.export.save(
            torch.export.export(model, (torch.rand(2, 3, 8, 8),), dynamic_shapes=shapes), folder / "linear.pt2"
        )
    return {"linear.ts": folder / "linear.ts", "linear.pt2": folder / "linear.pt2", "marker": folder / "ran"}


@pytest.fixture(scope="session")
def honest(tmp_path_factory):
    return honest_files(tmp_path_factory.mktemp("honest"))


def outcome(name, honest, folder):
    """`scores`, or the sentence that the user is told."""
    kind, options = (OnnxModel, OnnxParams) if name.startswith("ONNX") else (TorchModel, TorchParams)
    path = folder / "model.bin"
    FILES[name](honest, path)
    model = kind(options(path=str(path), height=8, width=8, trial_seconds=SECONDS), run=ToyRun())
    try:
        for count in (3, 1, 7):  # 7 images are none that the trial saw
            model.scores(torch.rand(count, 3, 8, 8))
    except SidelightError as error:
        return f"refused: {error}"
    return "scores"


HARMLESS = {
    "TorchScript that extends a list by itself",
    "TorchScript that casts an integer to a tensor",
    "TorchScript that splits into a billion",
    *(name for name in FILES if name.startswith("member called")),
}
"""Files whose harm is left out when they are read: members that no model needs, results that nothing uses."""


def test_there_are_more_than_a_hundred():
    assert len(FILES) >= 100


@pytest.mark.parametrize("name", FILES)
@pytest.mark.processes
def test_a_hostile_file_is_refused_in_a_sentence_or_harmless(name, honest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    found = outcome(name, honest, tmp_path)
    assert found == "scores" if name in HARMLESS else found.startswith("refused")
    assert time.process_time() - began < 60  # CPU time of this process: no hang, whatever the machine's load
    assert not honest["marker"].exists()
    assert not (tmp_path / "ran").exists()
    assert torch.is_grad_enabled()
