"""`sidelight bench`: which explanation finds what a classifier uses?

Every cell is one method on one model whose causes are known by exact re-rendering. Cells are recipes; what is done is
kept, so that an interrupted benchmark continues.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.documents import read_yaml_file, to_plain
from sidelight_specs.problems import Problems

from sidelight_bench.cells import (
    CRASHES,
    Record,
    cells_of,
    crashed,
    key_of,
    read_record,
    refuse_cheats,
    restore_record,
    run_cell,
    write_recipe,
)
from sidelight_bench.methods import FAMILIES, KNOWN, METHODS, Method
from sidelight_bench.page import write_page
from sidelight_bench.suites import SUITES
from sidelight_bench.tables import best_of_families, tables_of
from sidelight_bench.workers import Event, can_fork, run_in_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sidelight_specs.host import Host

    from sidelight_bench.cells import Cell
    from sidelight_bench.suites import Suite
    from sidelight_bench.tables import Tables

DESCRIPTION = """\
Find out which explanations show what a classifier uses. Models are trained on data with a planted cause of known
strength, and on the same data without; what each of them uses is measured by exact re-rendering, and every method is
asked how much it sees.

  quick   every method that is fast, few models and images
  full    everything, more images; hours
  list    suites and methods, and which of them can run here
"""
EXAMPLES = """\
examples:
  sidelight bench quick
  sidelight bench quick --with acme/rise              your explainer beside ours
  sidelight bench quick --with rise.yaml              the same with options: a file with `explainers:`
  sidelight bench full --suite faces --out runs/faces-bench

An interrupted benchmark continues where it was; done cells are not computed again. An explainer of yours gets images,
the question and the classifier, never names, factors or masks; one that needs data is refused.
"""
SECONDS_BETWEEN = 20.0  # lines of progress where there is no terminal
FRAGMENT = {"explainers", "attribute_finders", "generator", "inverter"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight bench`."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("size", metavar="SIZE", choices=("quick", "full", "list"), help="quick, full or list")
    text = "an explainer of yours, or a recipe fragment with one; may be repeated"
    parser.add_argument("--with", dest="guests", metavar="USE", action="append", default=[], help=text)
    parser.add_argument("--suite", metavar="NAME", action="append", default=[], help="only this suite; may be repeated")
    text = "only this method, or family; may be repeated"
    parser.add_argument("--method", metavar="NAME", action="append", default=[], help=text)
    parser.add_argument("--seeds", metavar="N", type=int, help="models of each kind (default: 3)")
    parser.add_argument("--workers", metavar="N", type=int, help="processes, each with models of its own (default: 1)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where everything lands (default: runs/bench-SIZE)")
    parser.add_argument("--again", action="store_true", help="run done cells once more; the cache still counts")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Run the cells that are not done, write the tables, say what came out."""
    suites = [_named(SUITES, name, "suite") for name in arguments.suite] or list(SUITES.values())
    guests = _guests(arguments.guests, host)
    methods = [*_chosen(arguments.method), *guests]
    for option, lacking in (("seeds", "no model"), ("workers", "nobody to compute")):
        if (number := getattr(arguments, option)) is not None and number < 1:
            raise UserError(f"--{option} {number} leaves {lacking}", "give 1 or more")
    if arguments.size == "list":
        return _list(host)
    methods = [method for method in methods if arguments.size == "full" or method.only != "full"]
    out: Path = arguments.out or Path("runs") / f"bench-{arguments.size}"
    out.mkdir(parents=True, exist_ok=True)
    cells, absent = _plan(arguments, suites, methods, out, host)
    if not cells:
        raise UserError("no suite can run here: " + "; ".join(absent.values()), "see `sidelight bench list`")
    for name, reason in absent.items():
        host.write_wrapped(f"left out: {name}: {reason}")
    outcomes = _run_all(cells, out, host, arguments.workers or 1, again=arguments.again)
    tables = tables_of(outcomes)
    tables.write(out)
    _freeze(outcomes, out, host)
    page = write_page(out)
    _summary(tables, page, host)
    return 0


