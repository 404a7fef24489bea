"""Offline page: a session with the models, or with images drawn in advance.

A page of pictures shows what it holds. For each image: every style in every group of layers, every slider at its ends
and at zero, styles in two groups, in three, ..., then single styles at a half, a quarter and three quarters, up to a
number of images and to a budget, which the images share.
"""

from __future__ import annotations

from itertools import chain, combinations, islice, product, zip_longest
from typing import TYPE_CHECKING, Any

from sidelight_explorer.page import page
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.edit import group_layers, plain, with_move, with_style
from sidelight_explorer.session.file import write_session
from sidelight_explorer.session.names import Label
from sidelight_explorer.session.slider import opposites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from sidelight_explorer.offline import OfflineModels
    from sidelight_explorer.session.edit import EditSpec
    from sidelight_explorer.session.file import Image, Session
    from sidelight_explorer.session.slider import Slider
    from sidelight_explorer.session.state import ExplorerState

SHARES = (100, 50, 25, 75)  # in order of use to a reader, as `precomputed` may cut the list
CHUNK = 16  # images between two progress reports
SIDE = 256  # pixels, at most: a page of 512 holds a quarter as many
REST = 200  # characters of a picture beside its file: key and scores


def exported_page(
    state: ExplorerState,
    session: Session,
    precomputed: int,
    own: Mapping[str, np.ndarray] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    heatmaps: Sequence[dict[str, Any]] = (),
    models: OfflineModels | None = None,
    budget: float = 24.0,
    tell: Callable[[str], object] = lambda text: None,
) -> str:
    """HTML of the page.

    Args:
        state: draws the images.
        session: what to show.
        precomputed: number of edits of each image that can be explored offline.
        own: one client's styles.
        progress: called with images done and in total before each chunk; may raise to stop.
        heatmaps: of its images (see `write_heatmap`).
        models: that the page computes with; None for a page of pictures.
        budget: MB that the pictures may take; the session's own are always there.
        tell: told how many there are, and how large.
    """
    explainers = [{"id": name, "summary": ""} for name in dict.fromkeys(item["explainer"] for item in heatmaps)]
    facts = {**state.facts(), "live": False, "explainers": explainers, "inverts": False, "splits": []}
    content = {"document": write_session(session), "heatmaps": list(heatmaps)}
    if models is not None:
        facts |= {"live": True, "inverts": "encode" not in models.why, "why": models.why, "conditions": []}
        facts["draws"] = {name: models.content["draws"][name] for name in ("seeds", "count", "controls")}
        return page({"facts": facts, **content, "models": models.content})
    specs = {spec.key: spec for spec in precomputed_edits(session, precomputed, state.sliders)}
    least, keys = len({spec.key for spec in precomputed_edits(session, 0, state.sliders)}), list(specs)
    pictures: dict[str, Any] = {}
    size, start = 0, 0
    while start < len(keys):
        progress(start, len(keys))
        chunk = keys[start : start + CHUNK]
        images = state.show([specs[key] for key in chunk], Priority.BACKGROUND, own)
        drawn = {key: image.plain(SIDE, {}) for key, image in zip(chunk, images, strict=True)}
        pictures |= drawn
        size += sum(len(picture["src"]) + REST for picture in drawn.values())
        start += len(chunk)
        fitting = int(1e6 * budget / (size / start))
        keys = keys[: max(least, start, fitting)]
    left = f"; {len(specs) - len(keys):,} more are beyond the budget of {budget:g} MB" if len(keys) < len(specs) else ""
    tell(f"the page from disk holds {len(keys):,} pictures of at most {SIDE} pixels, {size / 1e6:.1f} MB{left}")
    return page({"facts": facts, **content, "pictures": pictures})


def precomputed_edits(session: Session, precomputed: int, sliders: Mapping[str, Slider]) -> Iterator[EditSpec]:
    """All edits that the page holds: the session's, every style by itself, and `precomputed` more of each image."""
    for image in session.images:
        yield image.now
        yield image.start
    for style in session.styles:
        yield plain(style.id, session.layers)
    each = [islice(_edits(session, image, sliders), precomputed) for image in session.images]
    # one of each image in turn, so that a budget cuts all alike
    yield from (edit for edit in chain.from_iterable(zip_longest(*each)) if edit is not None)


def _edits(session: Session, image: Image, sliders: Mapping[str, Slider]) -> Iterator[EditSpec]:
    """Edits of an image: single ones, combinations of groups, then shares."""
    yield from _mixes(session, image, SHARES[:1])
    opposite = opposites(sliders.values())
    for name, slider in shown_sliders(session, sliders).items():
        still = with_move(image.now, opposite[name], 0) if name in opposite else image.now
        for percent in (0, 100) if slider.one_sided else (0, 100, -100):
            edit = with_move(still, name, percent)
            if edit != image.now:
                yield edit
    yield from _combinations(session, image)
    yield from _mixes(session, image, SHARES[1:])


def _combinations(session: Session, image: Image) -> Iterator[EditSpec]:
    """Styles in two groups of layers, then in three, ... up to all."""
    groups = group_layers(session.layers, session.groups)
    for count in range(2, len(groups) + 1):
        for styles in product(session.styles, repeat=count):
            for chosen in combinations(groups, count):
                edit = image.now
                for layers, style in zip(chosen, styles, strict=True):
                    edit = with_style(edit, layers, style.id)
                yield edit


def shown_sliders(session: Session, sliders: Mapping[str, Slider]) -> dict[str, Slider]:
    """The run's sliders and the session's own, as the page shows them: starred ones first, hidden ones last."""
    every = {**sliders, **{slider.id: slider for slider in session.sliders}}
    labels = {name: session.labels.get(name, Label()) for name in every}
    order = sorted(every, key=lambda name: (labels[name].hidden, not labels[name].starred))  # a stable sort
    return {name: every[name] for name in order}


def _mixes(session: Session, image: Image, shares: Iterable[int]) -> Iterator[EditSpec]:
    groups = group_layers(session.layers, session.groups)
    for share in shares:
        for style in session.styles:
            for layers in groups:
                yield with_style(image.now, layers, style.id, share)
