"""Inspection of ONNX files from anyone before anything runs them: operators, and files of weights. No torch here."""

from __future__ import annotations

import stat
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight_classifiers.files.archive import Unsupported, check_file
from sidelight_classifiers.files.onnx_file import read_graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sidelight_toolkit.trial import Ending

    from sidelight_classifiers.files.onnx_file import Graph

INSTALL = "pip install onnx onnxruntime"
HOW_TO_CONVERT = (
    "export the model in evaluation mode: torch.onnx.export(model.eval(), (images,), 'model.onnx', "
    "dynamic_shapes=({0: torch.export.Dim('batch')},)), which needs pip install onnxscript"
)
VIEWS = {"Squeeze", "Unsqueeze", "Flatten", "Reshape", "Identity", "Cast"}
"""Operators after the last one that leave its numbers as they are."""
BETWEEN = VIEWS | {"Dropout", "Where"}
"""Operators between the softmax of attention and its product with the values."""
ENDINGS: dict[str, Ending] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_STANDARD = """
Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu CenterCropPad Clip Concat Constant
ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout
DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu Gemm
GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid
HardSwish Hardmax Identity If InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual
Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod
Mul Neg Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization Range Reciprocal
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu
Unsqueeze Upsample Where Xor
"""
STANDARD = frozenset(_STANDARD.split())
"""Operators of the standard set that a model may use: no loops, random numbers, sequences, texts or recurrence."""
_DIFFERENTIABLE = """
Abs Add And ArgMax ArgMin Attention AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat Constant
ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand Flatten
Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization IsNaN LRN LayerNormalization LeakyRelu Less
LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow
RMSNormalization Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape Resize Round ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign
SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh Tile Transpose Trilu Unsqueeze Upsample Where Xor
"""
DIFFERENTIABLE = {
    "": frozenset(_DIFFERENTIABLE.split()),
    "com.microsoft": frozenset({"BiasGelu", "FastGelu", "Gelu", "QuickGelu"}),
}
"""Operator set to the names in the table by which `onnx_graph` computes a file in torch, with gradients."""
OPERATORS = {
    "": STANDARD,
    "ai.onnx": STANDARD,
    "ai.onnx.ml": frozenset({"LinearClassifier", "LinearRegressor", "Normalizer", "Scaler"}),
    "com.microsoft": frozenset({"BiasGelu", "FastGelu", "FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "QuickGelu"}),
}
"""Operator set to the names that a model may use. Any other set would need a library of machine code."""


def inspect(path: Path) -> tuple[Path, ...]:
    """Files beside the model that hold its weights, once its operators are known to be allowed.

    Raises:
        UserError: no such file or no ONNX model; operators that are not listed; weights that lie elsewhere than in
            a plain file in the model's own folder; or the package onnx is missing.
    """
    model = _parsed(path)
    own = {(function.domain, function.name) for function in model.functions}
    locations: set[str] = set()
    for message in _messages(model):
        kind = message.DESCRIPTOR.name
        if kind == "NodeProto" and (message.domain, message.op_type) not in own:
            _check_operator(path, message.domain, message.op_type)
        if kind == "TensorProto" and (message.external_data or message.data_location == message.EXTERNAL):
            locations.add(_location(message))
    return tuple(beside(path, location) for location in sorted(locations))


def _check_operator(path: Path, domain: str, name: str) -> None:
    if domain not in OPERATORS:
        raise UserError(
            f"{path} uses the operator {name} of {domain!r}, which would need a library of machine code; "
            "Sidelight loads none",
            "export the model with standard ONNX operators only",
        )
    if name not in OPERATORS[domain]:
        raise UserError(
            f"{path} uses the operator {name} of {domain or 'ai.onnx'}, which Sidelight does not run",
            "export the model without it: unroll loops, and leave random numbers and text out",
        )


@lru_cache(maxsize=32)
def _header(path: Path, stamp: tuple[int, int]) -> Graph | None:
    del stamp  # the file's size and time of change: a changed file is read again
    try:
        return read_graph(path, tensors=False)
    except (OSError, ValueError, Unsupported, RecursionError):
        return None


def header(path: Path) -> Graph | None:
    """Operators, inputs and outputs of a file, without its weights; None where there is none that can be read."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):  # a pipe would wait for a writer
        return None
    return _header(path, (status.st_size, status.st_mtime_ns))


def gradient_free(path: Path, output: str) -> str:
    """Operators through which no gradient is passed, as `the operator TopK`; empty where all are known.

    Args:
        path: the file.
        output: name of the output that is explained, empty for the only one.
    """
    graph = header(path)
    if graph is None:
        return ""
    nodes = graph.needed(output) if output else graph.nodes
    unknown = sorted(
        {
            f"{node.domain}.{node.operator}" if node.domain else node.operator
            for node in nodes
            if node.operator not in DIFFERENTIABLE.get(node.domain, ())
        }
    )
    return f"the operator{'s' * (len(unknown) > 1)} {', '.join(unknown)}" if unknown else ""


def mixes_tokens(path: Path) -> bool:
    """True if a softmax weighs the values of a matrix product, as self-attention does."""
    graph = header(path)
    weights: set[str] = set()
    for node in graph.nodes if graph is not None else ():
        if node.operator == "Attention" or (node.operator == "MatMul" and node.inputs and node.inputs[0] in weights):
            return True
        if node.operator == "Softmax" or (node.operator in BETWEEN and weights & set(node.inputs)):
            weights |= set(node.outputs)
    return False


def last_operator(path: Path, output: str) -> Ending:
    """Operator that gives an output, views aside: a softmax, a sigmoid, or anything else."""
    makers = {name: node for node in _parsed(path).graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in VIEWS and node.input:
        node = makers.get(node.input[0])
    return ending_of_operator(node.op_type) if node is not None else ""


def ending_of_operator(name: str) -> Ending:
    """The ending that an ONNX operator is."""
    return ENDINGS.get(name, "")


def _parsed(path: Path) -> Any:
    check_file(path, "an ONNX file (.onnx)")
    try:
        import onnx
    except ImportError as error:
        raise UserError("the package onnx is not installed; it reads ONNX files", INSTALL) from error
    try:
        model = onnx.load_model_from_string(path.read_bytes(), format="protobuf")
    except Exception as error:  # protobuf's DecodeError has no other base, and protobuf is onnx's affair
        raise UserError(f"{path} is no ONNX file that can be read: {error}", HOW_TO_CONVERT) from error
    if not model.graph.node:
        raise UserError(f"{path} is no ONNX model: it has no graph", HOW_TO_CONVERT)
    return model


def _messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all messages in it, at any depth: also subgraphs, functions and attributes."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value,) if hasattr(value, "ListFields") else value:
                yield from _messages(inner)


def _location(tensor: Any) -> str:
    """The last `location`, as every reader takes it; empty without one."""
    entries: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    return entries.get("location", "")


def beside(path: Path, location: str) -> Path:
    """The plain file of a bare name beside the model; a name with folders may lead anywhere, and so may a link."""
    file = path.parent / location
    bare = location == file.name and location not in {"", ".", ".."} and "\\" not in location and "\0" not in location
    if not bare:
        raise UserError(
            f"{path} keeps weights in {location!r}, which is no plain name of a file beside it",
            "save the model again with its weights in it, or in one file beside it",
        )
    try:
        mode = file.lstat().st_mode
    except OSError as error:
        raise UserError(
            f"{path} keeps weights in {file}, which is not there", "copy that file beside the model"
        ) from error
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} keeps weights in {file}, which is a link or no plain file", "put a copy of the file itself there"
        )
    return file
