"""Class activation maps by the package grad-cam (pytorch-grad-cam). This light module imports no torch."""

from sidelight_specs import ExplainerDescriptor, Need, hookimpl, params
from sidelight_toolkit.options import BatchSize, HeatmapDescriptor, LayerParams, Target, batch_option, target_option
from sidelight_toolkit.shared_limits import COARSE, PLACE, UNSEEN_IMAGES

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

_OF_NO_CLASS = "The same for every class: it says nothing of why this class and not another."
_UNSTABLE = (
    "Unstable: other seeds and backgrounds reverse which models look as if they used a cause ({}; .75 is steady; "
    "Sidelight's benchmark)."
)
_LIPS = (
    "Did not tell models that use red lips from models that do not, where both look at the mouth: AUROC {}, luck is "
    ".50 (Sidelight's benchmark)."
)
_POSITIVE = "Keeps positive values alone: what speaks against the class is not shown."
OWN_LIMITS = {
    "grad-cam": (
        "May mark places that the score does not use, because gradients are averaged over each map (Draelos and Carin "
        "2020, HiResCAM).",
        "Half of the models without the cause looked as if they used it, at the threshold that finds 90 % of those "
        "that do (`captum/grad-cam`; Sidelight's benchmark).",
    ),
    "hires-cam": (
        "Exact only for networks that end in one linear layer after the maps (Draelos and Carin 2020).",
        _LIPS.format(".28"),
    ),
    "grad-cam-elementwise": (_POSITIVE,),
    "grad-cam-plus-plus": (_UNSTABLE.format("stability .68"),),
    "xgrad-cam": (_UNSTABLE.format("stability .48"),),
    "ablation-cam": (
        "Removes one map at a time: of two maps either of which is enough, neither counts.",
        _UNSTABLE.format("stability .70"),
    ),
    "score-cam": (UNSEEN_IMAGES, _UNSTABLE.format("stability .64")),
    "eigen-cam": (
        _OF_NO_CLASS,
        "Did not tell models with a planted cause from models without: AUROC .47, luck is .50 (Sidelight's benchmark).",
    ),
    "eigen-grad-cam": ("Shows one principal component: what the others hold is not drawn, however much it counts.",),
    "layer-cam": (_POSITIVE, _LIPS.format(".25")),
    "full-grad": (
        "Adds magnitudes over all layers and so has no sign: evidence for and against the class looks alike.",
        "Marks the mouth less in models that use red lips than in models that do not: AUROC .00, luck is .50 "
        "(Sidelight's benchmark).",
    ),
    "kpca-cam": (_OF_NO_CLASS,),
    "shapley-cam": ("Shapley values of the maps by a second-order estimate: no map is taken away (Cai 2025).",),
    "finer-cam": (
        "Shows what sets the class apart from the most similar ones, and not what makes it the class at all (Zhang "
        "et al. 2025).",
    ),
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
            limits=(PLACE, *([COARSE] * (name != "full-grad")), *OWN_LIMITS[name]),
        )
        for name, (cls, summary, paper) in METHODS.items()
    ]
