"""Addresses that parameters name, of servers and of clusters: whether they lead to another machine.

A recipe may come from a stranger, and must not send a run's images and results anywhere unless the user wants it.
Nothing is looked up, so that a name other than `localhost` counts as another machine's.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

_OWN = ("local", "auto")  # Ray's words for this machine's own cluster
_NETWORKED = ("http", "https", "ray", "tcp", "tls", "ws", "wss", "")  # whose host alone says where they lead
_FILES = ("file", "sqlite")


def is_remote(address: str) -> bool:
    """True for an address of another machine, and for one that cannot be understood.

    `http://HOST:PORT` and `HOST:PORT` lead to their host; `file:` and `sqlite:` addresses and paths with a slash stay
    here, unless they name a share of another machine.
    """
    address = address.strip()
    if address.startswith(("//", "\\\\")):
        return True
    if not address or address in _OWN or address.startswith(("/", "./", "../", "~")):
        return False
    if any(char in "\\@" or not char.isprintable() or char.isspace() for char in address):
        return True  # parsers disagree about which of two names is the host
    try:
        parts = urlsplit(address if "://" in address or address.startswith("file:") else f"//{address}")
        host, where = parts.hostname or "", parts.path
    except ValueError:
        return True
    if parts.scheme in _FILES:
        return host not in ("", "localhost") or (where.startswith(("//", "/\\")) and parts.scheme == "file")
    if parts.scheme not in _NETWORKED:
        return True
    if host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
