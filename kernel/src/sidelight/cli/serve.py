"""`sidelight serve`: open a finished run as a live page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight.cli.run import add_computing_arguments

if TYPE_CHECKING:
    import argparse

    from sidelight.cli.host import KernelHost


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight serve`."""
    parser.add_argument("run", metavar="RUN", help="the folder of a finished run")
    add_serving_arguments(parser)


def add_serving_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `serve` and `explore` share."""
    parser.add_argument(
        "--use", metavar="USE", help="the renderer that serves (default: the recipe's, or the only one)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the interface to listen on (default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument("--port", type=int, default=0, help="the port (default: any free one)")
    add_computing_arguments(parser)


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Serve until Ctrl-C; gives the exit code."""
    return serve_folder(arguments.run, arguments, host)


def serve_folder(folder: str, arguments: argparse.Namespace, host: KernelHost) -> int:
    """Serve the run in a folder."""
    from sidelight import serve

    def announce(address: str) -> None:
        host.write(f"open {address}")
        host.write("Ctrl-C ends it")

    serve(
        folder,
        use=arguments.use,
        host=arguments.host,
        port=arguments.port,
        device=arguments.device,
        threads=arguments.threads,
        announce=announce,
    )
    return 0
