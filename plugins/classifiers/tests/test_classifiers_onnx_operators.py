"""Operators of ONNX in torch: values against onnxruntime, gradients against finite differences in float64."""

import numpy as np
import pytest
import torch
from sidelight_classifiers.files.onnx_file import read_graph
from sidelight_classifiers.files.onnx_graph import OPERATORS, OnnxGraph
from sidelight_classifiers.files.onnx_inspection import DIFFERENTIABLE
from sidelight_classifiers.files.onnx_inspection import OPERATORS as BLACK_BOX

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SHAPE = (4, 6, 6)
RNG = np.random.default_rng(0)


def floats(*shape, low=-1.0, high=1.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


def case(operator, *constants, opset=18, shape=SHAPE, domain="", outputs=1, before=(), low=-1.0, **attributes):
    """One node on the images and constants, behind nodes that prepare them; `x` in `constants` are the images."""
    return {
        "operator": operator, "constants": constants, "opset": opset, "shape": shape, "domain": domain,
        "outputs": outputs, "before": before, "low": low, "attributes": attributes,
    }  # fmt: skip


TWICE = np.array([1, 1, 2, 2], np.float32)
ONES = np.array([1, 1, 1, 1], np.float32)
POSITIVE = {"low": 0.2}
CASES = [
    *(case(name) for name in ("Abs", "Cos", "Erf", "Exp", "HardSwish", "Identity", "Mish", "Neg", "Relu", "Selu")),
    *(case(name) for name in ("Sigmoid", "Sin", "Softplus", "Softsign", "Tan", "Tanh", "Celu", "Elu", "LeakyRelu")),
    *(case(name, **POSITIVE) for name in ("Log", "Reciprocal", "Sqrt")),
    *(case(name) for name in ("Ceil", "Floor", "Round", "Sign")),
    *(case(name, floats(4, 1, 1, low=0.5)) for name in ("Add", "Div", "Mul", "Sub", "Max", "Min", "Mean", "Sum")),
    *(case(name, floats(6), floats(1, 4, 6, 6)) for name in ("Max", "Min", "Mean", "Sum")),
    *(case(name, np.float32(0.1)) for name in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    *(case(name, np.array([True, False, True, False, True, False]), before=[("Greater", np.float32(0))])
      for name in ("And", "Or", "Xor")),
    case("Not", before=[("Greater", np.float32(0))]),
    case("IsNaN"),
    case("Where", floats(4, 6, 6), floats(6), before=[("Greater", np.float32(0))]),
    case("Pow", np.float32(2.0)),
    case("Pow", np.float32(1.5), **POSITIVE),
    case("Pow", np.int64(3)),
    case("Mod", np.float32(0.7), fmod=1),
    case("Clip", np.float32(-0.3), np.float32(0.4)),
    case("Clip", None, np.float32(0.4)),
    case("Clip", np.float32(0), np.float32(6), low=-9.0),
    case("Clip", opset=7, min=-0.2, max=0.5),
    case("Elu", alpha=0.5),
    case("Celu", alpha=0.5, opset=12),
    case("LeakyRelu", alpha=0.2),
    case("HardSigmoid"),
    case("HardSigmoid", alpha=1 / 6),
    case("PRelu", floats(4, 1, 1)),
    case("Gelu", opset=20),
    case("Gelu", opset=20, approximate="tanh"),
    case("Gelu", domain="com.microsoft"),
    case("FastGelu", floats(6), domain="com.microsoft"),
    case("BiasGelu", floats(6), domain="com.microsoft"),
    case("QuickGelu", domain="com.microsoft", alpha=1.5),
    case("Dropout", opset=13),
    case("Cast", to=TensorProto.DOUBLE),
    case("CastLike", np.float64(1.0)),
    # reductions
    *(case(name, ints(2, 3)) for name in (
        "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
        "ReduceSumSquare")),
    *(case(name, axes=[-1], keepdims=0, opset=17) for name in ("ReduceL2", "ReduceMax", "ReduceMean", "ReduceProd")),
    case("ReduceSum", axes=[1], opset=11),
    case("ReduceSum"),
    case("ReduceMean", None, noop_with_empty_axes=1),
    case("ArgMax", axis=1),
    case("ArgMin", axis=2, keepdims=0),
    case("CumSum", np.int64(1)),
    case("LpNormalization", axis=1, p=2),
    # shapes
    case("Shape"),
    case("Shape", start=1, end=-1),
    case("Size"),
    case("Reshape", ints(0, -1, 6)),
    case("Reshape", ints(2, 36, 4)),
    case("Flatten"),
    case("Flatten", axis=2),
    case("Flatten", axis=-1),
    case("Transpose"),
    case("Transpose", perm=[0, 2, 3, 1]),
    case("Unsqueeze", ints(1, -1)),
    case("Unsqueeze", axes=[0, 3], opset=11),
    case("Squeeze", ints(2), before=[("ReduceMean", ints(2))]),
    case("Squeeze", axes=[2], opset=11, before=[("Slice", ints(0), ints(1), ints(2))]),
    case("Squeeze", before=[("ReduceMean", ints(2, 3))]),
    case("Concat", floats(2, 3, 6, 6), axis=1),
    case("Concat", "x", "x", axis=-1),
    case("Split", ints(1, 3), axis=1, outputs=2),
    case("Split", axis=1, outputs=2, opset=13),
    case("Split", axis=2, num_outputs=2, outputs=2, shape=(4, 7, 6)),
    case("Split", axis=1, split=[3, 1], outputs=2, opset=11),
    case("Expand", ints(3, 2, 4, 6, 6)),
    case("Expand", ints(1, 5, 1, 1), before=[("ReduceMean", ints(1))]),
    case("Tile", ints(1, 2, 1, 3)),
    case("DepthToSpace", blocksize=2),
    case("DepthToSpace", blocksize=2, mode="CRD"),
    case("SpaceToDepth", blocksize=3),
    case("Trilu", np.int64(1)),
    case("Trilu", upper=0),
    # indices
    case("Slice", ints(1, -4), ints(4, 2**63 - 1), ints(1, 3)),
    case("Slice", ints(-1), ints(-(2**63)), ints(2), ints(-2)),
    case("Slice", ints(0, 0), ints(2, 3)),
    case("Slice", opset=9, starts=[1], ends=[3], axes=[1]),
    case("Gather", ints(0, -1, 2), axis=1),
    case("Gather", np.int64(-2), axis=2),
    case("Gather", np.array([[0, 1], [3, 2]], np.int64), axis=3),
    case("GatherElements", RNG.integers(-6, 6, (2, 4, 3, 6)), axis=2),
    case("GatherND", np.array([[0, 1], [1, -2]], np.int64)),
    case("GatherND", np.array([[[0, 1]], [[3, 2]]], np.int64), batch_dims=1),
    case("ScatterND", np.array([[0, 1], [1, -2]], np.int64), floats(2, 6, 6)),
    case("ScatterND", np.array([[0], [0]], np.int64), floats(2, 4, 6, 6), reduction="add"),
    case("Einsum", floats(6, 5), equation="nchw,wd->nchd"),
    # convolution and pooling
    case("Conv", floats(3, 4, 3, 3), floats(3)),
    case("Conv", floats(8, 2, 3, 3), group=2, pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", floats(4, 1, 3, 3), group=4, dilations=[2, 2], pads=[2, 2, 2, 2]),
    case("Conv", floats(3, 4, 2, 3), pads=[0, 2, 1, 0]),
    *(case("Conv", floats(3, 4, 2, 3), auto_pad=mode, strides=[2, 2])
      for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")),
    case("ConvTranspose", floats(4, 3, 3, 3), floats(3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    case("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    case("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    case("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
    case("MaxPool", kernel_shape=[2, 2], pads=[0, 1, 1, 1]),
    case("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", kernel_shape=[3, 3], pads=[0, 1, 1, 0], count_include_pad=1),
    case("AveragePool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    case("AveragePool", kernel_shape=[4, 4], strides=[3, 3], ceil_mode=1, opset=19),
    case("GlobalAveragePool"),
    case("GlobalMaxPool"),
    # normalisation
    case("BatchNormalization", ONES * 2, ONES, ONES / 3, ONES / 2, epsilon=1e-3),
    case("InstanceNormalization", ONES * 2, ONES, epsilon=1e-3),
    case("LayerNormalization", floats(6), floats(6)),
    case("LayerNormalization", floats(6), axis=3, epsilon=1e-3),
    case("LayerNormalization", floats(6, 6), floats(6, 6), axis=2),
    case("GroupNormalization", floats(4), floats(4), num_groups=2, opset=21),
    case("RMSNormalization", floats(6), opset=23),
    case("LRN", size=3, alpha=0.1),
    # products, softmax
    case("MatMul", floats(6, 5)),
    case("MatMul", floats(2, 1, 6, 3)),
    case("Gemm", floats(144, 3), floats(3), before=[("Flatten",)]),
    case("Gemm", floats(3, 144), floats(1, 3), transB=1, alpha=0.5, beta=2.0, before=[("Flatten",)]),
    case("Gemm", floats(2, 3), transA=1, before=[("Flatten",)]),
    case("Softmax", axis=1),
    case("Softmax", opset=11, axis=1),
    case("Softmax", opset=11, axis=-1),
    case("LogSoftmax", axis=1),
    case("LogSoftmax", opset=11),
    case("Attention", "x", "x", opset=23),
    case("Attention", "x", "x", floats(6, 6), opset=23, scale=0.3),
    # resizing and padding
    *(case("Resize", None, TWICE, mode=mode, coordinate_transformation_mode=where)
      for mode in ("linear", "nearest")
      for where in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")),
    *(case("Resize", None, None, ints(2, 4, 9, 4), mode=mode, coordinate_transformation_mode=where)
      for mode in ("linear", "nearest") for where in ("half_pixel", "align_corners", "asymmetric")),
    *(case("Resize", None, TWICE, coordinate_transformation_mode="asymmetric", nearest_mode=mode)
      for mode in ("floor", "ceil", "round_prefer_ceil", "round_prefer_floor")),
    case("Resize", None, TWICE, mode="cubic", cubic_coeff_a=-0.75),
    case("Resize", None, np.array([1.5, 2], np.float32), axes=[2, 3], mode="linear"),
    case("Resize", TWICE, opset=10, mode="nearest"),
    case("Upsample", TWICE, opset=9, mode="nearest"),
    case("Upsample", TWICE, opset=9, mode="linear"),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 0, 3)),
    case("Pad", ints(0, 0, -1, 2, 0, 0, -2, 0), np.float32(0.5)),
    case("Pad", ints(1, 2, 0, 1), None, ints(2, 3)),
    case("Pad", opset=9, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.3),
    *(case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0), mode=mode) for mode in ("reflect", "edge")),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0), mode="wrap", opset=19),
]  # fmt: skip


def write(path, given):
    """The case as a file; the outputs' names."""
    nodes, constants, value = [], [], "images"

    def add(operator, inputs, outputs, domain="", **attributes):
        names = []
        for each in inputs:
            if each is None or isinstance(each, str):
                names.append("images" if each == "x" else each or "")
                continue
            names.append(f"constant{len(constants)}")
            constants.append(numpy_helper.from_array(np.asarray(each), names[-1]))
        nodes.append(helper.make_node(operator, [value, *names], outputs, domain=domain, **attributes))

    for number, (operator, *inputs) in enumerate(given["before"]):
        add(operator, inputs, [f"before{number}"])
        value = f"before{number}"
    outputs = [f"y{number}" for number in range(given["outputs"])]
    add(given["operator"], given["constants"], outputs, given["domain"], **given["attributes"])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", *given["shape"]])
    last = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(nodes, "one", [images], last, constants)
    opsets = [helper.make_opsetid("", given["opset"]), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return outputs


@pytest.mark.parametrize("given", CASES, ids=lambda given: f"{given['operator']}-{given['opset']}")
def test_values_and_gradients_are_those_of_the_operator(given, tmp_path):
    outputs = write(tmp_path / "m.onnx", given)
    images = torch.from_numpy(
        np.random.default_rng(1).uniform(given["low"], -given["low"] if given["low"] < 0 else 1, (2, *given["shape"]))
    ).float()
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    expected = session.run(outputs, {"images": images.numpy()})
    for name, values in zip(outputs, expected, strict=True):
        module = OnnxGraph(read_graph(tmp_path / "m.onnx", tensors=True), name, tmp_path, given["shape"])
        computed = module(images)
        assert computed.dtype == torch.from_numpy(np.atleast_1d(values)).dtype
        torch.testing.assert_close(computed, torch.from_numpy(np.asarray(values)), rtol=1e-4, atol=1e-5)
        smooth = computed.is_floating_point() and given["operator"] not in {"Ceil", "Floor", "Round", "Sign"}
        if smooth:
            assert torch.autograd.gradcheck(module.double(), images.double().requires_grad_(), fast_mode=True)


def test_every_operator_of_the_table_is_tried():
    tried = {case["operator"] for case in CASES} | {operator for case in CASES for operator, *_ in case["before"]}
    assert set(OPERATORS) - tried == {"Constant", "ConstantOfShape", "Range", "Swish"}  # the last needs operator set 24


def test_operators_that_check_promises_are_those_of_the_table():
    names = {name for names in DIFFERENTIABLE.values() for name in names}
    assert names == set(OPERATORS)
    assert all(names <= BLACK_BOX[domain] for domain, names in DIFFERENTIABLE.items())
