"""Access control of the page: token, origin, host name, and limits on what is sent."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "x-sidelight-token"  # noqa: S105  (the name of the header)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class Security:
    """ASGI middleware that refuses a request before it is read.

    Checks the Host header (against DNS rebinding), the Origin (against cross-site requests), the token of every POST,
    and the length of the body.

    Args:
        app: the application behind it.
        token: the page's.
        hosts: accepted host names, without port; None for any (a public --host).
        limit: of a body, in bytes.
        tokenless: endings of paths that carry the token in the body.
        origin: public origin of a reverse proxy; its host name is accepted too, and its pages are not foreign.
        prefix: path that a proxy may leave before the page's own paths.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        hosts: tuple[str, ...] | None,
        limit: int,
        tokenless: tuple[str, ...] = (),
        origin: str = "",
        prefix: str = "",
    ) -> None:
        self._origin, self._prefix = origin, prefix
        self._app, self._token, self._hosts, self._limit, self._tokenless = app, token, hosts, limit, tokenless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(scope, headers)
        except InvalidInput as error:
            await refused(error)(scope, receive, self._with_headers(send))
            return
        await self._app(self._without_prefix(scope), self._limited(receive), self._with_headers(send))

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise InvalidInput("this page is not served under that name", 421)
        if scope["method"] in ("GET", "HEAD"):
            return
        if scope["method"] != "POST":
            raise InvalidInput("GET and POST are answered here", 405)
        origin = headers.get("origin")
        if origin is not None and (not self._origin or origin != self._origin) and _netloc(origin) != host:
            raise InvalidInput("requests from other pages are refused", 403)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise InvalidInput("requests from other pages are refused", 403)
        if not scope["path"].endswith(self._tokenless or ("\0",)):
            check_token(self._token, headers.get(TOKEN, ""))
        if not _fits(headers.get("content-length"), self._limit):
            raise InvalidInput(f"at most {self._limit} bytes are taken", 413)

    def _without_prefix(self, scope: Scope) -> Scope:
        path = scope["path"]
        if not self._prefix or not path.startswith(f"{self._prefix}/"):
            return scope
        return {**scope, "path": path[len(self._prefix) :], "raw_path": None}

    def _limited(self, receive: Receive) -> Receive:
        """`receive` with the limit enforced, for bodies without Content-Length."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise InvalidInput(f"at most {self._limit} bytes are taken", 413)
            return message

        return limited

    @staticmethod
    def _with_headers(send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        return sending


def check_token(expected: str, given: str) -> None:
    """Raise `InvalidInput` if the token is wrong; compared in constant time."""
    if not secrets.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise InvalidInput("the token is missing or wrong; load the page again from the address that was printed", 403)


def refused(error: InvalidInput) -> JSONResponse:
    """Response to an invalid request."""
    return JSONResponse({"error": str(error)}, error.status, headers={"cache-control": "no-store"})


def _netloc(origin: str) -> str | None:
    """Host and port of an origin; None if it cannot be parsed."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str:
    """Host name without port: `[::1]` of `[::1]:80`."""
    head, _, port = host.rpartition(":")
    return head if head and port.isdigit() else host


def _fits(length: Any, limit: int) -> bool:
    if length is None:
        return True
    return str(length).isdigit() and len(length) < 16 and int(length) <= limit
