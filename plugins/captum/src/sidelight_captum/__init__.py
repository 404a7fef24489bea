"""Heatmaps by captum, the baselines that other explanations are held against. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import Need, hookimpl

from sidelight_captum._misfits import HeatmapDescriptor
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
    """Eight heatmaps; the parameter `target` moves each from the predicted class to the probe, or to their contrast."""
    yield from _by_gradients()
    yield from _by_layers()
    yield from _by_hiding()


def _by_gradients() -> Iterable[ExplainerDescriptor]:
    """The gradient, and what is made of it."""
    yield HeatmapDescriptor(
        name="integrated-gradients",
        summary="Each pixel's share of the score, integrated along the way from a baseline to the image.",
        params=IntegratedGradientsParams,
        factory="sidelight_captum.integrated_gradients:IntegratedGradients",
        needs=_GRADIENTS,
        gives="heatmap",
        example={"steps": 8},
        paper="Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks",
    )
    yield HeatmapDescriptor(
        name="saliency",
        summary="The score's gradient with respect to the pixels, plain or averaged over noisy copies of the image.",
        params=SaliencyParams,
        factory="sidelight_captum.saliency:Saliency",
        needs=_GRADIENTS,
        gives="heatmap",
        paper="Simonyan, Vedaldi and Zisserman 2013; SmoothGrad: Smilkov et al. 2017; VarGrad: Adebayo et al. 2018",
    )
    yield HeatmapDescriptor(
        name="guided-backprop",
        summary="The gradient, with every ReLU letting back only what speaks for the class.",
        params=GuidedBackpropParams,
        factory="sidelight_captum.guided_backprop:GuidedBackprop",
        needs=_LAYERS,
        gives="heatmap",
        paper="Springenberg et al. 2014, Striving for Simplicity",
    )


def _by_layers() -> Iterable[ExplainerDescriptor]:
    """Those that look at the layers as well."""
    yield HeatmapDescriptor(
        name="grad-cam",
        summary="Where the last feature maps that raise the score are active; coarse, and clear about the class.",
        params=GradCamParams,
        factory="sidelight_captum.grad_cam:GradCam",
        needs=_LAYERS,
        gives="heatmap",
        paper="Selvaraju et al. 2017, Grad-CAM",
    )
    yield HeatmapDescriptor(
        name="guided-grad-cam",
        summary="Guided backpropagation inside the regions of Grad-CAM.",
        params=GuidedGradCamParams,
        factory="sidelight_captum.guided_grad_cam:GuidedGradCam",
        needs=_LAYERS,
        gives="heatmap",
        paper="Selvaraju et al. 2017, Grad-CAM, section 3.2",
    )
    yield HeatmapDescriptor(
        name="lrp",
        summary="The score handed back from layer to layer in proportion to what each input contributed.",
        params=LrpParams,
        factory="sidelight_captum.lrp:Lrp",
        needs=_LAYERS,
        gives="heatmap",
        paper="Bach et al. 2015, On Pixel-Wise Explanations by Layer-Wise Relevance Propagation",
    )


def _by_hiding() -> Iterable[ExplainerDescriptor]:
    """Those that ask about images with parts hidden, of any classifier."""
    yield HeatmapDescriptor(
        name="occlusion",
        summary="How far the score falls when a window of the image is covered.",
        params=OcclusionParams,
        factory="sidelight_captum.occlusion:Occlusion",
        needs=(Need("classifier"),),
        gives="heatmap",
        example={"window": 4, "stride": 4},
        paper="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks",
    )
    yield HeatmapDescriptor(
        name="lime",
        summary="The weights of a linear model of the score, fitted to copies of the image with some cells hidden.",
        params=LimeParams,
        factory="sidelight_captum.lime:Lime",
        needs=(Need("classifier"),),
        gives="heatmap",
        example={"samples": 200, "batch": 32},
        paper="Ribeiro, Singh and Guestrin 2016, Why Should I Trust You?",
    )
