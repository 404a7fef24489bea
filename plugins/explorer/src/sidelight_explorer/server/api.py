"""HTTP API of the page: strictly validated requests, JSON responses."""

from __future__ import annotations

import asyncio
import itertools
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.server.security import check_token
from sidelight_explorer.session.edit import read_edit
from sidelight_explorer.session.file import read_latents, read_session, with_sliders, write_latents, write_session
from sidelight_explorer.session.measure import read_measure
from sidelight_explorer.session.names import MOST_LABELS, read_label, read_name
from sidelight_explorer.session.slider import write_slider
from sidelight_explorer.session.style import MOST_POOL
from sidelight_explorer.uploads import read_upload
from sidelight_explorer.validation import InvalidInput, fields, listed, mapping, one_of, parsed, text, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import numpy as np
    from starlette.requests import Request

    from sidelight_explorer.server.clients import Client
    from sidelight_explorer.server.live_state import LiveState
    from sidelight_explorer.session.edit import EditSpec

MOST_SPECS = 400
MOST_EXACT = 16  # lossless images of one request: 2 MB each at 1024 pixels
EDITING = 128  # threads for edits, each of which waits for the models: cells of others take none of them
MOST_CURVE = 1500  # images of one response curve
ALIVE_SECONDS = 20.0  # between two signs of life of an event stream
UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}  # nginx holds streams back otherwise
CHUNK = 8  # images drawn between two checks for a disconnect


