"""Promises of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_specs.errors import UserError
from sidelight_specs.results import Split
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.testing.compare import difference

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case


@check("data")
def splits_are_splits(case: Case) -> None:
    """There is at least one split, and each is a `Split` with images."""
    answer = case.observed.answer
    assert answer, "there are no splits"
    for name, split in answer.items():
        assert isinstance(split, Split), f"{name} is a {type(split).__name__}"
        assert len(split) > 0, f"{name} has no images"


@check("data")
def images_are_float32_in_range(case: Case) -> None:
    """Images are float32 of shape (N, C, H, W) within [0, 1]."""
    for name, split in case.observed.answer.items():
        images = split.read().images
        assert images.dtype == np.float32, f"{name}: images are {images.dtype}"
        assert images.ndim == 4, f"{name}: images have shape {images.shape}"
        assert images.shape[1] in (1, 3), f"{name}: {images.shape[1]} channels; expected 1 or 3"
        low, high = float(images.min()), float(images.max())
        assert 0 <= low <= high <= 1, f"{name}: images reach from {low} to {high}"


@check("data")
def labels_are_within_class_names(case: Case) -> None:
    """Labels are indices into the class names, which are the same in all splits; or floats for a regression."""
    names = {split.class_names for split in case.observed.answer.values()}
    assert len(names) <= 1, f"splits disagree about the class names: {names}"
    for name, split in case.observed.answer.items():
        if split.labels is None:
            continue
        if not split.class_names:
            assert split.labels.dtype == np.float32, f"{name}: labels of a regression are {split.labels.dtype}"
            continue
        assert split.labels.dtype == np.int64, f"{name}: labels are {split.labels.dtype}"
        inside = (split.labels >= 0) & (split.labels < len(split.class_names))
        assert inside.all(), f"{name}: labels outside of the {len(split.class_names)} classes"


@check("data")
def facts_have_one_row_per_image(case: Case) -> None:
    """Labels, ids, factors and masks have as many rows as there are images."""
    for name, split in case.observed.answer.items():
        facts = {"labels": split.labels, "ids": split.ids or None, **split.factors, **split.masks}
        wrong = [key for key, value in facts.items() if value is not None and len(value) != len(split)]
        assert not wrong, f"{name}: {', '.join(wrong)} do not have {len(split)} rows"
        assert len(set(split.ids)) == len(split.ids), f"{name}: ids are not unique"
        flat = [key for key, mask in split.masks.items() if mask.shape[1:] != split.images.shape[2:]]
        assert not flat, f"{name}: masks {', '.join(flat)} are not of the images' size"


@check("data")
def same_split_twice(case: Case) -> None:
    """Asking one instance again gives the same images in the same order."""
    component = case.build()
    for name in component.splits:
        text = difference(component.split(name), component.split(name))
        assert not text, f"{name} is another split the second time: {text}"


@check("data")
def images_by_rows_equal_the_whole(case: Case) -> None:
    """Single images, slices and lists of rows are those of the whole split, whether they are lazy or not."""
    for name, split in case.observed.answer.items():
        whole, last = split.read().images, len(split) - 1
        if len(whole) < len(split):  # lazy, and some of it cannot be read
            continue
        for rows in (last, 0, slice(0, 2), [last, 0], np.arange(len(split)) == last):
            text = difference(split.images[rows], whole[rows])
            assert not text, f"{name}: images[{rows}] are not those of the whole split{text}"


@check("data")
def unknown_split_is_refused(case: Case) -> None:
    """A split that does not exist is a `UserError` that names those that do."""
    component = case.build()
    try:
        component.split("no-such-split")
    except Exception as error:
        raised = error
    else:
        raise AssertionError("an unknown split is not refused")
    assert isinstance(raised, UserError), f"an unknown split raises {type(raised).__name__}, not UserError"
    missing = [name for name in component.splits if name not in str(raised)]
    assert not missing, f"the error does not name the splits {', '.join(missing)}: {raised}"
