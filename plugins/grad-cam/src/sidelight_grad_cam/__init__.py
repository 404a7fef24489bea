"""Class activation maps by the package grad-cam (pytorch-grad-cam). This light module imports no torch."""

from sidelight_specs import ExplainerDescriptor, Need, hookimpl, params
from sidelight_toolkit.options import BatchSize, HeatmapDescriptor, LayerParams, Target, batch_option, target_option

METHODS = {  # component: the package's class, summary, paper
    "grad-cam": ("GradCAM", "Feature maps weighted by their mean gradient.", "Selvaraju et al. 2017, Grad-CAM"),
    "hires-cam": ("HiResCAM", "Gradient times feature maps, place by place.", "Draelos and Carin 2020, HiResCAM"),
    "grad-cam-elementwise": ("GradCAMElementWise", "Positive gradient times feature maps, place by place.", ""),
    "grad-cam-plus-plus": ("GradCAMPlusPlus", "Grad-CAM with second-order weights.", "Chattopadhay et al. 2018"),
    "xgrad-cam": ("XGradCAM", "Gradients weighted by normalised feature maps.", "Fu et al. 2020, Axiom-based Grad-CAM"),
    "ablation-cam": ("AblationCAM", "Feature maps weighted by the loss without each.", "Desai and Ramaswamy 2020"),
    "score-cam": ("ScoreCAM", "Feature maps weighted by the score of the image that each masks.", "Wang et al. 2020"),
    "eigen-cam": ("EigenCAM", "First principal component of the maps, of no class.", "Muhammad and Yeasin 2020"),
    "eigen-grad-cam": ("EigenGradCAM", "First principal component of gradient times feature maps.", ""),
    "layer-cam": ("LayerCAM", "Feature maps weighted by positive gradients, place by place.", "Jiang et al. 2021"),
    "full-grad": ("FullGrad", "Gradients of the pixels and of all convolutions' biases.", "Srinivas and Fleuret 2019"),
    "kpca-cam": ("KPCA_CAM", "First kernel principal component, of no class.", "Karmani et al. 2024, KPCA-CAM"),
    "shapley-cam": ("ShapleyCAM", "Grad-CAM with a second-order Shapley term.", "Cai 2025, arXiv:2501.06261"),
    "finer-cam": ("FinerCAM", "Grad-CAM against the three most similar classes.", "Zhang et al. 2025, Finer-CAM"),
}


@params
class CamParams(LayerParams):
    """Options of every method but `full-grad`."""

    batch: BatchSize = batch_option("Images, or masked copies of one,")


@params
class FullGradParams:
    """Options of `full-grad`, which looks at all layers."""

    target: Target = target_option()
    batch: BatchSize = batch_option("Images", 1)


@hookimpl
def sidelight_explainers() -> list[ExplainerDescriptor]:
    """One component for each class of the package."""
    capabilities = ("differentiable", "activations", "module")
    return [
        HeatmapDescriptor(
            name=name,
            summary=summary,
            params=FullGradParams if name == "full-grad" else CamParams,
            factory=f"sidelight_grad_cam.cam:{cls}",
            needs=(Need("classifier", capabilities=(*capabilities, *["classes"] * (name == "finer-cam"))),),
            paper=paper,
        )
        for name, (cls, summary, paper) in METHODS.items()
    ]
