"""What the page asks of the server: reading each request strictly, and answering in plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sidelight_explorer.images import read_upload
from sidelight_explorer.picturing import picture
from sidelight_explorer.server.priority_lock import Rank
from sidelight_explorer.server.security import check_token
from sidelight_explorer.server.validation import Bad, fields, listed, one_of, parsed, text, whole
from sidelight_explorer.session.edit import read_spec
from sidelight_explorer.session.file import read_document, read_latents, with_sliders, write_document, write_latents
from sidelight_explorer.session.style import MOST_POOL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import numpy as np
    from starlette.requests import Request

    from sidelight_explorer.server.clients import Visitor
    from sidelight_explorer.server.live_state import Live

MOST_SPECS = 400
CHUNK = 8
"""Images drawn between two looks at whether the page still wants them."""


class Api:
    """The requests, by path.

    Args:
        live: everything behind the page.
        token: the page's.
    """

    def __init__(self, live: Live, token: str) -> None:
        self._live, self._token = live, token

    def routes(self) -> list[Route]:
        """All requests. `{tab}` is the id that `enter` gave."""
        posts = {
            "/api/tabs": self.enter,
            "/api/tabs/{tab}/close": self.close,
            "/api/tabs/{tab}/draw": self.draw,
            "/api/tabs/{tab}/reach": self.reach,
            "/api/tabs/{tab}/upload": self.upload,
            "/api/tabs/{tab}/data": self.data,
            "/api/tabs/{tab}/heatmap": self.heatmap,
            "/api/tabs/{tab}/cancel": self.cancel,
            "/api/tabs/{tab}/save": self.save,
            "/api/tabs/{tab}/open": self.open,
            "/api/tabs/{tab}/export": self.export,
            "/api/tabs/{tab}/exported": self.exported,
        }
        found = [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        return [*found, Route("/api/tabs/{tab}/events", self.events, methods=["GET"])]

    async def enter(self, request: Request) -> Response:
        """A new tab: its id, and what there is."""
        del request
        visitor = self._live.enter()
        return JSONResponse({"tab": visitor.id, "facts": self._live.facts(), "document": self._live.document()})

    async def close(self, request: Request) -> Response:
        """The tab is closed; a page that goes away can send no header, so the token comes in the body."""
        body = fields(parsed(await request.body()), {"token"}, "request")
        check_token(self._token, text(body["token"], 200, "token"))
        self._live.visitors.leave(self._visitor(request))
        return JSONResponse({})

    async def events(self, request: Request) -> Response:
        """How the tab's jobs stand, as server-sent events; while this is open the tab is."""
        visitor = self._visitor(request)
        return StreamingResponse(self._events(visitor), media_type="text/event-stream")

    async def _events(self, visitor: Visitor) -> AsyncIterator[str]:
        self._live.visitors.opened_stream(visitor)
        try:
            yield ": open\n\n"
            while (event := await visitor.events.get()) is not None:
                yield f"data: {json.dumps(event)}\n\n"
        finally:
            self._live.visitors.lost_stream(visitor)

    async def draw(self, request: Request) -> Response:
        """Images and their scores: `{specs, side, edit}`; `edit` marks the one that the user waits for."""
        visitor = self._visitor(request)
        body = fields(parsed(await request.body()), {"specs", "side", "edit", "ask"}, "request")
        layers = self._live.scene.styles.layers
        specs = [read_spec(item, layers, "specs") for item in listed(body["specs"], MOST_SPECS, "specs")]
        side = whole(body.get("side", 1024), 8, 4096, "side")
        ask = self._asked(body.get("ask", {}))
        rank = Rank.EDIT if body.get("edit") is True else Rank.CELLS
        pictures: list[dict[str, Any]] = []
        for start in range(0, len(specs), CHUNK):
            if start and await request.is_disconnected():
                return Response(status_code=204)
            part = specs[start : start + CHUNK]
            pictures += await run_in_threadpool(self._pictures, part, rank, visitor.styles, side, ask)
        return JSONResponse({"pictures": pictures})

    def _pictures(
        self, specs: list[Any], rank: Rank, own: dict[str, np.ndarray], side: int, ask: dict[str, int]
    ) -> list[dict[str, Any]]:
        return [picture(one, side, ask) for one in self._live.scene.show(specs, rank, own)]

    async def reach(self, request: Request) -> Response:
        """Draws that reach towards one end of the scores: `{classifier, target, high, seed, count, pool, percent}`."""
        self._visitor(request)
        known = {"classifier", "target", "high", "seed", "count", "pool", "percent"}
        body = fields(parsed(await request.body()), known, "request")
        classifier, target = self._class(body["classifier"], body["target"])
        styles = await run_in_threadpool(
            self._live.scene.styles.reaching,
            classifier,
            target,
            high=body["high"] is True,
            seed=whole(body["seed"], 0, 2**31 - 1, "seed"),
            count=whole(body["count"], 1, 50, "count"),
            pool=whole(body["pool"], 1, MOST_POOL, "pool"),
            percent=whole(body["percent"], 0, 200, "percent"),
        )
        return JSONResponse({"styles": styles})

    async def upload(self, request: Request) -> Response:
        """An image file as the body; the job ends with a style."""
        visitor = self._visitor(request)
        visitor.check_room()
        body = await request.body()
        shape = self._live.scene.models.generator.image_shape
        image = await run_in_threadpool(read_upload, body, shape)
        return self._started(self._live.invert_upload(visitor, image))

    async def data(self, request: Request) -> Response:
        """Images of the data to invert: `{split, index}`; the job ends with a style."""
        visitor = self._visitor(request)
        visitor.check_room()
        body = fields(parsed(await request.body()), {"split", "index"}, "request")
        split = text(body["split"], 100, "split")
        index = whole(body["index"], 0, 10_000_000, "index")
        return self._started(self._live.invert_data(visitor, split, index))

    async def heatmap(self, request: Request) -> Response:
        """A heatmap of an image: `{spec, explainer, classifier, target}`; the job ends with its values."""
        visitor = self._visitor(request)
        visitor.check_room()
        body = fields(parsed(await request.body()), {"spec", "explainer", "classifier", "target"}, "request")
        spec = read_spec(body["spec"], self._live.scene.styles.layers, "spec")
        explainer = one_of(body["explainer"], self._live.explainers, "explainer")
        classifier, target = self._class(body["classifier"], body["target"])
        return self._started(self._live.heatmap(visitor, spec, explainer, classifier, target))

    async def cancel(self, request: Request) -> Response:
        """Stop a job of this tab: `{job}`."""
        visitor = self._visitor(request)
        body = fields(parsed(await request.body()), {"job"}, "request")
        job = visitor.jobs.get(text(body["job"], 80, "job"))
        if job is None:
            raise Bad("there is no such job under way", 404)
        job.cancel()
        return JSONResponse({})

    async def save(self, request: Request) -> Response:
        """The session as a file that opens anywhere: with the latents of every style and with every slider used."""
        visitor = self._visitor(request)
        document = read_document(parsed(await request.body()), self._live.scene.styles.layers)
        latents = {name: self._live.scene.styles.latents(name, visitor.styles) for name in sorted(document.used)}
        document = with_sliders(document, self._live.scene.movables)
        return JSONResponse({**write_document(document), "latents": write_latents(latents)})

    async def open(self, request: Request) -> Response:
        """A saved session; its styles become this tab's."""
        visitor = self._visitor(request)
        value = parsed(await request.body())
        document = read_document(value, self._live.scene.styles.layers)
        shape = tuple(self._live.scene.models.generator.latent_shape)
        visitor.keep(read_latents(value.get("latents", {}), shape))
        self._live.scene.movables.keep(document.sliders)
        for name in document.used:
            self._live.scene.styles.latents(name, visitor.styles)
        with_sliders(document, self._live.scene.movables)
        return JSONResponse(write_document(document))

    async def export(self, request: Request) -> Response:
        """One self-contained page of a session: `{document, precomputed, view}`; the job ends with name and size."""
        visitor = self._visitor(request)
        visitor.check_room()
        body = fields(parsed(await request.body()), {"document", "precomputed", "view"}, "request")
        document = read_document(body["document"], self._live.scene.styles.layers)
        precomputed = whole(body.get("precomputed", 100), 0, 1000, "precomputed")
        known = self._live.scene.models.classifiers
        view = fields(
            body.get("view", {"classifier": next(iter(known)), "target": 0}), {"classifier", "target"}, "view"
        )
        classifier, target = self._class(view["classifier"], view["target"])
        return self._started(self._live.export(visitor, document, precomputed, classifier, target))

    async def exported(self, request: Request) -> Response:
        """A page that was made: `{export}`; it is given once."""
        visitor = self._visitor(request)
        body = fields(parsed(await request.body()), {"export"}, "request")
        page = visitor.exports.pop(text(body["export"], 80, "export"), None)
        if page is None:
            raise Bad("there is no such page; make it again", 404)
        return Response(page, media_type="application/octet-stream")

    def _started(self, job: Any) -> Response:
        return JSONResponse({"job": job.id}, 202)

    def _visitor(self, request: Request) -> Visitor:
        return self._live.visitors.find(request.path_params["tab"])

    def _class(self, classifier: Any, target: Any) -> tuple[str, int]:
        known = self._live.scene.models.classifiers
        name = one_of(classifier, known, "classifier")
        return name, whole(target, 0, max(len(known[name].class_names), 1) - 1, "target")

    def _asked(self, value: Any) -> dict[str, int]:
        if not isinstance(value, dict) or len(value) > 100:
            raise Bad("ask: expected classifier to class")
        return dict(self._class(name, target) for name, target in value.items())
