"""Methods of the leaderboard: recipe fragments, by family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

Family = Literal["gradient", "activation", "perturbation", "structured", "counterfactual", "direction", "concept"]
FAMILIES: tuple[str, ...] = (*get_args(Family), "yours", "baseline", "ceiling")


@attrs.frozen(kw_only=True)
class Method:
    """One row of the leaderboard.

    Args:
        name: of the row, and of its cells' files.
        family: of the table.
        use: the explainer.
        options: its `with`.
        requires: what the suite has to share, `latent` or `style`; empty for methods that need the classifier alone.
        sections: further components that it needs, as sections of a recipe.
        needs: of the explainer, slot to component.
        only: `full` for what `quick` has no time for.
    """

    name: str
    family: str
    use: str
    options: dict[str, Any] = attrs.field(factory=dict)
    requires: str = ""
    sections: dict[str, Any] = attrs.field(factory=dict)
    needs: dict[str, str] = attrs.field(factory=dict)
    only: str = ""

    @property
    def id(self) -> str:
        """The explainer's id in its recipes; random streams depend on it."""
        return self.use.rpartition("/")[2]

    def component(self) -> dict[str, Any]:
        """The explainer, as a recipe has it."""
        more = {"with": self.options} if self.options else {}
        return {"use": self.use, **more, **({"needs": dict(self.needs)} if self.needs else {})}


def _methods(family: Family, requires: str, *uses: str, **settings: Any) -> Iterator[Method]:
    for use in uses:
        yield Method(name=use, family=family, use=use, requires=requires, **settings)


_FLIP = {
    "attribute_finders": {
        "dvae": {"use": "intervention/dvae", "with": {"layer": "relu3", "bits": 32, "steps": 600}},
    },
    "generator": {"concepts": {"use": "intervention/concept-latents", "needs": {"dvae": "dvae"}}},
}
_DIRECTIONS = {"attribute_finders": {"directions": {"use": "explorer/latent-directions", "with": {"train": 4000}}}}
_ATTFIND = {
    "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": {"mode": "screened", "attributes": 6}}},
}
# Options that are not the defaults: docs/explanation/benchmark.md, "Methods", has the reasons.
# Of two classes one stays likely on any baseline, however blurred: with the default limit few images have an answer.
_ANY_BASELINE = {"baseline_limit": 1.0}
_STYLE_NEEDS = {"attribute_finder": "attfind"}

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *_methods(
            "gradient",
            "",
            "captum/saliency",
            "captum/integrated-gradients",
            "captum/guided-backprop",
            "captum/guided-grad-cam",
            "captum/lrp",
            "zennit/epsilon-plus",
            "zennit/epsilon-gamma-box",
            "zennit/excitation-backprop",
        ),
        Method(name="captum/smoothgrad", family="gradient", use="captum/saliency", options={"noise": "smoothgrad_sq"}),
        *_methods(
            "activation",
            "",
            "captum/grad-cam",
            "grad-cam/grad-cam-plus-plus",
            "grad-cam/hires-cam",
            "grad-cam/layer-cam",
            "grad-cam/xgrad-cam",
            "grad-cam/eigen-cam",
            "grad-cam/score-cam",
            "grad-cam/ablation-cam",
        ),
        *_methods("gradient", "", "grad-cam/full-grad"),
        *_methods("perturbation", "", "captum/occlusion"),
        Method(name="captum/lime", family="perturbation", use="captum/lime", options={"samples": 200, "batch": 64}),
        *_methods(
            "perturbation", "", "structured/direct-mask", "structured/igos", "structured/igos++", options=_ANY_BASELINE
        ),
        *_methods("structured", "", "structured/sag", options=_ANY_BASELINE),
        *_methods("structured", "", "structured/xnn", only="full"),  # trains for each model, 100 CPU seconds
        Method(
            name="cdeepex/contrastive",
            family="gradient",
            use="cdeepex/contrastive",
            sections={"explainers": {"gradients": {"use": "captum/integrated-gradients"}}},
            needs={"explainer": "gradients"},
        ),
        *_methods("counterfactual", "latent", "cdeepex/cdeepex", "cdeepex/xgems"),
        *_methods(
            "counterfactual",
            "latent",
            "explorer/line-search",
            sections=_DIRECTIONS,
            needs={"attribute_finder": "directions"},
        ),
        *_methods(
            "direction",
            "latent",
            "explorer/along-direction",
            sections=_DIRECTIONS,
            needs={"attribute_finder": "directions"},
        ),
        *_methods("direction", "style", "stylex/independent", sections=_ATTFIND, needs=_STYLE_NEEDS),
        *_methods("counterfactual", "style", "stylex/subset", sections=_ATTFIND, needs=_STYLE_NEEDS),
        *_methods("concept", "latent", "intervention/concept-flip", sections=_FLIP, needs={"generator": "concepts"}),
        *(
            Method(name=f"bench/{name}", family="baseline", use=f"bench/{name}")
            for name in ("random", "centre", "edges", "confidence")
        ),
        Method(name="bench/oracle", family="ceiling", use="bench/oracle"),
    )
}
KNOWN = frozenset(
    one["use"]
    for method in METHODS.values()
    if method.family != "ceiling"  # whoever wraps the oracle has the factors
    for section in ({"explainers": {"x": method.component()}}, method.sections)
    for components in section.values()
    for one in components.values()
)
"""Components of these fragments; a stranger's may not need the data."""
