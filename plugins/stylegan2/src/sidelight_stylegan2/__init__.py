"""StyleGAN2: a generator to train or to load, and inversion by optimisation. This light module imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import GeneratorDescriptor, InverterDescriptor, Need, hookimpl

from sidelight_stylegan2._params import GeneratorParams, PretrainedParams, ProjectParams, SamplingParams

if TYPE_CHECKING:
    from collections.abc import Iterable

PAPER = "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN"


@frozen(kw_only=True)
class StyleGan2Descriptor(GeneratorDescriptor):
    """A generator whose latents are w or z, as its parameters say."""

    def provided_by(self, params: object) -> tuple[str, ...]:
        """One of `latent.w` and `latent.z`, beside what it always provides."""
        assert isinstance(params, SamplingParams)
        return (*self.capabilities, f"latent.{params.latents}")


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


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """A generator that is trained on the recipe's data, and one from a file."""
    yield StyleGan2Descriptor(
        name="generator",
        summary="StyleGAN2, trained on the images at hand, with its style space.",
        params=GeneratorParams,
        factory="sidelight_stylegan2.trained:Trained",
        provides=("trainable", "differentiable", "latent.style"),
        example={"steps": 4, "batch": 4, "checkpoints": 2, "base": 64, "widest": 4, "z": 4, "w": 4, "mapping": 2},
        paper=PAPER,
    )
    yield PretrainedDescriptor(
        name="pretrained",
        summary="A trained StyleGAN2 from a file of NVIDIA's, rosinality's or ours, of which nothing is run.",
        params=PretrainedParams,
        factory="sidelight_stylegan2.pretrained:Pretrained",
        provides=("differentiable", "latent.style"),
        example={"path": "network.safetensors"},
        paper=PAPER,
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """Inversion into w."""
    yield InverterDescriptor(
        name="project",
        summary="Optimise w, or a w for each layer, until the image is reproduced.",
        params=ProjectParams,
        factory="sidelight_stylegan2.project:Project",
        needs=(
            Need("generator", capabilities=("latent.w", "differentiable")),
            Need("classifier", capabilities=("differentiable", "activations"), optional=True),
        ),
        example={"steps": 6, "samples": 8, "batch": 2},
        paper=f"{PAPER}, appendix D; Abdal et al. 2019, Image2StyleGAN",
    )
