"""Listening: a socket of our own, so that the address is known before the first visitor, and uvicorn on it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp


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


def serve(app: ASGIApp, listening: socket.socket, opened: Callable[[], None]) -> None:
    """Answer until interrupted; returns then."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    opened()
    with suppress(KeyboardInterrupt):  # uvicorn has shut down in good order and raises it again
        server.run(sockets=[listening])
