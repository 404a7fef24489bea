"""Options and descriptor that heatmap explainers share; for light modules, so torch is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sidelight_specs import ExplainerDescriptor, param, params
from sidelight_specs.facts import Mistake

from sidelight_toolkit.windows import window_misfits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import Given

Target = Literal["predicted", "probe", "contrast"]
LayoutName = Literal["auto", "nchw", "nhwc", "tokens"]
BatchSize = int | Literal["auto"]
IMAGES_ON_CPU = 4
"""Images in one pass on a CPU, where more bring no time and take memory."""


def target_option() -> Any:
    """The option `target`, a `Target`."""
    return param("predicted", "Explained logit: the predicted class's, the probe's, or `contrast`, their difference.")


def batch_option(what: str, on_cpu: int = IMAGES_ON_CPU, unit: str = "images") -> Any:
    """The option `batch`, a `BatchSize` that is `auto` by default; `on_cpu` is also to be given to `batching.Batch`."""
    text = f"{what} in one pass; auto: {on_cpu} on a CPU, by free memory on a GPU."
    return param("auto", text, unit=unit, minimum=1, maximum=65_536)


@params
class LayerParams:
    """Layer of the feature maps, and the layout of its output."""

    target: Target = target_option()
    layer: str | None = param(
        None, "Dotted name of the layer; default: the last feature maps that decide the score (A)."
    )
    layout: LayoutName = param(
        "auto", "Layout of its output: (N, C, h, w), (N, h, w, C) or tokens (N, T, C); traced by default."
    )
    prefix_tokens: int | None = param(
        None, "Class and register tokens before the image's; traced by default.", minimum=0, maximum=4096
    )
    grid: tuple[int, ...] | None = param(
        None, "Height and width of the token grid; traced by default.", unit="tokens", minimum=1, maximum=65536
    )


@frozen(kw_only=True)
class HeatmapDescriptor(ExplainerDescriptor):
    """Describes an explainer that gives heatmaps of one class or of the contrast of two."""

    gives: str = "heatmap"

    def misfits(self, params: object, given: Given) -> Iterator[Mistake]:
        """A contrast of one value; windows and cells larger than the images."""
        yield from contrast_misfits(params, given)
        shape = given.explained.shape
        yield from window_misfits(getattr(params, "window", None), getattr(params, "stride", None), shape)
        cell = getattr(params, "cell", None)
        if cell is not None and shape is not None and cell > min(shape[1:]):
            message = f"{cell} pixels do not fit into images of {shape[1]}x{shape[2]}"
            yield Mistake(message, f"set cell to {max(1, min(shape[1:]) // 8)}", "cell")


def contrast_misfits(params: object, given: Given) -> Iterator[Mistake]:
    """Mistakes of a recipe: a contrast of a regression's single value."""
    if getattr(params, "target", None) == "contrast" and given.classifier_of().task == "regression":
        message = "target: contrast compares two classes, and the classifier is a regression with one value"
        yield Mistake(message, "set target: predicted to explain the value", "target")
