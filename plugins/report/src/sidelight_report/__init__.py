"""Reports of finished runs. This light module announces them; the renderers lie beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import RendererDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class HtmlParams:
    """Options of `html`."""

    title: str = param("", "The page's heading; the recipe's name where this is empty.")
    images: int = param(100, "How many of the explained images get a card.", unit="images", minimum=1, maximum=2000)
    classes: int = param(
        3, "How many classes to show beside the two of the question.", unit="classes", minimum=0, maximum=50
    )
    frames: int = param(10, "How many images of a search's path to show.", unit="images", minimum=2, maximum=100)
    attributes: int = param(
        10, "How many attributes to show for each class.", unit="attributes", minimum=1, maximum=100
    )
    examples: int = param(4, "How many images to show of each attribute.", unit="images", minimum=1, maximum=20)
    percentile: float = param(
        99.0, "The percentile of an image's absolute values at which heatmap colours saturate.", minimum=50, maximum=100
    )
    crisp: int = param(
        64,
        "Images up to this side are enlarged with crisp pixels, larger ones smoothly.",
        unit="pixels",
        minimum=0,
        maximum=4096,
    )


@params
class StudyParams:
    """Options of `user-study`."""

    title: str = param("", "The study's name; the recipe's where this is empty.")
    attributes: int = param(
        6, "How many of the top attributes of each finder are asked about.", unit="attributes", minimum=2, maximum=50
    )
    questions: int = param(
        12, "How many questions of part 1 are asked about each finder.", unit="questions", minimum=2, maximum=200
    )
    images: int = param(
        8, "How many example images of an attribute questions may show.", unit="images", minimum=3, maximum=100
    )
    crisp: int = param(
        48,
        "Images up to this side are enlarged with crisp pixels, larger ones smoothly.",
        unit="pixels",
        minimum=0,
        maximum=4096,
    )


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """Announce the renderers of this distribution."""
    yield RendererDescriptor(
        name="html",
        summary="One self-contained web page: images, explanations side by side, measurements, the resolved recipe.",
        params=HtmlParams,
        factory="sidelight_report.html:Html",
        example={"images": 4},
    )
    yield RendererDescriptor(
        name="user-study",
        summary="One self-contained web page that asks people to tell attributes apart and to name them.",
        params=StudyParams,
        factory="sidelight_report.user_study.study:UserStudy",
        example={"questions": 6},
        paper="Lang et al. 2021, section 4.2.2",
    )