class Api:
    """Request handlers.

    Args:
        live: state behind the page.
        token: the page's.
    """

    def __init__(self, live: LiveState, token: str) -> None:
        self._live, self._token = live, token
        self._editing = CapacityLimiter(EDITING)

    def routes(self) -> list[Route]:
        """Routes of all handlers; `{tab}` is the id from `enter`."""
        posts = {
            "/api/tabs": self.enter,
            "/api/tabs/{tab}/close": self.close,
            "/api/tabs/{tab}/draw": self.draw,
            "/api/tabs/{tab}/reach": self.reach,
            "/api/tabs/{tab}/upload": self.upload,
            "/api/tabs/{tab}/data": self.data,
            "/api/tabs/{tab}/heatmap": self.heatmap,
            "/api/tabs/{tab}/direction": self.direction,
            "/api/tabs/{tab}/names": self.names,
            "/api/tabs/{tab}/test": self.test,
            "/api/tabs/{tab}/curve": self.curve,
            "/api/tabs/{tab}/cancel": self.cancel,
            "/api/tabs/{tab}/save": self.save,
            "/api/tabs/{tab}/open": self.open,
            "/api/tabs/{tab}/export": self.export,
            "/api/tabs/{tab}/exported": self.exported,
        }
        routes = [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        return [*routes, Route("/api/tabs/{tab}/events", self.events, methods=["GET"])]

    async def enter(self, request: Request) -> Response:
        """Open a tab: its id, facts and first session."""
        del request
        client = self._live.enter()
        return JSONResponse({"tab": client.id, "facts": self._live.facts(), "document": self._live.session()})

    async def close(self, request: Request) -> Response:
        """Close a tab; `navigator.sendBeacon` cannot set headers, so the token is in the body."""
        body = fields(parsed(await request.body()), {"token"}, "request")
        check_token(self._token, text(body["token"], 200, "token"))
        self._live.clients.leave(self._client(request))
        return JSONResponse({})

    async def events(self, request: Request) -> Response:
        """Progress of the tab's jobs as server-sent events; the tab stays open as long as the stream."""
        client = self._client(request)
        return StreamingResponse(self._events(client), media_type="text/event-stream", headers=UNBUFFERED)

    async def _events(self, client: Client) -> AsyncIterator[str]:
        self._live.clients.opened_stream(client)
        try:
            yield ": open\n\n"
            while True:
                try:
                    async with asyncio.timeout(ALIVE_SECONDS):  # proxies close a silent stream after a minute
                        event = await client.event()
                except TimeoutError:
                    yield ": alive\n\n"
                    continue
                if event is None:
                    return
                yield f"data: {json.dumps(event)}\n\n"
        finally:
            self._live.clients.lost_stream(client)

    async def draw(self, request: Request) -> Response:
        """Draw images: `{specs, side, edit, ask, exact}` to `{pictures}`; `edit`: with priority, `exact`: lossless."""
        client = self._client(request)
        body = fields(parsed(await request.body()), {"specs", "side", "edit", "ask", "exact"}, "request")
        layers = self._live.state.styles.layers
        specs = [read_edit(item, layers, "specs") for item in listed(body["specs"], MOST_SPECS, "specs")]
        side = whole(body.get("side", 1024), 8, 4096, "side")
        targets = self._targets(body.get("ask", {}))
        priority = Priority.EDIT if body.get("edit") is True else Priority.CELLS
        exact = body.get("exact") is True
        if exact and len(specs) > MOST_EXACT:
            raise InvalidInput(f"specs: at most {MOST_EXACT} lossless images at a time", 413)
        pictures: list[dict[str, Any]] = []
        for start in range(0, len(specs), CHUNK):
            if start and await request.is_disconnected():
                return Response(status_code=204)
            chunk = specs[start : start + CHUNK]
            work = partial(self._pictures, chunk, priority, client.styles, side, targets, exact)
            pictures += await to_thread.run_sync(work, limiter=self._editing if priority == Priority.EDIT else None)
        return JSONResponse({"pictures": pictures})

    def _pictures(
        self,
        specs: list[EditSpec],
        priority: Priority,
        own: dict[str, np.ndarray],
        side: int,
        targets: dict[str, int],
        exact: bool,
    ) -> list[dict[str, Any]]:
        return [image.plain(side, targets, exact=exact) for image in self._live.state.show(specs, priority, own)]

    async def reach(self, request: Request) -> Response:
        """Random draws with extreme scores: `{classifier, target, high, seed, count, pool, percent, condition}`."""
        self._client(request)
        known = {"classifier", "target", "high", "seed", "count", "pool", "percent", "condition"}
        body = fields(parsed(await request.body()), known, "request")
        classifier, target = self._class(body["classifier"], body["target"])
        styles = await run_in_threadpool(
            self._live.state.styles.extremes,
            classifier,
            target,
            high=body["high"] is True,
            seed=whole(body["seed"], 0, 2**31 - 1, "seed"),
            count=whole(body["count"], 1, 50, "count"),
            pool=whole(body["pool"], 1, MOST_POOL, "pool"),
            percent=whole(body["percent"], 0, 200, "percent"),
            condition=self._condition(body.get("condition")),
        )
        return JSONResponse({"styles": styles})

    async def upload(self, request: Request) -> Response:
        """Invert an image file (the body) into `?space=`; the job's result is a style."""
        client = self._client(request)
        client.check_room()
        space = self._space(request.query_params.get("space", ""))
        body = await request.body()
        shape = self._live.state.models.generator.image_shape
        image = await run_in_threadpool(read_upload, body, shape)
        return self._started(self._live.invert_upload(client, image, space))

    async def data(self, request: Request) -> Response:
        """Invert an image of the data: `{split, index, space}`; the job's result is a style."""
        client = self._client(request)
        client.check_room()
        body = fields(parsed(await request.body()), {"split", "index", "space"}, "request")
        split = text(body["split"], 100, "split")
        index = whole(body["index"], 0, 10_000_000, "index")
        space = self._space(body.get("space", ""))
        return self._started(self._live.invert_data(client, split, index, space))

    async def heatmap(self, request: Request) -> Response:
        """Explain an image: `{spec, explainer, classifier, target}`; the job's result is a heatmap."""
        client = self._client(request)
        client.check_room()
        body = fields(parsed(await request.body()), {"spec", "explainer", "classifier", "target"}, "request")
        spec = read_edit(body["spec"], self._live.state.styles.layers, "spec")
        explainer = one_of(body["explainer"], self._live.explainers, "explainer")
        classifier, target = self._class(body["classifier"], body["target"])
        return self._started(self._live.heatmap(client, spec, explainer, classifier, target))

    async def direction(self, request: Request) -> Response:
        """Make a slider in W: `{name, start, now, layers}`, or of some layers of another, `{name, slider, layers}`."""
        client = self._client(request)
        body = fields(parsed(await request.body()), {"name", "slider", "start", "now", "layers"}, "request")
        count, name = self._live.state.styles.layers, read_name(body["name"], "name")
        layers = self._range(body["layers"], count) if body.get("layers") is not None else None
        if "slider" in body:
            slider = self._live.restrict(name, text(body["slider"], 200, "slider"), layers or (0, count))
        else:
            start, now = (read_edit(body[key], count, key) for key in ("start", "now"))
            slider = await run_in_threadpool(self._live.save_direction, client, name, start, now, layers)
        return JSONResponse(write_slider(slider))

    @staticmethod
    def _range(value: Any, count: int) -> tuple[int, int]:
        """First layer and the one after the last, counted from 0."""
        ends = listed(value, 2, "layers")
        if len(ends) != 2:
            raise InvalidInput("layers: expected the first and the one after the last")
        start = whole(ends[0], 0, count - 1, "layers")
        return start, whole(ends[1], start + 1, count, "layers")

    async def names(self, request: Request) -> Response:
        """Keep names with the run: `{labels}`, slider id to label, or to null for one that is forgotten."""
        self._client(request)
        body = fields(parsed(await request.body()), {"labels"}, "request")
        labels = {
            text(name, 200, "labels"): None if item is None else read_label(item, "labels")
            for name, item in mapping(body["labels"], MOST_LABELS, "labels").items()
        }
        await run_in_threadpool(self._live.keep_names, labels)
        return JSONResponse({})

    async def test(self, request: Request) -> Response:
        """Measure an edit on many images, and random edits beside it: a `Measure`; the job's result is a `Measured`."""
        client = self._client(request)
        client.check_room()
        measure = read_measure(parsed(await request.body()), self._live.state.styles.layers)
        self._class(measure.classifier, measure.target)
        return self._started(self._live.test(client, measure))

    async def curve(self, request: Request) -> Response:
        """Scores of rows of images: `{specs, classifier, target}` to `{scores}`, in the same shape."""
        client = self._client(request)
        body = fields(parsed(await request.body()), {"specs", "classifier", "target"}, "request")
        classifier, target = self._class(body["classifier"], body["target"])
        rows = [listed(row, MOST_CURVE, "specs") for row in listed(body["specs"], MOST_CURVE, "specs")]
        if sum(map(len, rows)) > MOST_CURVE:
            raise InvalidInput(f"specs: expected at most {MOST_CURVE} images", 413)
        layers = self._live.state.styles.layers
        specs = [read_edit(item, layers, "specs") for row in rows for item in row]
        scores: list[float] = []
        for start in range(0, len(specs), CHUNK):
            if start and await request.is_disconnected():
                return Response(status_code=204)
            chunk = specs[start : start + CHUNK]
            scores += await run_in_threadpool(self._live.state.scores, chunk, classifier, target, client.styles)
        ends = list(itertools.accumulate(map(len, rows)))
        return JSONResponse({"scores": [scores[end - len(row) : end] for row, end in zip(rows, ends, strict=True)]})

    async def cancel(self, request: Request) -> Response:
        """Cancel a job of this tab: `{job}`."""
        client = self._client(request)
        body = fields(parsed(await request.body()), {"job"}, "request")
        job = client.jobs.get(text(body["job"], 80, "job"))
        if job is None:
            raise InvalidInput("there is no such job under way", 404)
        job.cancel()
        return JSONResponse({})

    async def save(self, request: Request) -> Response:
        """Complete a session into a file: with the latents of its styles and the sliders that it uses."""
        client = self._client(request)
        session = read_session(parsed(await request.body()), self._live.state.styles.layers)
        latents = {name: self._live.state.styles.latents(name, client.styles) for name in sorted(session.used_styles)}
        session = with_sliders(session, self._live.state.sliders)
        return JSONResponse({**write_session(session), "latents": write_latents(latents)})

    async def open(self, request: Request) -> Response:
        """Open a session file; its latents become this tab's."""
        client = self._client(request)
        value = parsed(await request.body())
        session = read_session(value, self._live.state.styles.layers)
        shape = tuple(self._live.state.models.generator.latent_shape)
        client.keep(read_latents(value.get("latents", {}), shape))
        self._live.state.sliders.load(session.sliders)
        for name in session.used_styles:
            self._live.state.styles.latents(name, client.styles)
        with_sliders(session, self._live.state.sliders)
        return JSONResponse(write_session(session))

    async def export(self, request: Request) -> Response:
        """Make an offline page: `{document, precomputed, view}`; the job's result is its id and size."""
        client = self._client(request)
        client.check_room()
        body = fields(parsed(await request.body()), {"document", "precomputed", "view"}, "request")
        session = read_session(body["document"], self._live.state.styles.layers)
        precomputed = whole(body.get("precomputed", 100), 0, 1000, "precomputed")
        known = self._live.state.models.classifiers
        view = fields(
            body.get("view", {"classifier": next(iter(known)), "target": 0}), {"classifier", "target"}, "view"
        )
        classifier, target = self._class(view["classifier"], view["target"])
        return self._started(self._live.export(client, session, precomputed, classifier, target))

    async def exported(self, request: Request) -> Response:
        """Download an offline page once: `{export}`."""
        client = self._client(request)
        body = fields(parsed(await request.body()), {"export"}, "request")
        page = client.exports.pop(text(body["export"], 80, "export"), None)
        if page is None:
            raise InvalidInput("there is no such page; make it again", 404)
        return Response(page, media_type="application/octet-stream")

    def _started(self, job: Any) -> Response:
        return JSONResponse({"job": job.id}, 202)

    def _client(self, request: Request) -> Client:
        return self._live.clients.find(request.path_params["tab"])

    def _class(self, classifier: Any, target: Any) -> tuple[str, int]:
        known = self._live.state.models.classifiers
        name = one_of(classifier, known, "classifier")
        return name, whole(target, 0, max(len(known[name].class_names), 1) - 1, "target")

    def _condition(self, value: Any) -> int | None:
        """Index of a class of the generator; None for draws of any."""
        most = len(self._live.state.models.generator.conditions) - 1
        return None if value is None else whole(value, 0, most, "condition")

    def _space(self, value: Any) -> str:
        return one_of(value, self._live.spaces, "space") if value else ""

    def _targets(self, value: Any) -> dict[str, int]:
        if not isinstance(value, dict) or len(value) > 100:
            raise InvalidInput("ask: expected classifier to class")
        return dict(self._class(name, target) for name, target in value.items())