def _plan(
    arguments: argparse.Namespace, suites: Sequence[Suite], methods: Sequence[Method], out: Path, host: Host
) -> tuple[list[Cell], dict[str, str]]:
    """All cells, and the methods and suites that cannot run here with the reason."""
    cells, absent = list[Any](), dict[str, str]()
    installed = {entry.use for entry in host.installed() if not entry.flaw}
    for method in methods:
        if missing := sorted(_uses(method) - installed):
            absent[method.name] = f"not installed: {', '.join(missing)}"
    present = [method for method in methods if method.name not in absent]
    for suite in suites:
        size = suite.size(arguments.size)
        try:
            mine = [
                cell
                for model in suite.models(size, arguments.seeds)
                for cell in cells_of(suite, model, present, size, host)
            ]
            write_recipe(mine[0], out)
            host.check(mine[0].recipe_path(out))
        except UserError as error:  # a component or its files are not on this machine
            absent[suite.name] = " ".join(str(error).split())
        else:
            cells += mine
    return cells, absent


def _run_all(cells: Sequence[Cell], out: Path, host: Host, workers: int, *, again: bool) -> list[tuple[Cell, Record]]:
    """Each cell with its record, in order."""
    versions = {entry.use: f"{entry.distribution} {entry.version}" for entry in host.installed()}
    keys = [key_of(cell, versions) for cell in cells]
    records = [read_record(cell, out, key) for cell, key in zip(cells, keys, strict=True)]
    left = [
        index
        for index, record in enumerate(records)
        if record is None or again or (not record.is_done and record.crashes < CRASHES)
    ]
    host.write(f"{len(cells)} cells, {len(cells) - len(left)} of them done; results go to {out}")
    earlier = dict(enumerate(records))
    settings: list[str] = []
    if workers > 1 and not can_fork():  # the kernel's executor starts processes of its own for each cell
        settings = ["executor.use=sidelight/processes", f"executor.with.workers={workers}"]
        workers = 1
    progress = _Progress(host, [cells[index] for index in left], workers)

    def compute(index: int) -> Record:
        return run_cell(cells[index], out, keys[index], host, settings, earlier[index])

    def restore(index: int) -> None:
        restore_record(cells[index], out, earlier[index])

    try:
        for event in _events(cells, left, compute, workers, restore):
            index, cell, record = event.cell, cells[event.cell], event.record
            if event.crash:
                record = crashed(cell, out, keys[index], event.crash, earlier[index])
            if record is None:
                progress.begin(cell)
            else:
                records[index] = record
                progress.end(cell, record)
    finally:
        progress.close()
    return [(cell, record) for cell, record in zip(cells, records, strict=True) if record is not None]


def _events(
    cells: Sequence[Cell],
    left: Sequence[int],
    compute: Callable[[int], Record],
    workers: int,
    restore: Callable[[int], None],
) -> Iterator[Event]:
    """Begin and end of every cell that is left, here or in workers that take whole models."""
    if workers > 1 and left:
        groups: dict[str, list[int]] = {}
        for index in left:
            groups.setdefault(cells[index].model.name, []).append(index)
        yield from run_in_workers(list(groups.values()), compute, workers, restore)
        return
    for index in left:
        yield Event(index)
        yield Event(index, compute(index))


