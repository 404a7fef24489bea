"""Listening socket and uvicorn; the socket is opened first, so that the address is known before serving."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from sidelight_specs import UserError
from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import ASGIApp

HEAD_SECONDS = 10.0  # timeout of a connection's first request head; uvicorn has none
KEEP_SECONDS = 180  # an idle connection; Caddy keeps its own for 120 s and cannot repeat a POST on one closed here
GRACE_SECONDS = 5  # timeout of requests under way at shutdown


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address or port is not available.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot listen on {host}, port {port}: {error}", "choose another --port or --host") from error
    return listening


def address(listening: socket.socket, token: str, origin: str = "", prefix: str = "") -> str:
    """URL of the page, with its token; by a public origin where there is one."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{origin or f'http://{shown}:{port}'}{prefix}/?token={token}"


class _Server(uvicorn.Server):
    """uvicorn, which ends the event streams before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, wait for the requests under way."""
        self._closing()
        await super().shutdown(sockets)


class _TimedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # which class it is depends on what is installed
    """A connection that is closed unless a request head arrives within `HEAD_SECONDS`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def serve(app: ASGIApp, listening: socket.socket, opened: Callable[[], None], closing: Callable[[], None]) -> None:
    """Serve until interrupted.

    Args:
        app: the application.
        listening: the socket of `listen`.
        opened: called before the first request.
        closing: called at shutdown, in the server's loop; ends the event streams.
    """
    config = uvicorn.Config(
        app,
        http=_TimedProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, closing)
    opened()
    with suppress(KeyboardInterrupt):  # uvicorn has shut down in good order and raises it again
        server.run(sockets=[listening])
