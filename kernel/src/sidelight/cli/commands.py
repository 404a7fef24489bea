"""The kernel's own commands, in the order of the help. What runs a recipe is imported when a command needs it."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.commands import Command
from sidelight_specs.facts import confused_pair
from sidelight_specs.hooks import COMMAND, EXTENSIONS, KIND, RECIPE
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import listing

import sidelight
from sidelight.cli.claims import write_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sidelight_specs.host import Health

    from sidelight.cli.host import KernelHost
    from sidelight.engine.forecast import Forecast
    from sidelight.engine.results import Run
    from sidelight.recipe.model import Resolved, ResolvedComponent

COMMANDS: dict[str, Command] = {}
SPECS = "sidelight-specs"
SPREAD = 1.2  # ratio of two times that are worth telling apart
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TARGETS = {
    "auto": "why the predicted class and not the true one, or where it is right, the second most likely one",
    "expected": "why the predicted class and not the true one, of misclassified images alone",
    "second": "why the predicted class and not the second most likely one",
    "predicted": "why the predicted class",
    "all": "why the predicted class and not each of the others",
}


_CHOICES = {
    "errors": "errors alone",
    "confident-errors": "errors alone, the most confident first",
    "lowest-margin": "the least certain first",
}


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'"{text}" is no whole number above 0')
    return int(text)


def _size(text: str) -> tuple[int, ...]:
    sides = tuple(map(_positive, text.lower().split("x")))
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f'"{text}" is no size; write 224 or 224x192')
    return sides * (3 - len(sides))


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'"{text}" holds no numbers; write 0.485,0.456,0.406') from error


_FLAG: dict[str, Any] = {"action": "store_true"}
_MANY: dict[str, Any] = {"action": "append", "default": []}
_ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "recipe": ("a YAML file, or the name of an installed recipe: `sidelight recipes`", {"metavar": "RECIPE"}),
    "--set": ("change one value: explain.count=20", {"metavar": "KEY=VALUE", **_MANY}),
    "--swap": ("exchange a component: data=PLUGIN/COMPONENT", {"metavar": "ROLE=USE", **_MANY}),
    "--out": ("the run's folder (default: runs/ and the recipe's name)", {"metavar": "DIR"}),
    "--device": ("auto, cpu, cuda, cuda:N or mps (default: auto)", {"default": "auto"}),
    "--threads": ("threads to compute with (default: OMP_NUM_THREADS, or 1)", {"metavar": "N", "type": _positive}),
    "--tf32": ("let an NVIDIA GPU round factors of products to 10 bits", _FLAG),
    "--compile": ("torch.compile classifiers: minutes first, and often no gain; see docs/how-to/running.md", _FLAG),
    "--executor": ("who computes the units of work: processes, ... (default: the recipe's)", {"metavar": "NAME"}),
    "--workers": ("how many workers the executor has", {"metavar": "N", "type": _positive}),
    "--frozen": (
        "refuse, by name, what differs from a lock (default: RECIPE.lock)",
        {"metavar": "LOCK", "nargs": "?", "const": True, "default": False},
    ),
    "--cost": ("try the recipe on up to four images, and estimate time, memory and disk of the whole", _FLAG),
    "--quiet": ("show no progress", _FLAG),
    "images": ("files, globs or folders, explained in this order", {"metavar": "IMAGE", "nargs": "+"}),
    "--model": ("a model file, or SOURCE:NAME such as timm:resnet18", {"metavar": "MODEL", "required": True}),
    "--with": ("a method: grad-cam, igos++, ... (default: those that fit the model)", {"metavar": "METHOD", **_MANY}),
    "--measure": ("a metric: insertion-deletion, ...", {"metavar": "METRIC", **_MANY}),
    "--class": ("explain this class of every image", {"metavar": "NAME", "dest": "of"}),
    "--probe": ("ask why not this class (default: the true one, or the second)", {"metavar": "NAME"}),
    "--choose": ("which images: errors, confident-errors, lowest-margin (default: all)", {"metavar": "HOW"}),
    "--count": ("how many images (default: all)", {"metavar": "N", "type": _positive}),
    "--classes": ("text file with one class name a line", {"metavar": "FILE"}),
    "--size": ("height and width of the model's input", {"metavar": "PIXELS", "type": _size}),
    "--mean": ("of the model's normalisation: 0.485,0.456,0.406", {"metavar": "NUMBERS", "type": _numbers}),
    "--std": ("likewise: 0.229,0.224,0.225", {"metavar": "NUMBERS", "type": _numbers}),
    "--task": ("multiclass, binary or regression", {"choices": ("multiclass", "binary", "regression")}),
    "--name": ("name of the run and its recipe (default: explain)", {"default": "explain"}),
    "--save-recipe": ("also write the recipe that this stands for", {"metavar": "FILE"}),
    "run": ("the folder of a finished run", {"metavar": "RUN"}),
    "--answers": ("a row for each question: image, label, answer, every number about it", _FLAG),
    "--to": ("write the table to a file that ends in .csv, .jsonl or .parquet", {"metavar": "FILE"}),
    "--use": ("the renderer that serves (default: the recipe's, or the only one)", {"metavar": "USE"}),
    "--host": ("the interface to listen on (default: 127.0.0.1, this machine alone)", {"default": "127.0.0.1"}),
    "--port": ("the port (default: any free one)", {"type": int, "default": 0}),
    "--origin": ("public origin of a reverse proxy: https://lab.example.org", {"metavar": "URL", "default": ""}),
    "--prefix": ("path of the page at that origin: /explorer", {"metavar": "PATH", "default": ""}),
    "--token-file": ("file with the page's token (default: $SIDELIGHT_TOKEN, or a new one)", {"metavar": "FILE"}),
    "--role": (
        "one role alone, or kinds, commands, observers, recipes",
        {"choices": (*ROLES, *EXTENSIONS)},
    ),
    "--json": ("write JSON", _FLAG),
    "--no-load": ("read package metadata alone; plugins in order are then `unchecked`", _FLAG),
    "--hashes": ("list distributions, each with the hash that a policy can allow or deny", _FLAG),
}
_RECIPE, _COMPUTING = "recipe --set --swap --out", "--device --threads"
_SERVING = "--use --host --port --origin --prefix --token-file"
_WORKERS, _ARITHMETIC = "--executor --workers", "--tf32 --compile"
_RUNS = ("set", "swap", "out", "device", "threads", "tf32", "compile", "executor", "workers", "frozen")
_SERVES = ("use", "host", "port", "origin", "prefix", "device", "threads")
_TOKEN_VARIABLE = "SIDELIGHT_TOKEN"  # noqa: S105  (the name of a variable)
_LONGEST_TOKEN = 1000  # bytes of its file
_ENTRY, _STATE = ("use", "role", "distribution", "version", "module"), ("state", "summary", "why", "fix")


def _command(summary: str, example: str, names: str, more: Callable[..., None] = lambda _: None) -> Callable[..., Any]:
    """Add a command that is called as the function is, with these of `_ARGUMENTS` and those that `more` adds."""

    def declare(run: Callable[[argparse.Namespace, KernelHost], int]) -> SimpleNamespace:
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            for name in names.split():
                text, options = _ARGUMENTS[name]
                parser.add_argument(name, help=text, **options)
            more(parser)

        name = run.__name__
        COMMANDS[name] = Command(name=name, summary=summary, example=example, module=f"{__name__}:{name}")
        return SimpleNamespace(add_arguments=add_arguments, run=run)

    return declare


def _values(source: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


@_command(
    "explain what a model sees in some images",
    "sidelight explain photos/*.jpg --model timm:resnet18 --with grad-cam",
    "images --model --with --measure --class --probe --choose --count --classes --size --mean --std --task "
    f"--set --name --save-recipe --out {_COMPUTING} {_ARITHMETIC} --quiet",
)
def explain(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Run the recipe that the command stands for; say where its page lies."""
    finished = sidelight.explain(
        arguments.model,
        arguments.images,
        vars(arguments)["with"] or None,
        target=arguments.probe,
        of=arguments.of,
        metrics=arguments.measure or None,
        classes_file=arguments.classes,
        out=arguments.out or f"runs/{arguments.name}",
        progress=not arguments.quiet,
        check=False,
        **_values(
            arguments,
            (
                *("choose", "count", "size", "mean", "std", "task", "set", "save_recipe", "name"),
                *("device", "threads", "tf32", "compile"),
            ),
        ),
    )
    named = bool(vars(arguments)["with"])  # of methods that were chosen, those that fail are warnings
    return _told(finished, host, check=named or not finished.results.explanations)


