"""Options that several explainers share: the explained logit, the layer of the feature maps. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sidelight_specs import param, params
from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import Given

Target = Literal["predicted", "probe", "contrast"]
LayoutName = Literal["auto", "nchw", "nhwc", "tokens"]


def target_option() -> Any:
    """The option `target`, a `Target`."""
    return param(
        "predicted",
        "Explained logit: the predicted class's, the probe's, or `contrast`, their difference.",
    )


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


def contrast_misfits(params: object, given: Given) -> Iterator[Mistake]:
    """Mistakes of a recipe: a contrast of a regression's single value."""
    if getattr(params, "target", None) == "contrast" and given.classifier_of().task == "regression":
        message = "target: contrast compares two classes, and the classifier is a regression with one value"
        yield Mistake(message, "set target: predicted to explain the value", "target")
