"""Claims that a recipe declares before a run: their options, the sentences that they read. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sidelight_specs import ClaimDescriptor, Need, hookimpl, param, params
from sidelight_specs.facts import Mistake, Reference, unknown_names
from sidelight_specs.live import Adoption
from sidelight_toolkit.options import BatchSize, batch_option

from sidelight_claims.sentences import read_decides, read_measured, read_top

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sidelight_specs.facts import Given

SMALL_ON_CPU = 64
"""Images in one pass on a CPU, of thousands."""
COUNTERFACTUAL = "counterfactual/"
_REPLACEMENTS = ("black", "grey", "white", "mean", "blur", "noise")


def _text() -> Any:
    return param("", "Claim in words, as it heads the page; when empty it is worded from the options.")


@params
class MeasuredParams:
    """Options of `measured`."""

    metric: str = param(..., "Id of the metric.")
    comparison: Literal[">=", ">", "<=", "<"] = param(..., "Side of the threshold on which the number lies.")
    threshold: float = param(..., "Number that it is held against, in the metric's unit.", minimum=-1e12)
    explanation: str | None = param(None, "Id of the explanation that is measured; null: the metric's only one.")
    number: str = param("", "Name of the number; when empty the first that the metric gives.")
    text: str = _text()


@params
class TopAttributesParams:
    """Options of `top-attributes`."""

    factor: str = param(..., "Ground-truth factor of the data, or part of an attribute's name.")
    top: int = param(
        ..., "Number of attributes, from the first, of which one changes the factor.", minimum=1, maximum=100
    )
    finder: str | None = param(None, "Id of the attribute finder; null: the only one.")
    towards: str | int | None = param(None, "Class that the attributes raise; null: the best rank of all.", minimum=0)
    draws: int = param(999, "Bootstrap samples of images and examples.", unit="samples", minimum=99, maximum=100_000)
    images: int = param(
        4000, "Images drawn to train the factor regressor.", unit="images", minimum=2, maximum=1_000_000
    )
    steps: int = param(500, "Training steps of the factor regressor.", unit="steps", minimum=1, maximum=1_000_000)
    least_quality: float = param(0.5, "R squared of the regressor below which nothing is said.", minimum=0, maximum=1)
    text: str = _text()


@params
class DecidesParams:
    """Options of `decides`."""

    winner: str | int = param(..., "Class that the region speaks for, by name or index.", minimum=0)
    loser: str | int = param(..., "Class that it speaks against.", minimum=0)
    mask: str = param("", "Region: a mask of the data, such as `square`.")
    box: tuple[int, ...] = param((), "Region: left, top, width and height.", unit="pixels", minimum=0, maximum=65_536)
    explainer: str = param("", "Region: the highest pixels of this explainer's heatmaps, by its id.")
    share: float = param(5.0, "Share of the pixels that are highest.", unit="percent", minimum=0.01, maximum=90)
    replacements: tuple[str, ...] = param(
        ("black", "mean", "blur"),
        f"Replacements of the region: {', '.join(_REPLACEMENTS)}, or {COUNTERFACTUAL}ID.",
    )
    controls: int = param(99, "Random regions of the same size.", unit="regions", minimum=19, maximum=9999)
    bound: float = param(
        0.1, "Largest negligible effect, as a share of the images' mean |log-odds|.", minimum=0, maximum=10
    )
    batch: BatchSize = batch_option("Images", SMALL_ON_CPU)
    text: str = _text()


@frozen(kw_only=True)
class SentenceDescriptor(ClaimDescriptor):
    """Describes a claim that may be written as a sentence.

    Args:
        read: gives the options that a sentence stands for, None for another's; raises a `UserError` for a mistake.
    """

    read: Callable[[str], dict[str, Any] | None]

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """The options of a sentence, which is kept as the claim's text."""
        del hints
        options = self.read(value) if isinstance(value, str) else None
        return None if options is None else Adoption(params={**options, "text": " ".join(str(value).split())})


@frozen(kw_only=True)
class MeasuredDescriptor(SentenceDescriptor):
    """Describes `measured`."""

    def refers(self, params: Any) -> Iterable[Reference]:
        """The metric, and what it measures."""
        yield Reference(role="metric", id=params.metric, option="metric", subject=params.explanation)


@frozen(kw_only=True)
class TopAttributesDescriptor(SentenceDescriptor):
    """Describes `top-attributes`."""

    def refers(self, params: Any) -> Iterable[Reference]:
        """The finder."""
        yield Reference(role="attribute_finder", id=params.finder, option="finder")

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """A class that the classifier lacks."""
        yield from _unknown_class(params.towards, given, "towards")