@_command(
    "run a recipe; results and a page land in a folder",
    "sidelight run quickstart --set explain.count=4",
    f"{_RECIPE} {_COMPUTING} {_WORKERS} {_ARITHMETIC} --frozen --quiet",
)
def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Run a recipe; say what was measured and where its page lies."""
    return _told(host.run(arguments.recipe, progress=not arguments.quiet, **_values(arguments, _RUNS)), host)


def _told(finished: Run, host: KernelHost, check: bool = True) -> int:
    """Tell what a run measured and where its page lies; with `check`, raise the errors of steps that failed.

    A contradicted claim is an error of its own, of a complete run.
    """
    from sidelight_specs.results.table import HEADINGS

    from sidelight.engine.claims import check_claims

    table, cache = finished.measurements, finished.manifest["cache"]
    if len(table):
        host.write_table(HEADINGS, [row.cells for row in table])
    write_claims(finished, host)
    seconds = f"{finished.manifest['seconds']['total']:.1f} s in all"
    counts = f"{cache['found']} of {cache['found'] + cache['made']} parts came from the cache; {seconds}"
    pages = [f"open {page}" for page in finished.pages] or [f"results are in {finished.folder}"]
    host.write("\n".join((*table.notes, counts, *pages)))
    if check:
        finished.check()
    check_claims(finished.results)
    return 0


@_command(
    "print what a run measured, or write it for other programs",
    "sidelight results runs/quickstart --answers --to answers.csv",
    "run --answers --to",
)
def results(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Print the measurements of a finished run, or its answers image by image, or write them to a file."""
    from pathlib import Path

    from sidelight_specs.results.table import HEADINGS

    finished = sidelight.load_run(arguments.run)
    table, answers = finished.measurements, finished.answers
    if not arguments.to and not arguments.answers:
        write_claims(finished, host)
    if arguments.to:
        wanted = answers if arguments.answers else table.columns
        wanted.write(Path(arguments.to))
        host.write(f"wrote {len(wanted)} rows to {arguments.to}")
    elif arguments.answers:
        text = str(answers)
        host.write(f"{text}; --to FILE writes all of it" if "\n... " in text else text)
    elif len(table):
        host.write_table(HEADINGS, [row.cells for row in table])
        host.write("\n".join(table.notes))
    else:
        host.write("the run has no metric; --answers prints what the classifier says of each image")
    return 0


