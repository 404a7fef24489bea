"""Models of an offline page: generator, classifiers and encoder as graphs that the page computes itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
import torch
from sidelight_specs import SidelightError, UserError

from sidelight_explorer.offline_graph import Constants, Graph, NotPortable, recorded
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.file import with_sliders, write_latents
from sidelight_explorer.session.slider import write_slider
from sidelight_explorer.session.style import AVERAGE, DIRECTIONS, draw_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs.roles import Generator, Inverter
    from torch import Tensor

    from sidelight_explorer.session.file import Session
    from sidelight_explorer.session.state import ExplorerState

SEEDS, DRAWS = 8, 200  # seeds of random draws that a page holds, and draws of each: more than `Draw towards` looks at
CONTROLS = 50  # random directions of each seed, two draws each, for tests of hypotheses
MOST_WORK = 6e9  # multiplications and additions of an image and its scores: .3 s on one core of 2024
DRAWN_SHARE = 0.25  # of the budget that latents of random draws may take
BASE64 = 4 / 3  # characters for a byte


@attrs.frozen
class OfflineModels:
    """Models as JSON values, and what they cost.

    Args:
        content: for `web/local-models.js`.
        size: characters that the weights take in the page.
        work: multiplications and additions of an image and its scores.
        why: what the page cannot do, with the reason: `encode`.
    """

    content: dict[str, Any]
    size: int
    work: int
    why: dict[str, str]


Offline = Literal["auto", "models", "pictures"]
"""Content of an offline page; auto: the models where the page can compute them and they fit the budget."""


def models_within(
    offline: Offline,
    budget: float,
    state: ExplorerState,
    session: Session,
    own: Mapping[str, np.ndarray],
    inverter: Inverter | None,
    tell: Callable[[str], object],
) -> OfflineModels | None:
    """The models behind a page, or None for a page of pictures; `tell` is told why.

    Raises:
        UserError: models are asked for, and the page cannot compute them or they do not fit.
    """
    if offline == "pictures":
        return None
    try:
        return offline_models(state, session, own, budget, inverter)
    except NotPortable as error:
        if offline == "models":
            raise UserError(f"offline: {error}", "use `offline: pictures`, or a larger `budget`") from error
        tell(f"the page from disk holds pictures instead of the models: {error}")
        return None


def offline_models(
    state: ExplorerState,
    session: Session,
    own: Mapping[str, np.ndarray],
    budget: float,
    inverter: Inverter | None = None,
) -> OfflineModels:
    """The models behind a page.

    Args:
        state: with generator, classifiers, sliders and styles.
        session: that the page begins with.
        own: latents that came with it, and of uploads.
        budget: MB that weights and latents may take in the page.
        inverter: of the recipe; its `encode` inverts uploads in one pass, and the generator's where there is none.

    Raises:
        NotPortable: an operator that the page does not know, or the models are too large.
    """
    generator, constants = state.models.generator, Constants()
    latents = state.models.tensor(state.region.mean[None])
    image = state.models.tensor(np.full((1, *generator.image_shape), 0.5))
    recorded(torch.neg, image, Constants())  # torch loads what it needs for this outside of the lock

    def graph(what: str, function: Callable[[Tensor], Tensor], example: Tensor) -> Graph:
        try:
            with state.models.lock.hold(Priority.BACKGROUND):
                return recorded(function, example, constants)
        except Exception as error:  # a model may do anything; a page of pictures can be made of it all the same
            raise NotPortable(f"{what}: {error}") from error

    graphs = {"synthesize": graph("the generator", generator.synthesize, latents)}
    channels = 0
    if state.is_styled:
        with torch.no_grad():
            styles = generator.styles(latents)
        channels = styles.shape[1]
        graphs["styles"] = graph("the style space", generator.styles, latents)
        graphs["synthesize_styles"] = graph("the style space", generator.synthesize_styles, styles)
    for name, classifier in state.models.classifiers.items():
        graphs[f"scores {name}"] = graph(f"the classifier {name}", classifier.scores, image)
    why, known = {}, len(constants.table)
    try:
        graphs["encode"] = graph("the encoder", _encode(generator, inverter), image)
    except SidelightError as error:
        constants.cut(known)
        why["encode"] = f"needs the server, open this with `sidelight serve`: {error}"
    work = sum(graph.work for name, graph in graphs.items() if name not in ("styles", "synthesize_styles", "encode"))
    size = constants.size * BASE64
    if size > 1e6 * budget:
        raise NotPortable(f"the models take {size / 1e6:.1f} MB, the budget is {budget:g} MB")
    if work > MOST_WORK:
        raise NotPortable(f"an image takes {work / 1e9:.1f} billion operations, at most {MOST_WORK / 1e9:g} are quick")
    brought = {slider.id: slider for slider in with_sliders(session, state.sliders).sliders}
    sliders = {**state.sliders, **brought}  # those of the session come from other runs, or from its user
    content: dict[str, Any] = {
        "graphs": {name: graph.plain() for name, graph in graphs.items()},
        "latent": list(generator.latent_shape),
        "image": list(generator.image_shape),
        "styles": channels,
        "classifiers": state.facts()["classifiers"],
        "batch": state.models.batch,
        "region": {
            "mean": {"c": constants.add(state.region.mean)},
            "whitening": {"c": constants.add(state.region.whitening)},
            "edge": state.region.edge,
        },
        "run": _run_images(state, constants),
        "draws": _draws(state, constants, 1e6 * budget * DRAWN_SHARE / BASE64),
        "sliders": [write_slider(slider) for slider in sliders.values()],
    }
    content["own"] = write_latents(
        {
            name: state.styles.latents(name, own)
            for name in sorted(session.used_styles)
            if not _is_held(name, content["draws"], own)
        }
    )
    content["constants"] = constants.plain()
    return OfflineModels(content, len(content["constants"]["data"]), work, why)


def _encode(generator: Generator, inverter: Inverter | None) -> Callable[[Tensor], Tensor]:
    """One pass from an image to its latents (1, layers, d): the whole of what the server does with an upload.

    Raises:
        SidelightError: the inverter has steps besides, or there is none and the generator has no encoder.
    """
    if inverter is None:
        return generator.encode
    encode = getattr(inverter, "encode", None)
    if encode is None:
        raise SidelightError(f"{type(inverter).__name__} inverts in more than one pass")
    return lambda images: encode(images).reshape(1, *generator.latent_shape)


def _is_held(style: str, draws: Mapping[str, Any], own: Mapping[str, np.ndarray]) -> bool:
    """True for a style that the page has anyway."""
    draw = re.fullmatch(r"draw-(\d+)-(\d+)-\d+", style)
    is_drawn = draw is not None and int(draw[1]) < draws["seeds"] and int(draw[2]) < draws["count"]
    return style not in own and (is_drawn or style == AVERAGE or style.startswith("run-"))


def _run_images(state: ExplorerState, constants: Constants) -> dict[str, Any]:
    """Latents of the run's images, one behind the other."""
    latents = [state.styles.latents(f"run-{index}") for index in range(state.styles.run_count)]
    return {"count": len(latents), "latents": {"c": constants.add(np.stack(latents) if latents else np.zeros(0))}}


def _draws(state: ExplorerState, constants: Constants, most: float) -> dict[str, Any]:
    """Latents of random draws, untruncated, by seed and number: the server's streams are numpy's.

    Args:
        state: with the styles.
        constants: that they go to.
        most: bytes that they may take: the number of seeds is halved, then that of the draws, until they do.
    """
    few = np.stack([state.styles.latents(draw_id(0, number, 100)) for number in range(16)])
    first, rows = few[0], 1 if (few == few[:, :1]).all() else few.shape[1]  # one w for all layers, or one each
    seeds, count, controls = SEEDS, DRAWS, CONTROLS
    while 4 * seeds * (count + 2 * controls) * rows * first.shape[1] > most and count > 1:
        if seeds > 1:
            seeds //= 2
        else:
            count, controls = count // 2, controls // 2
    numbers = [*range(count), *range(DIRECTIONS, DIRECTIONS + 2 * controls)]
    latents = [state.styles.latents(draw_id(seed, number, 100))[:rows] for seed in range(seeds) for number in numbers]
    held = {"seeds": seeds, "count": count, "controls": controls, "from": DIRECTIONS, "rows": rows}
    return {**held, "latents": {"c": constants.add(np.stack(latents))}}
