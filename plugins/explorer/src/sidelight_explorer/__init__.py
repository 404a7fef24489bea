"""The interactive explorer and automated latent directions. This light module imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import AttributeFinderDescriptor, Need, RendererDescriptor, hookimpl

from sidelight_explorer._params import DirectionParams, WebParams

if TYPE_CHECKING:
    from collections.abc import Iterable

PAPER = "Kirchler et al. 2022, Explainability Requires Interactivity"


@frozen(kw_only=True)
class WebDescriptor(RendererDescriptor):
    """A page that may begin with a saved session; it depends on the file's content, not only on its name."""

    def fingerprint(self, params: object) -> str:
        """Size and time of change of the session's file."""
        assert isinstance(params, WebParams)
        path = Path(params.session).expanduser()
        if not params.session or not path.is_file():
            return ""
        status = path.stat()
        return f"{status.st_size}:{status.st_mtime_ns}"


@hookimpl
def sidelight_attribute_finders() -> Iterable[AttributeFinderDescriptor]:
    """The automated baseline that the paper compares interaction with."""
    yield AttributeFinderDescriptor(
        name="latent-directions",
        summary="Directions through W along which a linear model says that the classifier's verdict changes.",
        params=DirectionParams,
        factory="sidelight_explorer.directions:LatentDirections",
        needs=(Need("classifier", capabilities=("classes",)), Need("generator", capabilities=("latent.w",))),
        example={"train": 96, "validation": 32, "batch": 16},
        paper=f"{PAPER}, appendix; Denton et al. 2019",
    )


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The explorer's page."""
    yield WebDescriptor(
        name="web",
        summary="The interactive explorer: mix styles of a generator, read the classifier's verdict at once.",
        params=WebParams,
        factory="sidelight_explorer.web:Web",
        needs=(Need("generator", capabilities=("latent.w",)), Need("classifier")),
        provides=("serves",),
        example={"images": 2, "styles": 3, "groups": 2, "region": 32},
        paper=PAPER,
    )
