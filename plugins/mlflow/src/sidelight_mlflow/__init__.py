"""A renderer that logs a run to MLflow. This light module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import RendererDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class RunParams:
    """Options of `run`."""

    tracking_uri: str = param("", "Tracking server or file store; empty: a file store beside the run, no network.")
    experiment: str = param("", "Name of the experiment; empty: the recipe's name.")
    images: int = param(8, "Images in the picture of each explanation.", unit="images", minimum=1, maximum=100)


@hookimpl
def sidelight_renderers() -> Iterable[RendererDescriptor]:
    """The run as an MLflow run."""
    yield RendererDescriptor(
        name="run",
        summary="The run in MLflow: parameters, measurements with intervals, warnings, tables and pictures.",
        params=RunParams,
        factory="sidelight_mlflow.run:MlflowRun",
        example={"images": 2},
    )
