"""Contrastive explanations (CDeepEx) with their generators. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import ExplainerDescriptor, GeneratorDescriptor, InverterDescriptor, Need, hookimpl
from sidelight_specs.facts import Mistake, unknown_split
from sidelight_toolkit.shared_limits import DRAWABLE, NOT_THE_WORLD, OTHER_COUNTERFACTUALS, PLACE
from sidelight_toolkit.windows import window_misfits

from sidelight_cdeepex.params import (
    NO_ENCODER,
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

_NEEDS = (
    Need("classifier", capabilities=("differentiable", "classes")),
    Need("generator", capabilities=("differentiable",)),
    Need("inverter"),
    Need("second_classifier", role="classifier", capabilities=("differentiable", "classes"), optional=True, named=True),
    Need("third_classifier", role="classifier", capabilities=("differentiable", "classes"), optional=True, named=True),
)


@frozen(kw_only=True)
class BoundaryDescriptor(ExplainerDescriptor):
    """Describes `cdeepex` and `xgems`, whose constraints may hold for several classifiers."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """Classifiers of the ensemble with other classes than the explained one; a GAN, which has no encoder."""
        assert isinstance(params, XgemsParams)
        if params.reconstruction and isinstance(given.params.get("generator"), GanParams):
            yield Mistake(*NO_ENCODER, "reconstruction")
        explained = given.classifier_of().classes
        for slot in ("second_classifier", "third_classifier"):
            classes = given.classifier_of(slot).classes
            if explained and classes and classes != explained:
                message = f"the classes of {slot} are {', '.join(classes)}, the explained ones {', '.join(explained)}"
                yield Mistake(message, f"name a classifier of the same classes in needs: {{{slot}: ID}}")


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
    """Two autoencoders and a GAN."""
    yield GeneratorDescriptor(
        name="vae",
        summary="Convolutional variational autoencoder, trained on the recipe's data.",
        params=VaeParams,
        factory="sidelight_cdeepex.generators.vae:Vae",
        provides=("trainable", "differentiable", "latent.z", "encoder"),
        follows_data=True,
        example={"latent": 4, "width": 4, "steps": 20, "batch": 8},
        paper="Kingma and Welling 2013; shape of Feghahati et al. 2020, CDeepEx, section 4.1",
    )
    yield GeneratorDescriptor(
        name="ae",
        summary="Convolutional autoencoder, trained on the recipe's data.",
        params=AeParams,
        factory="sidelight_cdeepex.generators.autoencoder:Ae",
        provides=("trainable", "differentiable", "latent.z", "encoder"),
        follows_data=True,
        example={"latent": 4, "width": 4, "steps": 20, "batch": 8},
        paper="Feghahati et al. 2020, CDeepEx, section 4.4",
    )
    yield GeneratorDescriptor(
        name="gan",
        summary="Wasserstein GAN of the shape of DCGAN, trained on the recipe's data.",
        params=GanParams,
        factory="sidelight_cdeepex.generators.wgan:WassersteinGan",
        provides=("trainable", "differentiable", "latent.z"),
        follows_data=True,
        example={"latent": 4, "width": 4, "critic_width": 4, "steps": 20, "batch": 8},
        paper="Arjovsky et al. 2017, Wasserstein generative adversarial networks; Gulrajani et al. 2017; shape of "
        "Feghahati et al. 2020, CDeepEx, section 4.1",
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """The generator's own encoder, and descent on equation 1."""
    yield InverterDescriptor(
        name="encoder",
        summary="Latents by one pass of the generator's encoder.",
        params=EncoderParams,
        factory="sidelight_cdeepex.inversion:EncoderInversion",
        needs=(Need("generator", capabilities=("encoder",)),),
        paper="Feghahati et al. 2020, CDeepEx, section 3.3",
    )
    yield InverterDescriptor(
        name="optimise",
        summary="Latents that reproduce image and class best, by descent from random starts.",
        params=OptimiseParams,
        factory="sidelight_cdeepex.inversion:OptimisedInversion",
        needs=(
            Need("classifier", capabilities=("differentiable", "classes")),
            Need("generator", capabilities=("differentiable", "latent.z")),
        ),
        example={"starts": 2, "steps": 40},
        paper="Feghahati et al. 2020, CDeepEx, section 3.3, equation 1",
    )


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """CDeepEx, xGEMs and the baselines that they are compared with."""
    yield BoundaryDescriptor(
        name="cdeepex",
        summary="Closest generated image where predicted class and probe are equally likely, all others less.",
        params=CdeepexParams,
        factory="sidelight_cdeepex.cdeepex:CDeepEx",
        needs=_NEEDS,
        gives="counterfactual",
        answers="contrast",
        example={"steps": 60, "path": 4},
        paper="Feghahati, Shelton, Pazzani and Tang 2020, CDeepEx: Contrastive Deep Explanations",
        limits=(
            DRAWABLE,
            OTHER_COUNTERFACTUALS,
            NOT_THE_WORLD,
            "Ends where the two classes are equally likely, so it is no clear example of the other: 29 % of 306 "
            "answers turned another network (25 to 35 %; Sidelight's docs, cdeepex).",
        ),
    )
    yield BoundaryDescriptor(
        name="xgems",
        summary="Closest generated image where predicted class and probe are equally likely.",
        params=XgemsParams,
        factory="sidelight_cdeepex.cdeepex:XGEMs",
        needs=_NEEDS,
        gives="counterfactual",
        answers="contrast",
        example={"steps": 60, "path": 4},
        paper="Joshi et al. 2018, xGEMs, as compared in Feghahati et al. 2020, section 4.1.2",
        limits=(
            DRAWABLE,
            OTHER_COUNTERFACTUALS,
            NOT_THE_WORLD,
            "May end in a third class, and then explains another question: 18 % of 192 faces did (13 to 24 %; "
            "Sidelight's docs, cdeepex).",
        ),
    )
    yield ContrastiveDescriptor(
        name="contrastive",
        summary="Difference of another explainer's heatmaps that moves the predicted class to the probe.",
        params=ContrastiveParams,
        factory="sidelight_cdeepex.baselines.contrastive_heatmaps:ContrastiveHeatmaps",
        needs=(
            Need("classifier", capabilities=("classes",)),
            Need("explainer", capabilities=("heatmap",)),
        ),
        gives="heatmap",
        answers="contrast",
        example={"step": 0.1},
        paper="Feghahati et al. 2020, CDeepEx, section 4.1.1",
        limits=(
            PLACE,
            "A difference of two maps has all limits of the method that it subtracts, and says no more of the "
            "contrast than they do.",
            "Such differences did not show what tells two digits apart (examples of Feghahati et al. 2020, CDeepEx, "
            "section 4.1.1).",
        ),
    )
    yield PdaDescriptor(
        name="pda",
        summary="Evidence that each window adds for the class, against samples of what could be there.",
        params=PdaParams,
        factory="sidelight_cdeepex.baselines.prediction_difference:PredictionDifference",
        needs=(Need("classifier", capabilities=("classes",)), Need("data")),
        gives="heatmap",
        example={"window": 4, "samples": 4, "patches": 500},
        paper="Zintgraf, Cohen, Adel and Welling 2017, Visualizing Deep Neural Network Decisions",
        limits=(
            PLACE,
            "Windows one at a time: of two parts either of which is enough, neither is found.",
            "Samples of a window are Gaussian given its surroundings, or other images' pixels: some of a "
            "difference is due to samples that fit badly.",
        ),
    )
