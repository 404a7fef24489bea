"""Shape of the images that a model file takes, by its options and by its header. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_classifiers.files.archive import kind_of_file, sizes_of_exported
from sidelight_classifiers.files.onnx_inspection import header
from sidelight_classifiers.params import ModelFileParams, OnnxParams

if TYPE_CHECKING:
    from sidelight_specs.facts import Shape

COLOURS = (1, 3)
DEFAULT = (3, 224, 224)  # of most networks that take any size


def sizes_in_file(params: ModelFileParams) -> tuple[int | None, ...]:
    """Sizes (N, C, H, W) of the input, None where the file leaves one open; empty where it does not say them."""
    path = Path(params.path).expanduser()
    if isinstance(params, OnnxParams):
        graph = header(path)
        sizes = graph.images[0].sizes if graph is not None and len(graph.images) == 1 else None
        return sizes if sizes is not None and len(sizes) == 4 else ()
    sizes = sizes_of_exported(path)[0] if kind_of_file(path) == "exported" else ()
    return sizes if len(sizes) == 4 else ()


def shape_of(params: ModelFileParams) -> Shape:
    """(C, H, W) of the options, else of the file, else three channels of 224x224 pixels."""
    sizes = sizes_in_file(params)[1:]
    if not sizes or sizes[0] not in (None, *COLOURS):
        sizes = (None, None, None)  # channels that come last, or no images
    given = (params.channels, params.height, params.width)
    channels, height, width = (
        option or size or default for option, size, default in zip(given, sizes, DEFAULT, strict=True)
    )
    return channels, height, width