@frozen(kw_only=True)
class DecidesDescriptor(SentenceDescriptor):
    """Describes `decides`."""

    def refers(self, params: Any) -> Iterable[Reference]:
        """The explainers whose heatmaps or counterfactuals it takes."""
        if params.explainer:
            yield Reference(role="explainer", id=params.explainer, option="explainer", kinds=("heatmap",))
        for name in params.replacements:
            if name.startswith(COUNTERFACTUAL):
                named = {"id": name.removeprefix(COUNTERFACTUAL), "kinds": ("counterfactual",)}
                yield Reference(role="explainer", option="replacements", **named)

    def mistakes(self, params: Any) -> Iterator[Mistake]:
        """No region or several, an empty box, unknown replacements, one class twice."""
        regions = [name for name in ("mask", "box", "explainer") if getattr(params, name)]
        if len(regions) != 1:
            what = f"several regions, {' and '.join(regions)}" if regions else "no region"
            yield Mistake(f"the claim names {what}", "name one of mask, box and explainer")
        if params.box and (len(params.box) != 4 or 0 in params.box[2:]):
            numbers = ", ".join(map(str, params.box))
            yield Mistake(f"[{numbers}] is no box", "give left, top, width and height, the last two above 0", "box")
        unknown = [
            name for name in params.replacements if name not in _REPLACEMENTS and not name.startswith(COUNTERFACTUAL)
        ]
        yield from unknown_names("there is no replacement", unknown, _REPLACEMENTS, "replacements")
        if not params.replacements or len(set(params.replacements)) < len(params.replacements):
            yield Mistake("the claim names no replacement, or one twice", "name each once", "replacements")
        if params.winner == params.loser:
            yield Mistake("a region cannot decide a class over itself", "name two classes", "loser")

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """Classes and masks that are not there, a regression, a box beyond the images."""
        if given.classifier_of().task == "regression":
            message = "a region decides one class over another, and the classifier is a regression with one value"
            yield Mistake(message, "claim what a metric measures instead")
            return
        yield from _unknown_class(params.winner, given, "winner")
        yield from _unknown_class(params.loser, given, "loser")
        masks = given.explained.masks
        if params.mask and masks is not None:
            known = tuple(dict.fromkeys(name for of in masks.values() for name in of))
            yield from unknown_names("the data has no mask", [params.mask], known, "mask")
        shape = given.explained.shape
        if len(params.box) == 4 and shape is not None:
            left, top, width, height = params.box
            if left + width > shape[2] or top + height > shape[1]:
                message = f"the box {left},{top},{width},{height} leaves images of {shape[1]}x{shape[2]}"
                yield Mistake(message, "give a box inside of them", "box")
            elif (width, height) == (shape[2], shape[1]):
                message = "the box is the whole image, and no random region can be held against it"
                yield Mistake(message, "give a smaller box", "box")


def _unknown_class(name: str | int | None, given: Given, option: str) -> Iterator[Mistake]:
    classes = given.classifier_of().classes
    if name is None or classes is None:
        return
    if isinstance(name, int):
        if name >= len(classes):
            yield Mistake(f"there is no class {name}, the classifier has {len(classes)}", "count from 0", option)
        return
    yield from unknown_names("the classifier has no class", [name], classes, option)


@hookimpl
def sidelight_claims() -> Iterable[ClaimDescriptor]:
    """The claims of this plugin."""
    yield MeasuredDescriptor(
        name="measured",
        summary="A number of a metric lies on one side of a threshold, with its whole 95 % interval.",
        params=MeasuredParams,
        factory="sidelight_claims.measured:Measured",
        read=read_measured,
        sentence="flips/cdeepex >= 0.9",
        example={"metric": "sparsity", "comparison": ">=", "threshold": 0.1, "explanation": "heatmap"},
    )
    yield TopAttributesDescriptor(
        name="top-attributes",
        summary="One of the first attributes changes a true factor plainly.",
        params=TopAttributesParams,
        factory="sidelight_claims.top_attributes:TopAttributes",
        read=read_top,
        needs=(Need("data", optional=True),),
        sentence="lip-colour in the top 3 attributes",
        example={"factor": "rows", "top": 2, "images": 32, "steps": 4, "least_quality": 0.0, "draws": 99},
    )
    yield DecidesDescriptor(
        name="decides",
        summary="A region decides one class over another, more than random regions, however it is replaced.",
        params=DecidesParams,
        factory="sidelight_claims.decides:Decides",
        read=read_decides,
        needs=(Need("classifier"),),
        sentence="square decides 8 over 9",
        example={"winner": 0, "loser": 1, "box": (0, 0, 16, 16), "controls": 19},
    )
