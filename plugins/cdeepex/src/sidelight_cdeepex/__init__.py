"""Contrastive explanations (CDeepEx) with their generators. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import ExplainerDescriptor, GeneratorDescriptor, InverterDescriptor, Need, hookimpl
from sidelight_specs.facts import Mistake, unknown_split
from sidelight_toolkit.windows import window_misfits

from sidelight_cdeepex.params import (
    AeParams,
    CdeepexParams,
    ContrastiveParams,
    EncoderParams,
    GanParams,
    OptimiseParams,
    PdaParams,
    VaeParams,
    XgemsParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.facts import Given

_CONTRAST = (
    Need("classifier", capabilities=("differentiable", "classes")),
    Need("generator", capabilities=("differentiable",)),
    Need("inverter"),
)


@frozen(kw_only=True)
class PdaDescriptor(ExplainerDescriptor):
    """Describes `pda`, which samples from training images."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """No training images, or of another shape; windows that do not fit."""
        assert isinstance(params, PdaParams)
        data, shape = given.data(), given.explained.shape
        yield from unknown_split(data, "train", "")
        if data.shape and shape and data.shape != shape:
            message = f"pda samples from training images of {data.shape}, the explained images are {shape}"
            yield Mistake(message, "name data of the same shape in needs: {data: ID}")
        yield from window_misfits(params.window, params.stride, shape)


@frozen(kw_only=True)
class ContrastiveDescriptor(ExplainerDescriptor):
    """Describes `contrastive`, which subtracts another explainer's heatmaps."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """An explainer that does not answer the predicted side."""
        del params
        answers = getattr(given.params.get("explainer"), "target", "predicted")
        if answers != "predicted":
            message = f"contrastive asks its explainer about the predicted class, and it answers target: {answers}"
            yield Mistake(message, "take `target` out of the `with:` of that explainer")


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """Two autoencoders that train in about a minute on 4,000 digits, and a GAN that takes some minutes."""
    yield GeneratorDescriptor(
        name="vae",
        summary="A convolutional variational autoencoder, trained on the images at hand.",
        params=VaeParams,
        factory="sidelight_cdeepex.generators.vae:Vae",
        provides=("trainable", "differentiable", "latent.z", "encoder"),
        follows_data=True,
        example={"latent": 4, "width": 4, "steps": 20, "batch": 8},
        paper="Kingma and Welling 2013; shape of Feghahati et al. 2020, CDeepEx, section 4.1",
    )
    yield GeneratorDescriptor(
        name="ae",
        summary="A convolutional autoencoder, trained on the images at hand.",
        params=AeParams,
        factory="sidelight_cdeepex.generators.autoencoder:Ae",
        provides=("trainable", "differentiable", "latent.z", "encoder"),
        follows_data=True,
        example={"latent": 4, "width": 4, "steps": 20, "batch": 8},
        paper="Feghahati et al. 2020, CDeepEx, section 4.4",
    )
    yield GeneratorDescriptor(
        name="gan",
        summary="A Wasserstein generative adversarial network of the shape of DCGAN, trained on the images at hand.",
        params=GanParams,
        factory="sidelight_cdeepex.generators.wgan:Gan",
        provides=("trainable", "differentiable", "latent.z"),
        follows_data=True,
        example={"latent": 4, "width": 4, "critic_width": 4, "steps": 20, "batch": 8},
        paper="Arjovsky et al. 2017, Wasserstein generative adversarial networks; Gulrajani et al. 2017; shape of "
        "Feghahati et al. 2020, CDeepEx, section 4.1",
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """The generator's own encoder, and a search for generators that have none."""
    yield InverterDescriptor(
        name="encoder",
        summary="One pass of the generator's encoder.",
        params=EncoderParams,
        factory="sidelight_cdeepex.encoder:Encoder",
        needs=(Need("generator", capabilities=("encoder",)),),
        paper="Feghahati et al. 2020, CDeepEx, section 3.3",
    )
    yield InverterDescriptor(
        name="optimise",
        summary="A search for the latents that reproduce the image and its class best, from several random starts.",
        params=OptimiseParams,
        factory="sidelight_cdeepex.inversion:Optimise",
        needs=(
            Need("classifier", capabilities=("differentiable", "classes")),
            Need("generator", capabilities=("differentiable", "latent.z")),
        ),
        example={"starts": 2, "steps": 40},
        paper="Feghahati et al. 2020, CDeepEx, section 3.3, equation 1",
    )


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """The contrastive explanation with and without its constraints on the other classes, and what it is compared to."""
    yield ExplainerDescriptor(
        name="cdeepex",
        summary="The closest generated image at which predicted class and probe are equally likely, all others less.",
        params=CdeepexParams,
        factory="sidelight_cdeepex.cdeepex:Cdeepex",
        needs=_CONTRAST,
        gives="counterfactual",
        answers="contrast",
        example={"steps": 60, "path": 4},
        paper="Feghahati, Shelton, Pazzani and Tang 2020, CDeepEx: Contrastive Deep Explanations",
    )
    yield ExplainerDescriptor(
        name="xgems",
        summary="The closest generated image at which predicted class and probe are equally likely.",
        params=XgemsParams,
        factory="sidelight_cdeepex.cdeepex:Xgems",
        needs=_CONTRAST,
        gives="counterfactual",
        answers="contrast",
        example={"steps": 60, "path": 4},
        paper="Joshi et al. 2018, xGEMs, as compared in Feghahati et al. 2020, section 4.1.2",
    )
    yield ContrastiveDescriptor(
        name="contrastive",
        summary="Another explainer's heatmaps of two classes, subtracted so that they move the one to the other.",
        params=ContrastiveParams,
        factory="sidelight_cdeepex.baselines.contrastive_heatmaps:Contrastive",
        needs=(
            Need("classifier", capabilities=("classes",)),
            Need("explainer", capabilities=("heatmap",)),
        ),
        gives="heatmap",
        answers="contrast",
        example={"step": 0.1},
        paper="Feghahati et al. 2020, CDeepEx, section 4.1.1",
    )
    yield PdaDescriptor(
        name="pda",
        summary="How much less likely the class is when a window shows samples of what could be there.",
        params=PdaParams,
        factory="sidelight_cdeepex.baselines.prediction_difference:Pda",
        needs=(Need("classifier", capabilities=("classes",)), Need("data")),
        gives="heatmap",
        example={"window": 4, "samples": 4, "patches": 500},
        paper="Zintgraf, Cohen, Adel and Welling 2017, Visualizing Deep Neural Network Decisions",
    )
