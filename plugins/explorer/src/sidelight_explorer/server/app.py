"""ASGI application: page, API and the access control around them."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sidelight_specs.stage import Public
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sidelight_explorer.page import page
from sidelight_explorer.server.api import Api
from sidelight_explorer.server.security import LOOPBACK, Security, check_token, refused
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from sidelight_explorer.server.live_state import LiveState

OVERHEAD = 1 << 20  # bytes of a request beside an uploaded file


def application(
    live: LiveState, token: str, *, upload: int, host: str = "127.0.0.1", public: Public | None = None
) -> ASGIApp:
    """The ASGI application.

    Args:
        live: state behind the page.
        token: needed to load the page and to change anything.
        upload: largest file, in bytes.
        host: interface that it listens on.
        public: its address behind a reverse proxy.
    """
    html = page({"token": token, "name": live.state.name}, live=True)

    async def home(request: Request) -> Response:
        check_token(token, request.query_params.get("token", ""))
        return HTMLResponse(html, headers={"cache-control": "no-store"})

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        live.clients.close()
        live.jobs.close()

    inner = Starlette(
        routes=[Route("/", home, methods=["GET"]), *Api(live, token).routes()],
        exception_handlers={InvalidInput: _bad, HTTPException: _http, ClientDisconnect: _gone},
        lifespan=lifespan,
    )
    public = public or Public()
    hosts: tuple[str, ...] | None = None
    if public.origin:
        hosts = (*LOOPBACK, host, str(urlsplit(public.origin).hostname))
    elif host in ("127.0.0.1", "::1", "localhost"):
        hosts = (*LOOPBACK, host)
    return Security(
        inner,
        token=token,
        hosts=hosts,
        limit=upload + OVERHEAD,
        tokenless=("/close",),
        origin=public.origin,
        prefix=public.prefix,
    )


async def _bad(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidInput), "registered for it"
    return refused(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for it"
    return JSONResponse({"error": error.detail}, error.status_code)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


def new_token() -> str:
    """An unguessable token."""
    return secrets.token_urlsafe(24)
