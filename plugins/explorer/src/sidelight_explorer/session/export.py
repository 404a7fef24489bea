"""One page that opens from disk: a session with the images that were made beforehand.

What an offline page can show is what it holds: for every image, each style in each group of layers, each attribute
moved all the way or not at all, then the ways to the styles by halves and quarters, up to a number of images.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sidelight_explorer.page import page
from sidelight_explorer.picturing import picture
from sidelight_explorer.server.priority_lock import Rank
from sidelight_explorer.session.edit import group_layers, plain, with_move, with_style
from sidelight_explorer.session.file import write_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from sidelight_explorer.server.jobs import Job
    from sidelight_explorer.session.edit import Spec
    from sidelight_explorer.session.file import Document, Image
    from sidelight_explorer.session.slider import Movable
    from sidelight_explorer.state import Scene

SHARES = (100, 50, 25, 75)
CHUNK = 16


def exported_page(
    scene: Scene,
    document: Document,
    precomputed: int,
    own: Mapping[str, np.ndarray] | None = None,
    job: Job | None = None,
    heatmaps: Sequence[dict[str, Any]] = (),
) -> str:
    """The page's HTML.

    Args:
        scene: where images are made.
        document: the session.
        precomputed: edits of each image that stay explorable.
        own: one visitor's styles.
        job: told how far it is, and asked whether to go on.
        heatmaps: of its images (see `write_heatmap`).
    """
    specs = {spec.key: spec for spec in wanted(document, precomputed, scene.movables)}
    keys = list(specs)
    pictures: dict[str, Any] = {}
    for start in range(0, len(keys), CHUNK):
        if job is not None:
            job.check()
            job.change("running", doing="drawing", done=start, total=len(keys))
        part = keys[start : start + CHUNK]
        shown = scene.show([specs[key] for key in part], Rank.BACKGROUND, own)
        pictures |= {key: picture(one, 1024, {}) for key, one in zip(part, shown, strict=True)}
    explainers = [{"id": name, "summary": ""} for name in dict.fromkeys(one["explainer"] for one in heatmaps)]
    facts = {**scene.facts(), "live": False, "explainers": explainers, "inverts": False, "splits": []}
    content = {"document": write_document(document), "pictures": pictures, "heatmaps": list(heatmaps)}
    return page({"facts": facts, **content})


def wanted(document: Document, precomputed: int, sliders: Mapping[str, Movable]) -> Iterator[Spec]:
    """The images that the page holds: all of the session, every style by itself, and edits of each image."""
    for image in document.images:
        yield image.now
        yield image.start
    for style in document.styles:
        yield plain(style.id, document.layers)
    for image in document.images:
        yield from islice(_edits(document, image, sliders), precomputed)


def _edits(document: Document, image: Image, sliders: Mapping[str, Movable]) -> Iterator[Spec]:
    yield from _mixed(document, image, SHARES[:1])
    for name, slider in sliders.items():
        for percent in (0, 100) if slider.one_sided else (0, 100, -100):
            edit = with_move(image.now, name, percent)
            if edit != image.now:
                yield edit
    yield from _mixed(document, image, SHARES[1:])


def _mixed(document: Document, image: Image, shares: Iterable[int]) -> Iterator[Spec]:
    groups = group_layers(document.layers, document.groups)
    for share in shares:
        for style in document.styles:
            for layers in groups:
                yield with_style(image.now, layers, style.id, share)
