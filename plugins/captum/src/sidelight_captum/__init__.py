"""Heatmaps by captum: the baselines that other explanations are compared with. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import Need, Suggestion, hookimpl
from sidelight_toolkit.options import HeatmapDescriptor
from sidelight_toolkit.shared_limits import COARSE, PLACE, POSITIVE_RELEVANCE, UNSEEN_IMAGES

from sidelight_captum.params import (
    GradCamParams,
    GuidedBackpropParams,
    GuidedGradCamParams,
    IntegratedGradientsParams,
    LimeParams,
    LrpParams,
    OcclusionParams,
    SaliencyParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import ExplainerDescriptor


_GRADIENTS = (Need("classifier", capabilities=("differentiable",)),)
_LAYERS = (Need("classifier", capabilities=("differentiable", "activations", "module")),)  # TorchScript shows none


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Eight heatmaps, each of the predicted class, the probe or their contrast, by the parameter `target`."""
    yield from _by_gradients()
    yield from _by_layers()
    yield from _by_hiding()


def _by_gradients() -> Iterable[ExplainerDescriptor]:
    """Heatmaps made of gradients with respect to the pixels."""
    yield HeatmapDescriptor(
        name="integrated-gradients",
        suggested=Suggestion(3),
        summary="Gradients integrated along the path from a baseline to the image.",
        params=IntegratedGradientsParams,
        factory="sidelight_captum.integrated_gradients:IntegratedGradients",
        needs=_GRADIENTS,
        example={"steps": 8},
        paper="Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks",
        limits=(
            PLACE,
            "Attributes differences from the baseline alone: where the image equals it, black by default, the map"
            " is zero whatever matters there (Sturmfels, Lundberg and Lee 2020).",
            "Follows the background: over ten of them its mass on the same things was 1.4 to 5.7 times chance "
            "(Sidelight's benchmark).",
            "Did not tell models that use red lips from models that do not, where both look at the mouth: AUROC "
            ".31, luck is .50 (Sidelight's benchmark).",
        ),
    )
    yield HeatmapDescriptor(
        name="saliency",
        summary="Gradient of the score with respect to the pixels, plain or over noisy copies.",
        params=SaliencyParams,
        factory="sidelight_captum.saliency:Saliency",
        needs=_GRADIENTS,
        paper="Simonyan, Vedaldi and Zisserman 2013; SmoothGrad: Smilkov et al. 2017; VarGrad: Adebayo et al. 2018",
        limits=(
            PLACE,
            "Says what a very small change of a pixel does: where the score saturates the gradient vanishes, "
            "however much the pixel matters (Sundararajan, Taly and Yan 2017).",
            "Noisy: the gradients of neighbouring pixels differ sharply, and those of single pixels mean little "
            "(Smilkov et al. 2017, SmoothGrad).",
            "Without noise it did not tell models that use red lips from models that do not: AUROC .53, luck is "
            ".50; squared over noise it did (Sidelight's benchmark).",
        ),
    )
    yield HeatmapDescriptor(
        name="guided-backprop",
        summary="Gradient with every ReLU passing back only positive values.",
        params=GuidedBackpropParams,
        factory="sidelight_captum.guided_backprop:GuidedBackprop",
        needs=_LAYERS,
        paper="Springenberg et al. 2014, Striving for Simplicity",
        limits=(
            PLACE,
            "Shows edges of the image more than what the model has learned: it hardly changes when the higher "
            "layers' weights are randomised (Adebayo et al. 2018, Sanity Checks).",
            "Partly recovers the image and is hardly class-sensitive (Nie, Zhang and Patel 2018).",
            "Did not tell models that use red lips from models that do not: AUROC .25, luck is .50 (Sidelight's "
            "benchmark).",
        ),
    )


def _by_layers() -> Iterable[ExplainerDescriptor]:
    """Heatmaps that use the layers as well."""
    yield HeatmapDescriptor(
        name="grad-cam",
        suggested=Suggestion(1, lacking=("attention",)),
        summary="Last feature maps weighted by their mean gradient: coarse, but class-discriminative.",
        params=GradCamParams,
        factory="sidelight_captum.grad_cam:GradCam",
        needs=_LAYERS,
        paper="Selvaraju et al. 2017, Grad-CAM",
        limits=(
            PLACE,
            COARSE,
            "May mark places that the score does not use, because gradients are averaged over each map (Draelos "
            "and Carin 2020, HiResCAM).",
            "Half of the models without the cause looked as if they used it, at the threshold that finds 90 % of "
            "those that do (Sidelight's benchmark).",
        ),
    )
    yield HeatmapDescriptor(
        name="guided-grad-cam",
        summary="Guided backpropagation inside the regions of Grad-CAM.",
        params=GuidedGradCamParams,
        factory="sidelight_captum.guided_grad_cam:GuidedGradCam",
        needs=_LAYERS,
        paper="Selvaraju et al. 2017, Grad-CAM, section 3.2",
        limits=(
            PLACE,
            "The fine detail is guided backpropagation's: it hardly changes when the higher layers' weights are "
            "randomised (Adebayo et al. 2018, Sanity Checks).",
            "Nothing is shown where Grad-CAM's coarse map is zero, and places that it marks wrongly stay.",
        ),
    )
    yield HeatmapDescriptor(
        name="lrp",
        summary="Score redistributed layer by layer, in proportion to each input's contribution.",
        params=LrpParams,
        factory="sidelight_captum.lrp:Lrp",
        needs=_LAYERS,
        paper="Bach et al. 2015, On Pixel-Wise Explanations by Layer-Wise Relevance Propagation",
        limits=(
            PLACE,
            "By `epsilon` it is nearly gradient times input in a ReLU network (Ancona et al. 2018), and that "
            "followed the background: .7 to 10 times chance on the same things (Sidelight's benchmark).",
            POSITIVE_RELEVANCE,
            "Relevance adds up by construction: that the sum equals the score does not show that the map is right.",
        ),
    )


def _by_hiding() -> Iterable[ExplainerDescriptor]:
    """Heatmaps by perturbation, of any classifier."""
    yield HeatmapDescriptor(
        name="occlusion",
        suggested=Suggestion(5, lacking=("differentiable",)),
        summary="Loss of the score when a window of the image is covered.",
        params=OcclusionParams,
        factory="sidelight_captum.occlusion:Occlusion",
        needs=(Need("classifier"),),
        example={"window": 4, "stride": 4},
        paper="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks",
        limits=(
            PLACE,
            UNSEEN_IMAGES,
            "Covers one window at a time: of two parts either of which is enough, neither is found.",
            "Parts smaller than the window are not told apart.",
        ),
    )
    yield HeatmapDescriptor(
        name="lime",
        summary="Linear model of the score, fitted to copies of the image with some cells hidden.",
        params=LimeParams,
        factory="sidelight_captum.lime:Lime",
        needs=(Need("classifier"),),
        provides=("maps",),
        example={"samples": 200, "batch": 32},
        paper="Ribeiro, Singh and Guestrin 2016, Why Should I Trust You?",
        limits=(
            PLACE,
            UNSEEN_IMAGES,
            "Other random samples give other weights: small differences between cells may be chance (Zafar and "
            "Khan 2019, DLIME).",
            "A linear model of hidden cells: it does not say how cells act together, and cells are squares, not "
            "objects.",
        ),
    )
