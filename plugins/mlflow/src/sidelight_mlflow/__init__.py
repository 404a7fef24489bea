"""A renderer that logs a run to MLflow. This light module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen
from sidelight_specs import RendererDescriptor, hookimpl, param, params
from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


@params
class RunParams:
    """Options of `run`."""

    tracking_uri: str = param("", "Tracking server or file store; empty: a file store beside the run, no network.")
    experiment: str = param("", "Name of the experiment; empty: the recipe's name.")
    images: int = param(8, "Images in the picture of each explanation.", unit="images", minimum=1, maximum=100)


@frozen(kw_only=True)
class TrackerDescriptor(RendererDescriptor):
    """Describes `run`."""

    def mistakes(self, params: Any) -> Iterator[Mistake]:
        """A password in the address, which recipe, receipt and tracker would keep."""
        try:
            where = urlsplit(params.tracking_uri)
        except ValueError as error:
            yield Mistake(f"the address cannot be read: {error}", "write http://HOST:PORT", "tracking_uri")
            return
        if where.username is not None or where.password is not None:
            message = "the address holds a user or a password, which the run's files and the tracker would show"
            fix = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment instead"
            yield Mistake(message, fix, "tracking_uri")


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The run as an MLflow run."""
    yield TrackerDescriptor(
        name="run",
        summary="The run in MLflow: parameters, measurements with intervals, warnings, tables and pictures.",
        params=RunParams,
        connects={"tracking_uri": "MLFLOW_TRACKING_URI"},
        factory="sidelight_mlflow.run:MlflowRun",
        example={"images": 2},
    )