class _Progress:
    """A line with the time to come: the mean of the cells of a method so far, or of all."""

    def __init__(self, host: Host, cells: Sequence[Cell], workers: int) -> None:
        self._host, self._left, self._workers = host, [_kind(cell) for cell in cells], workers
        self._total, self._told = len(cells), 0.0
        self._began: dict[str, float] = {}  # cells under way
        self._spent: dict[str, list[float]] = {}
        self._failed: set[str] = set()
        self._is_terminal = sys.stderr.isatty()

    def begin(self, cell: Cell) -> None:
        now = self._began[cell.name] = time.monotonic()
        done = self._total - len(self._left)
        line = f"{done + len(self._began)}/{self._total} {', '.join(self._began)}{self._to_come()}"
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line[:110]}")
            sys.stderr.flush()
        elif now - self._told > SECONDS_BETWEEN:
            self._told = now
            self._host.write(line, error=True)

    def end(self, cell: Cell, record: Record) -> None:
        now, kind = time.monotonic(), _kind(cell)
        self._left.remove(kind)
        self._spent.setdefault(kind, []).append(now - self._began.pop(cell.name, now))
        if record.failure and kind not in self._failed:
            self._failed.add(kind)  # said once; the table has all of them
            self.close()
            self._host.write(f"failed: {cell.name}: {record.failure}", error=True)

    def close(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")

    def _to_come(self) -> str:
        spent = [one for some in self._spent.values() for one in some]
        if not spent:
            return ""
        mean = {kind: sum(some) / len(some) for kind, some in self._spent.items()}
        seconds = sum(mean.get(kind, sum(spent) / len(spent)) for kind in self._left) / self._workers
        return f", about {seconds / 60:.0f} min to come" if seconds >= 90 else f", about {seconds:.0f} s to come"


def _kind(cell: Cell) -> str:
    return cell.method.name if cell.method else cell.kind


def _uses(method: Method) -> set[str]:
    own = {one["use"] for components in method.sections.values() for one in components.values()}
    return {method.use, *own}


def _chosen(names: Sequence[str]) -> list[Method]:
    """The methods asked for; baselines and the oracle are always there."""
    if not names:
        return list(METHODS.values())
    chosen: dict[str, Method] = {}
    for name in names:
        if name in FAMILIES:
            chosen |= {method.name: method for method in METHODS.values() if method.family == name}
        else:
            method = _named(METHODS, name, "method")
            chosen[method.name] = method
    fixed = [method for method in METHODS.values() if method.family in ("baseline", "ceiling")]
    return [*chosen.values(), *(method for method in fixed if method.name not in chosen)]


def _named(table: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in table:
        raise UserError(f'there is no {what} "{name}"', f"choose of {', '.join(table)}")
    return table[name]


def _guests(texts: Sequence[str], host: Host) -> list[Method]:
    guests = [_guest(text, host) for text in texts]
    names = [*METHODS, *(guest.name for guest in guests)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"--with {', '.join(twice)}: it is on the leaderboard already", "leave it out, or rename it")
    return guests


def _guest(text: str, host: Host) -> Method:
    """A method that the user brings: `acme/rise`, or a file with `explainers:` and what they need.

    Raises:
        UserError: it is not installed, the file is no fragment, or it would see the answers.
    """
    if text.endswith((".yaml", ".yml")):
        method = _fragment(Path(text))
    else:
        (found,) = host.find(text, "explainer")
        method = Method(name=found.use, family="yours", use=found.use)
        slots = {need.role for need in found.descriptor.needs if not need.optional}
        if slots & {"generator", "inverter"}:
            method = attrs.evolve(method, requires="latent")
    refuse_cheats(method, host, KNOWN)
    return method


def _fragment(path: Path) -> Method:
    problems = Problems()
    document = read_yaml_file(path, problems)
    problems.raise_if_any()
    plain = to_plain(document)
    unknown = set(plain) - FRAGMENT if isinstance(plain, dict) else {"no mapping"}
    explainers = plain.get("explainers") if isinstance(plain, dict) else None
    if unknown or not isinstance(explainers, dict) or not explainers or not all(map(_is_components, plain.values())):
        extra = f": {', '.join(sorted(unknown))}" if unknown else ""
        raise UserError(
            f"{path} is no fragment of a recipe{extra}", "write `explainers:`, and beside it what they need"
        )
    *helpers, last = explainers
    sections = {key: value for key, value in plain.items() if key != "explainers"}
    if helpers:
        sections["explainers"] = {name: explainers[name] for name in helpers}
    one = explainers[last]
    return Method(
        name=f"{path.stem}/{last}",
        family="yours",
        use=one["use"],
        options=one.get("with", {}),
        needs=one.get("needs", {}),
        sections=sections,
    )


def _is_components(section: Any) -> bool:
    """True of a component, or of a mapping of names to components, as a recipe's section has them."""
    if not isinstance(section, dict):
        return False
    components = [section] if "use" in section else list(section.values())
    return all(isinstance(one, dict) and isinstance(one.get("use"), str) for one in components)


def _freeze(outcomes: Sequence[tuple[Cell, Record]], out: Path, host: Host) -> None:
    """Write `frozen.json`, and say where data or models are others than those of the published figures."""
    frozen: dict[str, dict[str, str]] = {"data": {}, "models": {}}
    for cell, record in outcomes:
        if not record.is_done:
            continue
        if cell.kind == "method":
            frozen["data"].setdefault(f"{cell.suite.name}/{cell.recipe['explain']['count']}", record.digest)
        elif cell.kind == "decorrelated":
            frozen["models"][f"{cell.model.name}/{cell.recipe['explain']['count']}"] = record.digest
    (out / "frozen.json").write_text(json.dumps(frozen, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shipped = json.loads(files("sidelight_bench").joinpath("frozen.json").read_text(encoding="utf-8"))
    for what in ("data", "models"):
        both = frozen[what].keys() & shipped[what].keys()
        other = sorted(name for name in both if frozen[what][name] != shipped[what][name])
        if other:
            host.write_wrapped(
                f"{len(other)} of {len(both)} {what} differ from those of docs/explanation/benchmark.md "
                f"({other[0]}, ...): another processor or other versions; compare rows of one machine alone"
            )


def _summary(tables: Tables, page: Path, host: Host) -> None:
    """Print the best of each family, what it is told apart from, and what cannot be answered."""
    rows = [
        (
            row["method"],
            row["family"],
            _with_limits(row["auroc"], row["low"], row["high"]),
            _number(row["false_alarms"]),
            f"{row['users']}+{row['others']}",
            f"{row['seconds']:.2g}" if row["seconds"] else "",
            f"unstable over {row['unstable']}" if row["unstable"] else "",
        )
        for row in best_of_families(tables.leaderboard)
    ]
    headings = ("best of its family", "family", "AUROC (95 %)", "false alarms", "models", "s/image", "")
    host.write_table(headings, rows)
    failed = list(dict.fromkeys(row["method"] for row in tables.cells if row.get("failed")))
    if failed:
        host.write_wrapped(f"failed on some models: {', '.join(failed)}; `failed` in cells.csv says why")
    speechless = {row["factor"]: 0 for row in tables.cells if row.get("cannot")}
    for row in tables.cells:
        if row.get("cannot"):
            speechless[row["factor"]] += 1
    for factor, count in speechless.items():
        host.write(f"{count} cells cannot speak of {factor}")
    host.write(f"open {page}")


def _list(host: Host) -> int:
    installed = {entry.use for entry in host.installed() if not entry.flaw}
    suites = [(suite.name, suite.planted, suite.summary) for suite in SUITES.values()]
    host.write_table(("suite", "planted", ""), suites)
    host.write()
    rows = [
        (
            method.name,
            method.family,
            "quick, full" if method.only != "full" else "full",
            "" if _uses(method) <= installed else f"not installed: {', '.join(sorted(_uses(method) - installed))}",
        )
        for method in METHODS.values()
    ]
    host.write_table(("method", "family", "in", ""), rows)
    return 0


def _with_limits(value: float, low: float | None, high: float | None) -> str:
    return f"{_number(value)} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
