"""Reports of finished runs and user studies. This light module imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import frozen
from sidelight_specs import RendererDescriptor, Suggestion, hookimpl, param, params
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@params
class HtmlParams:
    """Options of `html`."""

    title: str = param("", "Heading of the page; empty: the recipe's title, or its question.")
    first: Literal["attributes", "images"] = param(
        "attributes", "What the page begins with: the attributes of the classifier, or the explained images."
    )
    images: int = param(
        100, "Explained images with their cards in the page itself.", unit="images", minimum=1, maximum=2000
    )
    index: int = param(
        1000,
        "Images in a list to filter and to sort, where there are more than `images`; 0: no list.",
        unit="images",
        minimum=0,
        maximum=20_000,
    )
    overview: int = param(
        2000,
        "Images of the split, at most, whose predictions make up the model overview; 0: none.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    classes: int = param(3, "Classes shown beside the two of the question.", unit="classes", minimum=0, maximum=50)
    frames: int = param(10, "Images shown of a search's path.", unit="images", minimum=2, maximum=100)
    attributes: int = param(10, "Attributes shown for each class.", unit="attributes", minimum=1, maximum=100)
    examples: int = param(4, "Images shown of each attribute.", unit="images", minimum=1, maximum=20)
    names: str = param("", "Path of a session of the explorer, or a run's names.json, that names attributes.")
    percentile: float = param(
        99.0, "Percentile of the magnitudes at which heatmap colours saturate.", minimum=50, maximum=100
    )
    crisp: int = param(
        64,
        "Largest side of images that are enlarged with crisp pixels, not smoothly.",
        unit="pixels",
        minimum=0,
        maximum=4096,
    )


@params
class StudyParams:
    """Options of `user-study`."""

    title: str = param("", "Name of the study; empty: the recipe's name.")
    explanations: tuple[str, ...] = param(
        (), "Explainers of which each participant sees one, or none of them; empty: all of the recipe."
    )
    predictions: int = param(
        20, "Questions about the classifier's answers, at most, spread over the images.", minimum=2, maximum=200
    )
    attributes: int = param(
        6, "Top attributes of each finder that the study asks about.", unit="attributes", minimum=2, maximum=50
    )
    questions: int = param(
        12, "Questions about telling the attributes of each finder apart.", unit="questions", minimum=2, maximum=200
    )
    images: int = param(
        8, "Example images of an attribute that questions choose from.", unit="images", minimum=3, maximum=100
    )
    crisp: int = param(
        48,
        "Largest side of images that are enlarged with crisp pixels, not smoothly.",
        unit="pixels",
        minimum=0,
        maximum=4096,
    )


@frozen(kw_only=True)
class HtmlDescriptor(RendererDescriptor):
    """A report, which may call attributes by names in a file, and surveys the split for its overview of the model."""

    def fingerprint(self, params: object) -> str:
        """Size and modification time of the file of names; empty where there is none."""
        assert isinstance(params, HtmlParams)
        path = Path(params.names).expanduser()
        if not params.names or not path.is_file():
            return ""
        status = path.stat()
        return f"{status.st_size}:{status.st_mtime_ns}"

    def reads(self, params: object) -> Iterable[str]:
        """The file of names."""
        assert isinstance(params, HtmlParams)
        return [params.names] if params.names else []

    def surveys(self, params: object) -> int:
        """Images of the model overview, at most."""
        assert isinstance(params, HtmlParams)
        return params.overview


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The renderers of this distribution."""
    yield HtmlDescriptor(
        name="html",
        suggested=Suggestion(1),
        summary="One self-contained web page: images, explanations side by side, measurements, the resolved recipe.",
        params=HtmlParams,
        factory="sidelight_report.html:Html",
        example={"images": 4},
    )
    yield RendererDescriptor(
        name="user-study",
        summary="One self-contained web page that asks people to predict the classifier, and to tell attributes apart.",
        params=StudyParams,
        factory="sidelight_report.user_study.study:UserStudy",
        example={"questions": 6},
        paper="Lang et al. 2021, section 4.2.2; Li Fuxin et al. 2021, section 4.2",
    )


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The command that scores a user study."""
    yield Command(
        name="user-study",
        summary="score the answers of several participants of a user study together",
        example="sidelight user-study runs/quiz-photos/quiz/study.html answers/*.json",
        module="sidelight_report.user_study.answers",
    )