@_command(
    "open a finished run as a live page on this machine",
    "sidelight serve runs/quickstart",
    f"run {_SERVING} {_COMPUTING}",
)
def serve(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Serve a finished run until Ctrl-C."""
    return _serve(arguments.run, _served(arguments), host)


@_command(
    "run a recipe and open it as a live page",
    "sidelight explore interactivity",
    f"{_RECIPE} {_SERVING} {_COMPUTING} {_WORKERS} {_ARITHMETIC} --frozen",
)
def explore(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Run a recipe (what is stored is not made again) and serve it; where a step failed, the rest can be explored."""
    options = _served(arguments)  # its mistakes are told before the run
    return _serve(host.run(arguments.recipe, **_values(arguments, _RUNS)).folder, options, host)


def _serve(folder: str | Path, options: dict[str, Any], host: KernelHost) -> int:
    sidelight.serve(folder, announce=lambda address: host.write(f"open {address}\nCtrl-C ends it"), **options)
    return 0


def _served(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of `sidelight.serve`, checked."""
    from sidelight_specs.stage import Public

    options = {**_values(arguments, _SERVES), "token": _token(arguments.token_file)}
    Public(options["origin"], options["prefix"], options["token"])
    return options


def _token(file: str | None) -> str:
    """The token in a file, else in the environment; as an argument it would show in the list of processes."""
    import os
    from pathlib import Path

    from sidelight_specs.files import read_regular

    if file is None:
        return os.environ.get(_TOKEN_VARIABLE, "").strip()
    fix = "write a token into it: `openssl rand -hex 24`"
    try:
        token = read_regular(Path(file), _LONGEST_TOKEN).decode("ascii", "replace").strip()
    except OSError as error:
        raise UserError(f"the token's file {file} cannot be read: {error.strerror or error}", fix) from error
    if not token:
        raise UserError(f"the token's file {file} is empty", fix)
    return token


@_command(
    "find every mistake in a recipe without loading a model",
    "sidelight check quickstart",
    f"{_RECIPE} --cost {_COMPUTING}",
)
def check(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Check a recipe; say how its components are wired, and what a run would write and compute."""
    from sidelight.engine.forecast import forecast
    from sidelight.recipe.load import load_recipe

    recipe = load_recipe(arguments.recipe, set=arguments.set, swap=arguments.swap, catalog=host.catalog)
    ahead = forecast(recipe, arguments.out)
    host.write(f"{recipe.name} ({arguments.recipe}), seed {recipe.seed}: no mistakes found\n")
    host.write_table(("COMPONENT", "USE", "VERSION", "GETS", "GIVES"), [_wiring(one) for one in recipe.components])
    warnings = (f"\nwarning: {warning.render()}" for warning in recipe.warnings)
    host.write("\n".join(("", *_questions(recipe), *_steps(recipe, ahead), *warnings)))
    if arguments.cost:
        _write_cost(recipe, arguments, host)
    return 0


def _write_cost(recipe: Resolved, arguments: argparse.Namespace, host: KernelHost) -> None:
    """Try the recipe on a few images, and say what the whole of it costs."""
    from sidelight.engine.machine import limit_threads

    limit_threads(arguments.threads)  # before anything imports numpy or torch

    from sidelight.engine.cost import estimate

    cost = estimate(recipe, arguments.device, say=lambda text: host.write(f"{text} ...", error=True))
    total, most = sum(step.seconds for step in cost.steps), sum(step.most for step in cost.steps)
    is_least = any(step.is_least for step in cost.steps)
    rows = [(step.title, _range(step.seconds, step.most, step.is_least), step.why) for step in cost.steps]
    host.write("")
    host.write_table(("STEP", "TAKES ABOUT", ""), rows)
    takes = _range(total, most, is_least)
    memory = "memory that this system does not tell" if cost.memory is None else f"{human_size(cost.memory)} of memory"
    sizes = f"{memory}, {human_size(cost.disk)} on disk"
    host.write(
        f"\ntakes     {takes if is_least else f'about {takes}'} on the {cost.device} for {cost.images} images, {sizes}"
    )
    bound = "; at most: where no search stops early" if "at most" in takes else ""
    host.write(f"          by a trial with long loops cut short{bound}")


def _range(seconds: float, most: float, is_least: bool) -> str:
    """`12 s`, `12 s, at most 3 min`, `at least 12 s`."""
    from sidelight.engine.timings import human_time

    text = f"at least {human_time(seconds)}" if is_least else human_time(seconds)
    return (
        f"{text}, at most {human_time(most)}"
        if human_time(most) != human_time(seconds) and most > SPREAD * seconds
        else text
    )


def _wiring(component: ResolvedComponent) -> tuple[str, ...]:
    """A row of the table; of the capabilities that a component gives, an explanation's kind is the first."""
    gets = [f"{slot}: {other.path if other else 'none'}" for slot, other in component.needs.items()]
    accepts = getattr(component.descriptor, "accepts", ())
    measured = [f"numbers about {' or '.join(accepts)}"] if accepts else []
    gives = (*measured, *component.descriptor.provided_by(component.params))
    return component.path, component.use, component.version, ", ".join(gets), ", ".join(gives)


def _questions(recipe: Resolved) -> Iterator[str]:
    """Lines about the explained images and what is asked about them."""
    explain, size = recipe.explain, (recipe.facts.splits or {}).get(str(recipe.explain.split))
    chosen = f"of the classes {', '.join(map(str, explain.labels))} " if explain.labels else ""
    pair = confused_pair(explain.choose)
    which = f"errors between {' and '.join(map(str, pair))} alone" if pair else _CHOICES.get(str(explain.choose), "")
    if explain.images:
        images = f"images {listing(explain.images)} "
    elif explain.indices:
        images = f"images {', '.join(map(str, explain.indices))} {chosen}"
    elif size is not None and not explain.labels:
        count = size if explain.count is None else min(size, explain.count)
        images = f"{'up to ' if 'alone' in which else ''}{count} of the {size} images "
    else:
        images = f"{'every image' if explain.count is None else f'up to {explain.count} images'} {chosen}"
    yield f"explains  {images}of the split {explain.split}{f', {which}' if which else ''}"
    each = "; ".join(f"why {predicted} and not {probe}" for predicted, probe in explain.targets.items())
    yield f"asks      {each or _TARGETS.get(str(explain.target), f'why the predicted class and not {explain.target}')}"


def _steps(recipe: Resolved, ahead: Forecast) -> Iterator[str]:
    """Lines about the models that are trained, the folder that a run writes, and the steps that it takes."""
    for component in recipe.components:
        title = f"fit {component.path}"
        cached = "" if title in ahead.computed else ", unless the cache holds it"
        cached = ": done, in the cache" if title in ahead.stored else cached
        if component.trained_on:
            yield f"trains    {component.path} on {component.trained_on.path}{cached}"
    yield f"writes    {ahead.out}" + (f", over the run finished {ahead.overwrites}" if ahead.overwrites else "")
    yield from ahead.lines


@_command(
    "list what is installed and whether it works",
    "sidelight plugins --role explainer",
    "--role --json --no-load --hashes",
)
def plugins(arguments: argparse.Namespace, host: KernelHost) -> int:
    """List components, kinds, commands and observers; a broken one is no error of this command."""
    if arguments.hashes:
        return _hashes(host, as_json=arguments.json)
    wanted = [one for one in host.installed() if arguments.role in (None, one.role)]
    if not arguments.role:  # the built-in kinds are no news to anybody; recipes have a list of their own
        wanted = [one for one in wanted if one.distribution != SPECS and one.role != RECIPE]
    states = _with_rivals(host.catalog.states(wanted, load=not arguments.no_load))
    if arguments.json:
        components = [_values(one.entry, _ENTRY) | _values(one, _STATE) for one in states]
        host.write_json({"components": components, "problems": [attrs.asdict(one) for one in host.catalog.problems()]})
        return 0
    if states:
        rows = [(*_values(one.entry, _ENTRY[:-1]).values(), one.state, one.summary) for one in states]
        host.write_table(("COMPONENT", "ROLE", "DISTRIBUTION", "VERSION", "STATE", "SUMMARY"), rows)
    else:
        host.write("no component is installed; plugins are packages whose names usually begin with sidelight-")
    for state in ("broken", "blocked"):
        if reasons := [f"  {one.why}\n    fix: {one.fix}" for one in states if one.state == state]:
            host.write("\n".join((f"\n{state}:", *reasons)))
    if problems := host.problems():
        host.write("\n  ".join(("\nproblems with installed distributions:", *problems)))
    if states:
        counts = Counter(state.state for state in states)
        host.write("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    return 0


def _with_rivals(states: tuple[Health, ...]) -> tuple[Health, ...]:
    """Commands and kinds whose name is taken are broken: a built-in one counts first, then the first in the list."""
    taken = {(COMMAND, name): "sidelight" for name in COMMANDS}
    checked = []
    for state in states:
        entry = state.entry
        owner = taken.setdefault((entry.role, entry.name), entry.distribution)
        if entry.role in (COMMAND, KIND) and owner != entry.distribution:
            why = f'the {entry.role} "{entry.name}" of {entry.distribution} {entry.version} is taken by {owner}'
            state = attrs.evolve(state, state="broken", summary="", why=why, fix="tell its authors to rename it")
        checked.append(state)
    return tuple(checked)


def _hashes(host: KernelHost, *, as_json: bool) -> int:
    """The distributions that announce something, each with its version and hash."""
    from sidelight.registry.hashes import installed_hash

    known = sorted({(one.distribution, one.version) for one in host.installed() if one.distribution != SPECS})
    rows = [(name, version, installed_hash(name)) for name, version in known]
    if as_json:
        host.write_json([dict(zip(("distribution", "version", "hash"), row, strict=True)) for row in rows])
    else:
        cells = [(name, version, digest or "none: editable, or unreadable") for name, version, digest in rows]
        host.write_table(("DISTRIBUTION", "VERSION", "HASH"), cells)
    return 0


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="sizes by component; what happens without an action")
    clear = actions.add_parser("clear", help="remove what is kept; later runs make it anew")
    older = "only what was last used longer ago: 30d, 12h"
    clear.add_argument("--older-than", metavar="AGE", type=_age, default=0.0, help=older)
    actions.add_parser("path", help="print the cache's folder")


def _age(text: str) -> float:
    parts = re.fullmatch(r"(\d+)([smhdw])", text)
    if not parts:
        raise argparse.ArgumentTypeError(f'"{text}" is no age; write 30d, 12h or 90m')
    return float(int(parts[1]) * _SECONDS[parts[2]])


@_command("show what is kept of earlier runs, or clear it", "sidelight cache clear --older-than 30d", "", _add_actions)
def cache(arguments: argparse.Namespace, host: KernelHost) -> int:
    """List the sizes of finished steps by component, remove them, or print the store's folder."""
    from sidelight.engine.store import Store
    from sidelight.engine.timings import forget

    store = Store()
    if arguments.action == "path":
        host.write(str(store.root))
    elif arguments.action == "clear":
        count, size = store.clear(arguments.older_than)
        if not arguments.older_than:
            forget(store.root)
        host.write(f"removed {count} entries, {human_size(size)}, from {store.root}")
    else:
        counts, sizes = Counter[str](), Counter[str]()
        for entry in store.entries():
            counts[entry.component or "(damaged)"] += 1
            sizes[entry.component or "(damaged)"] += entry.size
        rows = [(name, counts[name], size) for name, size in sizes.most_common()]
        rows.append(("all", counts.total(), sizes.total()))
        cells = [(name, str(count), human_size(size)) for name, count, size in rows]
        host.write_table(("component", "entries", "size"), cells)
        host.write(f"in {store.root}")
    return 0


def human_size(size: float) -> str:
    """`0 B`, `12.3 kB`, `4.0 MB`, in powers of 1000."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.{int(units[0] != 'B')}f} {units[0]}"
