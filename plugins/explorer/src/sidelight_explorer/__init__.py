"""The interactive explorer and automated latent directions. This light module imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import ExplainerDescriptor, Need, RendererDescriptor, hookimpl
from sidelight_specs.facts import Given, Mistake
from sidelight_toolkit.drawn_latents import DrawingFinderDescriptor
from sidelight_toolkit.shared_limits import DRAWABLE, NAMELESS, NOT_THE_WORLD, ONE_DIRECTION

from sidelight_explorer._params import (
    AlongParams,
    ByHandParams,
    ClosedFormParams,
    ComponentParams,
    DirectionParams,
    GanalyzeParams,
    LineSearchParams,
    WebParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAPER = "Kirchler et al. 2021, Explainability Requires Interactivity"


def _stamp(session: str) -> str:
    """Size and modification time of a session file: results depend on its content, not only on its path."""
    path = Path(session).expanduser()
    if not session or not path.is_file():
        return ""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


@frozen(kw_only=True)
class WebDescriptor(RendererDescriptor):
    """A renderer that may start with a saved session."""

    def fingerprint(self, params: object) -> str:
        """The session file."""
        assert isinstance(params, WebParams)
        return _stamp(params.session)

    def files(self, params: object) -> Mapping[str, str]:
        """The session file."""
        assert isinstance(params, WebParams)
        return {"session": params.session}


@frozen(kw_only=True)
class ByHandDescriptor(ExplainerDescriptor):
    """An explainer that reads a session file."""

    def fingerprint(self, params: object) -> str:
        """The session file."""
        assert isinstance(params, ByHandParams)
        return _stamp(params.session)

    def files(self, params: object) -> Mapping[str, str]:
        """The session file."""
        assert isinstance(params, ByHandParams)
        return {"session": params.session}


@frozen(kw_only=True)
class LineSearchDescriptor(ExplainerDescriptor):
    """Describes `line-search`, which needs a direction to go."""

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """A finder whose shifts all lead away from the class."""
        yield from super().misfits(params, given)
        lambdas = getattr(given.params.get("attribute_finder"), "lambdas", None)
        if lambdas is not None and max(lambdas, default=0) <= 0:
            yield Mistake("the finder has no shift towards a class", "give its `lambdas` a positive number")


@frozen(kw_only=True)
class ComponentsDescriptor(DrawingFinderDescriptor):
    """A finder of directions of all layers, or of some."""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Layers that are no first and last one."""
        yield from super().mistakes(params)
        assert isinstance(params, ComponentParams)
        if params.layers and (len(params.layers) != 2 or params.layers[0] > params.layers[1]):
            yield Mistake("layers are a first and a last one", "write [1, 4]", "layers")


