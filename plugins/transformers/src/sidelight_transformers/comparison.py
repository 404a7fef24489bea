"""Comparison of the preprocessing read from a model with what transformers' own image processor does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.preprocessing import channelwise

from sidelight_transformers.processor import FIX, OPTIONS, Processor

if TYPE_CHECKING:
    from types import ModuleType

    from sidelight_transformers.configuration import Configuration

TOLERANCE = 1e-4  # of normalised values, which lie between -5 and 5: they are computed in float32 in another order
SEED = 0  # of the image compared


def compare(transformers: ModuleType, model: Configuration) -> str:
    """Preprocess a random image of the size before the crop, which is not resized, in both ways.

    Returns:
        Reason why it could not be compared; empty where both agree.

    Raises:
        UserError: they differ.
    """
    processor = model.processor
    try:
        theirs = own_processor(transformers, model)
        pixels = np.random.default_rng(SEED).integers(0, 256, (model.channels, *processor.resized), dtype=np.uint8)
        expected = theirs.preprocess([pixels], return_tensors="pt", input_data_format="channels_first")
        values = expected["pixel_values"][0]
    except Exception as error:  # of a class that a later version removes, or that needs another package
        return str(error).strip().partition("\n")[0] or type(error).__name__
    ours = normalised(pixels, processor)
    if values.shape != ours.shape:
        raise UserError(
            f"{model.processor_where} makes images of {tuple(values.shape)}, {tuple(ours.shape)} was read from it",
            FIX,
        )
    difference = (values - ours).abs().max().item()
    if difference > TOLERANCE * max(1.0, values.abs().max().item()):
        raise UserError(f"{model.processor_where} preprocesses by more than size, mean and std ({processor.kind})", FIX)
    return ""


def own_processor(transformers: ModuleType, model: Configuration) -> Any:
    """transformers' processor by the options that are read here; by Pillow, so that it needs no torchvision."""
    from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

    kind = model.processor.kind
    found = get_image_processor_class_from_name(f"{kind}Pil") or get_image_processor_class_from_name(kind)
    if found is None:
        raise ValueError(f"transformers {transformers.__version__} has no {kind or 'image processor for it'}")
    values = model.processor_values or {}
    return found(**{name: values[name] for name in OPTIONS if values.get(name) is not None})


def normalised(pixels: np.ndarray, processor: Processor) -> torch.Tensor:
    """(C, H, W) as the network gets it, of pixels (C, h, w) of 0 to 255 before the crop."""
    image = torch.from_numpy(pixels).float() / 255
    top, left = (int((before - after) / 2) for before, after in zip(processor.resized, processor.size, strict=True))
    image = image[:, top : top + processor.size[0], left : left + processor.size[1]]
    image = image.flip(0) if processor.reversed_channels else image
    channels = len(image)
    return (image - channelwise(processor.mean, channels, "mean")) / channelwise(processor.std, channels, "std")
