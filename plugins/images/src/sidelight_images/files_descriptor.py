"""Descriptors of image files: of a folder, and of files that a user names. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import DataDescriptor
from sidelight_specs.facts import ClassifierFacts, DataFacts, Given, Mistake
from sidelight_specs.live import Adoption

from sidelight_images import facts
from sidelight_images.listing import SPLIT
from sidelight_images.live_descriptor import plain_labels
from sidelight_images.params import FilesParams, FolderParams
from sidelight_images.paths import list_paths

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen(kw_only=True)
class ImageFilesDescriptor(DataDescriptor):
    """Image files, whose size, crop and channels follow the classifier."""

    def fitted(self, params: Any, classifier: ClassifierFacts) -> Any:
        """Options that are left open, filled in."""
        return facts.follow_classifier(params, classifier)

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """No size."""
        del given
        return facts.size_mistakes(params)


@frozen(kw_only=True)
class FolderDescriptor(ImageFilesDescriptor):
    """A folder, with splits and class names by its listing."""

    def facts(self, params: object) -> DataFacts:
        """Shape, splits, classes."""
        assert isinstance(params, FolderParams)
        return facts.folder_facts(params)

    def reads(self, params: object) -> Iterable[str]:
        """The folder."""
        assert isinstance(params, FolderParams)
        return [params.path]

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """A folder that is not there, or holds no image."""
        assert isinstance(params, FolderParams)
        return facts.folder_mistakes(params)


@frozen(kw_only=True)
class FilesDescriptor(ImageFilesDescriptor):
    """Files, patterns and folders."""

    def facts(self, params: object) -> DataFacts:
        """Number and names of the images, and classes where there are any."""
        assert isinstance(params, FilesParams)
        shape, listed = facts.image_shape(params), list_paths(params.all_paths, facts.MOST_FILES)
        if not listed.complete:
            return DataFacts(shape=shape, splits={SPLIT: None}, factors=(), masks={SPLIT: ()}, is_named=True)
        names = tuple(facts.printable(entry.relative) for entry in listed.entries)
        return DataFacts(
            shape=shape,
            splits={SPLIT: len(names)},
            classes=params.class_names(listed.classes),
            factors=(),
            masks={SPLIT: ()},
            fingerprint=facts.folder_fingerprint(listed.entries),
            ids={SPLIT: names},
            is_named=True,
        )

    def reads(self, params: object) -> Iterable[str]:
        """Every image file, in the order of the images."""
        assert isinstance(params, FilesParams)
        return [str(entry.path) for entry in list_paths(params.all_paths).entries]

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Files that are not there, patterns that match none, labels for another number of images."""
        assert isinstance(params, FilesParams)
        if not params.all_paths:
            yield Mistake("no image is named", "name files, patterns or folders", "paths")
            return
        listed = list_paths(params.all_paths, facts.MOST_FILES)
        yield from listed.mistakes
        given, count = len(params.labels), len(listed.entries)
        if given and not listed.mistakes and listed.complete and given != count:
            yield Mistake(f"{given} labels for {count} images", "give one for each image", "labels")

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """A path, a pattern or a folder, or a list of these."""
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
            return None
        params: dict[str, Any] = {"paths": list(texts)}
        if hints.get("labels") is not None:
            params["labels"] = plain_labels(hints["labels"])
        return Adoption(params=params, taken=("labels",))