@hookimpl
def sidelight_attribute_finders() -> Iterable[DrawingFinderDescriptor]:
    """The automated baseline of the paper, GANalyze, StylEx's, and two that use no classifier."""
    yield DrawingFinderDescriptor(
        name="latent-directions",
        summary="Directions through z or W along which a linear model predicts that the class changes.",
        params=DirectionParams,
        factory="sidelight_explorer.directions:LatentDirections",
        needs=(Need("classifier"), Need("generator")),
        provides=("explorer.directions",),
        example={"train": 96, "validation": 32, "batch": 16},
        paper=f"{PAPER}, appendix; Denton et al. 2019",
        limits=(
            ONE_DIRECTION,
            DRAWABLE,
            "Linear in the latents and one for all images: how well it predicts the classifier is on the page, "
            "and images may turn otherwise.",
        ),
    )
    yield DrawingFinderDescriptor(
        name="ganalyze",
        summary="A direction through z or W, learned so that a shift by alpha changes the class's logit by alpha.",
        params=GanalyzeParams,
        factory="sidelight_explorer.ganalyze:Ganalyze",
        needs=(
            Need("classifier", capabilities=("differentiable",)),
            Need("generator", capabilities=("differentiable",)),
        ),
        provides=("explorer.directions",),
        example={"latents": "samples", "samples": 6, "steps": 8, "batch": 8, "validation": 16},
        paper="Goetschalckx et al. 2019, GANalyze, section 3; Lang et al. 2021 (StylEx), figure 2",
        limits=(
            ONE_DIRECTION,
            DRAWABLE,
            "Moves all that moves the classifier, and much that does not: 8.0 of 25 factors of a face (7.1 to "
            "8.9; Sidelight's docs, stylex).",
        ),
    )
    yield ComponentsDescriptor(
        name="pca-directions",
        summary="Principal components of W, or of the images of a generator of z; found without a classifier.",
        params=ComponentParams,
        factory="sidelight_explorer.pca_directions:PcaDirections",
        needs=(Need("generator"), Need("classifier", optional=True)),
        example={"latents": "samples", "samples": 6, "train": 64, "components": 2, "batch": 16},
        paper="Haerkoenen et al. 2020, GANSpace, section 3",
        limits=(
            DRAWABLE,
            NAMELESS,
            "Found without the classifier (Haerkoenen et al. 2020): a strong direction is one that images vary in, "
            "not one that the classifier uses.",
        ),
    )
    yield ComponentsDescriptor(
        name="closed-form",
        summary="Directions of W that move the styles most, from the style layers' weights (SeFa).",
        params=ClosedFormParams,
        factory="sidelight_explorer.closed_form:ClosedForm",
        needs=(Need("generator", capabilities=("latent.w", "latent.style")), Need("classifier", optional=True)),
        example={"latents": "samples", "samples": 6, "train": 64, "components": 2, "batch": 16},
        paper="Shen & Zhou 2021, Closed-Form Factorization of Latent Semantics in GANs, section 3",
        limits=(
            DRAWABLE,
            NAMELESS,
            "Found in the generator's weights without the classifier (Shen and Zhou 2021): what moves images most "
            "need not move the answer.",
        ),
    )


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Images as the automated direction and as a user change them."""
    yield ExplainerDescriptor(
        name="along-direction",
        summary="Each image shifted along the automated direction towards its probe class.",
        params=AlongParams,
        factory="sidelight_explorer.explainers.along_direction:AlongDirection",
        needs=(
            Need("classifier"),
            Need("generator"),
            Need("inverter"),
            Need("attribute_finder", capabilities=("explorer.directions",)),
        ),
        gives="image-attributes",
        answers="probe",
        example={"batch": 16},
        paper=f"{PAPER}, figures 1b and 6",
        limits=(
            ONE_DIRECTION,
            DRAWABLE,
            NOT_THE_WORLD,
        ),
    )
    yield LineSearchDescriptor(
        name="line-search",
        summary="The smallest shift of each image along the automated direction that gives its probe class.",
        params=LineSearchParams,
        factory="sidelight_explorer.explainers.line_search:LineSearch",
        needs=(
            Need("classifier", capabilities=("classes",)),
            Need("generator"),
            Need("inverter"),
            Need("attribute_finder", capabilities=("explorer.directions",)),
        ),
        gives="counterfactual",
        answers="probe",
        example={"batch": 16, "reach": 40.0},
        paper=f"{PAPER}, figure 6, with a length for each image",
        limits=(
            ONE_DIRECTION,
            DRAWABLE,
            NOT_THE_WORLD,
            "A direction may not reach the class: no image of several models was turned, and its row in the "
            "benchmark is unstable (Sidelight's benchmark).",
        ),
    )
    yield ByHandDescriptor(
        name="by-hand",
        summary="The edits of a session saved in the explorer, with hypotheses and verdicts, image by image.",
        params=ByHandParams,
        factory="sidelight_explorer.explainers.by_hand:ByHand",
        needs=(Need("classifier"), Need("generator"), Need("inverter")),
        gives="image-attributes",
        answers="probe",
        example={"batch": 16},
        paper=f"{PAPER}, figure 1c",
        limits=(
            DRAWABLE,
            NOT_THE_WORLD,
            "Edits that one person chose to try and keep: what nobody tried is not shown, and the choice may follow "
            "what that person expected (Kirchler et al. 2021); only a test on fresh images makes it a finding.",
        ),
    )


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The interactive explorer."""
    yield WebDescriptor(
        name="web",
        summary="The interactive explorer: mix styles of a generator, see the classifier's scores at once.",
        params=WebParams,
        factory="sidelight_explorer.renderer:Web",
        needs=(Need("generator"), Need("classifier"), Need("inverter", optional=True)),
        provides=("serves",),
        example={"images": 2, "styles": 3, "groups": 2, "region": 32},
        paper=PAPER,
    )
