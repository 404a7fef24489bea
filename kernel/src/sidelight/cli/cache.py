"""`sidelight cache`: size of the store of finished steps, and its removal."""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from sidelight.engine.store import Store

if TYPE_CHECKING:
    from sidelight.cli.host import KernelHost
    from sidelight.engine.store import Stored

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight cache`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="sizes by component; what happens without an action")
    clear = actions.add_parser("clear", help="remove what is kept; later runs make it anew")
    clear.add_argument(
        "--older-than", metavar="AGE", type=_age, default=0.0, help="only what was last used longer ago: 30d, 12h"
    )
    actions.add_parser("path", help="print the cache's folder")


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """List the store, clear it, or print its folder."""
    store = Store()
    if arguments.action == "path":
        host.write(str(store.root))
    elif arguments.action == "clear":
        count, size = store.clear(arguments.older_than)
        host.write(f"removed {count} entries, {human_size(size)}, from {store.root}")
    else:
        _list(store, host)
    return 0


def _list(store: Store, host: KernelHost) -> None:
    groups: dict[str, list[Stored]] = defaultdict(list)
    for entry in store.entries():
        groups[entry.component or "(damaged)"].append(entry)
    sizes = {name: sum(entry.size for entry in entries) for name, entries in groups.items()}
    rows = [
        [name, str(len(groups[name])), human_size(sizes[name])]
        for name in sorted(groups, key=lambda name: -sizes[name])
    ]
    rows.append(["all", str(sum(map(len, groups.values()))), human_size(sum(sizes.values()))])
    host.write_table(("component", "entries", "size"), rows)
    host.write(f"in {store.root}")


def human_size(size: float) -> str:
    """`0 B`, `12.3 kB`, `4.0 MB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _age(text: str) -> float:
    parts = re.fullmatch(r"(\d+)([smhdw])", text)
    if not parts:
        raise argparse.ArgumentTypeError(f'"{text}" is no age; write 30d, 12h or 90m')
    return float(int(parts[1]) * _SECONDS[parts[2]])
