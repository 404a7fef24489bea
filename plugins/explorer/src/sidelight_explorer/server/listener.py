"""Listening: a socket of our own, so that the address is known before the first visitor, and uvicorn on it."""

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

HEAD_SECONDS = 10.0  # for the first request's head; connections that send none would be kept open for good
GRACE_SECONDS = 5  # for requests under way when the user ends the page


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address or port cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot listen on {host}, port {port}: {error}", "Choose another --port or --host.") from error
    return found


def address(listening: socket.socket, token: str) -> str:
    """The address of the page, with its token."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/?token={token}"


class _Server(uvicorn.Server):
    """A server that ends its event streams before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, wait for the requests under way."""
        self._closing()
        await super().shutdown(sockets)


class _Prompt(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # which class it is depends on what is installed
    """A connection that has to send a whole request head within `HEAD_SECONDS`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._close_unless_asked)

    def _close_unless_asked(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def serve(app: ASGIApp, listening: socket.socket, opened: Callable[[], None], closing: Callable[[], None]) -> None:
    """Answer until interrupted; returns then.

    Args:
        app: what answers.
        listening: the socket of `listen`.
        opened: called before the first request.
        closing: called at the end, in the server's loop; ends what would stay open by itself.
    """
    config = uvicorn.Config(
        app,
        http=_Prompt,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, closing)
    opened()
    with suppress(KeyboardInterrupt):  # uvicorn has shut down in good order and raises it again
        server.run(sockets=[listening])
