"""StyleGAN2: a generator to train or to load, and inversion by optimisation. This light module imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import GeneratorDescriptor, InverterDescriptor, Need, UserError, hookimpl
from sidelight_specs.facts import DataFacts, GeneratorFacts, Given, Mistake
from sidelight_toolkit.lpips_weights import distance_files, distance_fingerprint, lpips_mistakes

from sidelight_stylegan2.files.header import shape_of_file
from sidelight_stylegan2.networks.architecture import checked_widths, levels_for
from sidelight_stylegan2.params import (
    EncoderParams,
    GeneratorParams,
    PretrainedParams,
    ProjectParams,
    SamplingParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAPER = "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN"


@frozen(kw_only=True)
class StyleGan2Descriptor(GeneratorDescriptor):
    """A generator whose latents are w or z, by option."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """Fixed capabilities, and one of `latent.w` and `latent.z`."""
        assert isinstance(params, SamplingParams)
        return (*self.capabilities, f"latent.{params.latents}")


@frozen(kw_only=True)
class TrainedDescriptor(StyleGan2Descriptor):
    """A generator that is trained on the recipe's data."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """A size that StyleGAN2 does not make; widths, filter or classes that do not fit."""
        assert isinstance(params, GeneratorParams)
        data = given.trained_on or DataFacts()
        yield from size_mistakes(data, params.shuffle, params.widths)
        taps = params.filter
        if not taps or len(taps) % 2 or taps != tuple(reversed(taps)) or not sum(taps):
            message = "a filter is symmetric and has an even number of taps"
            yield Mistake(f"{message}, {taps} is not", "use [1, 3, 3, 1]", "filter")
        if params.conditional and data.classes == ():
            yield Mistake("the data has no classes", "use data with classes, or set conditional: false", "conditional")
        if params.conditional and not params.mapping:
            yield Mistake("w takes the class from the mapping network", "set mapping to 1 or more", "conditional")


def size_mistakes(data: DataFacts, shuffle: int, widths: tuple[int, ...]) -> Iterable[Mistake]:
    """Images that are not square or not 4, 8, 16, ... times `shuffle`; another number of widths than of levels."""
    if data.shape is None:
        return
    try:
        levels = levels_for(data.shape, shuffle)
    except UserError as error:
        yield Mistake(error.message, error.fix)
        return
    try:
        checked_widths(widths, levels)
    except UserError as error:
        yield Mistake(error.message, error.fix, "widths")


@frozen(kw_only=True)
class PretrainedDescriptor(StyleGan2Descriptor):
    """A generator from a file; it depends on the file's content, not only on its name."""

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the file."""
        assert isinstance(params, PretrainedParams)
        path = Path(params.path).expanduser()
        if not path.is_file():
            return ""
        status = path.stat()
        return f"{status.st_size}:{status.st_mtime_ns}"

    def files(self, params: object) -> Mapping[str, str]:
        """The checkpoint."""
        assert isinstance(params, PretrainedParams)
        return {"path": params.path}

    def facts(self, params: object, data: DataFacts) -> GeneratorFacts:
        """The shape in the header of a `.safetensors`; other files do not show it before they are read."""
        del data
        assert isinstance(params, PretrainedParams)
        return GeneratorFacts(shape=shape_of_file(Path(params.path).expanduser()))


@frozen(kw_only=True)
class PerceptualDescriptor(InverterDescriptor):
    """Inversion with a perceptual distance."""

    def fingerprint(self, params: object) -> str:
        """The distance that `auto` is."""
        assert isinstance(params, ProjectParams | EncoderParams)
        return distance_fingerprint(params.perceptual)

    def reads(self, params: object) -> list[str]:
        """The backbone of LPIPS, where that is the distance."""
        assert isinstance(params, ProjectParams | EncoderParams)
        return distance_files(params.perceptual)

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """A perceptual distance whose network is missing."""
        assert isinstance(params, ProjectParams | EncoderParams)
        if params.perceptual == "lpips":
            yield from lpips_mistakes("perceptual")
        if params.perceptual == "classifier" and "classifier" not in given.params:
            yield Mistake(
                "no classifier whose activations can be compared is wired", "set perceptual to none", "perceptual"
            )


@frozen(kw_only=True)
class EncoderDescriptor(PerceptualDescriptor):
    """An encoder that learns from samples and from training images."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """As above; training images of another shape than the samples."""
        yield from super().misfits(params, given)
        assert isinstance(params, EncoderParams)
        generator, data = given.needs.get("generator"), given.trained_on or DataFacts()
        made = generator.shape if isinstance(generator, GeneratorFacts) else None
        if params.images and made is not None and data.shape is not None and made != data.shape:
            message = f"the training images are {data.shape}, the generator makes {made}"
            yield Mistake(message, "use data of that shape, or set images: 0 to learn from samples alone", "images")


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """A generator that is trained on the recipe's data, and one from a file."""
    yield TrainedDescriptor(
        name="generator",
        summary="StyleGAN2 with its style space, trained on the recipe's data.",
        params=GeneratorParams,
        factory="sidelight_stylegan2.trained:Trained",
        provides=("trainable", "differentiable", "latent.style"),
        follows_data=True,
        example={"steps": 4, "batch": 4, "base": 64, "widest": 4, "z": 4, "w": 4, "mapping": 2},
        paper=PAPER,
    )
    yield PretrainedDescriptor(
        name="pretrained",
        summary="A trained StyleGAN2 from NVIDIA's, rosinality's or our files; their code is never run.",
        params=PretrainedParams,
        factory="sidelight_stylegan2.pretrained:Pretrained",
        provides=("differentiable", "latent.style"),
        example={"path": "network.safetensors"},
        paper=PAPER,
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """Inversion into w by optimisation, and into any latents by an encoder that learns from samples."""
    yield PerceptualDescriptor(
        name="project",
        summary="Optimise w, or a w for each layer, until the image is reproduced.",
        params=ProjectParams,
        factory="sidelight_stylegan2.project:Project",
        provides=("spaces",),
        needs=(
            Need("generator", capabilities=("latent.w", "differentiable")),
            Need("classifier", capabilities=("differentiable", "activations"), optional=True),
        ),
        example={"steps": 6, "samples": 8, "batch": 2},
        paper=f"{PAPER}, appendix D; Abdal et al. 2019, Image2StyleGAN",
    )
    yield EncoderDescriptor(
        name="encoder",
        summary="An encoder that learns from any fixed generator's samples, refined for each image on request.",
        params=EncoderParams,
        factory="sidelight_stylegan2.encoder:Encoder",
        provides=("trainable",),
        needs=(
            Need("generator", capabilities=("differentiable",)),
            Need("classifier", capabilities=("differentiable", "activations"), optional=True),
        ),
        example={"steps": 4, "samples": 8, "batch": 2, "widths": [4, 4], "size": 8},
        paper="Zhu et al. 2020, In-Domain GAN Inversion; Zhu et al. 2016, iGAN, section 4",
    )
