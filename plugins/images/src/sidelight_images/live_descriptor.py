"""Descriptor of images that this process holds. This module imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import DataDescriptor, UserError, live
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake
from sidelight_specs.live import Adoption

from sidelight_images.facts import follow_classifier, image_shape
from sidelight_images.listing import SPLIT
from sidelight_images.params import LiveParams

if TYPE_CHECKING:
    from types import ModuleType

_ARRAYS = (("torch", "Tensor"), ("numpy", "ndarray"), ("PIL.Image", "Image"))


@frozen(kw_only=True)
class LiveImagesDescriptor(DataDescriptor):
    """Tensors, arrays and PIL images."""

    def facts(self, params: object) -> DataFacts:
        """Shape and number of the images, as they are held."""
        assert isinstance(params, LiveParams)
        if not live.is_held(params.object):
            return DataFacts()
        images = live.get(params.object)
        shape = image_shape(params) if isinstance(images, tuple) else _in_mode(images.shape[1:], params.mode)
        names = tuple(label for label in params.labels if isinstance(label, str))
        classes = params.classes or tuple(sorted(set(names))) or None
        if not params.labels:
            classes = ()
        return DataFacts(
            shape=shape, splits={SPLIT: len(images)}, classes=classes, factors=(), masks={SPLIT: ()}, fingerprint=""
        )

    def fitted(self, params: Any, classifier: ClassifierFacts) -> LiveParams:
        """Size, crop and channels of PIL images as the classifier takes them."""
        assert isinstance(params, LiveParams)
        pictures = live.is_held(params.object) and isinstance(live.get(params.object), tuple)
        filled: LiveParams = follow_classifier(params, classifier) if pictures else params
        return filled

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Another process held the images; labels or names for another number of them."""
        assert isinstance(params, LiveParams)
        if not live.is_held(params.object):
            yield Mistake(*live.GONE, "object")
            return
        count = len(live.get(params.object))
        for option in ("labels", "names"):
            given = len(getattr(params, option))
            if given and given != count:
                yield Mistake(f"{given} {option} for {count} images", "give one for each image", option)

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A tensor, an array, a PIL image, or a list of these."""
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        if not any(_is(first, module, name) for module, name in _ARRAYS):
            if isinstance(value, (list, tuple)) and not value:
                raise UserError("there are no images", "give one or more")
            return None
        from sidelight_images.live import as_images, as_pictures

        pictures = as_pictures(value)
        images: Any = pictures or as_images(value)
        held = live.hold(images, _digest)
        labels = hints.get("labels")
        params: dict[str, Any] = {"object": held.token}
        if labels is not None:
            params["labels"] = plain_labels(labels)
        names = [str(getattr(picture, "filename", "")) for picture in pictures]
        if names and all(names) and len(set(names)) == len(names):
            params["names"] = names
        shape = None if pictures else images.shape[1:]
        return Adoption(params=params, live=(held,), shape=shape, taken=("labels",))


def _in_mode(shape: tuple[int, int, int], mode: str | None) -> tuple[int, int, int]:
    """(C, H, W) of arrays, in colour or grey where the options say so."""
    return ({"rgb": 3, "grey": 1}.get(mode or "", shape[0]), *shape[1:])


def _is(value: object, module: str, name: str) -> bool:
    """True for an instance of a class of a module that is loaded."""
    loaded: ModuleType | None = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _digest(images: Any) -> str:
    """Digest of (N, C, H, W) images, or of PIL images."""
    from sidelight_specs.digests import digest_of

    if isinstance(images, tuple):
        return digest_of([[image.mode, image.size, image.tobytes()] for image in images])
    return digest_of(images)


def plain_labels(labels: Any) -> list[str | int]:
    """Texts and whole numbers of a list, an array or a tensor, or of a list of their elements."""
    listed = labels.tolist() if hasattr(labels, "tolist") else labels
    if isinstance(listed, (str, int)) or not isinstance(listed, Iterable):
        listed = [listed]
    listed = [label.item() if hasattr(label, "item") and getattr(label, "ndim", 1) == 0 else label for label in listed]
    for label in listed:
        if isinstance(label, bool) or not isinstance(label, (str, int)):
            raise UserError(f"labels: {label!r} is no class", "give class names, or indices counted from 0")
    return listed
