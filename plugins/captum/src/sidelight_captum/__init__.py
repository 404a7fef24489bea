"""Heatmaps by captum: the baselines that other explanations are compared with. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import Need, Suggestion, hookimpl
from sidelight_toolkit.options import HeatmapDescriptor

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
    )
    yield HeatmapDescriptor(
        name="saliency",
        summary="Gradient of the score with respect to the pixels, plain or over noisy copies.",
        params=SaliencyParams,
        factory="sidelight_captum.saliency:Saliency",
        needs=_GRADIENTS,
        paper="Simonyan, Vedaldi and Zisserman 2013; SmoothGrad: Smilkov et al. 2017; VarGrad: Adebayo et al. 2018",
    )
    yield HeatmapDescriptor(
        name="guided-backprop",
        summary="Gradient with every ReLU passing back only positive values.",
        params=GuidedBackpropParams,
        factory="sidelight_captum.guided_backprop:GuidedBackprop",
        needs=_LAYERS,
        paper="Springenberg et al. 2014, Striving for Simplicity",
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
    )
    yield HeatmapDescriptor(
        name="guided-grad-cam",
        summary="Guided backpropagation inside the regions of Grad-CAM.",
        params=GuidedGradCamParams,
        factory="sidelight_captum.guided_grad_cam:GuidedGradCam",
        needs=_LAYERS,
        paper="Selvaraju et al. 2017, Grad-CAM, section 3.2",
    )
    yield HeatmapDescriptor(
        name="lrp",
        summary="Score redistributed layer by layer, in proportion to each input's contribution.",
        params=LrpParams,
        factory="sidelight_captum.lrp:Lrp",
        needs=_LAYERS,
        paper="Bach et al. 2015, On Pixel-Wise Explanations by Layer-Wise Relevance Propagation",
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
    )
